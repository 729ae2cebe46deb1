"""The KLT front is the uncentred eigenbasis of the data."""

import numpy as np
import pytest
import torch

from arfc.model.klt import Klt


def unit(x):
    return torch.nn.functional.normalize(torch.as_tensor(np.asarray(x), dtype=torch.float32), dim=1)


def fitted(rows, *, block_rows=64):
    klt = Klt(rows.shape[1])
    klt.fit(rows.split(block_rows))
    return klt


def test_starts_as_the_identity():
    klt = Klt(5)
    assert torch.equal(klt.basis, torch.eye(5))
    assert torch.equal(klt.energy, torch.full((5,), 0.2))


def test_basis_and_energy_are_those_of_the_second_moment(vectors):
    rows = unit(vectors)
    klt = fitted(rows)
    exact = rows.double().numpy()
    energy, basis = np.linalg.eigh(exact.T @ exact / len(exact))
    np.testing.assert_allclose(klt.energy, energy[::-1], atol=1e-6)
    np.testing.assert_allclose(np.abs(basis[:, ::-1].T @ klt.basis.double().numpy()), np.eye(24), atol=1e-4)
    assert (klt.energy[:-1] >= klt.energy[1:]).all()
    assert float(klt.energy.sum()) == pytest.approx(1, abs=1e-6)


def test_a_prefix_loses_the_energy_of_the_other_directions(vectors):
    rows = unit(vectors)
    klt = fitted(rows)
    for kept in (1, 5, 23):
        prefix = rows @ klt.basis[:, :kept]
        lost = (rows - prefix @ klt.basis[:, :kept].T).square().sum(1).mean()
        assert float(lost) == pytest.approx(float(klt.energy[kept:].sum()), abs=1e-6)


def test_no_mean_is_taken_away(rng):
    common = np.eye(12)[7]
    rows = unit(common * 3 + rng.standard_normal((300, 12)))
    klt = fitted(rows)
    assert float(klt.basis[7, 0]) > 0.98  # a centred basis would have no such direction
    np.testing.assert_allclose(klt.energy[0], (rows @ klt.basis[:, 0]).square().mean(), rtol=1e-5)


def test_signs_are_fixed_and_a_fit_repeats_bitwise(vectors):
    one, other = fitted(unit(vectors)), fitted(unit(vectors))
    assert torch.equal(one.basis, other.basis)
    assert torch.equal(one.energy, other.energy)
    peaks = one.basis.gather(0, one.basis.abs().argmax(0, keepdim=True))
    assert (peaks > 0).all()


@pytest.mark.parametrize("block_rows", [1, 7, 200])
def test_blocks_do_not_matter(vectors, block_rows):
    whole, parts = fitted(unit(vectors), block_rows=200), fitted(unit(vectors), block_rows=block_rows)
    np.testing.assert_allclose(whole.basis, parts.basis, atol=1e-5)


def test_fewer_rows_than_dims_still_give_a_whole_basis(rng):
    klt = fitted(unit(rng.standard_normal((10, 30))))
    np.testing.assert_allclose(klt.basis.T @ klt.basis, np.eye(30), atol=1e-5)
    assert (klt.energy >= 0).all()
    np.testing.assert_allclose(klt.energy[10:], 0, atol=1e-7)
