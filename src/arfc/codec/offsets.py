"""Offsets from the mean row, and the rows that they stand for."""
# N rows, K dims, P first dims

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32, Float64

_TINY = 1e-20
_MOST_STRETCH = 8
"""Offsets that need more are noise around a mean that is all there is."""


def stretches(
    mean_K: Float32[Array, " K"], offset_NK: Float32[Array, "N K"], *, power: float = 1.0
) -> Float64[Array, " N"]:
    """Return, to a power, the s in 0..8 that brings each mean + s * offset to length 1, or nearest to it."""
    offset, mean = offset_NK.astype(np.float64), mean_K.astype(np.float64)
    square_N, along_N = np.square(offset).sum(axis=1), (offset * mean).sum(axis=1)
    missing = max(0.0, 1 - float(np.square(mean).sum()))  # the mean of unit rows is no longer than 1
    stretch_N: Array = (np.sqrt(along_N**2 + square_N * missing) - along_N) / np.maximum(square_N, _TINY)
    return np.minimum(stretch_N, _MOST_STRETCH) ** power


def rows_about(
    mean_K: Float32[Array, " K"], offset_NK: Float32[Array, "N K"], *, power: float = 1.0
) -> Float32[Array, "N K"]:
    """Return mean + s**power * offset with the s of `stretches`: rows of length 1 where the power is 1.

    A code's offset is shorter than the row's true one. To divide the whole row by its length would stretch the mean
    too, which is known: with a strong common direction that costs a point or two of recall@10 (docs/log.md).
    """
    rows = mean_K + (stretches(mean_K, offset_NK, power=power)[:, None] * offset_NK.astype(np.float64))
    rows[np.square(rows).sum(axis=1) <= _TINY**2, 0] = 1  # a code that knows no direction gets the strongest one
    return rows.astype(np.float32)


def widened(values_NP: Float32[Array, "N P"], width: int) -> Float32[Array, "N K"]:
    """Return rows with zeros for the dims that they do not speak of."""
    return np.pad(values_NP, ((0, 0), (0, width - values_NP.shape[1])))
