"""The interval covers the mean, shrinks with the queries, and retention is paired."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from arfc.evaluate.intervals import interval, interval_and_retention


def test_an_interval_equals_a_trusted_one(rng):
    scores = rng.random(300) ** 2
    expected = bootstrap(
        (scores,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = interval(scores)
    assert found["score"] == pytest.approx(scores.mean())
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=4e-3)


def test_an_interval_covers_its_mean_and_shrinks_with_the_root_of_the_queries(rng):
    widths = []
    for queries in (100, 400, 1600):
        found = interval((rng.random(queries) < 0.4).astype(float))
        assert found["low"] < found["score"] < found["high"]
        widths.append(found["high"] - found["low"])
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.25)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.25)


def test_the_truth_lies_in_95_of_100_intervals(rng):
    found = [interval((rng.random(200) < 0.3).astype(float), seed=seed) for seed in range(200)]
    assert 0.9 <= np.mean([one["low"] <= 0.3 <= one["high"] for one in found]) <= 0.99


def test_what_loses_nothing_keeps_exactly_all(rng):
    scores = rng.random(77)
    kept = interval_and_retention(scores, scores.copy())
    assert (kept["retention"], kept["retention_low"], kept["retention_high"]) == (1.0, 1.0, 1.0)


def test_retention_is_paired(rng):
    whole = rng.random(200)
    kept = interval_and_retention(0.9 * whole, whole)
    assert kept["retention"] == pytest.approx(0.9)
    # Each query keeps the same share, so no draw of queries changes it, although the score itself is uncertain.
    assert kept["retention_high"] - kept["retention_low"] < 1e-6 < kept["high"] - kept["low"]
    shuffled = interval_and_retention(0.9 * rng.permutation(whole), whole)
    assert shuffled["retention_high"] - shuffled["retention_low"] > 0.05


def test_retention_of_a_score_that_was_zero_is_none():
    kept = interval_and_retention(np.ones(20), np.zeros(20))
    assert kept == {"score": 1, "low": 1, "high": 1, "retention": None, "retention_low": None, "retention_high": None}
    rare = np.zeros(20)
    rare[0] = 1  # some resamples have no such query, and no share
    kept = interval_and_retention(np.ones(20), rare)
    assert kept["retention"] == 20 and 3 < kept["retention_low"] <= kept["retention_high"] == 20
    assert interval_and_retention(rare, rare)["retention_low"] == 1


def test_the_seed_decides(rng):
    scores = rng.random(50)
    assert interval(scores, seed=1) == interval(scores, seed=1) != interval(scores, seed=2)


def test_queries_that_were_drawn_together_count_once(rng):
    """Five equal answers to one question are one answer."""
    alone = rng.random(200)
    together, draws = np.repeat(alone, 5), np.repeat(np.arange(200), 5)
    order = rng.permutation(1000)
    assert interval(together[order], draws_Q=draws[order]) == pytest.approx(interval(alone), abs=1e-6)
    narrow = interval(together)
    assert narrow["high"] - narrow["low"] < 0.6 * (interval(alone)["high"] - interval(alone)["low"])
    kept = interval_and_retention(0.5 * together, together, draws_Q=draws)
    assert (kept["retention_low"], kept["retention_high"]) == pytest.approx((0.5, 0.5))


def test_draws_of_one_query_each_are_none(rng):
    scores = rng.random(80)
    assert interval(scores, draws_Q=np.arange(80) + 7) == pytest.approx(interval(scores), abs=1e-7)


def test_draws_may_differ_in_size(rng):
    sizes = rng.integers(1, 9, size=300)
    draws = np.repeat(np.arange(300), sizes)
    scores = np.repeat(rng.random(300), sizes)
    found = interval(scores, draws_Q=draws)
    means = []
    for _ in range(4000):
        picked = rng.integers(300, size=300)
        sums, counts = np.bincount(draws, scores)[picked].sum(), sizes[picked].sum()
        means.append(sums / counts)
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))), abs=5e-3)
