"""Score methods on tasks at a ladder of sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from arfc.errors import RowError
from arfc.evaluate.intervals import interval, interval_and_retention
from arfc.evaluate.methods import Method
from arfc.evaluate.task import DrawnTogether, Scores, Task, uncompressed_scores
from arfc.sizes import FLOAT_BYTES

ROWS_OF_UNIT = {"dims": "floats", "bytes": "bytes"}

Methods = Mapping[str, Mapping[str, Method | None]]
Ladders = Mapping[str, Sequence[int]]


def measure(
    tasks: Sequence[Task],
    methods: Methods,
    ladders: Ladders,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return one table per metric of the tasks, in the form `arfc.evaluate` describes, and notes on missing scores.

    `methods` and `ladders` have the keys `dims` and `bytes`. A method that is None has no scores, and neither has one
    that cuts a row to zeros, at that size. Sets of the same name are the same rows: each method makes them once.
    `report` is called with the number of sizes done and of all sizes.
    """
    sets = {name: rows for task in tasks for name, rows in task.rows.items()}
    by_task = [(task, uncompressed_scores(task)) for task in tasks]
    uncompressed = _together(scores for _, scores in by_task)
    draws = {
        metric: task.draws(metric) if isinstance(task, DrawnTogether) else None
        for task, scores in by_task
        for metric in scores
    }
    cells: dict[tuple[str, str, int], dict[str, Any]] = {}
    zeroed: dict[tuple[str, str], list[int]] = {}
    given = [(unit, name, make) for unit in methods for name, make in methods[unit].items() if make is not None]
    total = sum(len(ladders[unit]) for unit, _, _ in given)
    for unit, name, make in given:
        sized = {of: make(rows) for of, rows in sets.items()}
        for size in ladders[unit]:
            small = {of: at(size) for of, at in sized.items()}
            asked = {of: one.asked for of, one in small.items()}
            stored = {of: one.stored for of, one in small.items()}
            try:
                scores = _together(task.scores(asked, stored) for task in tasks)
            except RowError:
                scores = {}
                zeroed.setdefault((unit, name), []).append(size)
            cells[unit, name, size] = {
                metric: interval_and_retention(scores_Q, uncompressed[metric], draws_Q=draws[metric], seed=seed)
                for metric, scores_Q in scores.items()
            }
            if report:
                report(len(cells), total)

    def rows_of(metric: str, unit: str) -> list[dict[str, Any]]:
        return [
            ({"dims": size, "bytes": FLOAT_BYTES * size} if unit == "dims" else {"bytes": size})
            | {name: cells.get((unit, name, size), {}).get(metric) for name in methods[unit]}
            for size in ladders[unit]
        ]

    tables = [
        {
            "metric": metric,
            "queries": len(scores_Q),
            "uncompressed": interval(scores_Q, draws_Q=draws[metric], seed=seed),
            **{key: rows_of(metric, unit) for unit, key in ROWS_OF_UNIT.items()},
        }
        for metric, scores_Q in uncompressed.items()
    ]
    return tables, [_about_zeros(*where, sizes) for where, sizes in zeroed.items()]


def _together(all_scores: Iterable[Scores]) -> Scores:
    together: Scores = {}
    for scores in all_scores:
        assert not together.keys() & scores.keys(), "two tasks have a metric of the same name"
        together |= scores
    return together


def _about_zeros(unit: str, name: str, sizes: list[int]) -> str:
    return f"{name} has no score at {', '.join(map(str, sizes))} {unit}: some rows are zero there"
