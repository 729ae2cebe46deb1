"""What every task has in common: named sets of rows, and a truth that their representations are scored against."""
# Q queries, N rows, M rows of a set

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from arfc.errors import RowError, ShapeError
from arfc.shapes import Array, Bool, Float64, Int64

Sets = Mapping[str, Array]
"""Rows by the name of their set, float (M, K)."""
Scores = dict[str, Float64[Array, " Q"]]
"""The score of each query by the name of the metric; metrics may have different queries. The first is quoted first."""


@runtime_checkable
class Task(Protocol):
    """Sets of rows as they are uncompressed, and the truth about them."""

    @property
    def rows(self) -> Sets:
        """The original rows by the name of their set, float32 (M, D)."""
        ...

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Score one representation of all sets by cosine.

        `asked` holds every set as its rows ask, always floats; `stored` as they are stored: floats, or decoded codes.

        Raises: RowError for a row that has no direction; ShapeError when the two differ in width.
        """
        ...


@runtime_checkable
class DrawnTogether(Protocol):
    """A task whose queries were not drawn one by one, such as the captions of images."""

    def draws(self, metric: str) -> Int64[Array, " Q"] | None:
        """Return a number for each query of a metric, one for those that came together; None: each came alone."""
        ...


def uncompressed_scores(task: Task) -> Scores:
    """Return the scores of the original rows."""
    return task.scores(task.rows, task.rows)


def right_within(right_QK: Bool[Array, "Q K"], places: Iterable[int], metric: str = "R@{}") -> Scores:
    """Return R@k for each k in `places`: 1 where one of the first k that were found is right."""
    return {metric.format(k): np.any(right_QK[:, :k], axis=1).astype(np.float64) for k in places}


def check_sets(rows: Sets, *, names: int) -> tuple[str, ...]:
    """Return the names of the sets of a task.

    Raises: ShapeError unless there are as many as `names`, all of one width.
    """
    widths = {values.shape[1] for values in rows.values()}
    if len(rows) != names or len(widths) != 1:
        found = ", ".join(f"{name} {values.shape}" for name, values in rows.items())
        raise ShapeError(f"this task must have {names} sets of rows of one width, got {found or 'none'}")
    return tuple(rows)


def check_numbers(numbers: Int64[Array, " _"], *, name: str, below: int) -> None:
    """Refuse row numbers that are none.

    Raises: RowError.
    """
    if numbers.size == 0 or numbers.min() < 0 or numbers.max() >= below:
        found = f"{numbers.min()}..{numbers.max()}" if numbers.size else "none"
        raise RowError(f"{name} must be row numbers within 0..{below - 1}, got {found}; were rows left out")
