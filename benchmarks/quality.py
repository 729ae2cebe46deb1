"""Quality against size on real feature sets: fit on fit rows, score test rows, one JSON line per task and seed.

Run it with `.venv/bin/python benchmarks/quality.py [TASK ...] [--seed 0] [--out FILE]`. Float sizes stand next to the
model's own KLT and truncation, codes next to KLT + bits and int8; nothing is fitted on the rows that are scored.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

import arfc
from _data import ROOT, load
from _sets import DataSet
from arfc import Compressor
from arfc.evaluate import evaluate, format_table

TASKS = ("captions", "muge", "captions-labels", "cifar10-labels")
"""Sets; `-labels` are fitted with labels: the image of each caption, the class of each picture."""
BASELINE_ROWS = 10_000
"""Fit rows that the byte baselines are fitted on; never scored."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), choices=[*TASKS, []])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "quality.jsonl")
    options = parser.parse_args()
    for name in options.tasks:
        record = measure(name, load(name.removesuffix("-labels")), seed=options.seed)
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def measure(name: str, data: DataSet, *, seed: int) -> dict[str, object]:
    """Fit, score, print the table, return the record."""
    started = time.monotonic()
    fit_labels = data.labels if name.endswith("-labels") else None
    model = Compressor.fit(data.fit, labels=fit_labels, seed=seed)
    fit_s = time.monotonic() - started
    baseline_rows = np.random.default_rng(seed).permutation(len(data.fit))[:BASELINE_ROWS]
    baseline_rows = baseline_rows[model.seen.contains(_unit(data.fit[baseline_rows]))]
    (test,) = data.test[0].rows.values()
    rows = np.concatenate([data.fit[baseline_rows], test])
    labels = None if fit_labels is None else np.concatenate([fit_labels[baseline_rows], data.test[0].groups])
    result = evaluate(model, rows, labels=labels, seed=seed)
    print(f"\n{name}, seed {seed}, fitted in {fit_s:.0f} s\n{format_table(result)}", flush=True)
    return {
        "task": name,
        "seed": seed,
        "fit_s": round(fit_s, 1),
        "opening": model.facts["opening"],
        "history": {phase: entries for phase, entries in model.facts["history"].items() if phase != "openings"},
        "result": result,
        "data_sha256": hashlib.sha256(data.fit.tobytes() + test.tobytes()).hexdigest(),
        "config": model.facts["config"],
        "fit_data": model.facts["data"],
        "date": time.strftime("%Y-%m-%d"),
        "source_tree": _git("rev-parse", "HEAD:src/arfc"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "src/arfc")),
        "versions": {"arfc": arfc.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "hardware": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
    }


def _git(*words: str) -> str:
    """Ask git; the tree of the source names the code that was measured, also where commits are rebased."""
    return subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
