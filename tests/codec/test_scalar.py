"""The nested code: prefixes, bytes, row independence, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.codec.scalar import ScalarCodec, order_bits
from arfc.errors import DtypeError, ModelFileError, RowError, ShapeError, SizeError


@pytest.fixture
def codec(vectors):
    return ScalarCodec.fit(vectors)


def tiny_codec():
    """Two dims of two bits; the first two bits of the stream are about dim 1, then come dim 0, dim 0."""
    return ScalarCodec.from_arrays(
        {
            "thresholds": np.float32([[-0.5, 0, 0.5], [0.2, 0.4, 0.6]]),
            "centroids": np.float32([[0, -0.5, 0.5, -0.75, -0.25, 0.25, 0.75], [0.4, 0.2, 0.6, 0.1, 0.3, 0.5, 0.7]]),
            "order": np.int32([1, 1, 0, 0]),
        }
    )


def slow_encode(codec, row, bytes_per_vector):
    """Walk down each dim's tree, one bit of the stream after another."""
    unit = (row.astype(np.float64) / np.linalg.norm(row.astype(np.float64))).astype(np.float32)
    low, width = [0] * codec.width, [codec.thresholds.shape[1] + 1] * codec.width
    bits = []
    for dim in codec.order[: 8 * bytes_per_vector]:
        width[dim] //= 2
        bit = unit[dim] >= codec.thresholds[dim, low[dim] + width[dim] - 1]
        low[dim] += int(bit) * width[dim]
        bits.append(bit)
    return np.packbits(bits)


def test_golden_bytes():
    rows = np.float32([[0.6, 0.8], [-0.6, 0.8], [1, 0], [-0.28, 0.96], [3, 4], [0.9539392, 0.3]])
    packed = tiny_codec().encode(rows, bytes_per_vector=1)
    # dim 1 in 2 bits, dim 0 in 2 bits, four zero bits
    assert [f"{byte:08b}" for byte in packed[:, 0]] == [
        "11110000",
        "11000000",
        "00110000",
        "11010000",
        "11110000",
        "01110000",
    ]


def test_golden_vectors():
    back = tiny_codec().decode(np.uint8([[0b11110000], [0b01000000], [0b00101111]]))
    expected = np.array([[0.75, 0.7], [-0.75, 0.3], [0.25, 0.1]])
    np.testing.assert_allclose(back, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-6)


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
    np.testing.assert_allclose(np.linalg.norm(codec.decode(packed), axis=1), 1, rtol=1e-5)


def test_pad_bits_are_zero(vectors):
    codec = ScalarCodec.fit(vectors[:, :5], max_bits=3)
    assert codec.largest_bytes == 2
    assert (codec.encode(vectors[:, :5], bytes_per_vector=2)[:, 1] & 1 == 0).all()


def test_each_further_byte_brings_the_vectors_nearer(codec, vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    longest = codec.encode(vectors, bytes_per_vector=codec.largest_bytes)
    errors = [np.mean((codec.decode(longest[:, :size]) - unit) ** 2) for size in range(1, codec.largest_bytes + 1)]
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


@pytest.mark.parametrize("length", [1e-30, 0.25, 1e30])
def test_the_length_of_a_row_does_not_matter(codec, vectors, length):
    scaled = (vectors.astype(np.float64) * length).astype(np.float32)
    agree = codec.encode(scaled, bytes_per_vector=8) == codec.encode(vectors, bytes_per_vector=8)
    assert agree.mean() > 0.999  # rounding of the input may move a value over a border


def test_fit_does_not_depend_on_the_length_or_order_of_rows(vectors, rng):
    base = ScalarCodec.fit(vectors)
    shuffled = ScalarCodec.fit(4 * vectors[rng.permutation(200)])
    for name, array in base.to_arrays().items():
        np.testing.assert_array_equal(shuffled.to_arrays()[name], array, err_msg=name)


def test_arrays_round_trip(codec, vectors):
    again = ScalarCodec.from_arrays({name: array.copy() for name, array in codec.to_arrays().items()})
    packed = codec.encode(vectors, bytes_per_vector=9)
    np.testing.assert_array_equal(again.encode(vectors, bytes_per_vector=9), packed)
    np.testing.assert_array_equal(again.decode(packed), codec.decode(packed))
    assert (again.width, again.max_bits, again.largest_bytes) == (24, 8, 24)


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
    codec = ScalarCodec.fit(np.float32([[1], [-1], [2], [-3]]))
    packed = codec.encode(np.float32([[0.5], [-7]]), bytes_per_vector=1)
    np.testing.assert_array_equal(codec.decode(packed), [[1], [-1]])


def test_one_row_is_enough_to_fit():
    codec = ScalarCodec.fit(np.float32([[3, 4]]))
    packed = codec.encode(np.float32([[1, 0]]), bytes_per_vector=2)
    np.testing.assert_allclose(codec.decode(packed), [[0.6, 0.8]], rtol=1e-6)


def test_fewer_rows_than_levels_are_kept_almost_exactly(rng):
    x = rng.standard_normal((5, 300)).astype(np.float32)
    codec = ScalarCodec.fit(x)
    back = codec.decode(codec.encode(x, bytes_per_vector=300))
    np.testing.assert_allclose(back, x / np.linalg.norm(x, axis=1, keepdims=True), atol=1e-6)


def test_a_code_without_direction_decodes_to_a_unit_vector():
    arrays = tiny_codec().to_arrays()
    codec = ScalarCodec.from_arrays({**arrays, "centroids": np.zeros((2, 7), np.float32)})
    np.testing.assert_array_equal(codec.decode(np.uint8([[0], [255]])), [[0, 1], [0, 1]])


def test_no_rows_give_no_codes(codec):
    packed = codec.encode(np.empty((0, 24), np.float32), bytes_per_vector=3)
    assert packed.shape == (0, 3)
    assert codec.decode(packed).shape == (0, 24)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_read_as_float32(codec, vectors, dtype):
    given = vectors.astype(dtype)
    np.testing.assert_array_equal(
        codec.encode(given, bytes_per_vector=6), codec.encode(given.astype(np.float32), bytes_per_vector=6)
    )


def test_bad_rows_are_named_by_their_number_in_the_whole_input(codec, vectors):
    many = np.tile(vectors, (12, 1))
    many[3] = 0
    many[2100, 5] = np.nan
    many[2300, 1] = np.inf
    with pytest.raises(RowError, match=r"got 1 row \(row 3\) without a direction"):
        codec.encode(many, bytes_per_vector=4)
    many[3] = 1
    with pytest.raises(RowError, match=r"got 2 rows \(rows 2100, 2300\)"):
        codec.encode(many, bytes_per_vector=4)
    with pytest.raises(RowError, match="without a direction"):
        ScalarCodec.fit(many)


def test_a_float64_beyond_float32_is_refused(codec, vectors):
    with pytest.raises(RowError, match="without a direction"):
        codec.encode(vectors.astype(np.float64) * 1e300, bytes_per_vector=4)


def test_encode_refuses_wrong_shapes_types_and_sizes(codec, vectors):
    with pytest.raises(ShapeError, match=r"shape \(N, 24\), got \(200, 23\)"):
        codec.encode(vectors[:, 1:], bytes_per_vector=4)
    with pytest.raises(ShapeError, match=r"got \(24,\)"):
        codec.encode(vectors[0], bytes_per_vector=4)
    with pytest.raises(DtypeError, match="got int64"):
        codec.encode(vectors.astype(np.int64), bytes_per_vector=4)
    for size in (0, 25, True):
        with pytest.raises(SizeError, match="bytes must be"):
            codec.encode(vectors, bytes_per_vector=size)


def test_decode_refuses_what_is_no_code(codec, vectors):
    with pytest.raises(DtypeError, match="codes must be uint8, got float32"):
        codec.decode(vectors)
    with pytest.raises(ShapeError, match=r"got \(4,\)"):
        codec.decode(np.zeros(4, np.uint8))
    for size in (0, 25):
        with pytest.raises(SizeError, match=f"between 1 and 24, got {size}"):
            codec.decode(np.zeros((2, size), np.uint8))


def test_fit_refuses_what_it_cannot_use(vectors):
    with pytest.raises(RowError, match="at least 1 row to fit a codec, got 0"):
        ScalarCodec.fit(vectors[:0])
    with pytest.raises(ShapeError, match=r"shape \(N, K\), got \(200, 0\)"):
        ScalarCodec.fit(vectors[:, :0])
    for max_bits in (0, 9):
        with pytest.raises(SizeError, match=f"max_bits must lie in 1..8, got {max_bits}"):
            ScalarCodec.fit(vectors, max_bits=max_bits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": None}, r"\['order'\] is missing"),
        ({"order": np.int32([1, 1, 0])}, "must have shapes"),
        ({"thresholds": np.zeros((2, 4), np.float32)}, "must have shapes"),
        ({"centroids": np.zeros((2, 6), np.float32)}, "must have shapes"),
        ({"order": np.int64([1, 1, 0, 0])}, "got float32, float32, int64"),
        ({"order": np.int32([1, 1, 1, 0])}, "must name each of 2 dims 2 times"),
        ({"order": np.int32([1, 1, 0, 2**31 - 1])}, "must name each of 2 dims 2 times"),
        ({"order": np.int32([1, 1, 0, -1])}, "must name each of 2 dims 2 times"),
        ({"thresholds": np.float32([[0, -1, 1], [0, 1, 2]])}, "must ascend"),
        ({"thresholds": np.float32([[0, np.nan, 1], [0, 1, 2]])}, "must ascend"),
        ({"centroids": np.full((2, 7), np.inf, np.float32)}, "must be finite"),
    ],
)
def test_damaged_arrays_are_refused(change, message):
    arrays = {name: array for name, array in (tiny_codec().to_arrays() | change).items() if array is not None}
    with pytest.raises(ModelFileError, match=message):
        ScalarCodec.from_arrays(arrays)
