"""One dim's quantiser: every split is the best one, depths nest, and odd samples are safe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arfc.codec.tree import depth_cells, depth_thresholds, grow_tree


def quantise(values, tree, *, bits, max_bits):
    """Return the reconstruction of each value at this depth, found one value at a time."""
    borders = tree.thresholds[depth_thresholds(bits, max_bits=max_bits)]
    cells = tree.centroids[depth_cells(bits)]
    return np.array([cells[sum(value >= border for border in borders)] for value in values])


def lloyd_max_error(values, bits, rounds=200):
    """Return the mean squared error of a plain, not nested, Lloyd-Max quantiser."""
    levels = np.quantile(values, (np.arange(2**bits) + 0.5) / 2**bits)
    for _ in range(rounds):
        nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
        levels = np.bincount(nearest, weights=values) / np.bincount(nearest)
    return np.mean((values - levels[nearest]) ** 2)


def slow_best_error(values):
    """Return the smallest squared error that any split in two leaves."""
    ordered = np.sort(values)
    halves = [(ordered[:cut], ordered[cut:]) for cut in range(1, len(ordered))]
    return min(((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum() for a, b in halves)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_nesting_costs_little_against_plain_lloyd_max(rng, bits):
    values = rng.standard_normal(20_000).astype(np.float32)
    tree = grow_tree(values, max_bits=bits)
    nested = values.astype(float).var() - tree.gains.sum()
    assert nested <= 1.06 * lloyd_max_error(values.astype(float), bits)


def test_gains_are_the_drops_of_the_mean_squared_error(rng):
    values = rng.laplace(size=500).astype(np.float32)
    tree = grow_tree(values, max_bits=6)
    errors = [np.mean((values - quantise(values, tree, bits=bits, max_bits=6)) ** 2) for bits in range(7)]
    np.testing.assert_allclose(-np.diff(errors), tree.gains, rtol=1e-3)


@given(arrays(np.float32, st.integers(2, 30), elements=st.integers(-20, 20).map(float)))
def test_first_split_is_the_best_there_is(values):
    tree = grow_tree(values, max_bits=1)
    error = np.sum((values - quantise(values, tree, bits=1, max_bits=1)) ** 2)
    assert error == pytest.approx(slow_best_error(values), rel=1e-4, abs=1e-4)


@given(arrays(np.float32, st.integers(1, 40), elements=st.floats(-1, 1, width=32)), st.integers(1, 8))
def test_any_sample_gives_ascending_borders_and_finite_centroids(values, max_bits):
    tree = grow_tree(values, max_bits=max_bits)
    assert (tree.thresholds[1:] >= tree.thresholds[:-1]).all()
    assert np.isfinite(tree.centroids).all()
    assert (tree.gains >= 0).all()
    assert tree.centroids.min() >= values.min() - 1e-6
    assert tree.centroids.max() <= values.max() + 1e-6


def test_a_dim_with_fewer_values_than_cells_is_kept_exactly():
    values = np.array([-1, -1, 0.25, 0.25, 0.25, 3], dtype=np.float32)
    tree = grow_tree(values, max_bits=8)
    np.testing.assert_array_equal(quantise(values, tree, bits=8, max_bits=8), values)
    np.testing.assert_allclose(tree.gains[2:], 0, atol=1e-12)


def test_a_constant_dim_has_no_gain_and_one_value():
    tree = grow_tree(np.full(10, 0.1, dtype=np.float32), max_bits=3)
    np.testing.assert_array_equal(tree.gains, 0)
    np.testing.assert_array_equal(quantise([-1.0, 0.1, 2.0], tree, bits=3, max_bits=3), np.float32([0.1] * 3))


def test_neighbouring_floats_are_told_apart():
    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    tree = grow_tree(np.array([low, high]), max_bits=1)
    np.testing.assert_array_equal(quantise([low, high], tree, bits=1, max_bits=1), [low, high])
