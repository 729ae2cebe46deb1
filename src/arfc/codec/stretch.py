"""Rows from offsets: as long as a unit row, or shorter where a code leaves much open."""
# N rows, H held-out rows, Q of them that ask, K dims

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from arfc.scores import recall_at_k, top_k
from arfc.shapes import Array, Float32, Float64

POWERS = (1.0, 0.75, 0.5, 0.25)
"""Of the stretch that would bring a decoded row to length 1."""
_MOST_STRETCH = 8
"""Offsets that need more are noise around a mean that is all there is."""
_TINY = 1e-20
_QUERIES = 1_000
_NEIGHBOURS = 10


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


def best_power(
    mean_K: Float32[Array, " K"], offsets_HK: Float32[Array, "H K"], decoded: Iterable[Float32[Array, "H K"]]
) -> float:
    """Return the power of the stretch with which rows find most of their nearest among their own codes.

    `offsets_HK` are those of held-out rows, and `decoded` what codes of theirs say, one array per size that counts: the
    nearest one and the nearest ten, mean of both, over all sizes.

    What a code leaves open, a query has none of in the mean: so a row's score is best guessed without any stretch. But
    it is near rows that ask for a row in earnest, and they do have what its code leaves open. Stretched in full, rows
    that are coded badly come up in answers to which they don't belong; not at all, they are missed where they do. The
    nearer the rows that are sought, the more it is the second that counts: by the nearest ten alone, the nearest one
    would be lost too often (docs/log.md).

    Source: our choice.
    """
    rows_HK = mean_K + offsets_HK
    asked_QK = rows_HK[:_QUERIES]
    places = np.arange(len(asked_QK))
    k = min(_NEIGHBOURS, len(rows_HK) - 1)

    def nearest(scores_QH: Float32[Array, "Q H"]) -> Array:
        scores_QH[places, places] = -np.inf  # no row is its own neighbour
        return top_k(scores_QH, k)[0]

    true_Qk = nearest(asked_QK @ rows_HK.T)
    kept_P = np.zeros(len(POWERS))
    for decoded_HK in decoded:
        product_QH = asked_QK @ decoded_HK.T  # that with the mean is the same for all rows
        stretch_H = stretches(mean_K, decoded_HK)
        for place, power in enumerate(POWERS):
            found_Qk = nearest(product_QH * (stretch_H**power).astype(np.float32))
            kept_P[place] += sum(recall_at_k(true_Qk[:, :few], found_Qk[:, :few]).mean() for few in (1, k))
    return POWERS[int(kept_P.argmax())]
