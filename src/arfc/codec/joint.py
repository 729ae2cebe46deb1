"""Byte tokens made one after another: the tokens so far predict the vector, the next one names what they missed."""
# N rows, n rows of a block, P dims, T tokens, C codewords (256), k paths kept, m their number in a block (n * k),
# L tokens that do not stand yet

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from arfc.codec.kmeans import CODEWORDS, grow_codebook
from arfc.codec.product import StableProduct
from arfc.codec.threads import by_threads
from arfc.shapes import Array, Float32, Int64, UInt8

LEAST_ROWS = 3 * CODEWORDS
"""Fewest rows that codebooks are fitted on."""
PATHS = 4
"""Paths that encoding follows at once: half a point of recall@10 over 2, and as good as 8 (docs/log.md)."""
LOOKAHEAD = 4
"""A token stands once this many tokens after it have been tried."""
FIT_PATHS = 3
"""Paths whose residuals the next codebook is fitted on."""
_BLOCK_ROWS = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class JointTokens:
    """One codebook per token; a vector, centred on its mean, is predicted as the sum of the codewords so far.

    Each token is one byte. Any number of leading tokens is a valid, shorter code: a token depends on those before it
    and on a few after it, whether these are kept or not.

    Source: residual quantisation with beam search (Babenko and Lempitsky, 2014; Liu et al., 2015); the look-ahead,
    which makes short codes cost less and stay prefixes of long ones, is our choice.
    """

    codebooks: Float32[Array, "T C P"]
    """Codewords of each token."""

    @classmethod
    def fit(
        cls,
        values_NP: Float32[Array, "N P"],
        *,
        tokens: int,
        rng: np.random.Generator,
        go_on: Callable[[int], bool] = lambda done: True,
    ) -> JointTokens:
        """Fit the codebooks one after another, each on what the paths so far have missed; strongest dims first.

        `go_on` is called with the number of tokens done, and ends the fit with these when it returns False.

        Shapes: values (N, P), N at least `LEAST_ROWS` unless `tokens` is 0.
        """
        residual_NkP = values_NP[:, None]
        codebooks = []
        for _ in range(tokens):
            codebook_CP = grow_codebook(residual_NkP.reshape(-1, values_NP.shape[1]), rng)
            codebooks.append(codebook_CP)
            if not go_on(len(codebooks)):
                break
            residual_NkP = by_threads(partial(_follow, codebook_CP=codebook_CP), residual_NkP, block_rows=_BLOCK_ROWS)
        shape = (len(codebooks), CODEWORDS, values_NP.shape[1])
        return cls(codebooks=np.array(codebooks, dtype=np.float32).reshape(shape))

    @property
    def tokens(self) -> int:
        """Tokens of the longest code."""
        return len(self.codebooks)

    def first(self, tokens: int) -> JointTokens:
        """Return the tokens cut to the first few."""
        return JointTokens(codebooks=self.codebooks[:tokens])

    def encode(self, values_NP: Float32[Array, "N P"], *, tokens: int) -> UInt8[Array, "N {tokens}"]:
        """Return the first `tokens` tokens of each row; rows do not influence each other."""
        return by_threads(lambda block_nP: self._encode(block_nP, tokens), values_NP, block_rows=_BLOCK_ROWS)

    def decode(self, packed_NT: UInt8[Array, "N T"]) -> Float32[Array, "N P"]:
        """Return what the tokens predict."""
        predicted_NP = np.zeros((len(packed_NT), self.codebooks.shape[2]), dtype=np.float32)
        for codebook_CP, token_N in zip(self.codebooks, packed_NT.T, strict=False):
            predicted_NP += codebook_CP[token_N]
        return predicted_NP

    @cached_property
    def _products(self) -> list[StableProduct]:
        return [StableProduct(np.ascontiguousarray(codebook_CP.T)) for codebook_CP in self.codebooks]

    @cached_property
    def _half_norms(self) -> Float32[Array, "T C"]:
        return np.square(self.codebooks).sum(axis=2) / 2

    @cached_property
    def _crossed(self) -> list[list[Float32[Array, "C C"]]]:
        """Products of each token's codewords (columns) with those of the tokens before it, the nearest last."""
        return [
            [product(earlier_CP) for earlier_CP in self.codebooks[max(0, step - LOOKAHEAD) : step]]
            for step, product in enumerate(self._products)
        ]

    def _encode(self, values_nP: Float32[Array, "n P"], tokens: int) -> UInt8[Array, "n {tokens}"]:
        """Follow the best paths as far as the last wanted token's look-ahead.

        A path's cost is half its squared error, less the part that all paths share. All paths agree on the tokens that
        stand, so one product with what these have missed serves every path; products of codewords, known beforehand,
        correct it for the few tokens in which paths differ.
        """
        missed_nP = values_nP.copy()
        cost_nk = np.zeros((len(values_nP), 1), dtype=np.float32)
        open_nkL = np.empty((*cost_nk.shape, 0), dtype=np.intp)
        stand_nT = np.empty((len(values_nP), tokens), dtype=np.uint8)
        rows_n1 = np.arange(len(values_nP))[:, None]
        steps = min(self.tokens, tokens + LOOKAHEAD) if tokens else 0
        for step in range(steps):
            cost_nkC = self._costs(step, missed_nP, open_nkL)
            cost_nkC += cost_nk[:, :, None]
            cost_nk, path_nk, token_nk = _cheapest(cost_nkC, PATHS)
            open_nkL = np.concatenate([open_nkL[rows_n1, path_nk], token_nk[:, :, None]], axis=2)
            if step >= LOOKAHEAD:
                first_n = open_nkL[:, 0, 0]
                stand_nT[:, step - LOOKAHEAD] = first_n
                cost_nk[open_nkL[:, :, 0] != first_n[:, None]] = np.inf
                missed_nP -= self.codebooks[step - LOOKAHEAD][first_n]
                open_nkL = open_nkL[:, :, 1:]
        rest = stand_nT[:, max(0, steps - LOOKAHEAD) :]
        rest[:] = open_nkL[:, 0, : rest.shape[1]]
        return stand_nT

    def _costs(
        self, step: int, missed_nP: Float32[Array, "n P"], open_nkL: Int64[Array, "n k _"]
    ) -> Float32[Array, "n k C"]:
        """Return what each codeword of a token adds to the cost of each path."""
        shared_nC = self._half_norms[step] - self._products[step](missed_nP)
        cost_nkC = np.empty((*open_nkL.shape[:2], CODEWORDS), dtype=np.float32)
        cost_nkC[:] = shared_nC[:, None]
        flat_mC, taken_mC = cost_nkC.reshape(-1, CODEWORDS), np.empty_like(cost_nkC).reshape(-1, CODEWORDS)
        for crossed_CC, token_nk in zip(self._crossed[step], open_nkL.transpose(2, 0, 1), strict=True):
            flat_mC += np.take(crossed_CC, token_nk.reshape(-1), axis=0, out=taken_mC, mode="clip")
        return cost_nkC


def _follow(residual_nkP: Float32[Array, "n k P"], codebook_CP: Float32[Array, "C P"]) -> Float32[Array, "n _ P"]:
    """Return what is missed after the next token, on each row's best paths."""
    error_nk1 = np.square(residual_nkP).sum(axis=2, keepdims=True) / 2
    cost_nkC = error_nk1 + np.square(codebook_CP).sum(axis=1) / 2 - residual_nkP @ codebook_CP.T
    _, path_nk, token_nk = _cheapest(cost_nkC, FIT_PATHS)
    kept_nkP: Float32[Array, "n _ P"] = np.take_along_axis(residual_nkP, path_nk[:, :, None], axis=1)
    return kept_nkP - codebook_CP[token_nk]


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
