"""A few codebooks whose tokens are chosen together: the sum of their codewords predicts a vector."""
# n rows, P dims, T tokens, C codewords (256), k paths, m their number in a block (n * k)

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from arfc.codec.product import StableProduct
from arfc.shapes import Array, Float32, Int64


class Group:
    """The costs of codewords, alone and beside each other, and the search for the cheapest sum.

    A cost is half a squared error, less the part that all sums share. `weights_T` may weigh the errors of the sums of
    the first 1, 2, ... T codewords; without them it is the whole sum that counts.
    """

    def __init__(self, codebooks_TCP: Float32[Array, "T C P"], weights_T: Float32[Array, " T"] | None = None) -> None:
        self._shape = codebooks_TCP.shape[:2]
        later_T = np.ones(len(codebooks_TCP), np.float32)  # the weight of all sums that hold a token
        if weights_T is not None:
            later_T = np.cumsum(weights_T[::-1], dtype=np.float32)[::-1]
        self._own_T1 = later_T[:, None]
        self._half_TC = np.square(codebooks_TCP).sum(axis=2) / 2
        flat_FP = codebooks_TCP.reshape(-1, codebooks_TCP.shape[2])
        self._product = StableProduct(np.ascontiguousarray(flat_FP.T))
        by_token = [self._product(codebook_CP).reshape(-1, *self._shape) for codebook_CP in codebooks_TCP]
        self._crossed = [
            [
                np.ascontiguousarray(products_CTC[:, later]) * min(later_T[first], later_T[later])
                for later in self._range
            ]
            for first, products_CTC in enumerate(by_token)
        ]

    @property
    def _range(self) -> range:
        return range(self._shape[0])

    def alone(self, values_nP: Float32[Array, "n P"]) -> Float32[Array, "n T C"]:
        """Return what each codeword would cost by itself."""
        products_nTC = self._product(values_nP).reshape(-1, *self._shape)
        np.subtract(self._half_TC, products_nTC, out=products_nTC)
        products_nTC *= self._own_T1
        return products_nTC

    def best_sum(self, alone_nTC: Float32[Array, "n T C"], *, paths: int) -> Int64[Array, "n T"]:
        """Follow the cheapest prefixes, token by token; return the cheapest sum that they end in."""
        rows_n1 = np.arange(len(alone_nTC))[:, None]
        cost_nk = np.zeros((len(alone_nTC), 1), dtype=np.float32)
        picked_nkT = np.empty((*cost_nk.shape, 0), dtype=np.intp)
        for token in self._range:
            cost_nkC = self._beside(alone_nTC[:, token], picked_nkT, token, others=range(token))
            cost_nkC += cost_nk[:, :, None]
            cost_nk, path_nk, token_nk = _cheapest(cost_nkC, 1 if token == self._range[-1] else paths)
            picked_nkT = np.concatenate([picked_nkT[rows_n1, path_nk], token_nk[:, :, None]], axis=2)
        return picked_nkT[:, 0]

    def choose_anew(self, alone_nTC: Float32[Array, "n T C"], picked_nT: Int64[Array, "n T"]) -> Int64[Array, "n T"]:
        """Choose each token anew, in turn, while the others stand; return the sums.

        Source: iterated conditional modes (Besag, 1986), as in local search quantisation (Martinez et al., 2016).
        """
        picked_nT = picked_nT.copy()
        for token in self._range:
            others = [other for other in self._range if other != token]
            cost_n1C = self._beside(alone_nTC[:, token], picked_nT[:, None], token, others=others)
            picked_nT[:, token] = cost_n1C[:, 0].argmin(axis=1)
        return picked_nT

    def _beside(
        self, alone_nC: Float32[Array, "n C"], picked_nkT: Int64[Array, "n k _"], token: int, *, others: Iterable[int]
    ) -> Float32[Array, "n k C"]:
        """Return what each codeword of a token costs beside those that other tokens name."""
        cost_nkC = np.empty((*picked_nkT.shape[:2], alone_nC.shape[1]), dtype=np.float32)
        cost_nkC[:] = alone_nC[:, None]
        flat_mC = cost_nkC.reshape(-1, alone_nC.shape[1])
        taken_mC = np.empty_like(flat_mC)
        for other in others:
            picked_m = picked_nkT[:, :, other].reshape(-1)
            flat_mC += np.take(self._crossed[other][token], picked_m, axis=0, out=taken_mC, mode="clip")
        return cost_nkC


def _cheapest(cost_nkC: Float32[Array, "n k C"], keep: int) -> tuple[Array, Array, Array]:
    """Return cost, path and token of the cheapest continuations (n, keep), best first, the first among equals.

    A few passes of argmin are faster than a partial sort.
    """
    rows, paths, codewords = cost_nkC.shape
    cost_nK = cost_nkC.reshape(rows, paths * codewords)
    row_n = np.arange(rows)
    costs, places = [], []
    for _ in range(keep):
        place_n = cost_nK.argmin(axis=1)
        costs.append(cost_nK[row_n, place_n])
        places.append(place_n)
        cost_nK[row_n, place_n] = np.inf
    path_nk, token_nk = np.divmod(np.stack(places, axis=1), codewords)
    return np.stack(costs, axis=1), path_nk, token_nk
