"""A score with the interval that its queries leave open, and what is kept of the score before compression."""
# Q queries, R resamples

from __future__ import annotations

from functools import lru_cache

import numpy as np

from arfc.shapes import Array, Float, Float32, Float64

RESAMPLES = 1_000
PERCENTILES = (2.5, 97.5)
"""The interval holds 95 % of the resampled means."""


def interval(scores_Q: Float[Array, " Q"], *, seed: int = 0) -> dict[str, float]:
    """Return the mean as `score`, and its 95 % bootstrap interval over the queries as `low` and `high`.

    Source: percentile bootstrap (Efron, 1979), 1,000 resamples. The same seed and number of queries give the same
    resamples, so that differences of two methods are paired.
    """
    low, high = np.percentile(_resampled_means(scores_Q, seed), PERCENTILES)
    return {"score": float(scores_Q.mean()), "low": float(low), "high": float(high)}


def interval_and_retention(
    scores_Q: Float[Array, " Q"], uncompressed_Q: Float[Array, " Q"], *, seed: int = 0
) -> dict[str, float | None]:
    """Return what `interval` does, and `retention`, `retention_low`, `retention_high`.

    Retention is the score divided by that of the uncompressed vectors. Its interval is paired: a resample draws the
    same queries for both. It is None where the uncompressed score, or that of a resample, is zero.
    """
    cell: dict[str, float | None] = {**interval(scores_Q, seed=seed)}
    whole_R = _resampled_means(uncompressed_Q, seed)
    if not (whole_R > 0).all():
        return cell | dict.fromkeys(("retention", "retention_low", "retention_high"))
    low, high = np.percentile(_resampled_means(scores_Q, seed) / whole_R, PERCENTILES)
    retention = float(scores_Q.mean() / uncompressed_Q.mean())
    return cell | {"retention": retention, "retention_low": float(low), "retention_high": float(high)}


def _resampled_means(scores_Q: Float[Array, " Q"], seed: int) -> Float64[Array, " R"]:
    weights_RQ = _resamples(len(scores_Q), seed)
    means_R: Float64[Array, " R"] = (weights_RQ @ scores_Q.astype(np.float32)).astype(np.float64) / len(scores_Q)
    return means_R


@lru_cache(maxsize=4)
def _resamples(n_queries: int, seed: int) -> Float32[Array, "R {n_queries}"]:
    """Return how often each query is drawn in each resample."""
    drawn_RQ = np.random.default_rng(seed).integers(n_queries, size=(RESAMPLES, n_queries), dtype=np.int32)
    weights_RQ: Float32[Array, "R Q"] = np.stack([np.bincount(row_Q, minlength=n_queries) for row_Q in drawn_RQ])
    return weights_RQ.astype(np.float32)
