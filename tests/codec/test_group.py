"""A group's costs are squared errors; its searches find what a slow one finds, and never make a sum worse."""

import numpy as np
import pytest

from arfc.codec.group import Group

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
    best = group.best_paths(group.alone(values), 16**2)[:, :1]
    every = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), axis=-1).reshape(1, -1, 3)
    lowest = np.array([errors(codebooks, row[None], every).min() for row in values])
    np.testing.assert_allclose(errors(codebooks, values, best)[:, 0], lowest, rtol=1e-5)


def test_paths_come_cheapest_first_and_no_two_are_alike(codebooks, values):
    group = Group(codebooks)
    paths = group.best_paths(group.alone(values), 5)
    assert (np.diff(errors(codebooks, values, paths), axis=1) > -1e-4).all()
    assert all(len(np.unique(of_row, axis=0)) == 5 for of_row in paths)


def test_choosing_anew_never_costs_more_and_leaves_what_it_was_given(codebooks, values):
    group = Group(codebooks)
    alone = group.alone(values)
    before = group.best_paths(alone, 1)
    kept = before.copy()
    after = group.choose_anew(alone, before[:, 0])[:, None]
    np.testing.assert_array_equal(before, kept)
    assert (errors(codebooks, values, after) <= errors(codebooks, values, before) + 1e-4).all()
    assert (errors(codebooks, values, after) < errors(codebooks, values, before) - 1e-3).any()
