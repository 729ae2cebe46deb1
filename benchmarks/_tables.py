"""Markdown tables of scores: rows are methods, columns bytes per vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from textwrap import fill

from _records import Cell, Line, Study
from _verdict import label, score_text

LINE = 120
MOST_COLUMNS = 8
"""A table with more sizes is cut into several."""


def name_in(line: Line, study: Study) -> str:
    """Return the name of a method, marked where it was not told what others were."""
    return label(line) + (f", no {study.variant}" if line.variant != study.variant else "")


def blocks(lines: Sequence[Line], name: Callable[[Line], str], text: Callable[[Cell], str]) -> list[str]:
    """Return tables, rows = methods, columns = bytes; wide ones are cut, and rows without a score left out."""
    sizes = sorted({size for line in lines for size in line.cells})
    parts = []
    width = ceil(len(sizes) / ceil(len(sizes) / MOST_COLUMNS)) if sizes else 1
    for start in range(0, len(sizes), width):
        some = sizes[start : start + width]
        parts += [*byte_table([line for line in lines if line.cells.keys() & set(some)], some, name, text), ""]
    return parts


def byte_table(
    lines: Sequence[Line], sizes: Sequence[int], name: Callable[[Line], str], text: Callable[[Cell], str]
) -> list[str]:
    """Return one table with the best of each column bold, and what lies within its interval marked."""
    best = {size: max((line.cells[size] for line in lines if size in line.cells), key=_value) for size in sizes}
    rows = [f"| bytes per vector | {' | '.join(f'{size:,}' for size in sizes)} |", "|---" + "|---:" * len(sizes) + "|"]
    for line in lines:
        cells = [_marked(line.cells.get(size), best[size], text) for size in sizes]
        rows.append(f"| {name(line)} | {' | '.join(cells)} |")
    return rows


def _value(cell: Cell) -> float:
    return cell.score.value


def _marked(cell: Cell | None, best: Cell, text: Callable[[Cell], str]) -> str:
    if cell is None:
        return "-"
    if score_text(cell) == score_text(best):
        return f"**{text(cell)}**"
    return text(cell) + ("†" if cell.score.value >= best.score.low else "")


def wrapped(text: str, mark: str = "") -> str:
    """Return prose in lines of the house's length."""
    return fill(text, LINE, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False)
