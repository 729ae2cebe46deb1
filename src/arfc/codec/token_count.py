"""How a code is made up: how many joint tokens it begins with, and whether a length follows them."""
# N rows, Q of them that ask, K dims

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from arfc.codec.joint import GROUP
from arfc.scores import top_k
from arfc.shapes import Array, Float32
from arfc.sizes import byte_ladder

TOKEN_CHOICES = (0, 4, 8, 16, 24, 32, 48)
"""Numbers of joint tokens that a code may have."""
JUDGED_BYTES = 96
"""Largest size by which the number is chosen: longer codes are level with each other."""
_NEIGHBOURS = 10
_ROUNDING = 1e-14
"""Variance of a score's errors below which it is rounding alone."""


def token_choices(most: int) -> list[int]:
    """Return the choices up to `most`, ascending: whole groups, or what there is of less than one.

    The codebooks of a group are learned for their sum; four of eight are worse than four learned by themselves.
    """
    fitting = [count for count in TOKEN_CHOICES if count <= most]
    return [count for count in fitting if count % GROUP == 0 or count == fitting[-1]]


class Layout(NamedTuple):
    """What a code is made of."""

    tokens: int
    with_length: bool
    """Whether what the tokens missed is told by its length first."""


def layouts(most_tokens: int) -> list[Layout]:
    """Return the choices with up to so many tokens, the most first, and of each the one without a length first."""
    return [Layout(count, long) for count in reversed(token_choices(most_tokens)) for long in (False, True)]


def judged_sizes(width: int) -> list[int]:
    """Return the bytes by which the number of tokens is chosen."""
    return [size for size in byte_ladder(width, width) if size <= JUDGED_BYTES]


class Order:
    """How firmly a code keeps near rows in their order, by the scores of unit rows that it was not fitted on.

    Recall@10 asks the same, but among few rows the ten nearest are far away, and coarse codes look better than among
    many. So here it is the errors of the scores: of each row's ten nearest, as far as they differ from each other, for
    what they share moves none before another (docs/log.md).

    The first rows ask for each other and the rest; or rows of another modality ask, which none of these equals.
    """

    def __init__(
        self, unit_NK: Float32[Array, "N K"], *, queries: int, others_MK: Float32[Array, "M K"] | None = None
    ) -> None:
        self._asked_QK = (unit_NK if others_MK is None else others_MK)[:queries]
        scores_QN, answers = self._asked_QK @ unit_NK.T, len(unit_NK)
        if others_MK is None:
            np.fill_diagonal(scores_QN, -2)  # no row is its own neighbour
            answers -= 1
        self._near_Qk, self._scores_Qk = top_k(scores_QN, max(1, min(_NEIGHBOURS, answers)))

    def kept(self, decoded_NK: Float32[Array, "N K"]) -> float:
        """Return minus the logarithm of the errors' variance, mean over the queries, the more the better.

        Of a query with near rows far apart larger errors move none; each counts by the ratio.
        """
        scores_Qk = np.take_along_axis(self._asked_QK @ decoded_NK.T, self._near_Qk, axis=1)
        variance_Q = np.var(scores_Qk - self._scores_Qk, axis=1, dtype=np.float64)
        return -float(np.log(np.maximum(variance_Q, _ROUNDING)).mean())
