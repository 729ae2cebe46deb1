"""What a codec accepts as rows, and rows of fewer dims."""
# N rows, K dims, P first dims

from __future__ import annotations

import numpy as np

from arfc.errors import DtypeError, ShapeError
from arfc.shapes import Array, Float32


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
    with np.errstate(over="ignore"):  # what overflows becomes Inf, which has no direction
        return np.ascontiguousarray(vectors_NK, dtype=np.float32)


def widened(values_NP: Float32[Array, "N P"], width: int) -> Float32[Array, "N K"]:
    """Return rows with zeros for the dims that they do not cover."""
    return np.pad(values_NP, ((0, 0), (0, width - values_NP.shape[1])))
