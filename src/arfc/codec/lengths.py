"""How long a decoded row should be: as long as a unit row, or shorter where its code leaves much open."""
# H held-out rows, Q of them that ask, K dims

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from arfc.codec.offsets import stretches
from arfc.scores import recall_at_k, top_k
from arfc.shapes import Array, Float32

POWERS = (1.0, 0.75, 0.5, 0.25)
"""Of the stretch that would bring a decoded row to length 1."""
_QUERIES = 1_000
_NEIGHBOURS = 10


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
