"""Eigenvectors come in one order, with one sign."""

import numpy as np

from arfc.codec.basis import eigenbasis


def test_eigenvectors_stand_strongest_first_and_point_one_way(rng):
    half = rng.standard_normal((30, 30))
    basis = eigenbasis(half @ half.T)
    turned = basis.T @ (half @ half.T) @ basis
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-3)
    assert (np.diff(np.diag(turned)) < 0).all()
    assert (basis[np.abs(basis).argmax(axis=0), np.arange(30)] > 0).all()
