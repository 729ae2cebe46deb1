"""Measurements by size as text for a terminal."""

from __future__ import annotations

from typing import Any

KEYS = ("dims", "bytes")


def format_table(result: dict[str, Any]) -> str:
    """Lay out everything `evaluate` returns, one block per metric."""
    lines = [
        f"{result['queries']:,} queries among {result['database_rows']:,} other rows; {result['left_out_rows']:,} of "
        f"{result['checked_rows']:,} rows left out: the fit has used them, or nearly equal ones",
    ]
    for table in result["tables"]:
        lines += ["", f"{table['metric']} (uncompressed {_cell(table['uncompressed'])})", format_sizes(table)]
    return "\n".join([*lines, "", *(f"note: {note}" for note in result["notes"])])


def format_sizes(table: dict[str, Any]) -> str:
    """Lay out the `floats` and `bytes` rows of a measurement, then say where arfc is no better than a cheap way."""
    blocks = [("float32", table["floats"]), ("codes", table["bytes"])]
    lines = [line for title, rows in blocks if rows for line in [*_block(title, rows), ""]]
    return "\n".join([*lines, *_no_better(table)]).rstrip("\n")


def _block(title: str, rows: list[dict[str, Any]]) -> list[str]:
    """Return one line per size; the columns stand alike in all blocks."""
    names = [key for key in rows[0] if key not in KEYS]
    dims = "dims" if "dims" in rows[0] else ""
    lines = [f"  {title:<8}{dims:>6}{'bytes':>8}" + "".join(f"{name:>12}" for name in names)]
    for row in rows:
        scores = "".join(f"{_cell(row[name]):>12}" for name in names)
        lines.append(f"  {'':<8}{row.get('dims', ''):>6}{row['bytes']:>8,}{scores}")
    return lines


def _cell(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def _no_better(table: dict[str, Any]) -> list[str]:
    lines = []
    for unit, rows in (("dims", table["floats"]), ("bytes", table["bytes"])):
        for name in [key for key in rows[0] if key not in (*KEYS, "arfc")] if rows else []:
            sizes = [
                str(row[unit]) for row in rows if None not in (row["arfc"], row[name]) and row["arfc"] <= row[name]
            ]
            if sizes:
                lines.append(f"  arfc is no better than {name} at {', '.join(sizes)} {unit}")
    return lines
