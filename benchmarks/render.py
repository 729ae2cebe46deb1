"""Turn records into docs/results.md, docs/images/quality.svg and the README's table: `python benchmarks/render.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "benchmarks" / "records"
TITLES = {
    "captions": "Flickr8k captions, MiniLM 384-d, no labels",
    "muge": "MUGE images, Chinese-CLIP 512-d, no labels",
    "captions-labels": "Flickr8k captions, MiniLM 384-d, labels = image",
    "cifar10-labels": "CIFAR-10 features, ResNet 512-d, labels = class",
}
README_TASK = "captions"
README_BYTES = (8, 16, 32, 48, 64, 96, 192)
LINES = {
    ("floats", "truncation"): ("truncated floats", "#b0b0b0", ":"),
    ("floats", "klt"): ("KLT floats", "#7a9cc6", "--"),
    ("floats", "arfc"): ("arfc floats", "#1f5fa8", "-"),
    ("bytes", "int8"): ("int8, first dims", "#d8a35d", ":"),
    ("bytes", "klt"): ("KLT + bits", "#d07f7f", "--"),
    ("bytes", "arfc"): ("arfc codes", "#b3202c", "-"),
}


def main() -> None:
    records = [json.loads(line) for line in (RECORDS / "quality.jsonl").read_text(encoding="utf-8").splitlines()]
    newest = {record["task"]: record for record in records}
    parts = [
        "# Results\n",
        "Generated from `benchmarks/records/quality.jsonl` by `benchmarks/render.py`; do not edit. One fit each, so",
        "no intervals over seeds. Baselines are fitted on the same rows. **Bold** is the best of a row; losing cells",
        "stand as they are.\n",
    ]
    for name, record in newest.items():
        parts += [f"## {TITLES[name]}\n", *_task(record)]
    (ROOT / "docs" / "results.md").write_text("\n".join(parts), encoding="utf-8")
    if README_TASK in newest:
        _picture(newest[README_TASK], ROOT / "docs" / "images" / "quality.svg")
        _readme(newest[README_TASK])


def _task(record: dict[str, Any]) -> list[str]:
    result, data = record["result"], record["fit_data"]
    opening = ", ".join(f"{value:g}" for value in record["opening"])
    lines = [
        f"{data['fit_rows']:,} fit and {data['validation_rows']:,} validation rows; {result['queries']:,} queries",
        f"among {result['database_rows']:,} rows that no part of the fit saw; seed {record['seed']}; fitted in",
        f"{record['fit_s']:.0f} s with {record['hardware']['threads']} thread(s); opening of ARC's tokens: {opening};",
        f"source tree {record['source_tree'][:12]}, {record['date']}.\n",
    ]
    for table in result["tables"]:
        lines.append(f"**{table['metric']}** (uncompressed {_score(table['uncompressed']):.3f})\n")
        for unit in ("floats", "bytes"):
            lines += [*_markdown(table[unit], unit), ""]
    return lines


def _markdown(rows: list[dict[str, Any]], unit: str) -> list[str]:
    sizes = ["dims", "bytes"] if unit == "floats" else ["bytes"]
    methods = [name for name in rows[0] if name not in ("dims", "bytes")]
    lines = [f"| {' | '.join([*sizes, *methods])} |", "|" + "---|" * (len(sizes) + len(methods))]
    for row in rows:
        best = max(_score(row[name]) for name in methods if row[name] is not None)
        lines.append(f"| {' | '.join([*(str(row[s]) for s in sizes), *(_cell(row[m], best) for m in methods)])} |")
    return lines


def _score(cell: dict[str, Any] | float) -> float:
    """Return the score of a cell; the oldest records have plain scores."""
    return cell["score"] if isinstance(cell, dict) else cell


def _cell(cell: dict[str, Any] | float | None, best: float) -> str:
    if cell is None:
        return "-"
    text = f"{_score(cell):.3f}"
    return f"**{text}**" if text == f"{best:.3f}" else text


def _picture(record: dict[str, Any], path: Path) -> None:
    table = record["result"]["tables"][0]
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for (unit, name), (label, colour, style) in LINES.items():
        points = [(row["bytes"], _score(row[name])) for row in table[unit] if row[name] is not None]
        axes.plot(*zip(*points, strict=True), style, color=colour, label=label, marker="o", markersize=3)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(xlabel="bytes per vector", ylabel="recall@10 of the original's neighbours", ylim=(0, 1.02))
    axes.set_title(TITLES[record["task"]], fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    path.parent.mkdir(exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "arfc"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _readme(record: dict[str, Any]) -> None:
    table = record["result"]["tables"][0]
    coded = {row["bytes"]: row for row in table["bytes"]}
    floats = {row["bytes"]: row for row in table["floats"]}
    methods = [
        ("arfc codes", coded, "arfc"),
        ("KLT + bits", coded, "klt"),
        ("int8, first dims", coded, "int8"),
        ("arfc floats", floats, "arfc"),
        ("KLT floats", floats, "klt"),
        ("truncated floats", floats, "truncation"),
    ]
    lines = [
        f"Recall@10 on held-out rows of {TITLES[record['task']]}, by bytes per vector (more sets and every",
        "losing cell: [docs/results.md](docs/results.md)):\n",
        f"| bytes per vector | {' | '.join(map(str, README_BYTES))} |",
        "|" + "---|" * (len(README_BYTES) + 1),
    ]
    best = {size: max(_score(rows[size][m]) for _, rows, m in methods if size in rows) for size in README_BYTES}
    for label, rows, method in methods:
        cells = [_cell(rows[size][method], best[size]) if size in rows else "-" for size in README_BYTES]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    picture = "![Quality against bytes per vector, arfc beside KLT, int8 and truncation](docs/images/quality.svg)"
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    for mark, body in (("table", "\n".join(lines)), ("picture", picture)):
        text = re.sub(
            rf"<!-- {mark}:start -->.*?<!-- {mark}:end -->",
            lambda _, m=mark, b=body: f"<!-- {m}:start -->\n{b}\n<!-- {m}:end -->",
            text,
            flags=re.DOTALL,
        )
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
