"""Quality against size on real feature sets: fit on fit rows, score test rows, one JSON line per piece.

A piece is one method on one set, with one kind of supervision, one seed and one fold. Pieces that are on record are not
measured again, so a run that was stopped goes on where it was: `make bench` for the short form, `make bench-full` for
all. Nothing is fitted or chosen on the rows that ask.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import _methods
import arfc
from _data import ROOT, folds, load
from _made import MADE
from _sets import DataSet
from arfc.evaluate.measure import measure

RECORDS = ROOT / "benchmarks" / "records"
VARIANTS = {
    "captions": ("none", "labels"),
    "muge": ("none",),
    "scifact": ("none", "pairs"),
    "myntra": ("none", "pairs"),
    "food10": ("none", "labels"),
    "cifar10": ("none", "labels"),
}
"""Sets, and what is told to the methods that can use it: nothing, the pairs, or the labels."""
ABLATION_SETS = ("captions", "cifar10")
CARRY_OVER_METHODS = ("arfc", "truncation", "klt", "int8", "klt + bits", "turboquant", "rabitq", "rq")
"""Those that take part where it is asked whether the defaults carry over."""
SHORT_SETS = ("muge", "food10")
SHORT_METHODS = ("arfc", "truncation", "klt", "int8", "klt + bits", "turboquant", "autoencoder")
SHORT_BUDGET_S = 40.0


class Piece(NamedTuple):
    """What one record is about."""

    set: str
    variant: str
    method: str
    seed: int
    fold: int


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sets", nargs="+", default=list(VARIANTS), help="sets of docs/data.md, or folders of your own"
    )
    parser.add_argument("--variants", nargs="+", default=["none", "pairs", "labels"])
    parser.add_argument("--methods", nargs="+", help="only these; all when not given")
    parser.add_argument("--kinds", nargs="+", default=["ours", "classic", "learned", "ablation"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--short", action="store_true", help="a small form with one seed and a time budget")
    parser.add_argument("--carry-over", action="store_true", help="sets that packages carry, one seed")
    parser.add_argument("--out", type=Path, help="file of records")
    options = parser.parse_args(words)
    if options.short:
        options.sets, options.methods, options.seeds = SHORT_SETS, SHORT_METHODS, [0]
    if options.carry_over:
        options.sets, options.methods, options.seeds = list(MADE), CARRY_OVER_METHODS, [0]
    name = "quality-short" if options.short else "carry-over" if options.carry_over else "quality"
    out = options.out or RECORDS / f"{name}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    done = set(_pieces_on_record(out))
    for piece in _pieces(options):
        if piece in done:
            continue
        record = run(piece, most_s=SHORT_BUDGET_S if options.short else _methods.MOST_BUDGET_S)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"{record['fit_s']:7.1f} s  {' / '.join(map(str, piece))}: {_summary(record)}", flush=True)


def run(piece: Piece, *, most_s: float) -> dict[str, Any]:
    """Fit and score one piece, a learned method within `most_s` at most; return its record."""
    data = load(piece.set, fold=piece.fold)
    budget_s = min(most_s, _methods.budget_s(len(data.fit)))
    fitted = _methods.fit(piece.method, data, piece.variant, seed=piece.seed, budget_s=budget_s)
    methods = {unit: {piece.method: method} for unit, method in fitted.methods.items()}
    tables, notes = measure(data.test, methods, fitted.ladders)
    return {
        **piece._asdict(),
        "kind": _methods.kind(piece.method),
        "fit_s": round(fitted.fit_s, 1),
        "rows": {"fit": fitted.fit_rows},
        "tables": tables,
        "notes": notes,
        "settings": fitted.settings | {"budget_s": budget_s},
        "data_sha256": _digest(data),
        "date": time.strftime("%Y-%m-%d"),
        **PROVENANCE,
        "versions": {"arfc": arfc.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "hardware": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
    }


def _pieces(options: argparse.Namespace) -> Iterator[Piece]:
    """Yield the pieces that are wanted: the first seed of everything before the second of anything."""
    for seed, name in itertools.product(options.seeds, options.sets):
        for variant in _variants(name):
            if variant not in options.variants:
                continue
            for method in _methods.names(variant):
                kind = _methods.kind(method)
                if (options.methods and method not in options.methods) or kind not in options.kinds:
                    continue
                if kind == "ablation" and name not in ABLATION_SETS:
                    continue
                if seed and not _methods.is_random(method):
                    continue
                for fold in folds(name):
                    if not (fold and seed):  # folds stand in for seeds
                        yield Piece(name, variant, method, seed, fold)


def _variants(name: str) -> Sequence[str]:
    """Return what a set can tell to a fit; a folder of one's own says it by its files."""
    if name in VARIANTS:
        return VARIANTS[name]
    if name in MADE:
        return ("none",)
    data = load(name)
    told = {"pairs": data.pairs, "labels": data.labels}
    return ["none", *(variant for variant, rows in told.items() if rows is not None)]


def _pieces_on_record(path: Path) -> Iterable[Piece]:
    if not path.exists():
        return []
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Piece(*(record[field] for field in Piece._fields)) for record in records]


def _summary(record: dict[str, Any]) -> str:
    """Say the first metric's scores by size."""
    table, name = record["tables"][0], record["method"]
    cells = [(row["bytes"], row[name]) for key in ("floats", "bytes") for row in table[key] if row[name]]
    return f"{table['metric']}  " + " ".join(f"{size}B:{cell['score']:.3f}" for size, cell in cells)


def _digest(data: DataSet) -> str:
    digest = hashlib.sha256(data.fit.tobytes())
    for task in data.test:
        for rows in task.rows.values():
            digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()


def _git(*words: str) -> str:
    """Ask git; the tree of the source names the code that was measured, also where commits are rebased."""
    return subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()


PROVENANCE = {
    "commit": _git("rev-parse", "HEAD"),
    "source_tree": _git("rev-parse", "HEAD:src/arfc"),
    "benchmark_tree": _git("rev-parse", "HEAD:benchmarks"),
    "uncommitted_changes": bool(
        _git("status", "--porcelain", "--untracked-files=no", "src/arfc", ":(glob)benchmarks/*.py")
    ),
}
"""What is measured, read when this starts: a checkout may move on while a long run goes on."""


if __name__ == "__main__":
    main()
