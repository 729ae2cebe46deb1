"""How much of its final quality a fit has after three minutes: one fit with that budget, one with all its steps.

Both fit the same rows with the same seed, so the same validation rows judge both. Appends one JSON line to
benchmarks/records/fit_speed.jsonl. The clock counts, whatever else the machine does; leave it alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import arfc
from arfc import Compressor
from arfc.io import open_features
from quality import PROVENANCE, RECORDS

ROWS = 40_000


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", type=Path, help="rows to fit on, .npy or .parquet")
    parser.add_argument("--budget", default="3m", help="of the short fit")
    parser.add_argument("--steps", type=int, help="of all phases together; all when not given")
    parser.add_argument("--out", type=Path, default=RECORDS / "fit_speed.jsonl", help="file of records")
    options = parser.parse_args(words)
    features = open_features(options.features)
    x = features.read(0, min(ROWS, features.rows))
    short, whole = (fitted(x, steps=options.steps, budget=budget) for budget in (options.budget, None))
    record = {
        "features": options.features.parent.name + "/" + options.features.name,
        "rows": list(x.shape),
        "budget": options.budget,
        "short": short,
        "whole": whole,
        "kept": {unit: kept(short["curve"][unit], whole["curve"][unit]) for unit in ("floats", "bytes")},
        "date": time.strftime("%Y-%m-%d"),
        **PROVENANCE,
        "versions": {"arfc": arfc.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "hardware": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "load": os.getloadavg()[0]},
    }
    print(f"budget {options.budget}: {short['seconds']:.0f} s; all steps: {whole['seconds']:.0f} s")
    for unit, sizes in record["kept"].items():
        print(f"{unit}: " + ", ".join(f"{size} {share:.1%}" for size, share in sizes.items()))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def fitted(x: np.ndarray, *, steps: int | None, budget: str | None) -> dict[str, Any]:
    """Fit, and return how long it took and what validation says of it."""
    started = time.perf_counter()
    model = Compressor.fit(x, steps=steps, budget=budget, progress=False)
    return {"seconds": time.perf_counter() - started, "curve": model.curve, "ends": model.facts["history"]["ends"]}


def kept(short: list[dict[str, float]], whole: list[dict[str, float]]) -> dict[int, float]:
    """Return the share of the whole fit's score per size."""
    size = "dims" if "dims" in whole[0] else "bytes"
    return {int(a[size]): a["arfc"] / b["arfc"] for a, b in zip(short, whole, strict=True)}


if __name__ == "__main__":
    main()
