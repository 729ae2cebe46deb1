"""Split the sampled rows into fit, validation and test rows that share no row and no near-duplicate."""
# N rows, D feature dims

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.config import TrainConfig
from arfc.errors import RowError

LEAST_ROWS = 100
"""Fewest rows a fit accepts: below that no honest validation is left."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Row numbers of the three parts, each sorted, disjoint, and disjoint in duplicate groups too."""

    fit: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(groups_N: np.ndarray, config: TrainConfig, *, seed: int) -> Split:
    """Deal whole groups at random: to validation until it has its share, then to test, the rest to fit.

    A group larger than what a held-out part still needs goes to fit, so one big group can't fill a part with copies.

    Raises: RowError for fewer than `LEAST_ROWS` rows, or when duplicates leave a part empty.
    """
    rows = len(groups_N)
    if rows < LEAST_ROWS:
        raise RowError(
            f"a fit needs at least {LEAST_ROWS} rows, got {rows}; "
            "add rows or use arfc.baselines.Klt, which needs none to validate"
        )
    _, group_N, sizes = np.unique(groups_N, return_inverse=True, return_counts=True)
    wanted_validation = min(config.max_validation_rows, max(LEAST_ROWS // 5, int(rows * config.validation_share)))
    wanted_test = min(config.max_test_rows, max(LEAST_ROWS // 5, int(rows * config.test_share)))
    part = np.zeros(len(sizes), dtype=np.int8)
    left = {1: wanted_validation, 2: wanted_test}
    for group in np.random.default_rng([seed, 1]).permutation(len(sizes)):
        for number in (1, 2):
            if sizes[group] <= max(1, left[number] // 4) and left[number] > 0:
                part[group] = number
                left[number] -= sizes[group]
                break
        if not left[1] and not left[2]:
            break
    row_part = part[group_N]
    parts = [np.flatnonzero(row_part == number) for number in (0, 1, 2)]
    for name, got in zip(("fit", "validation", "test"), parts, strict=True):
        if len(got) < 10:
            raise RowError(
                f"after near-duplicates are kept together, {name} must have at least 10 rows, got {len(got)} "
                f"({len(sizes)} distinct groups in {rows} rows); remove duplicates, raise duplicate_cosine, "
                "or add rows where classes are small"
            )
    return Split(fit=parts[0], validation=parts[1], test=parts[2])


def sample_rows(rows: int, most: int, *, seed: int) -> np.ndarray:
    """Return at most `most` distinct row numbers, sorted, drawn evenly from all of the input."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng([seed, 0]).choice(rows, size=most, replace=False, shuffle=False))
