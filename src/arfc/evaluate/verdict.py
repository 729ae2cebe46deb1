"""What a table of measurements says, in words; also where another method does as well or better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arfc.evaluate.series import CODES, FLOATS, Series, series_of, share_text, size_text

KEEP = 0.95
"""The share of the uncompressed score that the words are about: our choice; `arfc plan` answers for any other."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One sentence, and groups of more: (title, sentences)."""

    head: str
    groups: list[tuple[str, list[str]]]


def verdict(table: dict[str, Any]) -> Verdict:
    """Say what keeps `KEEP` of the metric, with arfc and with the others, and where arfc is no better than they are.

    Codes are held against everything, floats against floats.
    """
    series = series_of(table)
    full_bytes = max(row["bytes"] for row in table["floats"])
    codes, floats = (
        next(one for one in series if (one.form, one.method) == (form, "arfc")) for form in (CODES, FLOATS)
    )
    others = [one for one in series if one.method != "arfc"]
    other_floats = [one for one in others if one.form == FLOATS]
    keep = f"{100 * KEEP:g} %"
    groups = [
        (f"Others that keep {keep}", _others(codes, others)),
        ("As floats", [_reach(floats, table["metric"], full_bytes), *_others(floats, other_floats)]),
        (
            "Where arfc is no better",
            [
                *_no_better(codes, [one for one in others if one.form == CODES], unit="bytes"),
                *_no_better(floats, other_floats, unit="dims"),
            ],
        ),
    ]
    head = [_reach(codes, table["metric"], full_bytes), *_as_cheap(codes, others)]
    return Verdict(head=" ".join(head), groups=[group for group in groups if group[1]])


def listed(parts: list[str]) -> str:
    """Return `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _reach(ours: Series, metric: str, full_bytes: int) -> str:
    row = ours.first_to_keep(KEEP)
    if row is None:
        best = max(ours.rows, key=lambda row: row["retention"] or 0)
        kept = "" if best["retention"] is None else f"; {size_text(best)} keep the most, {share_text(best)}"
        return f"No size measured keeps {100 * KEEP:g} % of {metric} with {ours.label}{kept}."
    smaller = full_bytes / row["bytes"]
    gain = f", {smaller:.3g} times smaller than float32" if smaller > 1 else ""
    return f"{size_text(row)} keep {share_text(row)} of {metric}{gain}."


def _as_cheap(ours: Series, others: list[Series]) -> list[str]:
    """Name the method that keeps as much at the fewest bytes, when arfc takes as many or more."""
    row = ours.first_to_keep(KEEP)
    found = [(other, theirs) for other in others if (theirs := other.first_to_keep(KEEP)) is not None]
    if row is None or not found:
        return []
    other, theirs = min(found, key=lambda pair: int(pair[1]["bytes"]))
    if theirs["bytes"] > row["bytes"]:
        return []
    same = "the same" if theirs["bytes"] == row["bytes"] else "only"
    return [f"With {other.label}, {same} {size_text(theirs)} do it, too."]


def _others(ours: Series, others: list[Series]) -> list[str]:
    """Say at which size each other method keeps as much, the smallest first."""
    row = ours.first_to_keep(KEEP)
    found = [(other, theirs) for other in others if (theirs := other.first_to_keep(KEEP)) is not None]
    never = [other.label for other in others if other.first_to_keep(KEEP) is None]
    sentences = []
    for other, theirs in sorted(found, key=lambda pair: int(pair[1]["bytes"])):
        same = "the same " if row is not None and theirs["bytes"] == row["bytes"] else ""
        sentences.append(f"{other.label}: {same}{size_text(theirs)}, {share_text(theirs)}.")
    return [*sentences, *([f"At no size measured: {listed(never)}."] if never else [])]


def _no_better(ours: Series, others: list[Series], *, unit: str) -> list[str]:
    full = max(row[unit] for row in ours.rows)
    cells = {row[unit]: row for row in ours.rows}
    sentences = []
    for other in others:
        both = [(cells[row[unit]], row) for row in other.rows if row[unit] in cells]
        # At full width every float method has the original cosines again.
        behind = [
            (mine, theirs)
            for mine, theirs in both
            if mine["score"] < theirs["score"]
            or (mine["score"] == theirs["score"] and not (unit == "dims" and mine[unit] == full))
        ]
        if behind:
            clear = [f"{theirs[unit]:,}" for mine, theirs in behind if mine["high"] < theirs["low"]]
            sizes = listed([f"{theirs[unit]:,}" for _, theirs in behind])
            how = f"the intervals part at {listed(clear)}" if clear else "the intervals overlap"
            sentences.append(f"{other.label}: at {sizes} {unit}; {how}.")
    return sentences
