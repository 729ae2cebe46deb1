"""What codes measure rows in, and which rows they take: lengths, floats of any size, what has no direction."""

import numpy as np
import pytest

from arfc.codec import ClassicCodec, NestedCodec
from arfc.codec.frame import Frame
from arfc.errors import DtypeError, RowError, ShapeError, SizeError


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(7)
    return (rng.standard_normal((1200, 24)) * np.linspace(2, 0.2, 24) + 0.3).astype(np.float32)


@pytest.fixture(scope="module", params=[NestedCodec, ClassicCodec])
def codec(request, rows):
    return request.param.fit(rows)


def test_offsets_are_unit_rows_in_the_basis_less_their_mean(rows):
    frame, values, squares = Frame.fit(rows)
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(frame.offsets(rows), unit @ frame.basis - frame.mean, atol=1e-6)
    np.testing.assert_allclose(values, frame.offsets(rows), atol=1e-6)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(frame.vectors(values), unit, atol=1e-5)
    energy = np.square(unit @ frame.basis).mean(axis=0)
    np.testing.assert_allclose(squares, energy, rtol=1e-4)
    assert (np.diff(energy) <= 1e-9).all() and frame.width == 24


@pytest.mark.parametrize("length", [1e-30, 0.25, 1e30])
def test_the_length_of_a_row_does_not_matter(codec, rows, length):
    scaled = (rows.astype(np.float64) * length).astype(np.float32)
    agree = codec.encode(scaled, bytes_per_vector=8) == codec.encode(rows, bytes_per_vector=8)
    assert agree.mean() > 0.99  # rounding of the input may move a value over a border


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("kind", [NestedCodec, ClassicCodec])
def test_other_floats_are_read_as_float32(rows, dtype, kind):
    given = rows.astype(dtype)
    coded = kind.fit(given).encode(given, bytes_per_vector=6)
    same = given.astype(np.float32)
    np.testing.assert_array_equal(coded, kind.fit(same).encode(same, bytes_per_vector=6))


def test_the_order_in_memory_does_not_matter(codec, rows):
    packed = codec.encode(rows, bytes_per_vector=9)
    np.testing.assert_array_equal(codec.encode(np.asfortranarray(rows), bytes_per_vector=9), packed)


def test_no_rows_give_no_codes(codec):
    packed = codec.encode(np.empty((0, 24), np.float32), bytes_per_vector=12)
    assert packed.shape == (0, 12)
    assert codec.decode(packed).shape == (0, 24)


def test_rows_without_a_direction_are_named(codec, rows):
    many = np.tile(rows, (2, 1))
    many[2100, 5], many[2300, 1] = np.nan, np.inf
    with pytest.raises(RowError, match=r"got 2 rows \(rows 2100, 2300\) without a direction"):
        codec.encode(many, bytes_per_vector=4)
    with pytest.raises(RowError, match=r"got 1200 rows \(rows 0, 1, 2, .*\) without a direction"):
        codec.encode(rows.astype(np.float64) * 1e300, bytes_per_vector=4)


def test_encode_refuses_wrong_shapes_types_and_sizes(codec, rows):
    with pytest.raises(ShapeError, match=r"shape \(N, 24\), got \(1200, 23\)"):
        codec.encode(rows[:, 1:], bytes_per_vector=4)
    with pytest.raises(ShapeError, match=r"got \(24,\)"):
        codec.encode(rows[0], bytes_per_vector=4)
    with pytest.raises(DtypeError, match="got int64"):
        codec.encode(rows.astype(np.int64), bytes_per_vector=4)
    for size in (0, codec.largest_bytes + 1, True):
        with pytest.raises(SizeError, match="bytes must be"):
            codec.encode(rows, bytes_per_vector=size)


def test_decode_refuses_what_is_no_code(codec, rows):
    with pytest.raises(DtypeError, match="codes must be uint8, got float32"):
        codec.decode(rows)
    with pytest.raises(ShapeError, match=r"got \(4,\)"):
        codec.decode(np.zeros(4, np.uint8))
    for size in (0, codec.largest_bytes + 1):
        with pytest.raises(SizeError, match=f"between 1 and {codec.largest_bytes}, got {size}"):
            codec.decode(np.zeros((2, size), np.uint8))
