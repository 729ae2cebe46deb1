"""Measurements by size as text for a terminal."""

from __future__ import annotations

from typing import Any

METHODS = ("arfc", "klt", "truncation", "int8")
"""Keys of a row that are scores, of `float_methods` and `byte_methods`; others are sizes, or not known here."""


def format_table(result: dict[str, Any]) -> str:
    """Lay out everything `evaluate` returns, one block per metric."""
    lines = [
        f"{result['queries']:,} queries among {result['database_rows']:,} other rows; {result['left_out_rows']:,} of "
        f"{result['checked_rows']:,} rows left out: the fit has used them, or nearly equal ones",
    ]
    for table in result["tables"]:
        lines += ["", f"{table['metric']} (uncompressed {_cell(table['uncompressed'])})", format_sizes(table)]
        lines += _about_intervals(table)
    return "\n".join([*lines, "", *(f"note: {note}" for note in result["notes"])])


def format_sizes(table: dict[str, Any]) -> str:
    """Lay out the `floats` and `bytes` rows of a measurement, then say where arfc is no better than a cheap way."""
    blocks = [("float32", table["floats"]), ("codes", table["bytes"])]
    lines = [line for title, rows in blocks if rows for line in [*_block(title, rows), ""]]
    return "\n".join([*lines, *_no_better(table)]).rstrip("\n")


def _block(title: str, rows: list[dict[str, Any]]) -> list[str]:
    """Return one line per size; the columns stand alike in all blocks."""
    names = [key for key in rows[0] if key in METHODS]
    dims = "dims" if "dims" in rows[0] else ""
    shown = [_shown(name, coded=not dims) for name in names]
    lines = [f"  {title:<8}{dims:>6}{'bytes':>8}" + "".join(f"{name:>12}" for name in shown)]
    for row in rows:
        scores = "".join(f"{_cell(row[name]):>12}" for name in names)
        lines.append(f"  {'':<8}{row.get('dims', ''):>6}{row['bytes']:>8,}{scores}")
    return lines


def _shown(name: str, *, coded: bool) -> str:
    """Return the name of a method as people know it: codes of the KLT have bits where they help most."""
    return "klt + bits" if coded and name == "klt" else name


def _cell(cell: dict[str, Any] | float | None) -> str:
    return "-" if cell is None else f"{_score(cell):.3f}"


def _score(cell: dict[str, Any] | float) -> float:
    """Return the score of a cell; the curve of a fit has plain scores."""
    return cell["score"] if isinstance(cell, dict) else cell


def _about_intervals(table: dict[str, Any]) -> list[str]:
    """Say how far the widest interval reaches: two numbers per cell would be hard to read."""
    cells = [row[name] for row in table["floats"] + table["bytes"] for name in row if name in METHODS]
    reaches = [max(cell["high"] - cell["score"], cell["score"] - cell["low"]) for cell in cells if cell]
    return [f"  95 % intervals reach at most {max(reaches):.3f} from a score"] if reaches else []


def _no_better(table: dict[str, Any]) -> list[str]:
    lines = []
    for unit, rows in (("dims", table["floats"]), ("bytes", table["bytes"])):
        for name in [key for key in rows[0] if key in METHODS[1:]] if rows else []:
            both = [(row[unit], row["arfc"], row[name]) for row in rows if None not in (row["arfc"], row[name])]
            sizes = [str(size) for size, ours, other in both if _score(ours) <= _score(other)]
            if sizes:
                lines.append(
                    f"  arfc is no better than {_shown(name, coded=unit == 'bytes')} at {', '.join(sizes)} {unit}"
                )
    return lines
