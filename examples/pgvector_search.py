"""PostgreSQL with pgvector on digits: a column of originals is compressed to a quarter, indexed and searched.

The same calls take a column of 3,072 dims, which pgvector can't index, to one of 1,024, which it can.
Letters: Q queries, D feature dims.
"""

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from sklearn.datasets import load_digits

from _postgres import temporary_server
from arfc import Compressor
from arfc.integrations.pgvector import compress_column, create_index, search_table

QUERIES = 97
DIMS = 16


def main() -> None:
    digits = load_digits()
    pixels_ND, classes_N = digits.data.astype(np.float32), digits.target
    queries_QD, asked_Q = pixels_ND[-QUERIES:], classes_N[-QUERIES:]
    rows_ND = pixels_ND[:-QUERIES]
    model = Compressor.fit(rows_ND, steps=1)

    with temporary_server() as uri, psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        register_vector(connection)
        connection.execute("CREATE TABLE digits (id serial PRIMARY KEY, class int, original vector(64))")
        rows = list(zip(classes_N[:-QUERIES].tolist(), rows_ND, strict=True))
        connection.cursor().executemany("INSERT INTO digits (class, original) VALUES (%s, %s)", rows)

        filled = compress_column(connection, "digits", model, source="original", target="small", dims=DIMS)
        print(f"{filled:,} rows compressed from {rows_ND.shape[1]} to {DIMS} dims")
        cut = f"UPDATE digits SET smaller = (small::real[])[1:{DIMS // 2}]::vector({DIMS // 2})"
        connection.execute(f"ALTER TABLE digits ADD COLUMN smaller vector({DIMS // 2})")
        connection.execute(cut)
        print(f"then to {DIMS // 2} dims, without the model: {cut}\n")

        print(f"{'column':<10} {'bytes per vector':>17} {'index, KiB':>11} {'same digit in the top 10':>25}")
        for column in ("small", "smaller"):
            create_index(connection, "digits", column=column)
            size, index_bytes = connection.execute(
                f"SELECT avg(pg_column_size({column})), pg_relation_size('digits_{column}_idx') FROM digits"
            ).fetchone()
            hits = search_table(connection, "digits", model, queries_QD, k=10, key="class", column=column)
            same = np.mean([[found == asked for found, _ in row] for row, asked in zip(hits, asked_Q, strict=True)])
            print(f"{column:<10} {float(size):>17,.0f} {index_bytes / 1024:>11,.0f} {same:>25.3f}")


if __name__ == "__main__":
    main()
