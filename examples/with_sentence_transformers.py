"""Give an encoder that is not Matryoshka a working `truncate_dim`, save it, and load it again.

Run it with `python examples/with_sentence_transformers.py`. Letters: N rows, Q queries, K dims kept, D dims.
"""

import tempfile
from pathlib import Path

import numpy as np

from _encoder import load_encoder
from _manual import sentences
from arfc import Compressor
from arfc.search import exact_search

FIT_TEXTS = 400
OTHER_TEXTS = 200
BUDGET = "5s"
DIMS = 48
HITS = 10
QUESTIONS = ("how are exceptions caught", "when is a variable local to a function", "what does a with statement close")


def main() -> None:
    encoder = load_encoder()
    from sentence_transformers import SentenceTransformer

    from arfc.integrations.sentence_transformers import ArfcModule

    texts = [sentence.text for sentence in sentences(FIT_TEXTS + OTHER_TEXTS)]
    x_ND = encoder.encode(texts, show_progress_bar=False)
    print(f"{len(texts)} sentences of Python's language reference, embedded with MiniLM at {x_ND.shape[1]} dims")

    model = Compressor.fit(x_ND[:FIT_TEXTS], budget=BUDGET, progress=False)
    encoder.append(ArfcModule(model))
    with tempfile.TemporaryDirectory() as folder:
        encoder.save(folder)
        kinds = sorted({path.suffix for path in Path(folder).rglob("*") if path.is_file()})
        small = SentenceTransformer(folder, device="cpu", truncate_dim=DIMS, trust_remote_code=True)
    print(f"fitted, appended, saved ({', '.join(kinds)} files) and loaded again with truncate_dim={DIMS}")

    small_NK = small.encode(texts, show_progress_bar=False)
    for question in QUESTIONS:
        ids_QK, cosines_QK = exact_search(small.encode([question]), small_NK, k=1)
        print(f'\n"{question}"\n    {cosines_QK[0, 0]:.2f} {texts[ids_QK[0, 0]]}')

    others = slice(FIT_TEXTS, None)
    wanted_QK, _ = exact_search(x_ND[others], x_ND[:FIT_TEXTS], k=HITS)
    print(f"\n{HITS} nearest of {FIT_TEXTS} found again for the {OTHER_TEXTS} sentences that the fit has not seen")
    for name, rows_NK in {
        f"first {DIMS} dims of the encoder": x_ND[:, :DIMS],
        f"truncate_dim={DIMS}": small_NK,
    }.items():
        found_QK, _ = exact_search(rows_NK[others], rows_NK[:FIT_TEXTS], k=HITS)
        share = np.mean([np.isin(found, wanted).mean() for found, wanted in zip(found_QK, wanted_QK, strict=True)])
        print(f"    {name:<29} {share:.1%}")


if __name__ == "__main__":
    main()
