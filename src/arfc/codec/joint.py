"""Byte tokens made one after another: the tokens so far predict the vector, the next one names what they missed."""
# N rows, n rows of a block, P dims, T tokens, C codewords (256), k paths kept

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arfc.codec.kmeans import CODEWORDS, grow_codebook
from arfc.codec.product import StableProduct
from arfc.shapes import Array, Float32, UInt8

LEAST_ROWS = 4 * CODEWORDS
"""Fewest rows that codebooks are fitted on."""
PATHS = 4
"""Paths that encoding follows at once: half a point of recall@10 over 2, and as good as 8 (docs/log.md)."""
LOOKAHEAD = 4
"""A token stands once this many tokens after it have been tried."""
FIT_PATHS = 3
"""Paths whose residuals the next codebook is fitted on."""
_BLOCK_ROWS = 256


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
            residual_NkP = np.concatenate(
                [_follow(block, codebook_CP) for block in _split(residual_NkP, rows=16 * _BLOCK_ROWS)]
            )
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
        blocks = [self._encode(block, tokens) for block in _split(values_NP, rows=_BLOCK_ROWS)]
        return np.concatenate(blocks) if blocks else np.empty((0, tokens), dtype=np.uint8)

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

    def _encode(self, values_nP: Float32[Array, "n P"], tokens: int) -> UInt8[Array, "n {tokens}"]:
        """Follow the best paths as far as the last wanted token's look-ahead.

        A path's cost is half its squared error, less the part that all paths share.
        """
        residual_nkP = values_nP[:, None]
        cost_nk = np.zeros(residual_nkP.shape[:2], dtype=np.float32)
        paths_nkT = np.empty((*cost_nk.shape, 0), dtype=np.uint8)
        for step in range(min(self.tokens, tokens + LOOKAHEAD) if tokens else 0):
            products = self._products[step](residual_nkP.reshape(-1, values_nP.shape[1]))
            cost_nkC = cost_nk[:, :, None] + self._half_norms[step] - products.reshape(*cost_nk.shape, -1)
            cost_nk, path_nk, token_nk = _cheapest(cost_nkC, PATHS)
            residual_nkP = np.take_along_axis(residual_nkP, path_nk[:, :, None], axis=1)
            residual_nkP = residual_nkP - self.codebooks[step][token_nk]
            paths_nkT = np.take_along_axis(paths_nkT, path_nk[:, :, None], axis=1)
            paths_nkT = np.concatenate([paths_nkT, token_nk[:, :, None].astype(np.uint8)], axis=2)
            if step >= LOOKAHEAD:
                settled_nk = paths_nkT[:, :, step - LOOKAHEAD]
                cost_nk = np.where(settled_nk == settled_nk[:, :1], cost_nk, np.float32(np.inf))
        return paths_nkT[:, 0, :tokens]


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
    cost_nK = cost_nkC.reshape(len(cost_nkC), -1)
    costs, places = [], []
    for _ in range(keep):
        place_n1 = cost_nK.argmin(axis=1)[:, None]
        costs.append(np.take_along_axis(cost_nK, place_n1, axis=1))
        places.append(place_n1)
        np.put_along_axis(cost_nK, place_n1, np.float32(np.inf), axis=1)
    path_nk, token_nk = np.divmod(np.concatenate(places, axis=1), cost_nkC.shape[2])
    return np.concatenate(costs, axis=1), path_nk, token_nk


def _split(values: Array, *, rows: int) -> list[Array]:
    return [values[start : start + rows] for start in range(0, len(values), rows)]
