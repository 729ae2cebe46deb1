"""Classes of rows, told by a linear probe, by their neighbours, or by a vector per class."""
# N train rows, Q test rows, K dims, C classes, k neighbours

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from arfc.errors import MissingExtraError, ShapeError
from arfc.evaluate.nearest import nearest
from arfc.evaluate.task import Scores, Sets, check_sets
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, Int64

NEIGHBOURS = 10
PROBE_C = (1.0, 10.0, 100.0)
"""Inverse strengths of regularisation that the probe chooses from."""
VALIDATION_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification:
    """Accuracy of a linear probe and of 10 nearest neighbours; with a vector per class also zero-shot accuracy.

    Everything is measured on unit rows. The probe is a logistic regression on train rows as stored, and tells the class
    of test rows as stored; its C is chosen on a random fifth of the train rows. For neighbours a test row asks among
    the stored train rows, and most of 10 decide; of equal classes that of the nearer row. For zero-shot a class is a
    vector that asks, such as that of its name in words, and the nearest class decides for a stored test row.
    """

    rows: Sets
    """Train rows first, then test rows, and perhaps one row per class, under their names."""
    train_labels: Int64[Array, " N"]
    test_labels: Int64[Array, " Q"]
    """Classes; with a row per class, its number."""

    def __post_init__(self) -> None:
        train, test, *classes = check_sets(self.rows, names=3 if len(self.rows) == 3 else 2)
        for name, labels in ((train, self.train_labels), (test, self.test_labels)):
            if labels.shape != (len(self.rows[name]),):
                raise ShapeError(f"labels of {name} must have shape ({len(self.rows[name])},), got {labels.shape}")
        known = len(np.unique(self.train_labels))
        if known < 2:
            raise ShapeError(f"train labels must name at least 2 classes, got {known}; is it the right file")
        if classes and not 0 <= self.test_labels.min() <= self.test_labels.max() < len(self.rows[classes[0]]):
            raise ShapeError(
                f"test labels must be rows of {classes[0]}, 0..{len(self.rows[classes[0]]) - 1}, got "
                f"{self.test_labels.min()}..{self.test_labels.max()}; number the classes as their rows"
            )

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Return each accuracy; as `Task.scores`."""
        train, test, *classes = self.rows
        told = {
            "linear probe accuracy": probe(unit_rows(stored[train]), self.train_labels, unit_rows(stored[test])),
            f"{NEIGHBOURS}-NN accuracy": self._by_neighbours(asked[test], stored[train]),
        }
        if classes:
            told["zero-shot accuracy"] = nearest(stored[test], asked[classes[0]], k=1)[:, 0]
        return {name: (told_Q == self.test_labels).astype(np.float64) for name, told_Q in told.items()}

    def _by_neighbours(self, asked_QK: Array, stored_NK: Array) -> Int64[Array, " Q"]:
        names, class_N = np.unique(self.train_labels, return_inverse=True)
        class_Qk = class_N[nearest(asked_QK, stored_NK, k=min(NEIGHBOURS, len(stored_NK)))]
        votes_QC = np.zeros((len(class_Qk), len(names)))
        for place, class_Q in enumerate(class_Qk.T):
            # The halves add up to less than one vote, and each to more than all that follow.
            votes_QC[np.arange(len(class_Q)), class_Q] += 1 + 0.5 ** (place + 2)
        told_Q: Int64[Array, " Q"] = names[votes_QC.argmax(axis=1)]
        return told_Q


def probe(
    train_NK: Float32[Array, "N K"], labels_N: Int64[Array, " N"], test_QK: Float32[Array, "Q K"], *, seed: int = 0
) -> Int64[Array, " Q"]:
    """Return the classes that a logistic regression tells; its C is the best on a held-out fifth of the train rows.

    Raises: MissingExtraError without scikit-learn.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtraError("scikit-learn is not installed; run: pip install 'arfc[evaluate]'") from None
    order_N = np.random.default_rng(seed).permutation(len(labels_N))
    held_n, kept_n = np.split(order_N, [max(1, int(VALIDATION_SHARE * len(order_N)))])

    def fit(rows_n: Array, strength: float) -> Any:
        return LogisticRegression(C=strength, tol=1e-3, max_iter=300).fit(train_NK[rows_n], labels_N[rows_n])

    with warnings.catch_warnings():
        # A probe that has not settled after 300 iterations is scored like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if len(np.unique(labels_N[kept_n])) < 2:
            best = PROBE_C[0]
        else:
            best = max(PROBE_C, key=lambda strength: fit(kept_n, strength).score(train_NK[held_n], labels_N[held_n]))
        told_Q: Int64[Array, " Q"] = fit(order_N, best).predict(test_QK)
    return told_Q
