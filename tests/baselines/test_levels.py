"""Levels are the nearest ones, packed as documented, and where the sources put them."""

import numpy as np
import pytest

from arfc.baselines.levels import LevelCodec, gaussian_levels
from arfc.errors import SizeError

FITS = {
    "int4": LevelCodec.int4,
    "binary": LevelCodec.binary,
    "gaussian": lambda x: LevelCodec.gaussian(x.shape[1], bits=3),
}


@pytest.mark.parametrize("width", [24, 30, 37])
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_codes_are_the_bits_of_the_levels_dim_after_dim(fit, width, clustered, unit):
    x = clustered(60, width)
    codec = fit(x)
    assert codec.largest_bytes == -(-width * codec.bits // 8)
    packed = codec.encode(x, bytes_per_vector=codec.largest_bytes)
    decoded = codec.decode(packed)
    for row, code, back in zip(unit(x), packed, decoded, strict=True):
        bits = ""
        for dim, value in enumerate(row.astype(np.float32)):
            level = np.searchsorted(codec.thresholds[dim], value, side="right")
            bits += format(level, f"0{codec.bits}b")
            assert back[dim] == codec.levels[dim, level]
        assert bytes(code) == int(bits.ljust(8 * len(code), "0"), 2).to_bytes(len(code), "big")


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_short_code_is_the_beginning_and_knows_whole_dims_only(fit, clustered):
    x = clustered(60, 37)
    codec = fit(x)
    whole = codec.encode(x, bytes_per_vector=codec.largest_bytes)
    values = codec.decode(whole)
    for size in range(1, codec.largest_bytes):
        short = codec.encode(x, bytes_per_vector=size)
        np.testing.assert_array_equal(short, whole[:, :size])
        kept = 8 * size // codec.bits
        np.testing.assert_array_equal(codec.decode(short)[:, :kept], values[:, :kept])
        np.testing.assert_array_equal(codec.decode(short)[:, kept:], 0)
    with pytest.raises(SizeError, match="bytes must be between 1"):
        codec.decode(np.zeros((1, codec.largest_bytes + 1), np.uint8))


def test_int4_is_at_most_half_a_step_off_within_its_range(clustered, unit):
    x = clustered(1000, 24)
    codec = LevelCodec.int4(x)
    off = np.abs(codec.decode(codec.encode(x, bytes_per_vector=12)) - unit(x))
    inside = (unit(x) >= codec.levels[:, 0]) & (unit(x) <= codec.levels[:, -1])
    assert 0.985 < inside.mean() < 0.995
    half_step = (codec.levels[:, 1] - codec.levels[:, 0]) / 2
    assert (off <= half_step + 1e-6)[inside].all()


def test_binary_decodes_to_the_means_of_both_sides(clustered, unit):
    x = clustered(1000, 24)
    codec = LevelCodec.binary(x)
    mean = unit(x).mean(axis=0)
    for dim in range(24):
        column = unit(x)[:, dim]
        sides = [column[column < mean[dim]].mean(), column[column >= mean[dim]].mean()]
        np.testing.assert_allclose(codec.levels[dim], sides, atol=1e-6)


def test_constant_dims_are_kept():
    x = np.float32([[1, 1, 0], [-1, 1, 0]])
    for fit in (LevelCodec.int4, LevelCodec.binary):
        codec = fit(x)
        np.testing.assert_allclose(
            codec.decode(codec.encode(x, bytes_per_vector=codec.largest_bytes)), x / np.sqrt(2), atol=0.03
        )


def test_gaussian_levels_are_those_of_max():
    # Max (1960), table I: levels and mean squared errors.
    tables = {1: [0.7980], 2: [0.4528, 1.510], 3: [0.2451, 0.7560, 1.344, 2.152]}
    for bits, positive in tables.items():
        levels = gaussian_levels(bits)
        np.testing.assert_allclose(levels[len(positive) :], positive, atol=6e-4)
        np.testing.assert_allclose(levels, -levels[::-1], atol=1e-6)
    sample = np.random.default_rng(0).standard_normal(100_000)
    errors = [np.min((sample[:, None] - gaussian_levels(bits)) ** 2, axis=1).mean() for bits in (1, 2, 3, 4)]
    np.testing.assert_allclose(errors, [0.3634, 0.1175, 0.03454, 0.009497], rtol=0.03)
