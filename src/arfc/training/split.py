"""Split the sampled rows into fit, validation and test rows that share no row and no near-duplicate."""
# N rows, D feature dims

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.config import TrainConfig
from arfc.errors import RowError

LEAST_ROWS = 100
"""Fewest rows a fit accepts: below that no honest validation is left."""

LEAST_GROUPS = 4
"""Groups that a held-out part has room for at least: a larger one goes to fit, so no part is filled with copies."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Row numbers of the three parts, each sorted, disjoint, and disjoint in duplicate groups too."""

    fit: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    duplicate_cosine: float = 1.0
    """Rows at least this near count as duplicates; at 1 copies do."""


def split_rows(groups_N: np.ndarray, config: TrainConfig, *, seed: int) -> Split:
    """Deal whole groups at random: to validation until it has its share, then to test, the rest to fit.

    A group goes to a held-out part where it fits in what the part still needs and is no more than a quarter of it all.

    Raises: RowError for fewer than `LEAST_ROWS` rows, or when duplicates leave a part empty.
    """
    rows = len(groups_N)
    if rows < LEAST_ROWS:
        raise RowError(
            f"a fit needs at least {LEAST_ROWS} rows, got {rows}; "
            "add rows or use arfc.baselines.Klt, which needs none to validate"
        )
    _, group_N, sizes = np.unique(groups_N, return_inverse=True, return_counts=True)
    wanted = dict(zip((1, 2), held_out_rows(rows, config), strict=True))
    left = dict(wanted)
    part = np.zeros(len(sizes), dtype=np.int8)
    for group in np.random.default_rng([seed, 1]).permutation(len(sizes)):
        for number in (1, 2):
            if sizes[group] <= min(left[number], largest_group(wanted[number])):
                part[group] = number
                left[number] -= sizes[group]
                break
        if not left[1] and not left[2]:
            break
    row_part = part[group_N]
    parts = [np.flatnonzero(row_part == number) for number in (0, 1, 2)]
    for name, got in zip(("fit", "validation", "test"), parts, strict=True):
        if len(got) < 10 and (name != "test" or wanted[2]):
            raise RowError(
                f"with copies and what belongs together in one part, {name} must have at least 10 rows, got {len(got)} "
                f"({len(sizes)} distinct groups in {rows} rows); remove duplicates, "
                "or add rows where classes are small"
            )
    return Split(fit=parts[0], validation=parts[1], test=parts[2])


def held_out_rows(rows: int, config: TrainConfig) -> tuple[int, int]:
    """Return how many validation and test rows a split of `rows` aims at."""
    return (
        min(config.max_validation_rows, max(LEAST_ROWS // 5, int(rows * config.validation_share))),
        min(config.max_test_rows, max(LEAST_ROWS // 5, int(rows * config.test_share))) if config.test_share else 0,
    )


def largest_group(wanted: int) -> int:
    """Return the most rows a group may have to enter a held-out part of `wanted` rows."""
    return max(1, wanted // LEAST_GROUPS)


def sample_rows(rows: int, most: int, *, seed: int) -> np.ndarray:
    """Return at most `most` distinct row numbers, sorted, drawn evenly from all of the input."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng([seed, 0]).choice(rows, size=most, replace=False, shuffle=False))
