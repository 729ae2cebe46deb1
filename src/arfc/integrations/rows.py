"""What rows from a database are held against before they are compressed."""
# n rows of a block, D feature dims

from __future__ import annotations

import numpy as np

from arfc.io.features import SMALLEST_SQUARE
from arfc.shapes import Array, Float32, Int64


def without_direction(x_nD: Float32[Array, "n D"]) -> Int64[Array, " _"]:
    """Return which rows are NaN, Inf, zero, or too long or short for float32 to hold their direction."""
    with np.errstate(over="ignore", under="ignore"):
        square_n = np.einsum("nd,nd->n", x_nD, x_nD)
    return np.flatnonzero(~(np.isfinite(square_n) & (square_n >= SMALLEST_SQUARE)))
