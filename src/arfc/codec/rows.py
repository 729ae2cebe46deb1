"""What a codec accepts as rows, and their lengths."""
# N rows, K dims

from __future__ import annotations

import numpy as np

from arfc.errors import DtypeError, RowError, ShapeError, count_rows
from arfc.shapes import Array, Float


def check_vectors(vectors_NK: Array, *, width: int | None = None) -> Array:
    """Return the rows in C order, whatever order they came in, so that sums over a row run the same way always.

    Raises: DtypeError unless float16, float32 or float64; ShapeError unless (N, K), with K the given width.
    """
    if vectors_NK.dtype not in (np.float16, np.float32, np.float64):
        raise DtypeError(
            f"vectors must be float16, float32 or float64, got {vectors_NK.dtype}; try x.astype('float32')"
        )
    wanted = "K" if width is None else width
    if vectors_NK.ndim != 2 or vectors_NK.shape[1] == 0 or width not in (None, vectors_NK.shape[1]):
        raise ShapeError(f"vectors must have shape (N, {wanted}), got {vectors_NK.shape}; was another model meant?")
    with np.errstate(over="ignore"):  # what overflows becomes Inf, which row_norms refuses
        return np.ascontiguousarray(vectors_NK, dtype=np.float32)


def row_norms(vectors_NK: Float[Array, "N K"]) -> Float[Array, " N"]:
    """Return the length of each row in float64, where no float32 overflows.

    Raises: RowError naming the rows that are NaN, Inf or zero.
    """
    norms_N: Float[Array, " N"] = np.sqrt(np.square(vectors_NK, dtype=np.float64).sum(axis=1))
    bad = np.flatnonzero(~(np.isfinite(norms_N) & (norms_N > 0)))
    if len(bad):
        found = count_rows(bad[:5].tolist(), len(bad))
        raise RowError(f"vectors must be finite and not all zero, got {found} without a direction; remove them first")
    return norms_N
