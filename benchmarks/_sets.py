"""What a feature set is, and what all of them are made with. Letters: N rows, D feature dims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arfc.evaluate import Classification, ClassRetrieval, Task
from arfc.evaluate.among import with_mates

VALIDATION_SHARE = 0.2
"""Share of the rows for fitting that are held out for choices, where a set has no validation rows of its own."""
MOST_ASKING = 2_000
"""Test rows that ask for others of their class, at most: a few thousand tell enough."""
SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet:
    """Rows to fit on, with pairs or labels where there are any, and what is scored."""

    fit: np.ndarray
    """All rows that a fit without supervision may use, float32 (N, D); of several kinds, one after another."""
    pairs: tuple[np.ndarray, np.ndarray] | None = None
    """Rows that belong together, for a fit with pairs; these are rows of `fit` too."""
    known_partners: bool = False
    """Whether the right sides of `pairs` are a corpus in which new rows search, so that fits may share them with what
    they validate on."""
    labels: np.ndarray | None = None
    """Class of each row of `fit`, for a fit with labels."""
    validation: list[Task]
    """What choices are made on."""
    test: list[Task]
    """What is reported; the first task is the one to quote."""


def floats(path: Path) -> np.ndarray:
    """Return the rows of a file as float32."""
    return array(path).astype(np.float32)


def array(path: Path) -> np.ndarray:
    """Return the array of a file; SystemExit names it when it is missing."""
    if not path.is_file():
        raise SystemExit(f"{path.parent.name} needs the file {path}; docs/data.md tells the form")
    return np.load(path)


def held_out(rows: int, share: float = VALIDATION_SHARE) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers at random into those kept and those held out, both ascending."""
    order_N = np.random.default_rng(SEED).permutation(rows)
    return np.sort(order_N[round(share * rows) :]), np.sort(order_N[: round(share * rows)])


def class_tasks(
    fit_ND: np.ndarray,
    fit_labels: np.ndarray,
    test_ND: np.ndarray,
    test_labels: np.ndarray,
    *,
    classes: np.ndarray | None = None,
) -> list[Task]:
    """Return the retrieval by class among the test rows, and their classification by what the fit rows teach.

    Where the test rows have classes that the fit rows lack, there is the retrieval alone. `classes` has a vector per
    class, for zero-shot classification.
    """
    every = np.arange(len(test_ND))
    asks = with_mates(test_labels, np.random.default_rng(SEED).permutation(every)[:MOST_ASKING], every)
    tasks: list[Task] = [ClassRetrieval(rows={"test": test_ND}, groups=test_labels, asks=np.sort(asks))]
    if np.isin(test_labels, fit_labels).all():
        sets = {"train": fit_ND, "test": test_ND} | ({} if classes is None else {"classes": classes})
        tasks.append(Classification(rows=sets, train_labels=fit_labels, test_labels=test_labels))
    return tasks
