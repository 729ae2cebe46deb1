"""Codebooks that are learned together: less error, short sums kept good, repeatable, and in time."""

import numpy as np
import pytest

from arfc.codec.local_search import _fitted, best_sums, learn_codebooks, learn_from_draws, residual_codebooks


@pytest.fixture(scope="module")
def start(sums):
    return residual_codebooks(sums[:4000], tokens=3, rng=np.random.default_rng(0))


def learn(start, sums, **options):
    return learn_codebooks(
        start, sums[:4000], **({"rounds": 8, "ridge": 3.0, "rng": np.random.default_rng(0)} | options)
    )


def missed(codebooks, rows, first):
    picked = best_sums(codebooks, rows)
    return np.square(rows - sum(codebooks[token][picked[:, token]] for token in range(first))).sum(axis=1).mean()


def test_each_codebook_of_the_start_brings_less_error(start, sums):
    errors = [missed(start, sums, first) for first in range(1, 4)]
    assert all(after < before for before, after in zip(errors, errors[1:], strict=False))


def test_learning_together_lowers_the_error_of_unseen_rows(start, sums):
    learned = learn(start, sums)
    assert missed(learned, sums[4000:], 3) < missed(start, sums[4000:], 3) / 2


def test_the_same_seed_gives_the_same_codebooks(start, sums):
    np.testing.assert_array_equal(learn(start, sums), learn(start, sums))
    assert not np.array_equal(learn(start, sums), learn(start, sums, rng=np.random.default_rng(1)))


def test_the_start_is_left_as_it_was(start, sums):
    before = start.copy()
    learn(start, sums, rounds=1)
    np.testing.assert_array_equal(start, before)


def test_time_that_runs_out_leaves_fewer_rounds(start, sums):
    heard = []

    def pace(done):
        heard.append(done)
        return 3 * done

    learn(start, sums, rounds=9, pace=pace)
    assert heard == [1 / 9, 2 / 9, 3 / 9]


def test_new_rows_in_each_round_lower_the_error_of_others_too(start, sums):
    parts = iter(np.split(sums[:4000], 4) * 2)
    learned = learn_from_draws(start, lambda: next(parts), rounds=8, ridge=3.0, remembered=0.0)
    assert missed(learned, sums[4000:], 3) < 0.7 * missed(start, sums[4000:], 3)
    assert next(parts, None) is None


def test_earlier_draws_have_a_say(start, sums):
    """From draws of few rows codewords are better if earlier ones are remembered; forgotten, the last alone counts."""

    def learned(remembered):
        parts = iter(np.split(sums[:4000], 8))
        return learn_from_draws(start, lambda: next(parts), rounds=8, ridge=1.0, remembered=remembered)

    assert missed(learned(0.9), sums[4000:], 3) < 0.8 * missed(learned(0.0), sums[4000:], 3)


def test_draws_stop_with_the_time(start, sums):
    drawn = []

    def draw():
        drawn.append(1)
        return sums[:1000]

    learn_from_draws(start, draw, rounds=9, ridge=3.0, pace=lambda done: 3 * done)
    assert len(drawn) == 3


@pytest.mark.parametrize("weights", [(0.0, 0.0, 1.0), (0.3, 0.2, 1.0)])
def test_passes_of_the_fit_lead_to_the_least_squares_of_all_sums(sums, weights):
    rows, tokens, codewords, ridge = sums[:1500, :20], 3, 8, 0.5
    picked = np.random.default_rng(2).integers(codewords, size=(len(rows), tokens))
    fitted = np.zeros((tokens, codewords, rows.shape[1]), np.float32)
    for _ in range(30):
        fitted = _fitted(fitted, rows, picked, np.float32(weights), ridge=ridge)
    # The slow way: one row per row, prefix and weight, and `ridge` rows at zero for each codeword.
    design, target = [np.sqrt(ridge) * np.eye(tokens * codewords)], [np.zeros((tokens * codewords, rows.shape[1]))]
    for first, weight in enumerate(weights, start=1):
        ones = np.zeros((len(rows), tokens * codewords))
        for token in range(first):
            ones[np.arange(len(rows)), token * codewords + picked[:, token]] = 1
        design.append(np.sqrt(weight) * ones)
        target.append(np.sqrt(weight) * rows)
    expected = np.linalg.lstsq(np.concatenate(design), np.concatenate(target), rcond=None)[0]
    expected = expected.reshape(fitted.shape)
    # Sums alone: to add a vector to one codebook and take it from another changes nothing.
    sums = [codebooks[np.arange(tokens), picked].sum(axis=1) for codebooks in (fitted, expected)]
    np.testing.assert_allclose(*sums, atol=5e-3)
