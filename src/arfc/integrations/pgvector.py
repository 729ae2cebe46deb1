"""PostgreSQL with pgvector: columns of more dims than an index allows, compressed to what it does."""
# N rows, n rows of a block, D feature dims, K dims of the column

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.compressor import Compressor
from arfc.errors import DtypeError, InputError, OutputError, RowError, ShapeError, SizeError
from arfc.integrations.postgres import (
    Table,
    column_type,
    identifier,
    import_psycopg,
    shown,
    transaction,
    vector_dims,
    without_placeholders,
)
from arfc.integrations.rows import without_direction
from arfc.shapes import Array, Float32
from arfc.sizes import resolve_dims

if TYPE_CHECKING:
    import psycopg

MOST_INDEXED_DIMS = 2000
"""Dims of a `vector` that pgvector's HNSW index takes."""
MOST_EF_SEARCH = 1000
_ROWS_PER_BLOCK = 2048
_SEEN_ROWS = 5


def write_vectors(
    connection: psycopg.Connection[Any],
    table: Table,
    model: Compressor,
    x: object,
    *,
    dims: int,
    ids: object = None,
    key: str = "id",
    column: str = "embedding",
) -> None:
    """Create a table with a key and a column of compressed vectors, and copy the rows into it, in one transaction.

    `x` holds original features (N, D), as an array or a file that is read block by block. `ids` are whole numbers or
    texts, each one once; without them rows are numbered from 0.

    Raises: OutputError when the table exists; SizeError, ShapeError, DtypeError, RowError, InputError for what is to be
    written; ConfigError without the extension; MissingExtraError.
    """
    sql = import_psycopg().sql
    kept = resolve_dims(model.width, dims=dims)
    features = model.open(x)
    keys, kind = _checked_ids(ids, features.rows)
    features.validate()
    with transaction(connection) as cursor:
        name = identifier(table)
        if cursor.execute("SELECT to_regclass(%s)", [name.as_string(connection)]).fetchone() != (None,):
            raise OutputError(f"a table must not exist yet, got {shown(table)}; choose another name or drop it")
        cursor.execute(
            sql.SQL("CREATE TABLE {} ({} {} PRIMARY KEY, {} vector({}))").format(
                name, sql.Identifier(key), sql.SQL(kind), sql.Identifier(column), sql.Literal(kept)
            )
        )
        copy = sql.SQL("COPY {} ({}, {}) FROM STDIN WITH (FORMAT BINARY)").format(
            name, sql.Identifier(key), sql.Identifier(column)
        )
        with cursor.copy(copy) as sink:
            sink.set_types([kind, "vector"])
            for start, block_nK in model.compress_blocks(features, dims=kept):
                for place, row_K in enumerate(block_nK, start=start):
                    sink.write_row((place if keys is None else keys[place], row_K))


def compress_column(
    connection: psycopg.Connection[Any], table: Table, model: Compressor, *, source: str, target: str, dims: int
) -> int:
    """Compress a column that the table has into a new column `target`, in one transaction; return the rows filled.

    `source` is of any type that casts to `vector`, such as `vector`, `halfvec` or `real[]`; rows without a vector stay
    without. Nobody else may write to the table meanwhile; they may read it until the new column is added, at the end.

    Raises: OutputError when the table has a column `target`; InputError without the table or a column `source`;
    SizeError, ShapeError, RowError for vectors that can't be compressed; ConfigError without the extension;
    MissingExtraError.
    """
    sql = import_psycopg().sql
    kept = resolve_dims(model.width, dims=dims)
    with transaction(connection) as cursor:
        name = identifier(table)
        if column_type(cursor, table, target) is not None:
            raise OutputError(f"table {shown(table)} must not have the column {target!r} yet; choose another name")
        if column_type(cursor, table, source) is None:
            raise InputError(f"table {shown(table)} must have a column {source!r}, it has not; is the name right?")
        parts = {"table": name, "source": sql.Identifier(source), "target": sql.Identifier(target)}
        parts |= {"dims": sql.Literal(kept), "made": sql.Identifier("arfc_made")}
        cursor.execute(sql.SQL("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE").format(**parts))
        # A row's place is known for sure, and there may be no key: nothing moves rows while the table is locked.
        cursor.execute(sql.SQL("CREATE TEMP TABLE {made} (part bigint, place text, small vector)").format(**parts))
        select = sql.SQL(
            "SELECT tableoid::bigint, ctid::text, vector_send({source}::vector) FROM {table} WHERE {source} IS NOT NULL"
        ).format(**parts)
        filled = 0
        with connection.cursor("arfc_rows", binary=True, row_factory=import_psycopg().rows.tuple_row) as reader:
            reader.execute(select)
            while rows := reader.fetchmany(_ROWS_PER_BLOCK):
                x_nD = _checked_rows([row[2] for row in rows], [row[1] for row in rows], model.width)
                small_nK = np.asarray(model.compress(x_nD, dims=kept))
                with cursor.copy(sql.SQL("COPY {made} FROM STDIN WITH (FORMAT BINARY)").format(**parts)) as sink:
                    sink.set_types(["bigint", "text", "vector"])
                    for (part, place, _), row_K in zip(rows, small_nK, strict=True):
                        sink.write_row((part, place, row_K))
                filled += len(rows)
        cursor.execute(sql.SQL("ALTER TABLE {table} ADD COLUMN {target} vector({dims})").format(**parts))
        cursor.execute(
            sql.SQL(
                "UPDATE {table} AS rows SET {target} = {made}.small FROM {made} "
                "WHERE rows.tableoid::bigint = {made}.part AND rows.ctid = {made}.place::tid"
            ).format(**parts)
        )
        cursor.execute(sql.SQL("DROP TABLE {made}").format(**parts))
    return filled


def create_index(
    connection: psycopg.Connection[Any],
    table: Table,
    *,
    column: str = "embedding",
    neighbours: int = 16,
    candidates: int = 64,
) -> None:
    """Build an HNSW index for cosines over a column of compressed vectors.

    `neighbours` and `candidates` are what pgvector calls m and ef_construction, with its defaults.

    Raises: SizeError for a column of more than 2,000 dims; InputError, DtypeError when there is no such column of
    vectors of one size; ConfigError without the extension; MissingExtraError.
    """
    sql = import_psycopg().sql
    with transaction(connection) as cursor:
        dims = vector_dims(cursor, table, column)
        if dims > MOST_INDEXED_DIMS:
            raise SizeError(
                f"a column must have at most {MOST_INDEXED_DIMS} dims for an index, got {dims} in {column!r}; "
                "compress it with compress_column"
            )
        cursor.execute(
            sql.SQL("CREATE INDEX ON {} USING hnsw ({} vector_cosine_ops) WITH (m = {}, ef_construction = {})").format(
                identifier(table), sql.Identifier(column), sql.Literal(neighbours), sql.Literal(candidates)
            )
        )


def search_table(
    connection: psycopg.Connection[Any],
    table: Table,
    model: Compressor,
    queries: object,
    *,
    k: int = 10,
    key: str = "id",
    column: str = "embedding",
    candidates: int = 100,
) -> list[list[tuple[Any, float]]]:
    """Return (key, cosine) of the k nearest rows of each query, best first; fewer where the index finds fewer.

    Queries (Q, D) are of the original width; they are compressed to the size of the column. `candidates` is what
    pgvector calls hnsw.ef_search; without an index the search is exact.

    Raises: SizeError unless 1 <= k <= candidates <= 1,000; ShapeError for a column wider than the model; DtypeError,
    RowError for the queries; InputError, ConfigError, MissingExtraError.
    """
    sql = import_psycopg().sql
    if not 1 <= k <= candidates <= MOST_EF_SEARCH:
        raise SizeError(
            f"k and candidates must be 1 <= k <= candidates <= {MOST_EF_SEARCH}, got k={k} and candidates={candidates}"
        )
    with transaction(connection) as cursor:
        dims = vector_dims(cursor, table, column)
        if dims > model.width:
            raise ShapeError(
                f"column {column!r} must have at most {model.width} dims, got {dims}; was it written by this model?"
            )
        names = {"table": identifier(table), "key": sql.Identifier(key), "column": sql.Identifier(column)}
        query = sql.SQL(
            "SELECT {key}, 1 - ({column} <=> %(asked)s) FROM {table} WHERE {column} IS NOT NULL "
            "ORDER BY {column} <=> %(asked)s LIMIT %(k)s"
        ).format(**{name: without_placeholders(part, cursor) for name, part in names.items()})
        cursor.execute("SELECT set_config('hnsw.ef_search', %s, true)", [str(candidates)])
        return [
            cursor.execute(query, {"asked": asked_K, "k": k}).fetchall()
            for asked_K in np.asarray(model.compress(queries, dims=dims))
        ]


def _checked_ids(ids: object, count: int) -> tuple[list[Any] | None, str]:
    """Return the ids as Python's own values, None for row numbers, and their type in the database."""
    if ids is None:
        return None, "bigint"
    ids_N = np.asarray(ids)
    if ids_N.dtype.kind not in "iuU":
        raise DtypeError(f"ids must be whole numbers or texts, got {ids_N.dtype}; turn them into texts")
    if ids_N.shape != (count,):
        raise ShapeError(f"ids must have shape ({count},), one per row, got {ids_N.shape}; is it the same data set?")
    if len(np.unique(ids_N)) < count:
        raise RowError(f"ids must be distinct, got {count - len(np.unique(ids_N))} again; is it the right column?")
    return ids_N.tolist(), "text" if ids_N.dtype.kind == "U" else "bigint"


def _checked_rows(sent: list[bytes], places: list[str], width: int) -> Float32[Array, "n D"]:
    """Return vectors, as the database sends them, as a matrix.

    Raises: ShapeError, RowError, naming where the rows stand in their table.
    """
    rows = [np.frombuffer(row, ">f4", offset=4) for row in sent]  # two 16-bit numbers, then the values
    for row, place in zip(rows, places, strict=True):
        if len(row) != width:
            raise ShapeError(
                f"vectors must have {width} dims, got {len(row)} where ctid = '{place}'; "
                "was this model fitted on another encoder?"
            )
    x_nD = np.stack(rows).astype(np.float32)
    bad_n = without_direction(x_nD)
    if bad_n.size:
        where = ", ".join(f"'{places[row]}'" for row in bad_n[:_SEEN_ROWS])
        raise RowError(f"vectors must have a direction, got {bad_n.size} without one at ctid {where}; set them to null")
    return x_nD
