"""A group's costs are squared errors; its searches find what a slow one finds, and never make a sum worse."""

import numpy as np
import pytest

from arfc.codec.group import Group, _cheapest

SHAPE = (3, 16, 6)


@pytest.fixture
def codebooks():
    return np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


@pytest.fixture
def values():
    return 2 * np.random.default_rng(1).standard_normal((40, SHAPE[2])).astype(np.float32)


def errors(codebooks, values, picked_nkT, weights=(0, 0, 1)):
    """Return half the weighted squared errors of the first 1, 2, 3 codewords' sums, (n, k)."""
    chosen = np.stack([codebook[picked_nkT[:, :, t]] for t, codebook in enumerate(codebooks)], axis=2)
    missed = values[:, None, None] - np.cumsum(chosen, axis=2, dtype=np.float64)
    return np.square(missed).sum(axis=3) @ np.asarray(weights) / 2


@pytest.mark.parametrize("weights", [None, (0.2, 0.5, 1.0)])
def test_each_token_is_the_best_beside_the_others(codebooks, values, weights):
    group = Group(codebooks, None if weights is None else np.float32(weights))
    picked = np.zeros((len(values), 3), np.intp)
    after = group.choose_anew(group.alone(values), picked)
    for token in range(3):
        others = np.repeat(picked[:, None], 16, axis=1)
        others[:, :, token] = np.arange(16)
        picked[:, token] = errors(codebooks, values, others, weights or (0, 0, 1)).argmin(axis=1)
    np.testing.assert_array_equal(after, picked)


def test_enough_paths_find_the_best_sum(codebooks, values):
    group = Group(codebooks)
    best = group.best_sum(group.alone(values), paths=16**2)[:, None]
    every = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), axis=-1).reshape(1, -1, 3)
    lowest = np.array([errors(codebooks, row[None], every).min() for row in values])
    np.testing.assert_allclose(errors(codebooks, values, best)[:, 0], lowest, rtol=1e-5)


def test_a_prefix_ends_in_the_cheapest_sum_of_the_paths_followed(codebooks, values):
    """One path is greedy; each further one may only be left for a cheaper sum."""
    group = Group(codebooks)
    greedy, missed = [], values.astype(np.float64)
    for codebook in codebooks:
        greedy.append(np.square(missed[:, None] - codebook).sum(axis=2).argmin(axis=1))
        missed = missed - codebook[greedy[-1]]
    one, five = (group.best_sum(group.alone(values), paths=paths) for paths in (1, 5))
    np.testing.assert_array_equal(one, np.stack(greedy, axis=1))
    gains = (errors(codebooks, values, one[:, None]) - errors(codebooks, values, five[:, None]))[:, 0]
    assert gains.mean() > 0.1 and (gains > 0).mean() > 0.3


def test_continuations_come_cheapest_first_and_no_two_are_alike(rng):
    cost = rng.standard_normal((40, 3, 16)).astype(np.float32)
    ordered = np.sort(cost.reshape(40, -1), axis=1)[:, :5]
    found, path, token = _cheapest(cost.copy(), 5)
    np.testing.assert_array_equal(found, ordered)
    np.testing.assert_array_equal(cost[np.arange(40)[:, None], path, token], ordered)


def test_choosing_anew_never_costs_more_and_leaves_what_it_was_given(codebooks, values):
    group = Group(codebooks)
    alone = group.alone(values)
    before = group.best_sum(alone, paths=1)
    kept = before.copy()
    after = group.choose_anew(alone, before)[:, None]
    np.testing.assert_array_equal(before, kept)
    before = before[:, None]
    assert (errors(codebooks, values, after) <= errors(codebooks, values, before) + 1e-4).all()
    assert (errors(codebooks, values, after) < errors(codebooks, values, before) - 1e-3).any()
