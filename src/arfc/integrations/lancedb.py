"""LanceDB: tables whose vectors have a chosen size, with all other columns as they were."""
# N rows, n rows of a batch, D feature dims, K dims of the table's vectors

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.compressor import Compressor
from arfc.errors import (
    ArfcError,
    DtypeError,
    InputError,
    MissingExtraError,
    OutputError,
    RowError,
    ShapeError,
    SizeError,
    count_rows,
)
from arfc.integrations.rows import without_direction
from arfc.io.npy import readable_file
from arfc.shapes import Array, Float32
from arfc.sizes import resolve_dims

if TYPE_CHECKING:
    import pyarrow

_ROWS_PER_BATCH = 8192
SCORE = "cosine"


def write_table(
    database: Any,
    name: str,
    data: object,
    model: Compressor,
    *,
    dims: int,
    column: str = "vector",
    overwrite: bool = False,
) -> Any:
    """Write a LanceDB table in which `column` holds compressed vectors, and return it.

    `data` is a `.parquet` file, a pyarrow Table or a RecordBatchReader with original features (N, D) in that column; it
    is read batch by batch. All other columns are kept, in their order; a row without a vector stays without. The table
    appears whole or not at all, and one that is overwritten stays until then.

    Raises: OutputError when the table exists and `overwrite` is off; InputError, DtypeError, ShapeError, RowError for
    the data; SizeError unless dims is in 1..D; MissingExtraError.
    """
    pyarrow = _import_lancedb()
    kept = resolve_dims(model.width, dims=dims)
    existed = name in _names(database)
    if existed and not overwrite:
        raise OutputError(f"a table must not exist yet, got {name!r}; choose another name or overwrite it")
    reader = _reader(data)
    place = reader.schema.get_field_index(column)
    if place < 0:
        listing = ", ".join(reader.schema.names)
        raise InputError(f"data must have the column {column!r}, got {listing}; name the column of the vectors")
    _check_vectors(reader.schema.field(place), model.width)
    schema = reader.schema.set(place, pyarrow.field(column, pyarrow.list_(pyarrow.float32(), kept)))
    mistakes: list[ArfcError] = []

    def batches() -> Iterator[Any]:
        start = 0
        try:
            for batch in _short(reader):
                small = _compressed(batch.column(place), model, dims=kept, first_row=start)
                columns = [small if at == place else batch.column(at) for at in range(batch.num_columns)]
                yield pyarrow.RecordBatch.from_arrays(columns, schema=schema)
                start += len(batch)
        except ArfcError as error:
            mistakes.append(error)
            raise

    stream = pyarrow.RecordBatchReader.from_batches(schema, batches())
    try:
        # Nulls are kept: what else LanceDB would call bad has been refused before it comes here.
        return database.create_table(
            name, data=stream, mode="overwrite" if overwrite else "create", on_bad_vectors="null"
        )
    except BaseException:
        if not existed:
            _remove_half(database, name)
        if mistakes:  # on its way through LanceDB it became a RuntimeError with a traceback as its text
            raise mistakes[0] from None
        raise


def search_table(
    table: Any, model: Compressor, queries: object, *, k: int = 10, column: str = "vector", where: str | None = None
) -> list[pyarrow.Table]:
    """Return the k nearest rows of each query, best first, as a pyarrow Table; fewer where the table has fewer.

    Queries (Q, D) are of the original width; they are compressed to the size of the column. A result has the columns of
    the table without the vectors, and the score as `cosine`, in place of a column of that name. `where` is a condition
    in LanceDB's SQL.

    Raises: SizeError for k below 1; InputError, DtypeError, ShapeError when there is no such column of vectors of this
    model; DtypeError, RowError, ShapeError for the queries; MissingExtraError.
    """
    pyarrow = _import_lancedb()
    if k < 1:
        raise SizeError(f"k must be at least 1, got {k}; try k=10")
    dims = _stored_dims(table, column)
    if dims > model.width:
        raise ShapeError(f"{column!r} must have at most {model.width} dims, got {dims}; was it written by this model?")
    vectors = [field.name for field in table.schema if pyarrow.types.is_fixed_size_list(field.type)]
    others = [name for name in table.schema.names if name not in (*vectors, SCORE)]
    found = []
    for asked_K in np.asarray(model.compress(queries, dims=dims)):
        query = table.search(asked_K, vector_column_name=column).distance_type("cosine").limit(k)
        query = query if where is None else query.where(where)
        hits = query.select([*others, "_distance"]).to_arrow()
        cosine_n = 1 - hits["_distance"].to_numpy()
        found.append(hits.drop_columns("_distance").append_column(SCORE, pyarrow.array(cosine_n, pyarrow.float32())))
    return found


def cut_column(table: Any, *, dims: int, target: str, column: str = "vector") -> None:
    """Add the column `target` with the first dims of stored vectors to the table; the model is not needed.

    Raises: SizeError unless dims is in 1..K; OutputError when the table has a column `target`; InputError, DtypeError
    when there is no such column of vectors; MissingExtraError.
    """
    _import_lancedb()
    kept = resolve_dims(_stored_dims(table, column), dims=dims)
    if target in table.schema.names:
        raise OutputError(f"the table must not have the column {target!r} yet; choose another name")
    # No name that LanceDB takes has a backtick in it.
    table.add_columns({target: f"arrow_cast(array_slice(`{column}`, 1, {kept}), 'FixedSizeList({kept}, Float32)')"})


def _import_lancedb() -> Any:
    """Return pyarrow, which LanceDB brings, once LanceDB is known to be there.

    Raises: MissingExtraError.
    """
    try:
        import lancedb  # noqa: F401
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        name = (error.name or "lancedb").partition(".")[0]
        raise MissingExtraError(f"{name} is not installed; run: pip install 'arfc[lancedb]'") from None
    return pyarrow


def _names(database: Any) -> list[str]:
    """Return the names of all tables, page by page."""
    names: list[str] = []
    token = None
    while True:
        page = database.list_tables(page_token=token)
        names += page.tables
        token = page.page_token
        if not token:
            return names


def _remove_half(database: Any, name: str) -> None:
    """Remove what a failed write has left under a new name: files of a table that can't be opened, yet is listed."""
    try:
        database.open_table(name)
    except Exception:
        with suppress(Exception):  # the reason why the write failed matters more
            database.drop_table(name)


def _reader(data: object) -> Any:
    """Return the data as a stream of record batches.

    Raises: InputError for a file that is missing or no parquet file; DtypeError for anything else.
    """
    pyarrow = _import_lancedb()
    if isinstance(data, (str, Path)):
        path = readable_file(Path(data), name="data")
        try:
            file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise InputError(f"data must be a whole parquet file, got {path}; {str(error).splitlines()[0]}") from None
        return pyarrow.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(_ROWS_PER_BATCH))
    if isinstance(data, pyarrow.Table):
        return data.to_reader(_ROWS_PER_BATCH)
    if isinstance(data, pyarrow.RecordBatchReader):
        return data
    raise DtypeError(
        f"data must be a .parquet file, a pyarrow Table or a RecordBatchReader, got {type(data).__name__}; "
        "try pyarrow.table(...)"
    )


def _short(reader: Any) -> Iterator[Any]:
    """Yield batches of at most `_ROWS_PER_BATCH` rows."""
    for batch in reader:
        for start in range(0, len(batch), _ROWS_PER_BATCH):
            yield batch.slice(start, _ROWS_PER_BATCH)


def _check_vectors(field: Any, width: int) -> None:
    types = _import_lancedb().types
    kind = field.type
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not is_list or not types.is_floating(kind.value_type):
        raise DtypeError(f"column {field.name!r} must hold lists of floats, got {kind}; name the column of the vectors")
    if types.is_fixed_size_list(kind) and kind.list_size != width:
        raise ShapeError(
            f"vectors must have {width} dims, got {kind.list_size} in {field.name!r}; "
            "was this model fitted on another encoder?"
        )


def _compressed(lists: Any, model: Compressor, *, dims: int, first_row: int) -> Any:
    """Return a column of vectors, compressed; nulls stay.

    Raises: ShapeError, RowError, counting rows from `first_row`.
    """
    pyarrow = _import_lancedb()
    given_n = ~lists.is_null().to_numpy(zero_copy_only=False)
    small_nK = np.zeros((len(lists), dims), dtype=np.float32)
    if given_n.any():
        x_nD = _matrix(lists, given_n, model.width, first_row=first_row)
        small_nK[given_n] = np.asarray(model.compress(x_nD, dims=dims))
    values = pyarrow.array(small_nK.reshape(-1))
    return pyarrow.FixedSizeListArray.from_arrays(values, dims, mask=pyarrow.array(~given_n))


def _matrix(lists: Any, given_n: Array, width: int, *, first_row: int) -> Float32[Array, "n D"]:
    rows_n = first_row + np.flatnonzero(given_n)
    lists = lists.drop_null()
    lengths_n = lists.value_lengths().to_numpy(zero_copy_only=False)
    wrong_n = np.flatnonzero(lengths_n != width)
    if wrong_n.size:
        raise ShapeError(
            f"vectors must have {width} dims, got {lengths_n[wrong_n[0]]} in row {rows_n[wrong_n[0]]}; "
            "was this model fitted on another encoder?"
        )
    values = lists.flatten()
    if values.null_count:
        at = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        raise RowError(f"vectors must not hold nulls, got one in row {rows_n[at // width]}; set the whole row to null")
    x_nD = values.to_numpy(zero_copy_only=False).reshape(len(lists), width).astype(np.float32)
    bad_n = without_direction(x_nD)
    if bad_n.size:
        found = count_rows(rows_n[bad_n[:5]].tolist(), bad_n.size)
        raise RowError(f"vectors must be finite and not all zero, got {found} without a direction; set them to null")
    return np.asarray(x_nD)


def _stored_dims(table: Any, column: str) -> int:
    types = _import_lancedb().types
    if column not in table.schema.names:
        raise InputError(f"the table must have the column {column!r}, got {', '.join(table.schema.names)}")
    kind = table.schema.field(column).type
    if not types.is_fixed_size_list(kind) or not types.is_floating(kind.value_type):
        raise DtypeError(f"column {column!r} must hold vectors of one size, got {kind}; write it with write_table")
    return int(kind.list_size)
