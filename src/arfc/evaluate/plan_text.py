"""What a plan says, as text for a terminal."""

from __future__ import annotations

from typing import Any

from arfc.evaluate.series import label, share_text, size_text

GIGABYTE = 1e9


def format_plan(result: dict[str, Any]) -> str:
    """Lay out what `plan` returns: arfc's sizes, then what else would do."""
    keep = f"{100 * result['keep']:g} %"
    lines = [
        f"to keep {keep} of {result['metric']} (uncompressed {result['uncompressed']['score']:.3f}): "
        f"{result['choosing_queries']:,} held-out queries among {result['database_rows']:,} rows choose,",
        f"{result['reporting_queries']:,} others say what is kept, with 95 % intervals",
    ]
    entries = {(entry["form"], entry["method"]): entry for entry in result["methods"]}
    for form, others in result["cheaper"].items():
        lines += ["", *_ours(entries[form, "arfc"], keep, result["keep"])]
        cheaper = [entries[other["form"], other["method"]] for other in others]
        if cheaper:
            lines.append("  a cheaper method does it:")
            lines += [f"    {_name(entry)}: {_size_and_share(entry['smallest'])}" for entry in cheaper]
        else:
            lines.append("  no other method measured does it at no more bytes")
    named = [(other["form"], other["method"]) for others in result["cheaper"].values() for other in others]
    others = [entry for place, entry in entries.items() if place not in named and entry["method"] != "arfc"]
    if others:
        lines += ["", "others", *(f"  {_name(entry)}: {_smallest(entry)}" for entry in others)]
    return "\n".join([*lines, "", *(f"note: {note}" for note in result["notes"])])


def _ours(entry: dict[str, Any], keep_text: str, keep: float) -> list[str]:
    small, safe = entry["smallest"], entry["safe"]
    lines = [f"{_name(entry)}: {_smallest(entry)}"]
    if small is None:
        return lines
    lines[0] += f"; {_certainty(small, keep)}"
    lines.append(f"  {_saving(small)}")
    if safe is None:
        lines.append(f"  to be safe: no size keeps {keep_text} with its whole interval")
    elif safe["bytes"] == small["bytes"]:
        lines.append("  to be safe: the same")
    else:
        lines += [f"  to be safe: {_size_and_share(safe)}; {_certainty(safe, keep)}", f"    {_saving(safe)}"]
    return lines


def _certainty(answer: dict[str, Any], keep: float) -> str:
    """Say how the queries that report agree with those that chose."""
    if answer["retention_low"] >= keep:
        return "the lower end keeps it too"
    if answer["retention"] >= keep:
        return "the lower end does not"
    return "just short on these queries" if answer["retention_high"] >= keep else "short on these queries"


def _saving(answer: dict[str, Any]) -> str:
    if not answer["saved_bytes"]:
        return "saves nothing"
    return (
        f"saves {answer['saved_bytes']:,} bytes per vector, {answer['saved_bytes_per_million'] / GIGABYTE:.3g} GB per "
        f"million; {answer['ratio']:.3g} times smaller than float32"
    )


def _smallest(entry: dict[str, Any]) -> str:
    if entry["smallest"]:
        return _size_and_share(entry["smallest"])
    return f"at no size tried; the most is {_size_and_share(entry['best'])}" if entry["best"] else "at no size tried"


def _size_and_share(answer: dict[str, Any]) -> str:
    return f"{size_text(answer)} keep {share_text(answer)}"


def _name(entry: dict[str, Any]) -> str:
    return label(entry["form"], entry["method"])
