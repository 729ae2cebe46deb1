"""Fewer rows than dims: codes reach what others have outside of their span."""

import numpy as np
import pytest

from arfc.codec import ClassicCodec, NestedCodec
from arfc.codec.outside import energy_outside, with_outside


def made(rows, seed, width=160):
    """Half of the energy in ten dims, half in all."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, width)) + 4 * rng.standard_normal((rows, 10)) @ np.eye(10, width)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_the_energy_outside_is_that_of_new_rows():
    seen, new = made(100, 1), made(300, 2)
    span = np.linalg.qr(seen.T.astype(np.float64)).Q
    outside = 1 - np.square(new @ span).sum(axis=1)
    assert outside.mean() < energy_outside(seen, np.random.default_rng(0)) < 1.5 * outside.mean()


def test_rows_that_span_others_leave_none_outside():
    assert energy_outside(np.eye(8, dtype=np.float32)[[0, 1] * 20], np.random.default_rng(0)) < 1e-12
    assert energy_outside(np.ones((1, 5), np.float32), np.random.default_rng(0)) == 0


def test_noise_stands_where_rows_have_nothing():
    rows = np.pad(np.ones((2000, 3), np.float32), ((0, 0), (0, 5)))
    filled = with_outside(rows, spanned=3, energy=0.2, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(filled[:, :3], rows[:, :3])
    assert np.square(filled[:, 3:]).sum(axis=1).mean() == pytest.approx(0.2, rel=0.05)
    assert not rows[:, 3:].any()


@pytest.mark.parametrize("rows", [10, 40, 120])
def test_long_codes_of_new_rows_reach_them(rows):
    new, sample = made(400, 3), made(rows, 4)
    own, classic = (
        np.square(codec.decode(codec.encode(new, bytes_per_vector=160)) - new).sum(axis=1).mean()
        for codec in (NestedCodec.fit(sample), ClassicCodec.fit(sample))
    )
    assert own < 0.1 * classic
