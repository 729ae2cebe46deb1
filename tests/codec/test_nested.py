"""The model's code: prefixes, bytes, row independence, better than the classic code, files, errors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc.codec import ClassicCodec, NestedCodec, nested
from arfc.codec.joint import ROUNDS
from arfc.errors import DtypeError, ModelFileError, RowError, ShapeError, SizeError

WIDTH = 40


def clustered(rng, rows, width=WIDTH):
    """Rows around 60 points of uneven strength: what joint codewords are good at."""
    points = np.random.default_rng(5).standard_normal((60, width)) * np.linspace(1.5, 0.3, width)
    return (points[rng.integers(60, size=rows)] + 0.3 * rng.standard_normal((rows, width))).astype(np.float32)


@pytest.fixture(scope="module")
def sample():
    return clustered(np.random.default_rng(1), 2400)


@pytest.fixture(scope="module")
def codec(sample):
    return NestedCodec.fit(sample)


@pytest.fixture(scope="module")
def others():
    return clustered(np.random.default_rng(2), 700)


def tiny_codec(lengths=(), power=1.0):
    """Two dims, swapped by the basis; one joint token with three codewords that matter; then two narrow tokens.

    Their codewords are a grid of 16 times 16 on -1 to 1, the first dim in the high half of the byte, in other units and
    with the dims the other way round for the second. With `lengths`, a byte before them names one.
    """
    steps = np.linspace(-1, 1, 16, dtype=np.float32)
    grid = np.stack([np.repeat(steps, 16), np.tile(steps, 16)], axis=1)
    codebook = np.full((256, 2), 9, np.float32)
    codebook[:3] = [[0.5, 0.5], [-0.5, 0.5], [0.25, 0.4]]
    return NestedCodec.from_arrays(
        {
            "basis": np.float32([[0, 1], [1, 0]]),
            "mean": np.float32([0, 0.25]),
            "power": np.float32([power]),
            "codebooks": codebook[None],
            "emphasis": np.float32([[2, 1], [1, 1]]),
            "lengths": np.float32(lengths),
            "narrow_dims": np.int32([[0, 1], [1, 0]]),
            "narrow_scale": np.float32([[0.6, 0.3], [0.045, 0.045]]),
            "narrow_emphasis": np.float32([[1, 1], [1, 2]]),
            "narrow_codebooks": grid[None],
        }
    )


def recall(asked, stored, truth_of):
    found = []
    for left, right in ((truth_of, truth_of), (asked, stored)):
        scores = (left / np.linalg.norm(left, axis=1, keepdims=True)) @ right.T
        np.fill_diagonal(scores, -9)
        found.append(np.argsort(-scores, axis=1)[:, :10])
    return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*found, strict=True)])


def test_golden_bytes():
    # (0.8, 0.6) is (0.6, 0.8) in the basis and (0.6, 0.55) off the mean: codeword 0, missed (0.1, 0.05). Those
    # of the first narrow token are 0.08 and 0.04 apart: 0.12 and 0.06 are nearest, numbers 9 and 9, and miss (-0.02,
    # -0.01).
    # Those of the second are 0.006 apart: -0.009 of dim 1 and -0.021 of dim 0, numbers 6 and 4.
    # (0.6, -0.8) takes codeword 1 and misses (-0.3, -0.15): -0.28 and -0.14, numbers 4 and 4, then 6 and 4 again.
    # (0.96, 0.28) is (0.28, 0.71) off the mean, and nearer to codeword 0; but errors of the first dim count twice, and
    # by these codeword 2 is nearer. It misses (0.03, 0.31): 0.04 and 0.3, numbers 8 and 15, then 0.009 and -0.009.
    packed = tiny_codec().encode(np.float32([[0.8, 0.6], [0.6, -0.8], [0.96, 0.28]]), bytes_per_vector=3)
    assert packed.tobytes().hex() == "009964" + "014464" + "028f96"


def test_golden_vectors():
    def unit_about(offset):
        """Walk along the offset from the mean (0, 0.25) until the length is 1, by halving."""
        low, high = 0.0, 100.0
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (low, middle) if np.linalg.norm([0, 0.25] + middle * offset) > 1 else (middle, high)
        return ([0, 0.25] + low * offset)[::-1]  # the basis swaps the dims

    back = tiny_codec().decode(np.uint8([[0, 0xF0, 0x0F], [1, 0x0F, 0x00]]))
    expected = [np.array([0.5 + 0.6 + 0.045, 0.5 - 0.3 - 0.045]), np.array([-0.5 - 0.6 - 0.045, 0.5 + 0.3 - 0.045])]
    np.testing.assert_allclose(back, [unit_about(one) for one in expected], rtol=1e-5)
    first = tiny_codec().decode(np.uint8([[0]]))
    np.testing.assert_allclose(first, [unit_about(np.array([0.5, 0.5]))], rtol=1e-5)


def test_golden_vectors_of_half_the_stretch():
    packed = np.uint8([[0, 0xF0, 0x0F], [1, 0x0F, 0x00], [2, 0x80, 0x08]])
    whole, half, none = (tiny_codec(power=power).decode(packed)[:, ::-1] - [0, 0.25] for power in (1, 0.5, 0))
    np.testing.assert_allclose(none[0], [0.5 + 0.6 + 0.045, 0.5 - 0.3 - 0.045], rtol=1e-5)  # the basis swaps the dims
    np.testing.assert_allclose(half, np.sign(whole) * np.sqrt(whole * none), rtol=1e-5)


def test_golden_bytes_and_vectors_with_a_length():
    # As above, codeword 0 misses (0.1, 0.05), of length 0.1118. Lengths are 0.01 * 2 ** (i / 16): number 56 is 0.1131,
    # and of that it is (0.884, 0.442): 0.6 and 0.3, the last of both, which misses (0.284, 0.142): the last again.
    codec = tiny_codec(0.01 * 2 ** (np.arange(256) / 16))
    packed = codec.encode(np.float32([[0.8, 0.6]]), bytes_per_vector=4)
    assert packed.tobytes().hex() == "00" + "38" + "ff" + "ff"
    length = 0.01 * 2**3.5
    offset = np.array([0.5 + 0.645 * length, 0.5 + 0.345 * length])
    back = codec.decode(packed)[0, ::-1] - [0, 0.25]  # the basis swaps the dims
    np.testing.assert_allclose(back / np.linalg.norm(back), offset / np.linalg.norm(offset), rtol=1e-5)
    np.testing.assert_array_equal(codec.decode(packed[:, :2]), codec.decode(packed[:, :1]))  # a length has no direction


def test_joint_tokens_come_first_where_they_help(codec):
    assert 0 < codec.joint.tokens <= WIDTH // 4
    assert codec.largest_bytes == codec.joint.tokens + codec.missed.length_bytes + WIDTH


def test_codes_keep_more_neighbours_than_the_classic_one(codec, sample, others):
    classic = ClassicCodec.fit(sample)
    for size in (1, 2):
        ours = recall(others, codec.decode(codec.encode(others, bytes_per_vector=size)), others)
        theirs = recall(others, classic.decode(classic.encode(others, bytes_per_vector=size)), others)
        assert ours > theirs + 0.02
    for size in (4, 16, 32):
        ours = recall(others, codec.decode(codec.encode(others, bytes_per_vector=size)), others)
        theirs = recall(others, classic.decode(classic.encode(others, bytes_per_vector=size)), others)
        assert ours > theirs - 0.02


def missed(codec, rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.square(unit - codec.decode(codec.encode(rows, bytes_per_vector=codec.joint.tokens))).sum(axis=1).mean()


def test_codebooks_of_few_rows_have_seen_all_of_them(sample):
    codec = NestedCodec.fit(sample, rounds=6)
    partly = NestedCodec.fit(sample, rounds=6, most_tokens=codec.joint.tokens, twice=False)
    assert partly.joint.tokens == codec.joint.tokens
    assert missed(codec, sample) < 0.9 * missed(partly, sample)


def test_what_a_trial_made_stands_when_the_time_is_up(codec, sample):
    def pace(done):
        return 0.0 if done < nested.TRIAL_ROUNDS / (nested.TRIAL_ROUNDS + ROUNDS) else 1.0

    short = NestedCodec.fit(sample, pace=pace)
    assert short.joint.tokens > 0
    assert missed(codec, sample) < missed(short, sample) < 1


def test_every_short_code_is_the_beginning_of_the_longest(codec, others):
    longest = codec.encode(others, bytes_per_vector=codec.largest_bytes)
    for size in range(1, codec.largest_bytes):
        np.testing.assert_array_equal(codec.encode(others, bytes_per_vector=size), longest[:, :size])


def test_a_row_is_coded_alone(codec, others):
    for size in (3, codec.joint.tokens + 5):
        packed = codec.encode(np.tile(others, (3, 1)), bytes_per_vector=size)  # more rows than any block
        np.testing.assert_array_equal(packed, np.tile(packed[:700], (3, 1)))
        single = np.concatenate([codec.encode(row[None], bytes_per_vector=size) for row in others[:50]])
        np.testing.assert_array_equal(packed[:50], single)
        decoded = codec.decode(packed)
        np.testing.assert_array_equal(decoded[:50], np.concatenate([codec.decode(row[None]) for row in single]))
        np.testing.assert_array_equal(decoded[1400:], decoded[:700])


def test_longer_codes_come_nearer_to_the_vector(codec, others):
    unit = others / np.linalg.norm(others, axis=1, keepdims=True)
    sizes = [1, 2, 4, 8, 16, 24, codec.largest_bytes]
    errors = [
        np.square(codec.decode(codec.encode(others, bytes_per_vector=size)) - unit).sum(1).mean() for size in sizes
    ]
    assert all(long < short for short, long in zip(errors, errors[1:], strict=False))
    assert errors[-1] < 1e-3


def test_the_length_of_a_row_does_not_matter(codec, others):
    assert (codec.encode(8 * others, bytes_per_vector=20) == codec.encode(others, bytes_per_vector=20)).all()
    stretched = replace(codec, frame=replace(codec.frame, power=1.0))
    back = stretched.decode(stretched.encode(others, bytes_per_vector=5))
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-5)


def test_fit_repeats_under_a_seed(sample):
    codec, again, other = (NestedCodec.fit(sample, seed=seed, rounds=2) for seed in (0, 0, 1))
    for name, array in codec.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array, err_msg=name)
    assert not np.array_equal(other.joint.codebooks[:1], codec.joint.codebooks[:1])


def test_arrays_round_trip(codec, others):
    again = NestedCodec.from_arrays({name: array.copy() for name, array in codec.to_arrays().items()})
    packed = codec.encode(others, bytes_per_vector=19)
    np.testing.assert_array_equal(again.encode(others, bytes_per_vector=19), packed)
    np.testing.assert_array_equal(again.decode(packed), codec.decode(packed))


@settings(max_examples=15)
@given(rows=st.integers(1, 60), width=st.integers(1, 30), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_few_rows_of_any_width_get_narrow_tokens_alone(rows, width, seed, data):
    x = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32) + np.float32(0.01)
    codec = NestedCodec.fit(x)
    assert (codec.joint.tokens, codec.largest_bytes) == (0, width)
    size = data.draw(st.integers(1, width))
    packed = codec.encode(x, bytes_per_vector=width)
    np.testing.assert_array_equal(codec.encode(x, bytes_per_vector=size), packed[:, :size])
    np.testing.assert_allclose(np.linalg.norm(codec.decode(packed), axis=1), 1, rtol=1e-5)


@settings(max_examples=6, deadline=None)
@given(width=st.sampled_from([8, 30, 300]), seed=st.integers(0, 99))
def test_prefix_at_widths_with_joint_tokens(width, seed):
    rng = np.random.default_rng(seed)
    codec = NestedCodec.fit(clustered(rng, 1400, width), most_tokens=3)
    new = clustered(rng, 30, width)
    longest = codec.encode(new, bytes_per_vector=codec.largest_bytes)
    for size in (1, 2, 3, 4, codec.largest_bytes - 1):
        np.testing.assert_array_equal(codec.encode(new, bytes_per_vector=size), longest[:, :size])


def test_rows_all_alike_have_a_code():
    same = np.ones((1500, 12), np.float32)
    codec = NestedCodec.fit(same)
    back = codec.decode(codec.encode(same[:3], bytes_per_vector=2))
    np.testing.assert_allclose(back, same[:3] / np.sqrt(12), atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        (np.zeros((0, 4), np.float32), RowError, "at least 1 row to fit a codec, got 0"),
        (np.float32([[1, 2], [0, 0]]), RowError, "finite and not all zero, got"),
        (np.float32([[1, np.nan], [1, 0]]), RowError, "finite and not all zero, got"),
        (np.ones((4, 3), np.int32), DtypeError, "float16, float32 or float64"),
        (np.ones(4, np.float32), ShapeError, "vectors must have shape"),
    ],
)
def test_rows_that_cannot_be_coded_are_refused(rows, error, match):
    with pytest.raises(error, match=match):
        NestedCodec.fit(rows)


def test_sizes_and_widths_are_checked(codec, others):
    for size in (0, codec.largest_bytes + 1):
        with pytest.raises(SizeError, match="bytes must be between 1 and"):
            codec.encode(others, bytes_per_vector=size)
    with pytest.raises(ShapeError, match=rf"\(N, {WIDTH}\)"):
        codec.encode(others[:, :9], bytes_per_vector=4)
    with pytest.raises(DtypeError, match="codes must be uint8"):
        codec.decode(others)


@pytest.mark.parametrize(
    "name",
    ["basis", "mean", "codebooks", "emphasis", "lengths"]
    + ["narrow_dims", "narrow_scale", "narrow_emphasis", "narrow_codebooks"],
)
def test_damaged_arrays_are_refused(codec, name):
    arrays = codec.to_arrays() | {"lengths": np.geomspace(0.1, 1, 256, dtype=np.float32)}
    NestedCodec.from_arrays(arrays)
    with pytest.raises(ModelFileError, match=name):
        NestedCodec.from_arrays({key: value for key, value in arrays.items() if key != name})
    with pytest.raises(ModelFileError):
        NestedCodec.from_arrays(arrays | {name: arrays[name][..., :-1]})
    if arrays[name].dtype == np.float32:
        with pytest.raises(ModelFileError):
            NestedCodec.from_arrays(arrays | {name: np.full_like(arrays[name], np.nan)})


def test_emphasis_that_loses_a_dim_is_refused(codec):
    arrays = codec.to_arrays()
    for wrong in (0, -1):
        with pytest.raises(ModelFileError, match="emphasis must be above 0 in every dim"):
            NestedCodec.from_arrays(arrays | {"emphasis": np.full_like(arrays["emphasis"], wrong)})
