"""The linear map rotates the leading KLT dims and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arfc.model.linear import LinearMap, cayley, conditioned, rotated_dims


def matrix(size, seed, scale=1.0):
    return scale * torch.randn(size, size, generator=torch.Generator().manual_seed(seed))


@given(size=st.integers(1, 40), seed=st.integers(0, 99), scale=st.sampled_from([0.01, 1.0, 10.0]))
def test_cayley_gives_a_rotation(size, seed, scale):
    turned = cayley(matrix(size, seed, scale)).double()
    np.testing.assert_allclose(turned.T @ turned, np.eye(size), atol=2e-4)
    assert float(torch.linalg.det(turned)) == pytest.approx(1, abs=1e-3)


def test_cayley_equals_its_equation():
    half = matrix(6, 3).double().numpy()
    skew = (half - half.T) / 2
    expected = np.linalg.inv(np.eye(6) + skew) @ (np.eye(6) - skew)
    np.testing.assert_allclose(cayley(matrix(6, 3)), expected, atol=1e-6)


def test_cayley_of_zero_is_the_identity_and_can_be_left():
    coefficients = torch.zeros(4, 4, requires_grad=True)
    turned = cayley(coefficients)
    assert torch.equal(turned, torch.eye(4))
    turned[0, 1].backward()
    assert coefficients.grad[0, 1] == -coefficients.grad[1, 0] != 0


def test_small_singular_values_are_raised_and_no_others():
    steep = cayley(matrix(8, 1)) * torch.logspace(1, -4, 8) @ cayley(matrix(8, 2))
    before, after = (torch.linalg.svdvals(m) for m in (steep, conditioned(steep, most=100)))
    np.testing.assert_allclose(after, before.clamp_min(before[0] / 100), rtol=1e-4)
    torch.testing.assert_close(conditioned(steep, most=1e6), steep, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("width", "most", "expected"), [(384, 512, 192), (1537, 512, 512), (10, 512, 5), (3, 9, 1), (1, 9, 0)]
)
def test_half_of_the_dims_rotate(width, most, expected):
    assert rotated_dims(width, most) == expected


def test_set_block_leaves_the_tail_alone():
    linear = LinearMap(6)
    assert torch.equal(linear.weight, torch.eye(6))
    linear.set_block(matrix(4, 0))
    linear.set_block(matrix(2, 1))  # nothing of the first block stays
    expected = torch.eye(6)
    expected[:2, :2] = matrix(2, 1)
    assert torch.equal(linear.weight, expected)
