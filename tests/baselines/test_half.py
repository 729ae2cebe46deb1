"""Half precision is numpy's float16."""

import numpy as np
import pytest

from arfc.baselines.half import HalfCodec
from arfc.errors import SizeError


@pytest.mark.parametrize("width", [24, 30, 37])
def test_values_are_float16_of_unit_rows(width, clustered, unit):
    x = clustered(50, width)
    codec = HalfCodec.fit(x)
    packed = codec.encode(x, bytes_per_vector=2 * width)
    assert packed.shape == (50, codec.largest_bytes)
    np.testing.assert_array_equal(packed.view("<f2"), unit(x).astype(np.float32).astype("<f2"))
    np.testing.assert_allclose(codec.decode(packed), unit(x), atol=1e-3)


def test_an_odd_byte_says_nothing(vectors):
    codec = HalfCodec.fit(vectors)
    odd, even = (codec.encode(vectors, bytes_per_vector=size) for size in (7, 6))
    np.testing.assert_array_equal(odd[:, :6], even)
    np.testing.assert_array_equal(codec.decode(odd), codec.decode(even))
    np.testing.assert_array_equal(codec.decode(even)[:, 3:], 0)
    np.testing.assert_array_equal(codec.decode(odd[:, :1]), 0)
    with pytest.raises(SizeError, match="between 1 and 48"):
        codec.decode(np.zeros((1, 49), np.uint8))
