"""LanceDB on digits: a parquet file becomes a table of 16 dims, which is cut to 8 later without the model.

Letters: Q queries, D feature dims.
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")  # else lance says of every new table that it is new

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

from arfc import Compressor
from arfc.integrations.lancedb import cut_column, search_table, write_table

QUERIES = 97
DIMS = 16


def main() -> None:
    digits = load_digits()
    pixels_ND, classes_N = digits.data.astype(np.float32), digits.target
    rows_ND, queries_QD = pixels_ND[:-QUERIES], pixels_ND[-QUERIES:]
    model = Compressor.fit(rows_ND, steps=1)

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "digits.parquet")
        columns = {"id": np.arange(len(rows_ND)), "class": classes_N[:-QUERIES], "vector": list(rows_ND)}
        pq.write_table(pa.table(columns), source)
        table = write_table(lancedb.connect(Path(folder, "database")), "digits", source, model, dims=DIMS)
        cut_column(table, dims=DIMS // 2, target="small")
        print(f"{table.count_rows():,} rows, columns: {', '.join(table.schema.names)}\n")

        print(f"{'column':<10} {'bytes per vector':>17} {'same digit in the top 10':>25}")
        for column in ("vector", "small"):
            hits = search_table(table, model, queries_QD, k=10, column=column)
            found_QK = np.array([hit["class"].to_pylist() for hit in hits])
            same = float((found_QK == classes_N[-QUERIES:, None]).mean())
            print(f"{column:<10} {4 * table.schema.field(column).type.list_size:>17,} {same:>25.3f}")

        (hit,) = search_table(table, model, queries_QD[:1], k=3, where="class < 5")
        print(f"\nnearest digits below 5 to a {classes_N[-QUERIES]}:")
        for row in hit.to_pylist():
            print(f"  id {row['id']:>5}, a {row['class']}, cosine {row['cosine']:.3f}")


if __name__ == "__main__":
    main()
