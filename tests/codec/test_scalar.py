"""Scalar levels: prefixes, bytes, row independence, where bits go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.codec.scalar import ScalarCodec, order_bits
from arfc.errors import SizeError


@pytest.fixture
def codec(vectors):
    return ScalarCodec.fit(vectors)


def tiny_codec():
    """Two dims of two bits; the first two bits of the stream are about dim 1, then come dim 0, dim 0."""
    return ScalarCodec(
        thresholds=np.float32([[-0.5, 0, 0.5], [0.2, 0.4, 0.6]]),
        centroids=np.float32([[0, -0.5, 0.5, -0.75, -0.25, 0.25, 0.75], [0.4, 0.2, 0.6, 0.1, 0.3, 0.5, 0.7]]),
        order=np.int32([1, 1, 0, 0]),
    )


def slow_encode(codec, row, bytes_per_vector):
    """Walk down each dim's tree, one bit of the stream after another."""
    low, width = [0] * codec.width, [codec.thresholds.shape[1] + 1] * codec.width
    bits = []
    for dim in codec.order[: 8 * bytes_per_vector]:
        width[dim] //= 2
        bit = row[dim] >= codec.thresholds[dim, low[dim] + width[dim] - 1]
        low[dim] += int(bit) * width[dim]
        bits.append(bit)
    return np.packbits(bits)


def test_golden_bytes():
    rows = np.float32([[0.6, 0.8], [-0.6, 0.8], [1, 0], [-0.28, 0.96], [0.6, 0.3]])
    packed = tiny_codec().encode(rows, bytes_per_vector=1)
    # dim 1 in 2 bits, dim 0 in 2 bits, four zero bits
    assert [f"{byte:08b}" for byte in packed[:, 0]] == [
        "11110000",
        "11000000",
        "00110000",
        "11010000",
        "01110000",
    ]


def test_golden_vectors():
    back = tiny_codec().decode(np.uint8([[0b11110000], [0b01000000], [0b00101111]]))
    np.testing.assert_allclose(back, [[0.75, 0.7], [-0.75, 0.3], [0.25, 0.1]], rtol=1e-6)


def test_codes_equal_a_walk_down_the_trees(codec, rng):
    rows = rng.standard_normal((20, 24)).astype(np.float32)
    for size in (1, 5, codec.largest_bytes):
        expected = np.stack([slow_encode(codec, row, size) for row in rows])
        np.testing.assert_array_equal(codec.encode(rows, bytes_per_vector=size), expected)


def test_every_short_code_is_the_beginning_of_the_longest(codec, vectors):
    longest = codec.encode(vectors, bytes_per_vector=codec.largest_bytes)
    for size in range(1, codec.largest_bytes + 1):
        np.testing.assert_array_equal(codec.encode(vectors, bytes_per_vector=size), longest[:, :size])


@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 12),
    max_bits=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_prefix_for_any_width_and_depth(rows, width, max_bits, seed, data):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, width)).astype(np.float32) + np.float32(0.01)
    codec = ScalarCodec.fit(x, max_bits=max_bits)
    assert codec.largest_bytes == -(-width * max_bits // 8)
    long = data.draw(st.integers(1, codec.largest_bytes))
    short = data.draw(st.integers(1, long))
    new = rng.standard_normal((7, width)).astype(np.float32) + np.float32(0.01)
    packed = codec.encode(new, bytes_per_vector=long)
    assert packed.shape == (7, long)
    np.testing.assert_array_equal(codec.encode(new, bytes_per_vector=short), packed[:, :short])


def test_pad_bits_are_zero(vectors):
    codec = ScalarCodec.fit(vectors[:, :5], max_bits=3)
    assert codec.largest_bytes == 2
    assert (codec.encode(vectors[:, :5], bytes_per_vector=2)[:, 1] & 1 == 0).all()


def test_each_further_byte_brings_the_vectors_nearer(codec, vectors):
    longest = codec.encode(vectors, bytes_per_vector=codec.largest_bytes)
    errors = [np.mean((codec.decode(longest[:, :size]) - vectors) ** 2) for size in range(1, codec.largest_bytes + 1)]
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] < 1e-4 * errors[0]


def test_a_row_is_coded_alone(codec, vectors):
    packed = codec.encode(np.tile(vectors, (25, 1)), bytes_per_vector=11)  # more rows than one block
    np.testing.assert_array_equal(packed, np.tile(packed[:200], (25, 1)))
    single = np.concatenate([codec.encode(vectors[i : i + 1], bytes_per_vector=11) for i in range(200)])
    np.testing.assert_array_equal(packed[:200], single)
    np.testing.assert_array_equal(codec.encode(np.asfortranarray(vectors), bytes_per_vector=11), single)
    decoded = codec.decode(packed)
    np.testing.assert_array_equal(decoded[:200], np.concatenate([codec.decode(row[None]) for row in single]))
    np.testing.assert_array_equal(decoded[2000:2200], decoded[:200])


def test_fit_does_not_depend_on_the_order_of_rows(vectors, rng):
    base, shuffled = ScalarCodec.fit(vectors), ScalarCodec.fit(vectors[rng.permutation(200)])
    for name in ("thresholds", "centroids", "order"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(base, name), err_msg=name)


def test_bits_go_where_the_error_is_largest(rng):
    x = rng.standard_normal((2000, 3)).astype(np.float32) * np.float32([1, 0.3, 0])
    codec = ScalarCodec.fit(x)
    assert codec.order[0] == 0
    assert (codec.order[-8:] == 2).all()  # the dim that never varies comes last


def test_order_takes_the_best_next_bit_and_the_lower_dim_if_equal():
    gains = np.array([[5.0, 1.0, 0.0], [5.0, 3.0, 1.0], [2.0, 4.0, 1.0]])
    assert order_bits([(9, gains)]).tolist() == [0, 1, 1, 2, 2, 0, 1, 2, 0]


def test_other_gains_may_count_for_the_first_bits():
    gains, early = np.array([[5.0, 1.0], [4.0, 3.0]]), np.array([[1.0, 1.0], [2.0, 0.5]])
    assert order_bits([(1, early), (4, gains)]).tolist() == [1, 0, 1, 0]
    assert order_bits([(3, early), (4, gains)]).tolist() == [1, 0, 0, 1]
    assert order_bits([(9, early), (4, gains)]).tolist() == [1, 0, 0, 1]  # there are no more than four


def test_one_dim_keeps_its_sign():
    codec = ScalarCodec.fit(np.float32([[1], [-1], [1], [-1]]))
    packed = codec.encode(np.float32([[0.5], [-7]]), bytes_per_vector=1)
    np.testing.assert_array_equal(codec.decode(packed), [[1], [-1]])


def test_one_row_is_enough_to_fit():
    codec = ScalarCodec.fit(np.float32([[3, 4]]))
    packed = codec.encode(np.float32([[1, 0]]), bytes_per_vector=2)
    np.testing.assert_allclose(codec.decode(packed), [[3, 4]], rtol=1e-6)


def test_fewer_rows_than_levels_are_kept_almost_exactly(rng):
    x = rng.standard_normal((5, 300)).astype(np.float32)
    codec = ScalarCodec.fit(x)
    back = codec.decode(codec.encode(x, bytes_per_vector=300))
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_no_rows_give_no_codes(codec):
    packed = codec.encode(np.empty((0, 24), np.float32), bytes_per_vector=3)
    assert packed.shape == (0, 3)
    assert codec.decode(packed).shape == (0, 24)


def test_fit_refuses_depths_that_a_byte_cannot_name(vectors):
    for max_bits in (0, 9):
        with pytest.raises(SizeError, match=f"max_bits must lie in 1..8, got {max_bits}"):
            ScalarCodec.fit(vectors, max_bits=max_bits)
