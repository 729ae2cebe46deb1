"""KLT and bits by variance come nearer with every byte."""

from dataclasses import replace

import numpy as np
import pytest

from arfc.baselines import Klt, KltCodec
from arfc.codec import ClassicCodec


@pytest.mark.parametrize("width", [24, 30, 37])
def test_codes_come_near_and_nearer(width, clustered, unit):
    x = clustered(300, width)
    model = KltCodec.fit(x)
    errors = [
        np.mean((model.decompress(model.compress(x, bytes=size)) - unit(x)) ** 2) for size in (2, 6, 12, 24, width)
    ]
    assert (np.diff(errors[: 4 + (width > 24)]) < 0).all()
    assert errors[-1] < 1e-6
    np.testing.assert_array_equal(model.project(x), model.klt.compress(x, dims=width))


def test_it_is_the_scalar_codec_of_klt_coordinates(vectors):
    model = KltCodec.fit(vectors)
    rotated = Klt.fit(vectors).compress(vectors, dims=24)
    coder = ClassicCodec.fit(rotated)
    np.testing.assert_array_equal(model.compress(vectors, bytes=9).packed, coder.encode(rotated, bytes_per_vector=9))


def test_it_repeats_under_a_seed(vectors, monkeypatch):
    monkeypatch.setattr("arfc.baselines.klt_codec._SAMPLE_ROWS", 50)
    first, again, other = (KltCodec.fit(vectors, seed=seed).compress(vectors, bytes=24).packed for seed in (1, 1, 2))
    np.testing.assert_array_equal(again, first)
    assert (other != first).any()


def test_decompressed_rows_have_length_1_whatever_length_decoded_ones_have(vectors):
    model = KltCodec.fit(vectors)
    model = replace(model, codec=replace(model.codec, frame=replace(model.codec.frame, power=0.25)))
    codes = model.compress(vectors, bytes=3)
    assert np.abs(np.linalg.norm(codes.decode(), axis=1) - 1).max() > 0.01
    np.testing.assert_allclose(np.linalg.norm(model.decompress(codes), axis=1), 1, rtol=1e-5)
