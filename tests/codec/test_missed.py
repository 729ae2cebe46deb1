"""What tokens missed, with a length: near rows of little length stay apart, and what is damaged is refused."""

import numpy as np
import pytest

from arfc.codec.missed import LENGTHS, Missed
from arfc.errors import ModelFileError

WIDTH = 24


def fitted(rows, *, with_length):
    emphasis = [np.ones(rows.shape[1], np.float32)] * rows.shape[1]
    rng = np.random.default_rng(0)
    return Missed.fit(rows, unseen_HK=rows[::3], with_length=with_length, emphasis=emphasis, rng=rng)


@pytest.fixture(scope="module")
def rows():
    """Half of them a hundred times as long as the others."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3000, WIDTH)) * np.linspace(1.5, 0.5, WIDTH)
    return (x * np.where(np.arange(3000) % 2, 1.0, 0.01)[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def missed(rows):
    return fitted(rows[:2000], with_length=True)


def test_short_rows_are_as_near_as_long_ones(rows, missed):
    plain = fitted(rows[:2000], with_length=False)
    assert (plain.length_bytes, missed.length_bytes, missed.largest_bytes) == (0, 1, 1 + WIDTH)
    new = rows[2000:]
    for size in (13, 20):
        share = {}
        for name, one in (("plain", plain), ("length", missed)):
            back = one.decode(one.encode(new, bytes_per_vector=size))
            share[name] = np.square(back - new).sum(1) / np.square(new).sum(1)
        assert np.median(share["length"][::2]) < 1.2 * np.median(share["length"][1::2]) < 1
        assert np.median(share["plain"][::2]) > 2.5 * np.median(share["length"][::2])
        assert np.median(share["length"][1::2]) < 1.5 * np.median(share["plain"][1::2])  # the byte is no longer theirs


def test_a_length_is_named_within_the_ratio_of_its_steps(rows, missed):
    new = rows[2000:]
    named = missed.factors(missed.encode(new, bytes_per_vector=4))
    step = missed.lengths[1] / missed.lengths[0]
    inside = np.clip(np.linalg.norm(new, axis=1), missed.lengths[0], missed.lengths[-1])
    assert (np.abs(np.log(named / inside)) <= 0.51 * np.log(step)).all()


def test_rows_that_miss_nothing_have_no_length():
    nothing = fitted(np.zeros((2000, 3), np.float32), with_length=True)
    assert nothing.length_bytes == 0
    some = fitted(np.eye(3, dtype=np.float32)[[0, 1] * 1000], with_length=True)
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
def test_lengths_that_cannot_be_are_refused(missed, wrong, match):
    with pytest.raises(ModelFileError, match=match):
        Missed.from_arrays(missed.to_arrays() | {"lengths": wrong}, width=WIDTH)


def test_no_lengths_are_none(missed, rows):
    plain = Missed.from_arrays(missed.to_arrays() | {"lengths": np.empty(0, np.float32)}, width=WIDTH)
    packed = plain.encode(rows[:5], bytes_per_vector=4)
    np.testing.assert_array_equal(plain.factors(packed), np.ones(5))
    np.testing.assert_array_equal(plain.decode(packed), plain.narrow.decode(packed))
