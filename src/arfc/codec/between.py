"""Rows that a sample could as well have held: each of its rows, moved as its neighbours differ."""
# N rows, S of them that are neighbours, P dims, k neighbours, D drawn rows, n rows of a block

from __future__ import annotations

import numpy as np

from arfc.scores import top_k
from arfc.shapes import Array, Float32

LEAST_DRAWN = 10_000
"""Rows of a draw from a sample that has no more; from less than an eighth of it, `MOST_PER_ROW` times theirs."""
MOST_PER_ROW = 8
NEIGHBOURS = 10
AMONG = 10_000
"""Most rows of the sample, evenly spread, among which the neighbours are found."""
MOST_MOVED = 0.8
"""Most of the difference between two neighbours that a row is moved by."""
_BLOCK_ROWS = 1024
_TINY = 1e-20


class RowsBetween:
    """Draws rows near those of a sample: codewords that are learned from ever new ones know no row by heart.

    A row is moved by a share, up to `MOST_MOVED`, of the difference between two of its nearest rows. So it moves along
    what varies near it, and by less where rows are dense. Then every dim is shrunk to the spread it had.

    Source: our choice; it is to noise on the inputs what SMOTE is to copies (Chawla and others, 2002).
    """

    def __init__(self, values_NP: Float32[Array, "N P"]) -> None:
        """Find the neighbours of the rows, which are centred, and more than `NEIGHBOURS`."""
        self._values_NP = values_NP
        step = -(-len(values_NP) // AMONG)
        some_SP = np.ascontiguousarray(values_NP[::step])
        half_S = np.square(some_SP).sum(axis=1) / 2
        found = []
        for start in range(0, len(values_NP), _BLOCK_ROWS):
            score_nS = values_NP[start : start + _BLOCK_ROWS] @ some_SP.T - half_S
            own = np.arange(-start % step, len(score_nS), step)
            score_nS[own, (start + own) // step] = -np.inf
            found.append(top_k(score_nS, NEIGHBOURS)[0])
        self._near_Nk = step * np.concatenate(found)
        apart_NP = values_NP - values_NP[self._near_Nk[:, NEIGHBOURS // 2]]
        spread_P = np.square(values_NP, dtype=np.float64).mean(axis=0)
        self._apart_P = np.square(apart_NP, dtype=np.float64).mean(axis=0) / np.maximum(spread_P, _TINY)

    @property
    def drawn(self) -> int:
        """Rows of a draw."""
        rows = len(self._values_NP)
        return max(rows, min(LEAST_DRAWN, MOST_PER_ROW * rows))

    def draw(self, rng: np.random.Generator) -> Float32[Array, "D P"]:
        """Return new rows, as many from each row of the sample, or from as many of them."""
        row_D = rng.permutation(np.arange(self.drawn) % len(self._values_NP))
        one_D, other_D = self._near_Nk[row_D, rng.integers(NEIGHBOURS, size=(2, self.drawn))]
        moved_D1 = rng.uniform(0, MOST_MOVED, size=(self.drawn, 1)).astype(np.float32)
        drawn_DP = self._values_NP[row_D]
        drawn_DP += moved_D1 * (self._values_NP[one_D] - self._values_NP[other_D])
        drawn_DP /= np.sqrt(1 + np.square(moved_D1) * self._apart_P.astype(np.float32))
        return drawn_DP
