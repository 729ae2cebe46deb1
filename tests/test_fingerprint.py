"""Fingerprints recognise rows and their near copies, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc.fingerprint import NEAR_BITS, PLANES, SeenRows


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def drawn(rows, width=64, *, seed=0, common=0.0):
    return unit(np.random.default_rng(seed).standard_normal((rows, width)) + common)


@pytest.mark.parametrize("common", [0.0, 3.0])
def test_seen_rows_are_known_and_others_are_not(common):
    """With `common` every row has a cosine of 0.9 with every other."""
    x = drawn(2000, common=common)
    seen = SeenRows.of(x)
    assert seen.bits.shape == (2000, PLANES // 8) and seen.bits.dtype == np.uint8
    assert seen.contains(x).all()
    assert not seen.contains(drawn(1000, seed=1, common=common)).any()


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), common=st.sampled_from([0.0, 3.0]))
def test_float16_and_back(seed, common):
    x = drawn(400, seed=seed, common=common)
    back = unit(x.astype(np.float16).astype(np.float32))
    assert SeenRows.of(x).contains(back).mean() > 0.999


@pytest.mark.parametrize("common", [0.0, 3.0])
def test_near_copies(common):
    """Noise of half a percent of what tells rows apart."""
    x = drawn(1000, seed=2, common=common)
    spread = np.linalg.norm(x - x.mean(0), axis=1).mean()
    noise = np.random.default_rng(3).standard_normal(x.shape) * 0.005 * spread / 8
    assert SeenRows.of(x).contains(unit(x + noise)).mean() > 0.99


def test_rows_that_are_only_similar_are_not_seen():
    x = drawn(500)
    similar = unit(x + 0.5 * drawn(500, seed=1))  # cosine 0.89
    assert not SeenRows.of(x).contains(similar).any()


def test_equals_a_slow_search():
    x, asked = drawn(60), unit(drawn(200, seed=1) * 0.02 + drawn(60)[np.arange(200) % 60])
    seen = SeenRows.of(x)
    planes = np.random.default_rng(0).standard_normal((64, PLANES), dtype=np.float32)
    signs, others = (x - seen.mean) @ planes > 0, (asked - seen.mean) @ planes > 0
    expected = np.array([min((row != other).sum() for other in signs) <= NEAR_BITS for row in others])
    assert 0 < expected.sum() < 200
    for block_rows in (1, 8, 500):
        assert np.array_equal(seen.contains(asked, block_rows=block_rows), expected)


def test_fingerprints_repeat():
    one, other = SeenRows.of(drawn(50)), SeenRows.of(drawn(50))
    assert np.array_equal(one.bits, other.bits) and np.array_equal(one.mean, other.mean)
    np.testing.assert_allclose(one.mean, drawn(50).astype(np.float64).mean(0), atol=1e-7)


def test_no_rows_asked():
    assert SeenRows.of(drawn(5)).contains(drawn(5)[:0]).shape == (0,)
