"""A score with the interval that its queries leave open, and what is kept of the score before compression."""
# Q queries, G draws, R resamples

from __future__ import annotations

from functools import lru_cache

import numpy as np

from arfc.shapes import Array, Float, Float32, Float64, Int64

RESAMPLES = 1_000
PERCENTILES = (2.5, 97.5)
"""The interval holds 95 % of the resampled means."""


def interval(
    scores_Q: Float[Array, " Q"], *, draws_Q: Int64[Array, " Q"] | None = None, seed: int = 0
) -> dict[str, float]:
    """Return the mean as `score`, and its 95 % bootstrap interval over the queries as `low` and `high`.

    Queries that were drawn together, such as the captions of one image, have one number in `draws_Q` and are drawn
    together again: taken one by one they would tell less than they seem to. Without it each is a draw of its own.

    Source: percentile bootstrap (Efron, 1979), of clusters where there are any (Davison and Hinkley, 1997, section
    3.8), 1,000 resamples. The same seed and number of draws give the same resamples, so that differences of two methods
    are paired.
    """
    low, high = np.percentile(_resampled_means(scores_Q, draws_Q, seed), PERCENTILES)
    return {"score": float(scores_Q.mean()), "low": float(low), "high": float(high)}


def interval_and_retention(
    scores_Q: Float[Array, " Q"],
    uncompressed_Q: Float[Array, " Q"],
    *,
    draws_Q: Int64[Array, " Q"] | None = None,
    seed: int = 0,
) -> dict[str, float | None]:
    """Return what `interval` does, and `retention`, `retention_low`, `retention_high`.

    Retention is the score divided by that of the uncompressed vectors. Its interval is paired: a resample draws the
    same queries for both; those in which the uncompressed score is zero have no share and are left out. All three are
    None where that score itself is zero.
    """
    cell: dict[str, float | None] = {**interval(scores_Q, draws_Q=draws_Q, seed=seed)}
    if uncompressed_Q.mean() <= 0:
        return cell | dict.fromkeys(("retention", "retention_low", "retention_high"))
    whole_R = _resampled_means(uncompressed_Q, draws_Q, seed)
    some_R = whole_R > 0
    low, high = np.percentile(_resampled_means(scores_Q, draws_Q, seed)[some_R] / whole_R[some_R], PERCENTILES)
    retention = float(scores_Q.mean() / uncompressed_Q.mean())
    return cell | {"retention": retention, "retention_low": float(low), "retention_high": float(high)}


def _resampled_means(
    scores_Q: Float[Array, " Q"], draws_Q: Int64[Array, " Q"] | None, seed: int
) -> Float64[Array, " R"]:
    sums_G, counts_G = scores_Q.astype(np.float32), np.ones(len(scores_Q), np.float32)
    if draws_Q is not None:
        group_Q = np.unique(draws_Q, return_inverse=True)[1]
        sums_G = np.bincount(group_Q, weights=scores_Q).astype(np.float32)
        counts_G = np.bincount(group_Q).astype(np.float32)
    weights_RG = _resamples(len(sums_G), seed)
    means_R: Float64[Array, " R"] = (weights_RG @ sums_G).astype(np.float64) / (weights_RG @ counts_G)
    return means_R


@lru_cache(maxsize=4)
def _resamples(n_draws: int, seed: int) -> Float32[Array, "R {n_draws}"]:
    """Return how often each draw is drawn in each resample."""
    drawn_RG = np.random.default_rng(seed).integers(n_draws, size=(RESAMPLES, n_draws), dtype=np.int32)
    weights_RG: Float32[Array, "R G"] = np.stack([np.bincount(row_G, minlength=n_draws) for row_G in drawn_RG])
    return weights_RG.astype(np.float32)
