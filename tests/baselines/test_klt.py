"""The KLT is the singular value decomposition of unit rows."""

import numpy as np

from arfc.baselines import Klt


def test_klt_finds_the_singular_vectors_of_unit_rows(vectors, unit):
    model = Klt.fit(vectors)
    right = np.linalg.svd(unit(vectors), full_matrices=False)[2].T
    np.testing.assert_allclose(np.abs(right.T @ model.basis), np.eye(24), atol=1e-5)
    peaks = model.basis[np.abs(model.basis).argmax(axis=0), np.arange(24)]
    assert (peaks > 0).all()


def test_klt_comes_back_at_full_width_and_nearest_below(vectors, unit):
    model = Klt.fit(vectors)
    np.testing.assert_allclose(model.decompress(model.compress(vectors, dims=24)), vectors, atol=1e-5)
    rows = unit(vectors)
    errors = [np.sum((rows - model.decompress(model.compress(rows, dims=dims))) ** 2) for dims in (4, 8, 16)]
    singular = np.linalg.svd(rows, compute_uv=False)
    np.testing.assert_allclose(errors, [np.sum(singular[dims:] ** 2) for dims in (4, 8, 16)], rtol=1e-4)
