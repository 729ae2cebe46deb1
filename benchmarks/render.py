"""Turn records into docs/results.md, docs/carry-over.md, the picture and the README's blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from _carry_over import HEAD
from _page import page
from _picture import STYLES, THEMES, draw
from _records import Line, Study, Table, read, studies
from _tables import byte_table, name_in, wrapped
from _verdict import compared, label, listed, score_text, standings, title

ROOT = Path(__file__).resolve().parent.parent
README_STUDY = ("captions", "none")
README_METRIC = "recall@10"
README_BYTES = (8, 16, 32, 48, 64, 96, 192, 384)
README_LINES = (
    ("bytes", "arfc"),
    ("bytes", "lsq"),
    ("bytes", "rq"),
    ("bytes", "klt + bits"),
    ("bytes", "turboquant"),
    ("bytes", "opq"),
    ("bytes", "rabitq"),
    ("bytes", "klt + int8"),
    ("floats", "arfc"),
    ("floats", "klt"),
)
"""What the README's table has; whatever is best at one of its sizes is added, so that no lost size is hidden."""
TERMS = (
    "Rivals with one model per size have trained 30 s for each. In a trial RQ, LSQ and OPQ gained .4 to 1.1 points by "
    "our lengths of decoded rows, which were found when scores of this set were known "
    "([terms](docs/results.md#how-it-was-measured))."
)
RANDOM = {"lsq", "rq", "opq", "pq", "rabitq", "turboquant", "random rotation"}
"""Classic methods whose fits depend on a seed."""
PICTURE = "docs/images/quality{}.svg"


def main() -> None:
    render(ROOT)


def render(root: Path) -> None:
    """Write the page, and from the README's set the pictures and blocks."""
    found = studies(read(root / "benchmarks" / "records" / "quality.jsonl"))
    texts = {root / "docs" / "results.md": page(found)}
    carried = root / "benchmarks" / "records" / "carry-over.jsonl"
    if carried.is_file():
        texts[root / "docs" / "carry-over.md"] = page(studies(read(carried)), head=HEAD)
    quoted = next((study for study in found if (study.set, study.variant) == README_STUDY), None)
    if quoted is not None:
        readme = root / "README.md"
        table = next(table for table in quoted.tables if table.metric == README_METRIC)
        texts[readme] = with_blocks(readme.read_text(encoding="utf-8"), readme_blocks(quoted, table))
        for name, theme in THEMES.items():
            path = root / PICTURE.format(name)
            draw(table.metric, _drawn(table), path, title=title(quoted), theme=theme)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def with_blocks(text: str, blocks: dict[str, str]) -> str:
    """Return the text with what stands between the marks of each block replaced, and nothing else.

    Raises: SystemExit when a block does not have one start and one end.
    """
    for name, body in blocks.items():
        start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
        if not (text.count(start) == text.count(end) == 1 and text.index(start) < text.index(end)):
            raise SystemExit(f"the README must have {start} and after it {end}, once each")
        before, after = text.split(start)[0], text.split(end)[1]
        text = f"{before}{start}\n{body}\n{end}{after}"
    return text


def readme_blocks(study: Study, table: Table) -> dict[str, str]:
    """Return the bodies of the README's blocks."""
    lines = readme_lines(table)
    sizes = [size for size in README_BYTES if any(size in line.cells for line in lines)]
    metric = table.metric[0].upper() + table.metric[1:]
    said = (
        f"{metric} on held-out rows of {title(study)}, by bytes per vector: {table.queries:,} queries, "
        f"{_seeds(lines)}. **Bold** is the best of a column, † lies within its 95 % interval.{_stands(table)}"
    )
    if any("arfc's code" in label(line) for line in lines):
        said += " “arfc's code” is our byte code of the vectors of another model."
    said += f" {TERMS}"
    text = [
        wrapped(said),
        "",
        *byte_table(lines, sizes, lambda line: name_in(line, study), score_text),
        "",
        "Other sets, labels and pairs, learned baselines, intervals, times and every losing cell:",
        "[docs/results.md](docs/results.md).",
    ]
    names = "; ".join(label(line) for line in _drawn(table))
    light, dark = PICTURE.format(""), PICTURE.format("-dark")
    picture = [
        "<picture>",
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">',
        f'<img alt="{table.metric} against bytes per vector: {names}" src="{light}">',
        "</picture>",
    ]
    return {"table": "\n".join(text), "picture": "\n".join(picture)}


def readme_lines(table: Table) -> list[Line]:
    """Return the lines of the README's table: those of `README_LINES`, then the winners among the others."""
    by_key = {(line.form, line.method): line for line in compared(table)}
    winners = []
    for size in README_BYTES:
        at = [line for line in by_key.values() if size in line.cells]
        most = max((score_text(line.cells[size]) for line in at), default="")
        winners += [(line.form, line.method) for line in at if score_text(line.cells[size]) == most]
    return [by_key[key] for key in dict.fromkeys([*README_LINES, *winners]) if key in by_key]


def _drawn(table: Table) -> list[Line]:
    """Return the lines of the picture: those that have a style, then the README's others."""
    by_key = {(line.form, line.method): line for line in compared(table)}
    styled = [by_key[key] for key in STYLES if key in by_key]
    return styled + [line for line in readme_lines(table) if (line.form, line.method) not in STYLES]


def _seeds(lines: Sequence[Line]) -> str:
    """Say of how many seeds arfc is the mean, and which random methods have one alone."""
    of = {label(line): min(cell.seeds for cell in line.cells.values()) for line in lines if _is_random(line)}
    most = max(of.values(), default=1)
    if most == 1:
        return "one seed"
    single = "; ".join(name for name, seeds in of.items() if seeds == 1)
    less = f" (of one: {single}; their intervals leave out the spread of seeds)" if single else ""
    return f"mean of {most} seeds{less}"


def _is_random(line: Line) -> bool:
    return line.kind in ("ours", "learned") or line.method in RANDOM


def _stands(table: Table) -> str:
    """Say where arfc is best and where it is not, among all methods measured, and what of it may be chance."""
    every = standings(table, README_BYTES)
    best = [one.bytes for one in every if not one.better and not one.level]
    level = [one.bytes for one in every if not one.better and one.level]
    lost: dict[str, list[int]] = {}
    for one in every:
        if one.better:
            lost.setdefault(label(one.better[0][0]), []).append(one.bytes)
    parts = [(best, "is best at {} bytes"), (level, "is level with the best at {}")]
    parts += [(sizes, f"loses to {winner} at {{}}") for winner, sizes in lost.items()]
    said = [text.format(listed(sizes)) for sizes, text in parts if sizes]
    clear = [one.bytes for one in every if one.clear]
    but = f" but {listed(clear)}" if clear else ""
    overlap = f"the intervals of arfc and of the best other overlap at all sizes shown{but}"
    return f" Of all methods measured, arfc {', '.join(said)}; {overlap}." if said else ""


if __name__ == "__main__":
    main()
