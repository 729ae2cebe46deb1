"""Feature vectors from an array, a tensor or a file, read as float32 blocks; memory stays flat for any number of rows.

Letters: N rows, n rows of one block, D dims.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from arfc.errors import DtypeError, InputError, RowError, ShapeError
from arfc.io.npy import map_npy
from arfc.io.parquet import ParquetMatrix
from arfc.io.row_count import RowCount
from arfc.shapes import Array, Float, Float32, Int, Shaped

ROWS_PER_CHUNK = 8192
_ROWS_PER_TAKE = 4096
FLOAT_DTYPES = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))

_DROP = "remove or recompute these rows"
_SCALE = "divide rows by their length in float64"

# Below this squared length float32 has lost the direction of a row; dividing by the length would give NaN or noise.
SMALLEST_SQUARE = float(np.finfo(np.float32).tiny)


class ArrayMatrix:
    """An array, in memory or mapped from a file."""

    def __init__(self, values_ND: Float[Array, "N D"]) -> None:
        self.values_ND = values_ND
        self.shape = (values_ND.shape[0], values_ND.shape[1])
        self.dtype = values_ND.dtype

    def blocks(self, start: int, stop: int, *, rows_per_block: int) -> Iterator[Float[Array, "n D"]]:
        """Yield slices of the array."""
        for first in range(start, stop, rows_per_block):
            yield self.values_ND[first : min(first + rows_per_block, stop)]
            self._let_go()

    def take(self, rows_n: Int[Array, " n"]) -> Float[Array, "n D"]:
        """Return a copy of the given rows; a mapped file is read only where they lie."""
        taken_nD = np.empty((len(rows_n), self.shape[1]), self.dtype)
        for first in range(0, len(rows_n), _ROWS_PER_TAKE):
            part = slice(first, first + _ROWS_PER_TAKE)
            taken_nD[part] = self.values_ND[rows_n[part]]
            self._let_go()
        return taken_nD

    def _let_go(self) -> None:
        """Give back the pages of a mapped file that were read: they would count as this process's memory."""
        mapped, mode = getattr(self.values_ND, "_mmap", None), getattr(self.values_ND, "mode", None)
        if isinstance(mapped, mmap.mmap) and mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


class Features:
    """(N, D) feature vectors that are read as float32, block by block.

    Blocks are copies, so that a caller may write to them. Values beyond float32 become Inf, which `validate` refuses.
    """

    def __init__(self, matrix: ArrayMatrix | ParquetMatrix, *, name: str) -> None:
        self._matrix = matrix
        self.name = name

    @property
    def rows(self) -> int:
        """Number of vectors, N."""
        return self._matrix.shape[0]

    @property
    def width(self) -> int:
        """Number of dims, D."""
        return self._matrix.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values as stored; what is read is float32."""
        return self._matrix.dtype

    @property
    def column(self) -> str | None:
        """Name of the parquet column they are read from; None for what is no parquet file."""
        return self._matrix.column if isinstance(self._matrix, ParquetMatrix) else None

    def read(self, start: int, stop: int) -> Float32[Array, "n D"]:
        """Return the rows from `start` up to `stop`.

        A parquet row group is decoded from its beginning, so walk a file with `chunks`, not with `read`.

        Raises: RowError when the range does not lie within the rows.
        """
        if not 0 <= start <= stop <= self.rows:
            raise RowError(f"rows of {self.name} must lie in 0..{self.rows}, got {start}..{stop}; ask for fewer rows")
        if start == stop:
            return np.empty((0, self.width), np.float32)
        return _float32(next(self._matrix.blocks(start, stop, rows_per_block=stop - start)))

    def take(self, rows_n: Int[Array, " n"]) -> Float32[Array, "n D"]:
        """Return the given rows, whose numbers must ascend; a number may be repeated.

        Raises: RowError when they do not ascend or lie outside.
        """
        if len(rows_n) and not (rows_n[0] >= 0 and rows_n[-1] < self.rows and (rows_n[1:] >= rows_n[:-1]).all()):
            raise RowError(f"row numbers of {self.name} must ascend within 0..{self.rows - 1}, got others; sort them")
        return _float32(self._matrix.take(rows_n))

    def chunks(self, rows_per_chunk: int = ROWS_PER_CHUNK) -> Iterator[tuple[int, Float32[Array, "n D"]]]:
        """Yield (number of the first row, block) from the first row to the last."""
        start = 0
        for block_nD in self._matrix.blocks(0, self.rows, rows_per_block=rows_per_chunk):
            yield start, _float32(block_nD)
            start += len(block_nD)

    def validate(self, *, min_rows: int = 1, zeros: bool = False) -> None:
        """Read all rows once and refuse those without a usable direction, before any work is done.

        With `zeros`, rows of zeros pass, and those too short for float32: `compress` leaves such.

        Raises: RowError naming how many rows hold NaN or Inf, are zero or are too long or too short to square in
        float32, and the first five of each; RowError when there are fewer than `min_rows` rows.
        """
        if self.rows < min_rows:
            raise RowError(f"{self.name} must have at least {min_rows} rows, got {self.rows}; add more vectors")
        nan, zero, long, short = RowCount(), RowCount(), RowCount(), RowCount()
        start = 0
        for stored_nD in self._matrix.blocks(0, self.rows, rows_per_block=ROWS_PER_CHUNK):
            block_nD = _float32(stored_nD)
            with np.errstate(over="ignore", under="ignore"):
                square_n = np.einsum("nd,nd->n", block_nD, block_nD)
            suspect_n = np.flatnonzero(~(np.isfinite(square_n) & (square_n >= SMALLEST_SQUARE)))
            rows_n, given_nD = suspect_n + start, stored_nD[suspect_n]  # as given: float64 holds more than float32
            finite_n, zero_n = np.isfinite(given_nD).all(axis=1), ~given_nD.any(axis=1)
            short_n = square_n[suspect_n] < SMALLEST_SQUARE
            nan.add(rows_n[~finite_n])
            zero.add(rows_n[zero_n])
            long.add(rows_n[finite_n & ~short_n])
            short.add(rows_n[finite_n & short_n & ~zero_n])
            start += len(stored_nD)
        faults = [("NaN or Inf", nan, _DROP), ("values too large for float32", long, _SCALE)]
        if not zeros:
            faults[1:1] = [("only zeros", zero, _DROP), ("lengths too short for float32", short, _SCALE)]
        told = [fault for fault in faults if fault[1].total]
        if told:
            found = " and ".join(f"{what} in {count}" for what, count, _ in told)
            cure = "; ".join(dict.fromkeys(cure for *_, cure in told))
            must = "finite" if zeros else "finite and not zero"
            raise RowError(f"{self.name} must be {must}, got {found}; {cure}")


def open_features(source: object, *, name: str = "features", column: str | None = None) -> Features:
    """Open an (N, D) float array, memmap or torch tensor, or the path of a `.npy` or `.parquet` file.

    `name` is what messages call them. `column` chooses the parquet column where several hold vectors. Nothing but the
    header is read.

    Raises: InputError for a file that is missing, damaged or of another format, or without the named column; DtypeError
    for values other than float16, float32 and float64; ShapeError unless there are two axes and at least one dim;
    RowError when there are no rows.
    """
    if isinstance(source, Features):
        return source
    if column is not None and not _is_parquet(source):
        raise InputError(f"{name} must be a .parquet file to have a column {column!r}, got {_kind(source)}; drop it")
    if isinstance(source, (str, Path)):
        path = Path(source)
        if _is_parquet(path):
            matrix = ParquetMatrix(path, kind="f", column=column, name=name)
            _check_float(matrix.dtype, name=name)
            return Features(matrix, name=name)
        if path.suffix.lower() != ".npy":
            raise InputError(f"{name} must be a .npy or .parquet file, got {path}; save it with numpy.save")
        values = map_npy(path, name=name)
    else:
        values = as_array(source, name=name)
    _check_float(values.dtype, name=name)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ShapeError(f"{name} must have shape (N, D) with D >= 1, got {values.shape}; put one vector in each row")
    if len(values) == 0:
        raise RowError(f"{name} must have at least 1 row, got 0; was the right file given")
    return Features(ArrayMatrix(values), name=name)


def _is_parquet(source: object) -> bool:
    return isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".parquet"


def _kind(source: object) -> str:
    return str(source) if isinstance(source, (str, Path)) else type(source).__name__


def as_array(source: object, *, name: str, kind: str = "float32") -> Shaped[Array, "..."]:
    """Return a numpy array or a torch tensor as a numpy array, without a copy where that is possible.

    `kind` is what messages say it should hold.

    Raises: DtypeError for anything else, for masked arrays and for tensors that numpy cannot hold, such as bfloat16.
    """
    if isinstance(source, np.ma.MaskedArray):
        raise DtypeError(f"{name} must be a plain array, got a masked one; fill or drop the masked rows")
    if isinstance(source, np.ndarray):
        return source
    # A torch tensor, recognised by what it can do: importing torch here would slow down every command.
    if hasattr(source, "detach") and hasattr(source, "cpu"):
        return _of_tensor(source, name=name)
    raise DtypeError(
        f"{name} must be a numpy array, a torch tensor or a path, got {type(source).__name__}; "
        f"try numpy.asarray(x, dtype=numpy.{kind})"
    )


def _of_tensor(tensor: Any, *, name: str) -> Shaped[Array, "..."]:
    """Return a torch tensor of any device as a numpy array.

    Raises: DtypeError for one that numpy cannot hold, with what would make it one.
    """
    layout = str(getattr(tensor, "layout", "torch.strided"))
    if layout != "torch.strided":
        raise DtypeError(f"{name} must be a dense tensor that numpy knows, got {layout}; call .to_dense() first")
    if getattr(tensor, "is_meta", False):
        raise DtypeError(f"{name} must be a tensor with values, got one on the device meta; load its values first")
    try:
        return np.asarray(tensor.numpy(force=True))  # resolves what is only marked as conjugate or negative
    except TypeError:
        kind = getattr(tensor, "dtype", "unknown")
        raise DtypeError(f"{name} must be a dense tensor that numpy knows, got {kind}; call .float() first") from None


def _check_float(dtype: np.dtype[Any], *, name: str) -> None:
    if dtype.newbyteorder("=") not in FLOAT_DTYPES:
        raise DtypeError(
            f"{name} must hold float16, float32 or float64 values, got {dtype}; "
            "convert real-valued features with x.astype(numpy.float32)"
        )


def _float32(block_nD: Float[Array, "n D"]) -> Float32[Array, "n D"]:
    with np.errstate(over="ignore"):
        return np.array(block_nD, dtype=np.float32, order="C", copy=True, subok=False)
