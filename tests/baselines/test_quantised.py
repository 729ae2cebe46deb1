"""Any front works with any code, on rows of any number."""

import numpy as np
import pytest

from arfc.baselines import Klt, Quantised, Truncation
from arfc.baselines.half import HalfCodec
from arfc.baselines.levels import LevelCodec
from arfc.baselines.quantised import coded_rows
from arfc.errors import SizeError


@pytest.mark.parametrize("width", [24, 30, 37])
@pytest.mark.parametrize("front", [Truncation, Klt])
def test_it_is_the_code_of_the_coordinates(front, width, clustered, unit):
    x = clustered(300, width)
    model = Quantised.fit(x, front=front.fit, codec=LevelCodec.int4)
    coordinates = front.fit(x).compress(x, dims=width)
    expected = LevelCodec.int4(coordinates)
    codes = model.compress(x, bytes=9)
    np.testing.assert_array_equal(codes.packed, expected.encode(coordinates, bytes_per_vector=9))
    np.testing.assert_array_equal(codes.decode(), expected.decode(codes.packed))
    np.testing.assert_array_equal(model.project(x), coordinates)
    whole = model.compress(x, bytes=model.codec.largest_bytes)
    assert np.abs(model.decompress(whole) - unit(x)).max() < 0.2


def test_the_code_is_fitted_on_a_random_sample(clustered, monkeypatch):
    monkeypatch.setattr("arfc.baselines.quantised._SAMPLE_ROWS", 100)
    x = clustered(300, 24)
    rows = []

    def codec(sample):
        rows.append(sample)
        return HalfCodec.fit(sample)

    for seed in (0, 0, 1):
        Quantised.fit(x, front=Truncation.fit, codec=codec, seed=seed)
    assert rows[0].shape == (100, 24)
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


def test_sizes_beyond_the_code_are_refused(vectors):
    with pytest.raises(SizeError, match="bytes must be between 1 and 48, got 49"):
        coded_rows(vectors, front=Truncation.fit(vectors), codec=HalfCodec.fit(vectors), bytes_per_vector=49)


def test_a_rotation_makes_the_first_dims_count(split, recall):
    fit, queries, rows = split(36)
    shuffled = np.random.default_rng(1).permutation(36)  # or the first dims are the strongest already
    fit, queries, rows = fit[:, shuffled], queries[:, shuffled], rows[:, shuffled]

    def score(front):
        model = Quantised.fit(fit, front=front, codec=LevelCodec.int4)
        return recall(model.project(queries), model.compress(rows, bytes=6), queries, rows)

    assert score(Klt.fit) > score(Truncation.fit) + 0.1
