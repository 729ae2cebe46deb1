"""Levels with a length: near rows of little length stay apart, and what is damaged is refused."""

import numpy as np
import pytest

from arfc.codec.levels import LENGTHS, Levels
from arfc.errors import ModelFileError

WIDTH = 24
ALIKE = np.ones(WIDTH, np.float32)


@pytest.fixture(scope="module")
def rows():
    """Half of them a hundred times as long as the others."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3000, WIDTH)) * np.linspace(1.5, 0.5, WIDTH)
    return (x * np.where(np.arange(3000) % 2, 1.0, 0.01)[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def levels(rows):
    return Levels.fit(rows[:2000], with_length=True, max_bits=8, emphasis_K=ALIKE)


def test_short_rows_are_as_near_as_long_ones(rows, levels):
    plain = Levels.fit(rows[:2000], with_length=False, max_bits=8, emphasis_K=ALIKE)
    assert (plain.length_bytes, levels.length_bytes, levels.largest_bytes) == (0, 1, 1 + WIDTH)
    new = rows[2000:]
    for size in (3, 7, 13):
        share = {}
        for name, one in (("plain", plain), ("length", levels)):
            back = one.decode(one.encode(new, bytes_per_vector=size))
            share[name] = np.square(back - new).sum(1) / np.square(new).sum(1)
        assert np.median(share["length"][::2]) < 1.2 * np.median(share["length"][1::2]) < 1
        assert np.median(share["plain"][::2]) > 5 * np.median(share["length"][::2])
        assert np.median(share["length"][1::2]) < 1.5 * np.median(share["plain"][1::2])  # the byte is no longer theirs


def test_a_length_is_named_within_the_ratio_of_its_steps(rows, levels):
    new = rows[2000:]
    named = levels.factors(levels.encode(new, bytes_per_vector=4))
    step = levels.lengths[1] / levels.lengths[0]
    inside = np.clip(np.linalg.norm(new, axis=1), levels.lengths[0], levels.lengths[-1])
    assert (np.abs(np.log(named / inside)) <= 0.51 * np.log(step)).all()


def test_rows_that_miss_nothing_have_no_length():
    nothing = Levels.fit(np.zeros((2000, 3), np.float32), with_length=True, max_bits=8, emphasis_K=ALIKE[:3])
    assert nothing.length_bytes == 0
    some = Levels.fit(np.eye(3, dtype=np.float32)[[0, 1] * 1000], with_length=True, max_bits=8, emphasis_K=ALIKE[:3])
    assert np.isfinite(some.decode(some.encode(np.zeros((2, 3), np.float32), bytes_per_vector=3))).all()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (np.ones(LENGTHS), "must be float32 of shape"),
        (np.ones(3, np.float32), "must be float32 of shape"),
        (np.zeros(LENGTHS, np.float32), "above 0 and ascending"),
        (np.full(LENGTHS, np.inf, np.float32), "must be finite"),
        (np.linspace(2, 1, LENGTHS, dtype=np.float32), "ascending"),
    ],
)
def test_lengths_that_cannot_be_are_refused(levels, wrong, match):
    with pytest.raises(ModelFileError, match=match):
        Levels.from_arrays(levels.to_arrays() | {"lengths": wrong})


def test_no_lengths_are_none(levels, rows):
    plain = Levels.from_arrays(levels.to_arrays() | {"lengths": np.empty(0, np.float32)})
    packed = plain.encode(rows[:5], bytes_per_vector=4)
    np.testing.assert_array_equal(plain.factors(packed), np.ones(5))
    np.testing.assert_array_equal(plain.decode(packed), plain.scalar.decode_values(packed))
