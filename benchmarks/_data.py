"""Real feature sets: the folder named by ARFC_DATA, else ../shared/data beside the checkout."""
# N rows, D feature dims

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("ARFC_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True, kw_only=True)
class Task:
    """Rows to fit on and rows to score, with class labels where the fit may use them."""

    fit: np.ndarray
    test: np.ndarray
    fit_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None


def load(name: str) -> Task:
    """Return one of `TASKS` as float32; SystemExit names the folder that is missing."""
    needed = FOLDER / TASKS[name]
    if not needed.is_dir():
        raise SystemExit(f"{name} needs the folder {needed}; set ARFC_DATA to the folder that holds {TASKS[name]}")
    if name.startswith("captions"):
        split = np.load(needed / "split.npy")
        vectors, image = _floats(needed / "vectors.npy"), np.load(needed / "image.npy").astype(np.int64)
        fit, test = split == "fit", split == "test"
        if name == "captions":
            return Task(fit=vectors[fit], test=vectors[test])
        return Task(fit=vectors[fit], test=vectors[test], fit_labels=image[fit], test_labels=image[test])
    if name == "muge":
        rows = _floats(needed / "images.npy")
        return Task(fit=rows[:14_000], test=rows[17_000:])
    labels = [np.load(needed / f"{part}_y.npy").astype(np.int64) for part in ("train", "test")]
    parts = [_floats(needed / f"{part}.npy") for part in ("train", "test")]
    return Task(fit=parts[0], test=parts[1], fit_labels=labels[0], test_labels=labels[1])


TASKS = {
    "captions": "flickr8k_captions",
    "muge": "muge",
    "captions-labels": "flickr8k_captions",
    "cifar10-labels": "cifar10",
}
"""Task name -> folder. `-labels` tasks are fitted with labels: the image of each caption, the class of each picture."""


def _floats(path: Path) -> np.ndarray:
    return np.load(path).astype(np.float32)
