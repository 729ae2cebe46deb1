"""How long a row was, as far as its first coordinates tell."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32, Float64

_TINY = 1e-30


def likely_lengths(
    prefix_NK: Float32[Array, "N K"], variance_D: Float64[Array, " D"], *, mean: float, spread: float
) -> Float32[Array, "N 1"]:
    """Return a length for each row from its first K coordinates and from what the lengths of the fit's rows were.

    A prefix is short because its row is, or because the row lies elsewhere. Both are told apart by how much each is
    seen to vary: `variance_D` is the mean square of each coordinate of unit rows, `mean` the rows' mean length, and
    `spread` the standard deviation of its logarithm. Where all rows are of one length, that is the answer, and where
    lengths vary a lot, it is the prefix's own in units of that of a unit row.

    Source: the mean of two normal estimates of log length, weighted by precision; that of the prefix has the variance
    that independent normal coordinates would give it, to first order, once the whole is brought to length 1.
    """
    kept = prefix_NK.shape[1]
    energy, kept_varies = _energy(variance_D[:kept])
    rest, rest_varies = _energy(variance_D[kept:])
    doubt = (rest / (energy + rest)) ** 2 * (kept_varies + rest_varies) / 4
    trust = spread**2 / (spread**2 + doubt) if spread else 0.0
    seen_N1 = np.linalg.norm(prefix_NK.astype(np.float64), axis=1, keepdims=True) / energy**0.5
    usual = np.log(mean) - spread**2 / 2  # the median of lengths whose logarithms are normal
    length_N1: Array = np.exp((1 - trust) * usual + trust * np.log(np.maximum(seen_N1, _TINY)))
    return length_N1.astype(np.float32)


def _energy(variance_K: Float64[Array, " K"]) -> tuple[float, float]:
    """Return the mean squared length that these coordinates make, and its variance in units of its square."""
    energy = max(float(variance_K.sum()), _TINY)
    return energy, 2 * float(np.square(variance_K).sum()) / energy**2
