"""Which errors of a code count most: those along directions that queries have much of, the more the finer the code."""
# K dims

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from arfc.codec.joint import GROUP
from arfc.shapes import Array, Float32, Float64

SHARE = 0.03
"""How much of the bound for the mean is used; less and more lose recall@10 (docs/log.md)."""
_LEAST_ENERGY = 1e-9
"""Of the mean: directions that rows hardly have count as if they had that."""
_TINY = 1e-20


class Emphasis(NamedTuple):
    """By what a code weighs errors along each coordinate of unit rows before it squares them."""

    first: Float32[Array, " K"]
    """For the first eight bytes."""
    later: Float32[Array, " K"]
    """For the next eight bytes, and for all joint tokens after the first eight: halfway, by ratio."""
    fine: Float32[Array, " K"]
    """For what comes then."""

    def at(self, byte: int) -> Float32[Array, " K"]:
        """Return the weights for a narrow token: its place in the code, from 0, the length not counted."""
        return self.first if byte < GROUP else self.later if byte < 2 * GROUP else self.fine


def emphasis(mean_K: Float32[Array, " K"], energy_K: Float64[Array, " K"]) -> Emphasis:
    """Return the weights of each stage of a code, from mean and mean square of unit rows.

    An error moves a row's score with every query by as much as the query has of that direction, so by its mean square,
    in the mean, over queries like the rows. Counting errors by that alone serves the finest codes: what is left there
    decides between rows that score nearly alike. Coarse codes first have to say where a row is, and plain squared
    errors do; in between a power between 0 and 1 does best (docs/log.md has the trials): 0 for the first tokens,
    1/4 for later ones, 1/2 for what comes after them.

    Along the mean even the first tokens are told more. There all queries have much: of 512-d CLIP vectors, whose mean
    has half of the energy, one direction in 512 had .2 % of the squared error of a code and 40 % of the variance of
    the scores of near rows. It also tells the length of the rest of a unit row, which decoding relies on. The bound of
    the square is 1 + mean**2 over the mean energy of an offset per direction.

    Source: our choice; to weigh errors by what they do to scores is the idea of score-aware quantisation (Guo and
    others, "Accelerating large-scale inference with anisotropic vector quantization", 2020).
    """
    mean = mean_K.astype(np.float64)
    offset_energy = max(1 - float(np.square(mean).sum()), _TINY) / len(mean)
    first_K = np.sqrt(1 + SHARE * np.square(mean) / offset_energy)
    fine_K = np.maximum(energy_K / max(float(energy_K.mean()), _TINY), _LEAST_ENERGY) ** 0.25
    return Emphasis(*(stage_K.astype(np.float32) for stage_K in (first_K, np.sqrt(first_K * fine_K), fine_K)))
