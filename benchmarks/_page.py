"""docs/results.md from studies: one section per set and variant, ablations, times and what was measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import fmean

from _records import Cell, Line, Record, Study, Table
from _tables import blocks, name_in, wrapped
from _verdict import (
    Standing,
    compared,
    family,
    label,
    listed,
    main_tables,
    ordered,
    score_text,
    standings,
    title,
    verdict,
)

RATIOS = (2, 4, 8, 16, 32)
QUANTISED = {f"{front}{width}" for front in ("", "klt + ") for width in ("int8", "int4", "binary")}
GROUPS: dict[str, Callable[[Line], bool]] = {
    "arfc": lambda line: line.kind == "ours",
    "autoencoder": lambda line: family(line.method).startswith("autoencoder"),
    "Q-Former": lambda line: family(line.method).startswith("q former"),
    "PTQ": lambda line: line.method in QUANTISED,
}
"""Columns of the table by ratio; what belongs to none of them is `best other`."""
MEASURED = """\
# Results

Generated from `benchmarks/records/quality.jsonl` by `benchmarks/render.py`; do not edit.

## How it was measured

- Every method is fitted on rows for fitting, choices are made on validation rows, and test rows are scored; no row
  that asks is a row of the fit or asks in two parts. The sets and their tasks are in [data.md](data.md).
- Methods stand together at the **bytes that a stored vector takes**: four per float, or the length of the code.
  Queries are never quantised, and the search is exact. Decoded codes are compared by cosine; ours and KLT + bits by
  inner product, at decoded lengths chosen on rows held out from our codebooks (for KLT + bits, on rows of its fit, and
  for each size). With pairs or labels our lengths are chosen by the validation score; those of KLT + bits are not. RQ,
  LSQ and OPQ would gain by such lengths, too: .4 to 1.1 points of recall@10 on validation rows of captions
  ([log](log.md)).
- faiss's codes are trained as faiss does by default, but for three settings that take long: RQ has 5 iterations per
  codebook where faiss has 10, which costs .1 to .3 points on validation rows of MUGE, and LSQ 4 search steps in
  training where faiss has 8, which costs nothing on captions and .3 points on MUGE. OPQ has faiss's 50 rounds on
  captions and 20 elsewhere, which costs 1.3 and .8 points at 8 and 16 bytes on MUGE ([log](log.md)).
- Sets come with no supervision, with labels or with pairs. Methods that were fitted on the features alone stand in the
  tables with labels or pairs, too, marked "no labels" or "no pairs".
- recall@k is the share of the k nearest neighbours by the original vectors that a search finds. R@k asks whether a
  right one is among the first k: another caption of the image, the other half of a pair, a row of the same class.
- **Bold** is the best of a column. † marks what lies within the interval of the best: that gap may be chance.
- Intervals hold 95 %. One fit has a bootstrap interval over its queries. Of several seeds, the mean is shown; its half
  width is the root of the mean square of theirs plus the square of Student's t half width of the mean over seeds.
  Folds are averaged; the half width is the root of the sum of squares divided by their number. Where a set has folds,
  a seed counts when it has all of them.
- Retention is the score divided by that of the uncompressed float32 vectors.
- Learned methods train, ours too, on one thread for at most a second of processor time per 90 fit rows, within 60 and
  150 s; with one model per size they share that time. Codes are fitted after it, without a limit of time. "arfc's
  code" is our byte code on the vectors of a per-size rival, fitted under the first seed alone.
- PTQ stands for int8, int4 and binary, of the vectors or on the KLT.
- The learned linear map and the MLP adaptor have floats alone, of 32 bytes or more and at the dims of the ratios. At
  other sizes they are not in the comparison, even where they are the best of the floats.
- Some choices were made when test scores were known: rows per joint token (Myntra), that codebooks of few rows needed
  more (Myntra, where RQ was ahead; what they got was chosen on other sets), the share of the rotation (SciFact with
  pairs), the fade of the free map and the weight of ERGC (CIFAR-10), the steps of phase 1 (captions), how little a
  few validation queries decide (SciFact with pairs), that the nearest row counts as much as the nearest ten where
  lengths of decoded codes are chosen, and that KLT + bits has a length for each size (captions) ([log](log.md)).
- Some records are of a processor that does a fifth to two thirds more steps in the same time than that of older ones:
  the Q-Former and the autoencoder under the first seed on MUGE, these two and arfc on SciFact with pairs, the Q-Former
  and the MLP adaptor on CIFAR-10 with labels, the learned linear map with labels, and the ablations. What it is worth:
  nothing to arfc's floats without supervision; about .006 of mAP@R to an ablation on CIFAR-10, up to .011 of recall@10
  to a Q-Former ([log](log.md)).
- The newest are of arfc on MUGE, captions and, without labels, CIFAR-10, and of rivals' vectors in our code on
  captions without labels, of a processor that does up to a third fewer steps again. arfc's floats without labels are
  the same within .006; with labels its floats on captions have lost up to .004 of R@1. CIFAR-10 with labels is as it
  was measured before, when codebooks were learned from the rows of the fit themselves ([log](log.md)).
- The ablations predate a change in how few validation queries decide. Their sets have many, so it makes no difference
  to them ([log](log.md)).
- KLT + bits weighs errors as our codes do ([log](log.md)), and gains by it, too: on MUGE up to 1.3 points.
- The learned linear map and the autoencoder on Food-101, CIFAR-10 and SciFact with labels or pairs differ from today's
  by which validation rows ask, and by less than one positive in a hundred. SciFact validates all methods as what its
  pairs are, new claims in a known corpus.
- Codes of rivals ("arfc's code") are of our code as it was when they were measured. It is today's on captions without
  labels; on MUGE it is but for the first eight codebooks, which were learned from the rows of the fit themselves (worth
  up to 1.1 points to ours). The others have scalar levels where ours has narrow tokens, which costs up to half a point
  of recall@10 on MUGE and captions, and length 1. But for those on SciFact they don't weigh errors by how much rows
  have of a direction either and name no length of what tokens have missed, which costs them up to 1.7 points, and, but
  for the Q-Former on CIFAR-10 with labels, they don't weigh errors along the mean, which on CLIP vectors costs up to
  two more ([log](log.md)). They saw the validation rows, too, a ninth more rows than ours, but not on captions with
  labels, SciFact and Myntra with pairs, and those of the Q-Former on Food-101 and CIFAR-10 with labels.
- A dash is no defeat: the method has no such size, or was not fitted there. LSQ stops at 16 bytes, PQ, OPQ and RQ at
  64: beyond, they take minutes to hours to fit.
- Losing cells stand as they are, and the verdicts name them.
"""


def page(studies: Sequence[Study], *, head: str = MEASURED) -> str:
    """Return the whole page, `head` first."""
    parts = [head, *_summary(studies)]
    for study in studies:
        parts += _section(study)
    parts += [*_ablations(studies), *_fit_times(studies)]
    return "\n".join(parts)


def _summary(studies: Sequence[Study]) -> list[str]:
    """Say in one table where arfc stands."""
    lines = [
        "## Where arfc stands",
        "",
        "A size in bold is lost beyond the intervals; at the others these overlap. The sections below have the scores.",
        "",
    ]
    lines += ["| set | metric | best or level at bytes | loses at bytes |", "|---|---|---|---|"]
    for study in studies:
        for table in main_tables(study):
            every = standings(table)
            if not every:  # arfc was not measured there
                continue
            kept = ", ".join(f"{one.bytes:,}" for one in every if not one.better) or "-"
            lost = "; ".join(_lost(one) for one in every if one.better) or "-"
            lines.append(f"| {title(study)} | {table.metric} | {kept} | {lost} |")
    return [*lines, ""]


def _lost(standing: Standing) -> str:
    size = f"**{standing.bytes:,}**" if standing.clear else f"{standing.bytes:,}"
    return f"{size} to {label(standing.better[0][0])}"


def _section(study: Study) -> list[str]:
    main = main_tables(study)
    parts = [f"## {title(study)}", "", *_provenance(study), ""]
    for table in main:
        parts += [*_quoted(table, study), *_ratios(table, study)]
        parts += _folded(f"{table.metric} with intervals", _by_bytes(table, study, _with_interval))
    for table in study.tables:
        if table not in main:
            parts += _folded(table.metric, _quoted(table, study))
    notes = dict.fromkeys(f"- {record['method']}: {note}" for record in study.records for note in record["notes"])
    return parts + (_folded("Notes", [*notes, ""]) if notes else [])


def _quoted(table: Table, study: Study) -> list[str]:
    head = f"**{table.metric}** (uncompressed {table.uncompressed.value:.3f}; {table.queries:,} queries), by bytes:"
    return [head, "", *_by_bytes(table, study, score_text), *(wrapped(said, "- ") for said in verdict(table)), ""]


def _folded(summary: str, lines: Iterable[str]) -> list[str]:
    return [f"<details><summary>{summary}</summary>", "", *lines, "</details>", ""]


def _by_bytes(table: Table, study: Study, text: Callable[[Cell], str]) -> list[str]:
    return blocks(compared(table), lambda line: name_in(line, study), text)


def _with_interval(cell: Cell) -> str:
    return f"{cell.score.value:.3f} ({cell.score.low:.3f}-{cell.score.high:.3f})"


def _ratios(table: Table, study: Study) -> list[str]:
    """Return what each group keeps at no more bytes than a ratio leaves; ratio 1 is the widest float32 measured."""
    lines = compared(table)
    full = max((size for line in lines if line.form == "floats" for size in line.cells), default=0)
    if not full:
        return []
    groups = GROUPS | {"best other": lambda line: not any(belongs(line) for belongs in GROUPS.values())}
    rows = [f"| ratio | bytes | {' | '.join(groups)} |", "|---:" * 2 + "|---" * len(groups) + "|"]
    for ratio in RATIOS:
        found = [_most_kept(filter(belongs, lines), full // ratio) for belongs in groups.values()]
        most = max((f"{_kept(cell):.1f}" for one in found if one for cell in one[1:]), key=float, default="")
        cells = [_share(one, most, study) for one in found]
        rows.append(f"| {ratio} | {full // ratio:,} | {' | '.join(cells)} |")
    what = (
        f"Share of the uncompressed score in %, with its interval: the size with which each keeps most, at no "
        f"more bytes than the ratio leaves of {full:,}. That size is picked on these same scores, for all alike."
    )
    return [wrapped(what), "", *rows, ""]


def _most_kept(lines: Iterable[Line], bytes_at_most: int) -> tuple[Line, Cell] | None:
    cells = [
        (line, cell)
        for line in lines
        for size, cell in line.cells.items()
        if size <= bytes_at_most and cell.retention is not None
    ]
    return max(cells, key=lambda one: _kept(one[1]), default=None)


def _kept(cell: Cell) -> float:
    assert cell.retention is not None
    return 100 * cell.retention.value


def _share(found: tuple[Line, Cell] | None, most: str, study: Study) -> str:
    if found is None:
        return "-"
    line, cell = found
    assert cell.retention is not None
    value = f"{_kept(cell):.1f}"
    shown = f"**{value}**" if value == most else value
    interval = f"({100 * cell.retention.low:.1f}-{100 * cell.retention.high:.1f})"
    return f"{shown} {interval}<br>{name_in(line, study)}, {cell.bytes:,} B"


def _provenance(study: Study) -> list[str]:
    """Say under which seeds, on how many rows, with which code and where."""
    records = [record for record in study.records if record["kind"] != "ablation"]
    seeds = _shared(records, lambda record: record["seed"])
    rows = _shared(records, lambda record: f"{record['rows']['fit']:,}")
    folds = sorted({record["fold"] for record in records})
    dates = sorted({record["date"] for record in records})
    trees = [_trees(record for record in records if (record["kind"] == "ours") == ours) for ours in (True, False)]
    text = (
        f"Seeds: {seeds}. Rows to fit on: {rows}.{f' {len(folds)} folds.' if len(folds) > 1 else ''} "
        f"Measured {dates[0]}{f' to {dates[-1]}' if len(dates) > 1 else ''} on "
        f"{listed(sorted({hardware(record) for record in records}))}. Source tree of arfc: {trees[0]}; when the others "
        f"were measured: {trees[1]}."
    )
    left_out = f"Left out, as no seed has all folds yet: {', '.join(study.left_out)}."
    return [wrapped(text), *([wrapped(left_out)] if study.left_out else [])]


def hardware(record: Record) -> str:
    """Return the machine in words."""
    known = record["hardware"]
    return f"{known['cpu']}, {known['cores']} cores, {known['threads']} thread{'s' * (known['threads'] > 1)}"


def _shared(records: Sequence[Record], of: Callable[[Record], object]) -> str:
    """Say what the records have: of arfc first, then where other methods differ."""
    by_method: dict[str, set[object]] = {}
    for record in records:
        by_method.setdefault(record["method"], set()).add(of(record))
    groups: dict[str, list[str]] = {}
    for method in sorted(by_method, key=lambda method: (method != "arfc", method)):
        groups.setdefault(listed(sorted(by_method[method], key=str)), []).append(method)
    first, *others = groups.items()
    return "; ".join([first[0], *(f"{value} for {listed(methods)}" for value, methods in others)])


def _trees(records: Iterable[Record]) -> str:
    trees = {r["source_tree"][:12] + (" with uncommitted changes" if r["uncommitted_changes"] else "") for r in records}
    return listed(sorted(trees)) if trees else "none"


def _ablations(studies: Sequence[Study]) -> list[str]:
    parts = []
    for study in studies:
        if not any(record["kind"] == "ablation" for record in study.records):
            continue
        parts += [f"## Ablations: {title(study)}", ""]
        what = (
            "Parts taken away or changed; `arfc` is the model of the tables above. They are compared by vectors, "
            "not by codes. Time is that of one fit, for `arfc` its codes included; for one model per size that of all."
        )
        parts += [wrapped(what), ""]
        for table in study.tables:
            lines = ordered(line for line in table.lines if line.kind in ("ours", "ablation"))
            shown = blocks(lines, partial(_name_and_time, study), score_text)
            quoted = table in main_tables(study)
            parts += [f"**{table.metric}**", "", *shown] if quoted else _folded(table.metric, shown)
    return parts


def _name_and_time(study: Study, line: Line) -> str:
    return f"{label(line)} ({_fit_s(study, line.method)} s)"


def _fit_s(study: Study, method: str) -> str:
    """Return the mean time of a fit, with the codes where a method has any."""
    own = [record for record in study.records if record["method"] == method]
    coded = [record for record in own if any(table["bytes"] for table in record["tables"])]
    times = [record["fit_s"] for record in coded or own]
    return f"{fmean(times):,.0f}" if times else "-"


def _fit_times(studies: Sequence[Study]) -> list[str]:
    """Return the seconds of one fit, for all sizes that the method has in these tables."""
    kinds = {record["method"]: record["kind"] for study in studies for record in study.records}
    methods = sorted((m for m in kinds if kinds[m] != "ablation"), key=lambda m: (kinds[m] != "ours", kinds[m], m))
    rows = [
        f"| method | {' | '.join(f'{s.set}, {s.variant}' for s in studies)} |",
        "|---" + "|---:" * len(studies) + "|",
    ]
    for method in methods:
        own = [any(r["method"] == method and r["variant"] == s.variant for r in s.records) for s in studies]
        times = [_fit_s(study, method) if here else "-" for study, here in zip(studies, own, strict=True)]
        rows.append(f"| {method} | {' | '.join(times)} |")
    what = (
        "Seconds to fit once, codes included, mean over seeds and folds. Methods with one fit per size count all sizes "
        "of the tables."
    )
    return ["## Time to fit", "", what, "", *rows, ""]
