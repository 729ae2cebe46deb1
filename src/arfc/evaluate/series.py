"""What `evaluate` returns as named series: one method in one form, over its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KEYS = ("dims", "bytes")
FLOATS, CODES = "floats", "bytes"
LABELS = {
    (CODES, "arfc"): "arfc codes",
    (CODES, "klt"): "KLT + bits",
    (CODES, "int8"): "int8, first dims",
    (FLOATS, "arfc"): "arfc floats",
    (FLOATS, "klt"): "KLT floats",
    (FLOATS, "truncation"): "truncated floats",
}
"""How people call a method in a form; others go by their own name."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Measurements of one method in one form, smallest size first."""

    form: str
    """`floats` or `bytes`, as in a table."""
    method: str
    """Its key in a table."""
    rows: list[dict[str, Any]]
    """`bytes`, `dims` for floats, and what its cell holds; sizes without a score are not there."""

    @property
    def label(self) -> str:
        """Name for people."""
        return label(self.form, self.method)

    def first_to_keep(self, share: float) -> dict[str, Any] | None:
        """Return the smallest measured size whose retention is at least `share`."""
        return next((row for row in self.rows if (row["retention"] or 0) >= share), None)


def label(form: str, method: str) -> str:
    """Return the name for people of a method in a form."""
    return LABELS.get((form, method), f"{method} floats" if form == FLOATS else method)


def methods(rows: list[dict[str, Any]]) -> list[str]:
    """Return the methods of a block of a table, in its order."""
    return [key for key in rows[0] if key not in KEYS] if rows else []


def series_of(table: dict[str, Any]) -> list[Series]:
    """Return every method and form that has a score, codes before floats."""
    found = []
    for form in (CODES, FLOATS):
        for method in methods(table[form]):
            rows = [
                {key: row[key] for key in KEYS if key in row} | row[method]
                for row in sorted(table[form], key=lambda row: int(row["bytes"]))
                if row[method] is not None
            ]
            if rows:
                found.append(Series(form=form, method=method, rows=rows))
    return found


def score_text(cell: dict[str, Any]) -> str:
    """Return a score with its interval."""
    return f"{cell['score']:.3f} ({cell['low']:.3f}-{cell['high']:.3f})"


def share_text(cell: dict[str, Any]) -> str:
    """Return a retention with its interval, in percent."""
    if cell["retention"] is None:
        return "-"
    low, high = (100 * cell[f"retention_{end}"] for end in ("low", "high"))
    return f"{100 * cell['retention']:.1f} % ({low:.1f}-{high:.1f})"


def size_text(row: dict[str, Any]) -> str:
    """Return a size: bytes, or dims and the bytes they take."""
    return f"{row['dims']:,} dims ({row['bytes']:,} bytes)" if "dims" in row else f"{row['bytes']:,} bytes"
