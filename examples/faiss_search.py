"""faiss on digits: an HNSW index of 16 dims, cut to 8 later, and an index that holds the codes themselves.

Letters: N rows, Q queries, D feature dims.
"""

import tempfile
from pathlib import Path

import faiss
import numpy as np
from sklearn.datasets import load_digits

from arfc import Compressor
from arfc.integrations.faiss import build_index, build_token_index, search_index, search_token_index

QUERIES = 97


def main() -> None:
    digits = load_digits()
    pixels_ND, classes_N = digits.data.astype(np.float32), digits.target
    rows_ND, queries_QD = pixels_ND[:-QUERIES], pixels_ND[-QUERIES:]
    model = Compressor.fit(rows_ND, steps=1)

    small = model.compress(rows_ND, dims=16)
    codes = model.compress(rows_ND, bytes=min(8, model.codec.joint.tokens))
    indexes = {
        "HNSW, 64 dims": (build_index(model.compress(rows_ND, dims=64), factory="HNSW16"), search_index, 4 * 64),
        "HNSW, 16 dims": (build_index(small, factory="HNSW16"), search_index, 4 * 16),
        "HNSW, their first 8 dims": (build_index(small[:, :8], factory="HNSW16"), search_index, 4 * 8),
        "tokens": (build_token_index(codes), search_token_index, codes.bytes_per_vector),
    }
    print(f"{'index':<25} {'bytes per vector':>17} {'same digit in the top 10':>25}")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (index, search, bytes_per_vector)) in enumerate(indexes.items()):
            path = str(Path(folder, str(number)))
            faiss.write_index(index, path)
            ids_QK, _ = search(model, faiss.read_index(path), queries_QD, k=10)
            same = float((classes_N[ids_QK] == classes_N[-QUERIES:, None]).mean())
            print(f"{name:<25} {bytes_per_vector:>17,} {same:>25.3f}")


if __name__ == "__main__":
    main()
