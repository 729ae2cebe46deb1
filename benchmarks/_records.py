"""Records of benchmarks/quality.py: read, checked, and pooled over folds and seeds into one table per metric."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import hypot, sqrt
from operator import itemgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from scipy import stats

Record = dict[str, Any]
FORMS = ("bytes", "floats")
"""Keys of the blocks of a table: codes, and float32 vectors."""
SIZES = ("dims", "bytes")
VARIANTS = {"none": "no supervision", "labels": "with labels", "pairs": "with pairs"}
KINDS = ("ours", "learned", "classic", "ablation")
CONFIDENCE = 0.95

_NEEDED = frozenset(
    [
        *("set", "variant", "method", "kind", "seed", "fold", "fit_s", "rows", "tables", "notes", "data_sha256"),
        *("commit", "source_tree", "uncommitted_changes", "date", "versions", "hardware", "settings"),
    ]
)
_NEEDED_OF_TABLE = frozenset(["metric", "queries", "uncompressed", *FORMS])


class Interval(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one size."""

    bytes: int
    dims: int | None
    """Of floats; codes have none."""
    score: Interval
    retention: Interval | None
    """Share of the uncompressed score; None where that is zero."""
    seeds: int
    """How many it is the mean of."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One method in one form, over its sizes."""

    form: str
    method: str
    kind: str
    variant: str
    """What it was given; methods that cannot use labels or pairs have `none` in every table."""
    cells: dict[int, Cell]
    """By bytes, smallest first."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One metric of one set, all methods."""

    metric: str
    queries: int
    """Of all folds together."""
    uncompressed: Interval
    lines: list[Line]


@dataclass(frozen=True, kw_only=True)
class Study:
    """One set with one kind of supervision."""

    set: str
    variant: str
    tables: list[Table] = field(default_factory=list)
    records: list[Record]
    """What counts: the newest of each method, seed and fold, of seeds with all folds; ablations included."""
    left_out: list[str]
    """Methods without a seed that has all folds."""


def read(path: Path) -> list[Record]:
    """Return the records of a file, oldest first.

    Raises: SystemExit that names the line that is no such record.
    """
    if not path.is_file():
        raise SystemExit(f"records must lie in {path}; run benchmarks/quality.py first")
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"line {number} of {path.name}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SystemExit(f"{where} must be a JSON object, got {line[:40]!r}") from error
        _check(record, where)
        records.append(record)
    if not records:
        raise SystemExit(f"{path} must have records, got none; run benchmarks/quality.py first")
    return records


def _check(record: Any, where: str) -> None:
    cure = "was it written by another version of quality.py? delete the line and measure again"
    missing = _NEEDED - record.keys() if isinstance(record, dict) else _NEEDED
    if missing:
        raise SystemExit(f"{where} must have {', '.join(sorted(missing))}; {cure}")
    for key, known in (("variant", tuple(VARIANTS)), ("kind", KINDS)):
        if record[key] not in known:
            raise SystemExit(f"{where} must have as {key} one of {', '.join(known)}, got {record[key]!r}; {cure}")
    for table in record["tables"]:
        if _NEEDED_OF_TABLE - table.keys():
            raise SystemExit(f"{where} must have tables with {', '.join(sorted(_NEEDED_OF_TABLE))}; {cure}")


def pooled(seeds: Sequence[Sequence[Interval]]) -> Interval:
    """Return one interval for a value measured under several seeds, in several folds each.

    Folds ask different queries, so their mean has half widths sqrt(sum of squares) / folds. Seeds ask the same queries,
    so the half width of one seed (root mean square) stays; the spread of the seeds is added in squares, as the half
    width of Student's t interval of their mean. Both sides keep their own half width.
    """
    of_seeds = [_mean_of_folds(folds) for folds in seeds]
    values = [one.value for one in of_seeds]
    value, n = fmean(values), len(values)
    spread = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(values) / sqrt(n) if n > 1 else 0.0
    below = sqrt(fmean((one.value - one.low) ** 2 for one in of_seeds))
    above = sqrt(fmean((one.high - one.value) ** 2 for one in of_seeds))
    return Interval(value, value - hypot(below, spread), value + hypot(above, spread))


def _mean_of_folds(folds: Sequence[Interval]) -> Interval:
    value = fmean(one.value for one in folds)
    below = hypot(*(one.value - one.low for one in folds)) / len(folds)
    above = hypot(*(one.high - one.value for one in folds)) / len(folds)
    return Interval(value, value - below, value + above)


def studies(records: Sequence[Record]) -> list[Study]:
    """Return a study per set and variant, in the order in which sets appear, without supervision first.

    A study with supervision has the methods that were measured without it alone, too. They are the same rows and tasks.

    Raises: SystemExit when one set was measured on different data.
    """
    counted = _newest(records)
    _check_same_data(counted)
    found = []
    for name in dict.fromkeys(record["set"] for record in counted):
        of_set = [record for record in counted if record["set"] == name]
        folds = sorted({record["fold"] for record in of_set})
        plain = [record for record in of_set if record["variant"] == "none"]
        for variant in VARIANTS:
            own = [record for record in of_set if record["variant"] == variant]
            if not own:
                continue
            told = {record["method"] for record in own}
            others = [] if variant == "none" else [one for one in plain if one["kind"] in ("learned", "classic")]
            found.append(_study(name, variant, [*own, *(one for one in others if one["method"] not in told)], folds))
    return found


def _newest(records: Sequence[Record]) -> list[Record]:
    piece = itemgetter("set", "variant", "method", "seed", "fold")
    kept: dict[tuple[Any, ...], Record] = {}
    for record in sorted(records, key=itemgetter("date")):  # a stable sort: on one day the later line is the newer one
        kept[piece(record)] = record
    # Not by date: measuring one method again must not move the others about.
    first = list(dict.fromkeys(record["set"] for record in records))
    return sorted(kept.values(), key=lambda record: (first.index(record["set"]), *map(str, piece(record))))


def _check_same_data(records: list[Record]) -> None:
    known: dict[tuple[str, int], Record] = {}
    for record in records:
        other = known.setdefault((record["set"], record["fold"]), record)
        if other["data_sha256"] != record["data_sha256"]:
            of_both = " and ".join(f"{one['method']} of {one['date']}" for one in (other, record))
            raise SystemExit(
                f"records of {record['set']}, fold {record['fold']}, must have one data_sha256, got two ({of_both}); "
                "delete those of the older data and measure again"
            )


def _study(name: str, variant: str, records: list[Record], folds: list[int]) -> Study:
    by_method = {method: list(group) for method, group in groupby(records, key=itemgetter("method"))}
    complete = {method: _complete_seeds(group, folds) for method, group in by_method.items()}
    counted = [record for seeds in complete.values() for of_seed in seeds for record in of_seed]
    metrics = list(dict.fromkeys(table["metric"] for record in counted for table in record["tables"]))
    return Study(
        set=name,
        variant=variant,
        tables=[_table(metric, [seeds for seeds in complete.values() if seeds]) for metric in metrics],
        records=counted,
        left_out=[method for method, seeds in complete.items() if not seeds],
    )


def _complete_seeds(records: list[Record], folds: list[int]) -> list[list[Record]]:
    """Return the records of each seed that has every fold, folds in their order."""
    by_seed: dict[int, dict[int, Record]] = {}
    for record in records:
        by_seed.setdefault(record["seed"], {})[record["fold"]] = record
    return [[by_seed[seed][fold] for fold in folds] for seed in sorted(by_seed) if set(folds) <= by_seed[seed].keys()]


def _table(metric: str, methods: list[list[list[Record]]]) -> Table:
    lines, queries, uncompressed = [], 0, None
    for seeds in methods:
        tables = [[_of_metric(record, metric) for record in folds] for folds in seeds]
        whole = [folds for folds in tables if all(folds)]
        if not whole:
            continue
        lines += _lines(seeds[0][0], whole)
        if uncompressed is None:
            queries = sum(table["queries"] for table in whole[0])
            uncompressed = pooled([[_interval(table["uncompressed"], "") for table in folds] for folds in whole])
    assert uncompressed is not None
    return Table(metric=metric, queries=queries, uncompressed=uncompressed, lines=lines)


def _of_metric(record: Record, metric: str) -> dict[str, Any]:
    return next((table for table in record["tables"] if table["metric"] == metric), {})


def _lines(record: Record, seeds: list[list[dict[str, Any]]]) -> list[Line]:
    """Return the lines of one method from its tables by seed and fold."""
    lines = []
    for form in FORMS:
        rows = [[{row["bytes"]: row for row in table[form]} for table in folds] for folds in seeds]
        sizes = sorted({size for folds in rows for by_size in folds for size in by_size})
        keys = dict.fromkeys(
            key for folds in rows for by_size in folds for row in by_size.values() for key in row if key not in SIZES
        )
        for key in keys:
            cells = {}
            for size in sizes:
                # A size may be measured under some of the seeds only; within a seed, every fold must have it.
                found = [[by_size.get(size, {}).get(key) for by_size in folds] for folds in rows]
                found = [folds for folds in found if all(folds)]
                if found:
                    cells[size] = _cell(found, size, size // 4 if form == "floats" else None)
            if cells:
                named = {name: record[name] for name in ("kind", "variant")}
                lines.append(Line(form=form, method=key, cells=cells, **named))
    return lines


def _cell(seeds: list[list[dict[str, Any]]], size: int, dims: int | None) -> Cell:
    kept = all(cell["retention"] is not None for folds in seeds for cell in folds)
    return Cell(
        bytes=size,
        dims=dims,
        score=pooled([[_interval(cell, "") for cell in folds] for folds in seeds]),
        retention=pooled([[_interval(cell, "retention_") for cell in folds] for folds in seeds]) if kept else None,
        seeds=len(seeds),
    )


def _interval(cell: dict[str, Any], prefix: str) -> Interval:
    return Interval(cell[prefix.removesuffix("_") or "score"], cell[f"{prefix}low"], cell[f"{prefix}high"])
