"""Find the smallest size that keeps a share of the uncompressed score, with arfc and with the cheap ways."""
# M rows of a set, Q queries, H queries of one half

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.errors import ConfigError, RowError, SizeError
from arfc.evaluate.intervals import interval, interval_and_retention
from arfc.evaluate.methods import Method, byte_methods, float_methods
from arfc.evaluate.nearest import check_engine
from arfc.evaluate.run import about_byte_baselines, open_sides, tasks_of
from arfc.evaluate.sample import draw
from arfc.evaluate.series import CODES, FLOATS, share_text, size_text
from arfc.evaluate.task import Task, uncompressed_scores
from arfc.io import open_labels
from arfc.shapes import Array, Float64, Int64
from arfc.sizes import FLOAT_BYTES, byte_ladder, float_ladder

if TYPE_CHECKING:
    from arfc.compressor import Compressor

MOST_QUERIES = 2_000
LEAST_QUERIES = 20
"""With fewer, each half says nothing."""
NEIGHBOURS = 2
"""Sizes below the one found that are looked at: scores grow with the size, but not at every step."""
MILLION = 1_000_000


def plan(
    model: Compressor,
    x: object,
    *,
    keep: float = 0.95,
    metric: str = "recall@10",
    pairs: object = None,
    labels: object = None,
    seed: int = 0,
    report: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Return the smallest number of bytes and of dims that keep a share of the uncompressed score, ready for JSON.

    Rows are drawn as `evaluate` does. One half of the queries chooses the sizes; all scores that are returned are those
    of the other half, as the best of many looks better than it is to those who chose it. `methods` has an entry per
    method and form, arfc first:

        {"method", "form": "bytes" or "floats", "smallest": ANSWER, "safe": ANSWER, "best": ANSWER}

    `smallest` keeps the share on the queries that choose, `safe` with the lower end of its 95 % interval, too; both are
    None where no size does. `best` is the best size that was looked at. An answer is a cell of `evaluate` with `bytes`,
    for floats `dims`, `ratio`, `saved_bytes` and `saved_bytes_per_million`. `cheaper` names, for each form of arfc, the
    methods that keep the share at no more bytes: codes are held against everything, floats against floats.

    `report` is called with the number of sizes that were scored.

    Shapes: x and pairs (N, D); labels (N,).
    Raises: ConfigError for a share outside (0, 1], a metric that is not measured, or one without a score; SizeError
    when arfc keeps the share at no size; otherwise as `evaluate`.
    """
    if not isinstance(keep, Real) or not 0 < float(keep) <= 1:
        raise ConfigError(f"keep must be a share above 0 and at most 1, got {keep!r}; try 0.95")
    check_engine()
    sides = open_sides(model, x, pairs)
    labels_N = None if labels is None else open_labels(labels, sides[0].rows)
    for side in sides:
        side.validate()
    sample = draw(sides, labels_N, model.seen, queries=MOST_QUERIES, seed=seed)
    tasks, notes = tasks_of(sample)
    task, uncompressed_Q = _task_of(metric, tasks)
    halves = _Halves(metric, uncompressed_Q, seed=seed)
    largest = model.width  # one byte per dim, where every method ends
    ladders = {
        CODES: sorted({*byte_ladder(model.width, largest), largest}),  # The ladder may end below it.
        FLOATS: float_ladder(model.width),
    }
    methods = {CODES: byte_methods(model, sample.seen, largest=largest), FLOATS: float_methods(model)}
    entries: list[dict[str, Any]] = []
    done = 0
    for form, name, method in [(f, n, m) for f, group in methods.items() for n, m in group.items() if m is not None]:
        search = Search(_Scores(task, method, halves), ladders[form], keep=keep)
        found = {"safe": search.smallest("retention_low"), "smallest": search.smallest("retention")}
        found["best"] = search.best()
        answers = {key: size and _answer(search.scores, form, size, width=model.width) for key, size in found.items()}
        entries.append({"method": name, "form": form} | answers)
        done += len(search.scores.cells)
        if report:
            report(done)
    ours = {entry["form"]: entry for entry in entries if entry["method"] == "arfc"}
    if not any(entry["smallest"] for entry in ours.values()):
        raise SizeError(_unreachable(keep, metric, [entry["best"] for entry in ours.values() if entry["best"]]))
    return {
        "keep": keep,
        "metric": metric,
        "rows": sides[0].rows,
        "left_out_rows": sample.left_out_rows,
        "choosing_queries": len(halves.chooses),
        "reporting_queries": len(halves.reports),
        "database_rows": int((~sample.asks).sum()),
        "seed": seed,
        "uncompressed": interval(uncompressed_Q[halves.reports], seed=seed),
        "methods": entries,
        "cheaper": {form: _cheaper(entry, entries) for form, entry in ours.items()},
        "notes": [about_byte_baselines(sample), *notes],
    }


class Search:
    """The smallest size that keeps a share, by steps of a ladder, then by halving the last step."""

    def __init__(self, scores: _Scores, ladder: Sequence[int], *, keep: float) -> None:
        self.scores = scores
        self.ladder = ladder
        self.keep = keep

    def smallest(self, what: str) -> int | None:
        """Return the smallest size found whose `retention` or `retention_low` is at least the share, or None."""
        below = 0
        for size in self.ladder:
            if self._keeps(size, what):
                break
            below = size
        else:
            return None
        while size - below > 1:
            middle = (below + size) // 2
            below, size = (below, middle) if self._keeps(middle, what) else (middle, size)
        while True:
            for near in range(max(1, size - NEIGHBOURS - 1), size):
                self._keeps(near, what)
            # All that was looked at counts, so that `retention` never asks for more than `retention_low` has.
            least = min(known for known in self.scores.cells if self._keeps(known, what))
            if least == size:
                return size
            size = least

    def best(self) -> int | None:
        """Return the size with the highest score that was looked at, the smaller of equals; None where none has one."""
        cells = {size: cell for size, cell in sorted(self.scores.cells.items()) if cell is not None}
        return max(cells, key=lambda size: float(cells[size]["score"]), default=None)

    def _keeps(self, size: int, what: str) -> bool:
        cell = self.scores.choosing(size)
        return cell is not None and cell[what] >= self.keep


class _Halves:
    """Queries that choose a size, and the others, which report its score."""

    def __init__(self, metric: str, uncompressed_Q: Float64[Array, " Q"], *, seed: int) -> None:
        count = len(uncompressed_Q)
        if count < LEAST_QUERIES:
            raise RowError(
                f"a plan needs at least {LEAST_QUERIES} queries for {metric}, got {count}; give it more rows"
            )
        order_Q = np.random.default_rng(seed).permutation(count)
        self.metric = metric
        self.seed = seed
        self.uncompressed = uncompressed_Q
        self.chooses: Int64[Array, " H"] = np.sort(order_Q[: count // 2])
        self.reports: Int64[Array, " H"] = np.sort(order_Q[count // 2 :])
        for half_H in (self.chooses, self.reports):
            if self.cell(uncompressed_Q, half_H)["retention"] is None:
                raise ConfigError(
                    f"the uncompressed score must be above 0, got 0 for {metric} in half of {count} queries; "
                    "give it more rows, or another metric"
                )

    def cell(self, scores_Q: Float64[Array, " Q"], half_H: Int64[Array, " H"]) -> dict[str, Any]:
        """Return the cell of one half."""
        return interval_and_retention(scores_Q[half_H], self.uncompressed[half_H], seed=self.seed)


class _Scores:
    """The scores of one method at any size, each computed once."""

    def __init__(self, task: Task, method: Method, halves: _Halves) -> None:
        self._task = task
        self._method = method
        self._halves = halves
        self._queries: dict[int, Float64[Array, " Q"]] = {}
        self.cells: dict[int, dict[str, Any] | None] = {}

    @cached_property
    def _sized(self) -> dict[str, Callable[[int], Any]]:
        return {name: self._method(rows_MD) for name, rows_MD in self._task.rows.items()}

    def choosing(self, size: int) -> dict[str, Any] | None:
        """Return the cell of the half that chooses; None where a row is cut to zeros."""
        if size not in self.cells:
            small = {name: at(size) for name, at in self._sized.items()}
            asked = {name: one.asked for name, one in small.items()}
            try:
                scores = self._task.scores(asked, {name: one.stored for name, one in small.items()})
            except RowError:
                self.cells[size] = None
            else:
                self._queries[size] = scores[self._halves.metric]
                self.cells[size] = self._halves.cell(self._queries[size], self._halves.chooses)
        return self.cells[size]

    def reporting(self, size: int) -> dict[str, Any]:
        """Return the cell of the half that reports, for a size that was scored."""
        return self._halves.cell(self._queries[size], self._halves.reports)


def _task_of(metric: str, tasks: list[Task]) -> tuple[Task, Float64[Array, " Q"]]:
    """Return the task that has the metric, and the scores of the original rows.

    Raises: ConfigError.
    """
    found = [(task, uncompressed_scores(task)) for task in tasks]
    for task, scores in found:
        if metric in scores:
            return task, scores[metric]
    known = ", ".join(name for _, scores in found for name in scores)
    raise ConfigError(f"metric must be one of {known}, got {metric!r}; pairs and labels add more")


def _answer(scores: _Scores, form: str, size: int, *, width: int) -> dict[str, Any]:
    stored_bytes, full_bytes = size if form == CODES else FLOAT_BYTES * size, FLOAT_BYTES * width
    return {
        **({} if form == CODES else {"dims": size}),
        "bytes": stored_bytes,
        **scores.reporting(size),
        "ratio": full_bytes / stored_bytes,
        "saved_bytes": full_bytes - stored_bytes,
        "saved_bytes_per_million": MILLION * (full_bytes - stored_bytes),
    }


def _cheaper(ours: dict[str, Any], entries: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the methods that keep the share at no more bytes, or at all where arfc does not; the smallest first."""
    others = [
        entry
        for entry in entries
        if entry["method"] != "arfc" and entry["smallest"] and (ours["form"] == CODES or entry["form"] == FLOATS)
    ]
    at_most = ours["smallest"]["bytes"] if ours["smallest"] else float("inf")
    others.sort(key=lambda entry: int(entry["smallest"]["bytes"]))
    return [
        {"method": entry["method"], "form": entry["form"]} for entry in others if entry["smallest"]["bytes"] <= at_most
    ]


def _unreachable(keep: float, metric: str, best: list[dict[str, Any]]) -> str:
    most = max(best, key=lambda answer: float(answer["score"]))
    return (
        f"keep must be within reach, got {100 * keep:g} % of {metric}; the most there is are {share_text(most)} "
        f"with {size_text(most)}; ask for less"
    )
