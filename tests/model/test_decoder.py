"""The decoder starts as the best linear estimate."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arfc.model.decoder import Decoder, linear_estimator


def drawn(width, seed, rows=300):
    """Rows with correlated dims of very different size."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, width)) @ rng.standard_normal((width, width)) * np.linspace(1, 0.1, width)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@given(data=st.data(), width=st.integers(2, 12), seed=st.integers(0, 20))
def test_linear_estimator_is_the_least_squares_solution(data, width, seed):
    kept = data.draw(st.integers(1, width))
    rows = drawn(width, seed)
    covariance = torch.from_numpy(rows.T @ rows / len(rows))
    expected = np.linalg.lstsq(rows[:, :kept], rows, rcond=None)[0]
    estimate = rows[:, :kept] @ linear_estimator(covariance, kept).double().numpy()
    # The ridge costs next to nothing, and no estimate is better than the least squares one.
    best = np.square(rows - rows[:, :kept] @ expected).sum(1).mean()
    assert np.square(rows - estimate).sum(1).mean() == pytest.approx(best, abs=2e-5)


def test_linear_estimator_values():
    rows = drawn(6, 1)
    estimator = linear_estimator(torch.from_numpy(rows.T @ rows / len(rows)), 3)
    np.testing.assert_allclose(estimator, np.linalg.lstsq(rows[:, :3], rows, rcond=None)[0], atol=5e-4)


def test_dims_without_energy_do_no_harm():
    covariance = torch.diag(torch.tensor([1.0, 0.5, 0.0, 0.0]))
    np.testing.assert_allclose(linear_estimator(covariance, 3), np.eye(4)[:3] * [1, 1, 0, 0], atol=1e-5)


def test_starts_as_the_estimate():
    estimate, prefix = torch.randn(5, 8), torch.randn(5, 3)
    assert torch.equal(Decoder(8, 4)(estimate, prefix, torch.ones(8)), estimate)


def test_zeros_are_not_taken_for_missing_dims():
    torch.manual_seed(0)
    decoder = Decoder(8, 4)
    torch.nn.init.normal_(decoder.down.weight)
    estimate, prefix = torch.randn(5, 8), torch.randn(5, 3)
    longer = torch.nn.functional.pad(prefix, (0, 1))
    assert not torch.allclose(decoder(estimate, prefix, torch.ones(8)), decoder(estimate, longer, torch.ones(8)))


def test_correction_has_the_units_of_the_coordinates():
    torch.manual_seed(0)
    decoder = Decoder(8, 4)
    torch.nn.init.normal_(decoder.down.weight)
    estimate, prefix, scale = torch.zeros(5, 8), torch.randn(5, 3), torch.linspace(1, 3, 8)
    # Coordinates and scale ten times as large: the same picture, and so a correction ten times as large.
    larger = decoder(10 * estimate, 10 * prefix, 10 * scale)
    torch.testing.assert_close(larger, 10 * decoder(estimate, prefix, scale))
