"""Read a column of vectors from a `.parquet` file, batch by batch.

Letters: N rows, n rows of one block, D values per vector, B bytes per vector.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from arfc.errors import DtypeError, InputError, MissingExtraError, RowError, ShapeError
from arfc.io.npy import readable_file
from arfc.io.row_count import RowCount
from arfc.shapes import Array, Int, Shaped, UInt8

PAGE_BUFFER_BYTES = 1 << 20
_MOST_NAMES = 5


def import_pyarrow() -> Any:
    """Return the package pyarrow, with its parquet module loaded.

    Raises: MissingExtraError when it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow is not installed; run: pip install 'arfc[parquet]'") from None
    return pyarrow


def vector_columns(path: Path, *, name: str) -> dict[str, np.dtype[Any] | None]:
    """Return every column of the file with the dtype of its vectors, or None for a column that holds no vectors.

    Raises: InputError when the file is missing or no parquet file, or two of its columns have one name.
    """
    with open_parquet(path, name=name) as file:
        names = file.schema_arrow.names
        twice = next((column for column in names if names.count(column) > 1), None)
        if twice is not None:
            raise InputError(f"the columns of {path} must have different names, got {twice!r} twice; rename one")
        return {field.name: _value_dtype(field.type) for field in file.schema_arrow}


class ParquetMatrix:
    """One list column of a parquet file, as an (N, D) matrix that is read in order, in batches."""

    def __init__(self, path: Path, *, kind: str, column: str | None, name: str) -> None:
        """Choose `column`, or the only one whose values are of numpy kind `kind`.

        Raises: InputError when there is not exactly one such column or the named one is missing; DtypeError when the
        named one holds other values; RowError when there are no rows.
        """
        self.path = path
        self.name = name
        self.column, self.dtype = self._choose(vector_columns(path, name=name), kind=kind, column=column)
        with open_parquet(path, name=name) as file:
            n_rows = file.metadata.num_rows
        if n_rows == 0:
            raise RowError(f"{name} must have at least 1 row, got 0 in {path}; was the right file given")
        self.shape: tuple[int, int] = (n_rows, 0)  # The width stands in the first row, read by the next line.
        self.shape = (n_rows, next(self.blocks(0, 1, rows_per_block=1)).shape[1])
        if self.shape[1] == 0:
            raise ShapeError(f"{name} must have at least 1 value per row, got 0 in {path}; was the right column given")

    def _choose(
        self, columns: dict[str, np.dtype[Any] | None], *, kind: str, column: str | None
    ) -> tuple[str, np.dtype[Any]]:
        vectors_first = sorted(columns.items(), key=lambda item: item[1] is None)
        listing = name_some(f"{key} ({dtype or 'no vectors'})" for key, dtype in vectors_first)
        if column is None:
            fitting = [(key, dtype) for key, dtype in columns.items() if dtype is not None and dtype.kind == kind]
            if len(fitting) != 1:
                wanted, opener = ("float", "open_features") if kind == "f" else ("uint8", "open_packed")
                option = f"--{self.name}-column" if self.name in ("pairs", "queries") else "--column"
                cure = f"name the column ({option}), in Python with arfc.io.{opener}(path, column=...)"
                raise InputError(
                    f"{self.name} must be in one list column of {wanted} values, got {len(fitting)} of them in "
                    f"{self.path}: {listing}; {cure if fitting else self._how_to_convert(kind)}"
                )
            return fitting[0]
        if column not in columns:
            raise InputError(f"{self.name} must be in an existing column, got {column!r} for {self.path}: {listing}")
        dtype = columns[column]
        if dtype is None or dtype.kind != kind:
            wanted = "floats" if kind == "f" else "uint8"
            raise DtypeError(f"{self.name} must be lists of {wanted}, got {column!r} of {self.path}: {listing}")
        return column, dtype

    def _how_to_convert(self, kind: str) -> str:
        """Return the cure for a table without a column of vectors: it may have one column per dim, as pandas has."""
        types = import_pyarrow().types
        with open_parquet(self.path, name=self.name) as file:
            floats = sum(types.is_floating(field.type) for field in file.schema_arrow)
        if kind != "f" or floats < 2:
            return "convert one column"
        return f"join the {floats} float columns into one list column"

    def blocks(self, start: int, stop: int, *, rows_per_block: int) -> Iterator[Shaped[Array, "n D"]]:
        """Yield the rows from `start` up to `stop` in blocks of `rows_per_block`, the last one shorter.

        Raises: RowError for a null or a null inside a vector; ShapeError for a vector of another width; InputError when
        the file turns out to be damaged.
        """
        held: list[Shaped[Array, "n D"]] = []
        for part in self._parts(start, stop, rows_per_batch=rows_per_block):
            held.append(part)
            while sum(map(len, held)) >= rows_per_block:
                joined = np.concatenate(held)
                yield joined[:rows_per_block]
                held = [joined[rows_per_block:]]
        if sum(map(len, held)):
            yield np.concatenate(held)

    def _parts(self, start: int, stop: int, *, rows_per_batch: int) -> Iterator[Shaped[Array, "n D"]]:
        """Yield the rows from `start` up to `stop` as the file hands them out, skipping row groups outside."""
        with open_parquet(self.path, name=self.name) as file:
            first_row = 0
            for group in range(file.num_row_groups):
                position, first_row = first_row, first_row + file.metadata.row_group(group).num_rows
                if first_row <= start or position >= stop:
                    continue
                batches = file.iter_batches(rows_per_batch, row_groups=[group], columns=[self.column])
                while position < stop and (batch := next_batch(batches, path=self.path, name=self.name)) is not None:
                    low, high = max(start - position, 0), min(stop - position, len(batch))
                    if low < high:
                        yield self._values(batch.column(self.column).slice(low, high - low), first_row=position + low)
                    position += len(batch)

    def take(self, rows_n: Shaped[Array, " n"]) -> Shaped[Array, "n D"]:
        """Return the given rows, which ascend, in one pass over the part of the file that holds them."""
        out_nD = np.empty((len(rows_n), self.shape[1]), self.dtype)
        done, position = 0, int(rows_n[0]) if len(rows_n) else 0
        for block_nD in self.blocks(position, int(rows_n[-1]) + 1 if len(rows_n) else 0, rows_per_block=8192):
            upto = int(np.searchsorted(rows_n, position + len(block_nD)))
            out_nD[done:upto] = block_nD[rows_n[done:upto] - position]
            done, position = upto, position + len(block_nD)
        return out_nD

    def _values(self, lists: Any, *, first_row: int) -> Shaped[Array, "n D"]:
        """Turn a pyarrow array of lists or of fixed-size binary into a matrix.

        `first_row` is the number of its first row, for messages.
        """
        if lists.null_count:
            raise self._nulls()
        if _is_binary(lists.type):
            return _bytes_of(lists)
        lengths_n = lists.value_lengths().to_numpy(zero_copy_only=False)
        width = self.shape[1] or int(lengths_n[0])
        wrong = np.flatnonzero(lengths_n != width)
        if wrong.size:
            raise ShapeError(
                f"{self.name} must have {width} values in every row, got {lengths_n[wrong[0]]} in row "
                f"{first_row + wrong[0]} of {self.path}; were two encoders mixed"
            )
        values = lists.flatten()
        if values.null_count:
            raise self._nulls()
        return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(len(lists), width)

    def _nulls(self) -> RowError:
        """Return the error for a column with nulls, after counting them in the whole file."""
        found, first_row = RowCount(), 0
        with open_parquet(self.path, name=self.name) as file:
            batches = file.iter_batches(8192, columns=[self.column])
            while (batch := next_batch(batches, path=self.path, name=self.name)) is not None:
                found.add(first_row + _rows_with_nulls(batch.column(self.column)))
                first_row += len(batch)
        return RowError(f"{self.name} must not hold nulls, got some in {found} of {self.path}; drop these rows first")


def open_parquet(path: Path, *, name: str) -> Any:
    """Return the file as a pyarrow ParquetFile whose pages are read as they are needed.

    Raises: InputError when it is missing or no parquet file; MissingExtraError without pyarrow.
    """
    pyarrow = import_pyarrow()
    readable_file(path, name=name)
    try:
        # By default a whole row group, which may be the whole file, is read ahead.
        return pyarrow.parquet.ParquetFile(path, buffer_size=PAGE_BUFFER_BYTES, pre_buffer=False)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(f"{name} must be a whole parquet file, got {path}; {_line(error)}") from None


def next_batch(batches: Iterator[Any], *, path: Path, name: str) -> Any:
    """Return the next batch, or None after the last.

    Raises: InputError when the file turns out to be damaged.
    """
    try:
        return next(batches, None)
    except OSError as error:
        raise InputError(f"{name} must be a whole parquet file, got {path}; {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _value_dtype(kind: Any) -> np.dtype[Any] | None:
    """Return the numpy dtype of a pyarrow list type's values, bytes for fixed-size binary, None for other types."""
    types = import_pyarrow().types
    if _is_binary(kind):
        return np.dtype(np.uint8)
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return None
    value = kind.value_type
    return np.dtype(value.to_pandas_dtype()) if types.is_floating(value) or types.is_integer(value) else None


def name_some(names: Iterable[str]) -> str:
    """Return the first five names in one line, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - _MOST_NAMES:,} more" if len(listed) > _MOST_NAMES else ""
    return ", ".join(listed[:_MOST_NAMES]) + more


def _rows_with_nulls(lists: Any) -> Int[Array, " n"]:
    """Return the places of those rows of a pyarrow array that are null or hold a null."""
    null_N = lists.is_null().to_numpy(zero_copy_only=False)
    if _is_binary(lists.type):
        return np.flatnonzero(null_N)
    whole = lists.drop_null()
    row_of_value = np.repeat(np.flatnonzero(~null_N), whole.value_lengths().to_numpy(zero_copy_only=False))
    null_N[row_of_value[whole.flatten().is_null().to_numpy(zero_copy_only=False)]] = True
    return np.flatnonzero(null_N)


def _is_binary(kind: Any) -> bool:
    return bool(import_pyarrow().types.is_fixed_size_binary(kind))


def _bytes_of(rows: Any) -> UInt8[Array, "n B"]:
    """Return the bytes of a fixed-size binary array as a matrix, without a copy."""
    width = rows.type.byte_width
    held = np.frombuffer(rows.buffers()[1], np.uint8)
    return held[rows.offset * width : (rows.offset + len(rows)) * width].reshape(len(rows), width)
