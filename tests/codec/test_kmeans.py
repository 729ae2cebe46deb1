"""Codebooks: means of clusters, grown from the first dims to all."""

import numpy as np
import pytest

from arfc.codec.kmeans import CODEWORDS, assign, grow_codebook


def error(rows, codebook):
    return np.square(rows - codebook[assign(rows, codebook)]).sum(axis=1).mean()


def test_each_row_goes_to_its_nearest_codeword(rng):
    rows, means = (rng.standard_normal((count, 9)).astype(np.float32) for count in (300, CODEWORDS))
    distances = np.square(rows[:, None] - means).sum(axis=2)
    np.testing.assert_array_equal(assign(rows, means), distances.argmin(axis=1))


def test_far_clusters_are_found(rng):
    points = 10 * rng.standard_normal((CODEWORDS, 16)).astype(np.float32)
    rows = (np.repeat(points, 8, axis=0) + 0.01 * rng.standard_normal((8 * CODEWORDS, 16))).astype(np.float32)
    codebook = grow_codebook(rows, np.random.default_rng(0))
    within = np.square(rows - np.repeat(points, 8, axis=0)).sum(axis=1).mean()
    assert np.median(np.square(rows - codebook[assign(rows, codebook)]).sum(axis=1)) < 4 * within


def test_growing_beats_random_rows(rng):
    rows = (rng.standard_normal((3000, 40)) * np.linspace(2, 0.1, 40)).astype(np.float32)
    random = rows[rng.choice(3000, size=CODEWORDS, replace=False)]
    assert error(rows, grow_codebook(rows, np.random.default_rng(0))) < 0.8 * error(rows, random)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 100])
def test_any_width(width, rng):
    rows = rng.standard_normal((400, width)).astype(np.float32)
    codebook = grow_codebook(rows, np.random.default_rng(0))
    assert codebook.shape == (CODEWORDS, width) and codebook.dtype == np.float32 and np.isfinite(codebook).all()


def test_fewer_distinct_rows_than_codewords(rng):
    rows = np.repeat(rng.standard_normal((5, 12)), 100, axis=0).astype(np.float32)
    codebook = grow_codebook(rows, np.random.default_rng(0))
    assert np.isfinite(codebook).all() and error(rows, codebook) < 1e-3


def test_a_codebook_repeats_under_its_seed(rng):
    rows = rng.standard_normal((600, 10)).astype(np.float32)
    one, again, other = (grow_codebook(rows, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
