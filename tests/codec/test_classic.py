"""KLT + bits: prefixes, row independence, near the vectors, errors."""

import numpy as np
import pytest

from arfc.codec import ClassicCodec
from arfc.errors import DtypeError, RowError, ShapeError, SizeError


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((900, 20)) * np.linspace(2, 0.3, 20) + np.linspace(1, 0, 20)
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def codec(rows):
    return ClassicCodec.fit(rows[:700])


def test_short_codes_are_the_beginning_of_long_ones_and_a_row_s_alone(codec, rows):
    longest = codec.encode(rows, bytes_per_vector=codec.largest_bytes)
    assert longest.shape == (900, 20)
    for size in (1, 7, 19):
        np.testing.assert_array_equal(codec.encode(rows, bytes_per_vector=size), longest[:, :size])
    np.testing.assert_array_equal(codec.encode(rows[5:6], bytes_per_vector=20), longest[5:6])


def test_longer_codes_come_nearer_to_the_unit_vector(codec, rows):
    unit = rows[700:] / np.linalg.norm(rows[700:], axis=1, keepdims=True)
    errors = []
    for size in (1, 4, 10, 20):
        back = codec.decode(codec.encode(rows[700:], bytes_per_vector=size))
        np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-5)
        errors.append(np.square(back - unit).sum(axis=1).mean())
    assert (np.diff(errors) < 0).all() and errors[-1] < 1e-3


def test_the_first_bytes_spare_bits_for_more_dims_than_later_ones(rows):
    """Where no joint token stands before them, early errors weigh alike."""
    strong = rows * np.geomspace(4, 0.05, 20).astype(np.float32)
    codec = ClassicCodec.fit(strong)
    assert len(np.unique(codec.scalar.order[:64])) < 20 == len(np.unique(codec.scalar.order))


def test_what_is_no_row_or_code_is_refused(codec, rows):
    with pytest.raises(RowError, match="at least 1 row to fit a codec, got 0"):
        ClassicCodec.fit(rows[:0])
    with pytest.raises(ShapeError, match=r"\(N, 20\)"):
        codec.encode(rows[:, 1:], bytes_per_vector=4)
    with pytest.raises(SizeError, match="bytes must be between 1 and 20"):
        codec.encode(rows, bytes_per_vector=21)
    with pytest.raises(DtypeError, match="codes must be uint8"):
        codec.decode(rows)
