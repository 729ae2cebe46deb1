"""Open what is not a feature: stored codes and labels; and tell codes from features.

Letters: N rows, B bytes per vector.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arfc.errors import DtypeError, InputError, RowError, ShapeError
from arfc.io.features import ROWS_PER_CHUNK, as_array
from arfc.io.npy import map_npy
from arfc.io.parquet import ParquetMatrix, name_some, vector_columns
from arfc.io.table import read_note
from arfc.io.text import read_lines
from arfc.shapes import Array, Int64, Shaped, UInt8


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a file of compressed vectors or codes says of them."""

    codes: bool
    """Whether it holds codes; floats otherwise."""
    column: str | None
    """The parquet column they are in; None for `.npy`, and for several columns of which none is named."""
    made_by: str | None
    """`tensors_sha256` of the model that made them, where the file notes it."""


def sniff(path: str | Path, *, column: str | None = None) -> Stored:
    """Tell compressed vectors from codes, and find the column of a `.parquet` file: `column`, or the one it notes.

    Raises: InputError for a file that is missing, damaged or of another format, or without that column; DtypeError for
    values of other types, and for a table that holds both where no column is named.
    """
    path = Path(path)
    note = None
    if path.suffix.lower() == ".parquet":
        columns = vector_columns(path, name="input")
        note = read_note(path, name="input")
        if column is None and note is not None and note.column in columns:
            column = note.column
        if column is not None and column not in columns:
            raise InputError(f"input must have the column {column!r}, got {name_some(columns)} in {path}; name another")
        found = {name: dtype for name, dtype in columns.items() if dtype is not None and column in (None, name)}
    elif column is not None:
        raise InputError(f"input must be a .parquet file to have a column {column!r}, got {path}; drop it")
    elif path.suffix.lower() == ".npy":
        found = {"": map_npy(path, name="input").dtype}
    else:
        raise InputError(f"input must be a .npy or .parquet file, got {path}; write it with arfc compress")
    fitting = {name: dtype for name, dtype in found.items() if dtype == np.uint8 or dtype.kind == "f"}
    kinds = {dtype == np.uint8 for dtype in fitting.values()}
    if len(kinds) != 1:
        got = " and ".join(sorted({str(dtype) for dtype in found.values()})) or "no vectors"
        named = "name one column (--column), in Python with arfc.io.open_features or open_packed(path, column=...)"
        cure = named if len(kinds) == 2 else "write it with arfc compress"
        raise DtypeError(f"input must hold floats or uint8 codes, got {got} in {path}; {cure}")
    if len(fitting) == 1:
        column = next(iter(fitting)) or None
    made_by = note.made_by if note is not None and note.column == column else None
    return Stored(codes=kinds.pop(), column=column, made_by=made_by)


def open_packed(path: str | Path, *, column: str | None = None) -> UInt8[Array, "N B"]:
    """Return stored codes mapped from a `.npy` file, or from a temporary copy of a column of a `.parquet` file.

    That column holds fixed-size binary or lists of uint8; `column` chooses it where there are several.

    Raises: InputError for a file that is missing, damaged or of another format; DtypeError when values are not uint8;
    ShapeError unless there are two axes and at least one byte per row; RowError when there are no rows.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return _map_column(ParquetMatrix(path, kind="u", column=column, name="codes"))
    if path.suffix.lower() != ".npy":
        raise InputError(f"codes must be a .npy or .parquet file, got {path}; write it with arfc compress --bytes")
    packed = map_npy(path, name="codes")
    if packed.dtype != np.uint8:
        raise DtypeError(f"codes must hold uint8 values, got {packed.dtype} in {path}; were they written by arfc")
    if packed.ndim != 2 or packed.shape[1] == 0:
        raise ShapeError(f"codes must have shape (N, B) with B >= 1, got {packed.shape} in {path}")
    if len(packed) == 0:
        raise RowError(f"codes must have at least 1 row, got 0 in {path}; was the right file given")
    return packed


def _map_column(matrix: ParquetMatrix) -> UInt8[Array, "N B"]:
    """Copy a parquet column into a temporary file, which vanishes with the array, and map it: memory stays flat."""
    if matrix.dtype != np.uint8:
        raise DtypeError(f"codes must hold uint8 values, got {matrix.dtype} in {matrix.path}")
    with tempfile.TemporaryFile() as file:
        try:
            for block_nB in matrix.blocks(0, matrix.shape[0], rows_per_block=ROWS_PER_CHUNK):
                file.write(np.ascontiguousarray(block_nB).data)
            file.flush()
        except InputError:
            raise
        except OSError as error:
            folder = tempfile.gettempdir()
            raise InputError(f"codes must fit into {folder}, got {error.strerror}; set TMPDIR") from error
        return np.memmap(file, dtype=np.uint8, mode="r", shape=matrix.shape)


def open_labels(source: object, rows: int) -> Int64[Array, " N"]:
    """Return one class number per row from an array, a list, a `.npy` file of integers or a `.txt` file, one per line.

    Labels that are text, such as all those of a `.txt` file, become their place in the sorted list of distinct labels.

    Raises: InputError for a file that is missing or of another format; DtypeError for values that are neither integers
    nor text; RowError for an empty line; ShapeError when there are not exactly `rows` labels.
    """
    labels = _read_labels(source)
    if labels.dtype.kind not in "iuU":
        raise DtypeError(f"labels must be integers or text, got {labels.dtype}; number the classes 0, 1, 2, ...")
    if labels.shape != (rows,):
        raise ShapeError(f"labels must have shape ({rows},), one per row, got {labels.shape}; is it the same data set")
    if labels.dtype.kind == "U":
        labels = np.unique(labels, return_inverse=True)[1]
    if labels.dtype.kind == "u" and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise DtypeError(f"labels must fit into int64, got {labels.max()}; number the classes 0, 1, 2, ...")
    return labels.astype(np.int64)


def _read_labels(source: object) -> Shaped[Array, "..."]:
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.suffix.lower() == ".npy":
            return map_npy(path, name="labels")
        if path.suffix.lower() == ".txt":
            return _read_lines(path)
        raise InputError(f"labels must be a .npy or .txt file, got {path}; write one label per line")
    if isinstance(source, (list, tuple)):
        try:
            return np.asarray(source)
        except ValueError:
            raise ShapeError("labels must be one integer or text per row, got lists of unequal lengths") from None
    return as_array(source, name="labels", kind="int64")


def _read_lines(path: Path) -> Shaped[Array, " N"]:
    labels = [line.strip() for line in read_lines(path, name="labels")]
    empty = _first_empty(labels)
    if empty is not None:
        raise RowError(f"labels must have one label per line, got none in line {empty + 1} of {path}")
    return np.asarray(labels, dtype=np.str_)


def _first_empty(labels: Iterable[str]) -> int | None:
    return next((number for number, label in enumerate(labels) if not label), None)
