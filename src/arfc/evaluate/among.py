"""Tasks within one set of rows: some ask, and all others or some of them answer."""
# M rows, Q queries, N rows that answer, D feature dims, K neighbours

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arfc.errors import RowError, ShapeError
from arfc.evaluate.nearest import nearest
from arfc.evaluate.task import Scores, Sets, check_numbers, check_sets, right_within
from arfc.scores import recall_at_k
from arfc.shapes import Array, Bool, Int64

NEIGHBOUR_PLACES = (10, 1, 100)
SIBLING_PLACES = (1, 5, 10)
MOST_RELEVANT = 1_000
"""Places that mAP@R looks at, at most: classes can be far larger, and then the first places are what is seen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Among:
    """One set of rows, those that ask, and those that answer; no row answers itself."""

    rows: Sets
    """The only set, under its name."""
    asks: Int64[Array, " Q"] | None = None
    """Row numbers of those that ask; None: all."""
    answers: Int64[Array, " N"] | None = None
    """Row numbers of those that answer; None: all."""
    together: Int64[Array, " M"] | None = None
    """A number for each row, one for rows that were drawn together; None: each was drawn alone."""

    def __post_init__(self) -> None:
        (name,) = check_sets(self.rows, names=1)
        for what, numbers in (("asks", self.asks), ("answers", self.answers)):
            if numbers is not None:
                check_numbers(numbers, name=what, below=len(self.rows[name]))

    def draws(self, metric: str) -> Int64[Array, " Q"] | None:
        """Return which queries were drawn together, the same for all metrics."""
        return None if self.together is None else self.together[self.asks_Q]

    @cached_property
    def asks_Q(self) -> Int64[Array, " Q"]:
        return self._all if self.asks is None else self.asks

    @cached_property
    def answers_N(self) -> Int64[Array, " N"]:
        return self._all if self.answers is None else self.answers

    @cached_property
    def own_Q(self) -> Int64[Array, " Q"]:
        """The place of each asking row among those that answer, -1 where it does not answer."""
        place_M = np.full(len(self._all), -1)
        place_M[self.answers_N] = np.arange(len(self.answers_N))
        own_Q: Int64[Array, " Q"] = place_M[self.asks_Q]
        return own_Q

    @property
    def most_found(self) -> int:
        """Rows that every query can find."""
        return len(self.answers_N) - int((self.own_Q >= 0).any())

    def found(self, asked: Sets, stored: Sets, *, k: int) -> Int64[Array, "Q {k}"]:
        """Return the row numbers that answer each query, best first."""
        (name,) = self.rows
        places_QK = nearest(asked[name][self.asks_Q], stored[name][self.answers_N], k=k, own_Q=self.own_Q)
        found_QK: Int64[Array, "Q K"] = self.answers_N[places_QK]
        return found_QK

    @cached_property
    def _all(self) -> Int64[Array, " M"]:
        return np.arange(len(next(iter(self.rows.values()))))


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighbourFidelity(_Among):
    """recall@10, @1, @100: the share of the exact neighbours of the original rows that are found.

    A metric is left out where fewer rows answer than it has places.
    """

    @cached_property
    def truth(self) -> Int64[Array, "Q K"]:
        """The nearest original rows."""
        return self.found(self.rows, self.rows, k=max(self._places))

    @property
    def _places(self) -> list[int]:
        return [k for k in NEIGHBOUR_PLACES if k <= self.most_found]

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Return each recall; as `Task.scores`."""
        found_QK = self.found(asked, stored, k=max(self._places))
        return {f"recall@{k}": recall_at_k(self.truth[:, :k], found_QK[:, :k]) for k in self._places}


@dataclass(frozen=True, kw_only=True, eq=False)
class _InGroups(_Among):
    groups: Int64[Array, " M"]
    """The group of each row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups.shape != self._all.shape:
            raise ShapeError(f"groups must have shape {self._all.shape}, one per row, got {self.groups.shape}")
        alone = int((self.relevant_Q == 0).sum())
        if alone:
            raise RowError(
                f"rows that ask must have others of their group to find, got {alone} without; leave them out"
            )

    @cached_property
    def relevant_Q(self) -> Int64[Array, " Q"]:
        """How many rows are right for each query."""
        return mates(self.groups, self.asks_Q, self.answers_N)

    def right(self, asked: Sets, stored: Sets, *, k: int) -> Bool[Array, "Q {k}"]:
        """Say which of the rows found are of the query's group."""
        found_QK = self.found(asked, stored, k=min(k, self.most_found))
        right_QK: Bool[Array, "Q _"] = self.groups[found_QK] == self.groups[self.asks_Q][:, None]
        return np.pad(right_QK, ((0, 0), (0, k - right_QK.shape[1])))


@dataclass(frozen=True, kw_only=True, eq=False)
class SiblingRetrieval(_InGroups):
    """R@1, R@5, R@10: is another row of the same group, such as a caption of the same image, among the first.

    Rows of a group were drawn together.
    """

    def draws(self, metric: str) -> Int64[Array, " Q"]:
        """Return the group of each query."""
        groups_Q: Int64[Array, " Q"] = self.groups[self.asks_Q]
        return groups_Q

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Return each R@k; as `Task.scores`."""
        return right_within(self.right(asked, stored, k=max(SIBLING_PLACES)), SIBLING_PLACES)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassRetrieval(_InGroups):
    """R@1 and mAP@R over classes: do rows of the same class come first.

    Source: mAP@R as in "A Metric Learning Reality Check" (Musgrave et al., 2020), section 3.2; R is the number of rows
    of the query's class, here 1,000 at most.
    """

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Return R@1 by class and mAP@R by class; as `Task.scores`."""
        depth_Q = np.minimum(self.relevant_Q, MOST_RELEVANT)
        right_QK = self.right(asked, stored, k=int(depth_Q.max()))
        places_K = np.arange(1, right_QK.shape[1] + 1)
        right_QK &= places_K <= depth_Q[:, None]
        precision_QK = np.cumsum(right_QK, axis=1) / places_K
        return right_within(right_QK, (1,), "R@{} by class") | {
            "mAP@R by class": (precision_QK * right_QK).sum(axis=1) / depth_Q
        }


def mates(
    groups_M: Int64[Array, " M"], asks_Q: Int64[Array, " Q"], answers_N: Int64[Array, " N"]
) -> Int64[Array, " Q"]:
    """Count, for each row that asks, the other rows of its group that answer."""
    names, of_M = np.unique(groups_M, return_inverse=True)
    sizes = np.bincount(of_M[answers_N], minlength=len(names))
    counts_Q: Int64[Array, " Q"] = sizes[of_M[asks_Q]] - np.isin(asks_Q, answers_N)
    return counts_Q


def with_mates(
    groups_M: Int64[Array, " M"], asks_Q: Int64[Array, " Q"], answers_N: Int64[Array, " N"]
) -> Int64[Array, " _"]:
    """Return those of the rows that ask which have others of their group to find."""
    kept: Int64[Array, " _"] = asks_Q[mates(groups_M, asks_Q, answers_N) > 0]
    return kept
