"""A rotation keeps lengths, comes back, and its parts are what they say."""

import numpy as np
import pytest

from arfc.baselines.rotation import Rotation, random_basis, unit_moments
from arfc.errors import RowError, ShapeError
from arfc.io import open_features


@pytest.mark.parametrize("width", [24, 30, 37])
def test_a_rotation_comes_back(width, clustered):
    x = clustered(50, width)
    model = Rotation(basis=random_basis(width, seed=0))
    small = model.compress(x, dims=width)
    np.testing.assert_allclose(np.linalg.norm(small, axis=1), np.linalg.norm(x, axis=1), rtol=1e-5)
    np.testing.assert_allclose(model.decompress(small), x, atol=1e-4)
    np.testing.assert_allclose(model.rotate(x, dims=5), x @ model.basis[:, :5], atol=1e-4)


def test_moments_are_those_of_unit_rows(unit, clustered):
    x = clustered(9000, 24)  # more than one block
    mean, moment = unit_moments(open_features(x))
    np.testing.assert_allclose(mean, unit(x).mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(moment, unit(x).T @ unit(x) / 9000, atol=1e-7)


def test_moments_of_bad_rows_are_refused(vectors):
    vectors[3] = 0
    with pytest.raises(RowError, match="row 3"):
        unit_moments(open_features(vectors))


def test_random_bases_are_orthogonal_seeded_and_even():
    basis = random_basis(37, seed=1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(37), atol=1e-6)
    np.testing.assert_array_equal(basis, random_basis(37, seed=1))
    assert np.abs(basis - random_basis(37, seed=2)).max() > 0.1
    # Bare QR has a triangle of one sign: then the first entry would always be negative.
    first = [random_basis(3, seed=seed)[0, 0] for seed in range(200)]
    assert 0.35 < np.mean(np.array(first) > 0) < 0.65


def test_wider_vectors_do_not_decompress(vectors):
    model = Rotation(basis=random_basis(24, seed=0))
    with pytest.raises(ShapeError, match=r"shape \(N, 1..24\), got \(200, 48\)"):
        model.decompress(np.tile(vectors, 2))
