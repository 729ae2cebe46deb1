"""KLT + bits: prefixes, row independence, near the vectors, errors."""

from dataclasses import replace

import numpy as np
import pytest

from arfc.codec import ClassicCodec, classic
from arfc.codec.emphasis import emphasis
from arfc.codec.frame import Frame
from arfc.codec.scalar import ScalarCodec
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
    errors, codec = [], replace(codec, powers={1: 1.0})
    for size in (1, 4, 10, 20):
        back = codec.decode(codec.encode(rows[700:], bytes_per_vector=size))
        np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-5)
        errors.append(np.square(back - unit).sum(axis=1).mean())
    assert (np.diff(errors) < 0).all() and errors[-1] < 1e-3


def test_its_first_bytes_weigh_errors_as_the_model_s_own_code_does(rows):
    codec = ClassicCodec.fit(rows)
    frame, values, energy = Frame.fit(rows)
    weights = emphasis(frame.mean, energy)
    assert len(np.unique(codec.scalar.order[:64])) > len(np.unique(ordered(values, weights.fine)[:64]))
    np.testing.assert_array_equal(codec.scalar.order[:64], ordered(values, weights.first)[:64])
    held = np.bincount(codec.scalar.order[:140], minlength=20)  # from 128 bits on it holds what the last weights want
    np.testing.assert_array_equal(held, np.bincount(ordered(values, weights.fine)[:140], minlength=20))


def ordered(values, emphasis):
    return ScalarCodec.fit(values, emphasis_K=emphasis).order


def test_what_is_no_row_or_code_is_refused(codec, rows):
    with pytest.raises(RowError, match="at least 1 row to fit a codec, got 0"):
        ClassicCodec.fit(rows[:0])
    with pytest.raises(ShapeError, match=r"\(N, 20\)"):
        codec.encode(rows[:, 1:], bytes_per_vector=4)
    with pytest.raises(SizeError, match="bytes must be between 1 and 20"):
        codec.encode(rows, bytes_per_vector=21)
    with pytest.raises(DtypeError, match="codes must be uint8"):
        codec.decode(rows)


def test_each_size_is_stretched_as_far_as_serves_it_best(monkeypatch):
    powers = iter([0.25, 0.5, 1.0])
    monkeypatch.setattr(classic, "best_power", lambda mean, offsets, decoded: next(powers, 0.75))
    rows = np.random.default_rng(0).standard_normal((400, 40)).astype(np.float32)
    codec = ClassicCodec.fit(rows)
    assert list(codec.powers.values())[:3] == [0.25, 0.5, 1.0] and min(codec.powers) > 3
    packed = codec.encode(rows, bytes_per_vector=40)
    sizes = sorted(codec.powers)
    for size, reached in ((3, sizes[0]), (sizes[0], sizes[0]), (sizes[1] - 1, sizes[0]), (sizes[1], sizes[1])):
        expected = codec.frame.vectors(codec.scalar.decode(packed[:, :size]), power=codec.powers[reached])
        np.testing.assert_array_equal(codec.decode(packed[:, :size]), expected)
    short = packed[:, : sizes[0]]
    assert np.abs(codec.decode(short) - codec.frame.vectors(codec.scalar.decode(short))).max() > 0.01
