"""Bytes on top of vectors."""

import numpy as np
import pytest

from arfc.baselines import Klt
from arfc.codec import NestedCodec
from arfc.errors import SizeError
from arfc.rivals import RIVALS, Coded


def test_a_coded_klt_has_our_code_of_klt_coordinates(small_rows):
    klt = Klt.fit(small_rows)
    coded, rotated = Coded.fit(klt, small_rows, dims=24), klt.compress(small_rows, dims=24)
    codec = NestedCodec.fit(rotated)
    packed = codec.encode(rotated, bytes_per_vector=7)
    np.testing.assert_array_equal(coded.compress(small_rows, bytes=7).packed, packed)
    np.testing.assert_array_equal(coded.project(small_rows), rotated)


@pytest.mark.parametrize("name", RIVALS)
def test_codes_stand_for_the_vectors(name, fitted, small_rows):
    model = fitted(name)
    coded = Coded.fit(model, small_rows, dims=5)
    vectors = model.compress(small_rows, dims=5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = coded.compress(small_rows, bytes=5)
    assert codes.packed.shape == (600, 5)
    assert np.abs(codes.decode() - unit).mean() < 0.02
    np.testing.assert_array_equal(codes.truncate(bytes=2).packed, coded.compress(small_rows, bytes=2).packed)
    np.testing.assert_array_equal(coded.project(small_rows), vectors)
    with pytest.raises(SizeError, match="bytes must be between 1 and 5, got 6"):
        coded.compress(small_rows, bytes=6)


def test_levels_are_trained_on_both_modalities(small_rows):
    klt = Klt.fit(small_rows)
    both = Coded.fit(klt, small_rows, pairs=-small_rows, dims=5).codec.to_arrays()
    joined = Coded.fit(klt, np.concatenate([small_rows, -small_rows]), dims=5).codec.to_arrays()
    for name, array in joined.items():
        np.testing.assert_array_equal(both[name], array)
