"""Int8 stores each dim to half a step."""

import numpy as np
import pytest

from arfc.baselines import Int8
from arfc.errors import SizeError


@pytest.mark.parametrize("width", [24, 30, 37])
def test_int8_is_at_most_half_a_step_off(width, clustered, unit):
    x = clustered(200, width)
    model = Int8.fit(x)
    codes = model.compress(x, bytes=width)
    assert (np.abs(model.decompress(codes) - unit(x)) <= model.step / 2 + 1e-6).all()
    assert (codes.packed.max(axis=0) == 255).all()
    assert (codes.packed.min(axis=0) == 0).all()
    np.testing.assert_array_equal(model.project(x), x)
    np.testing.assert_array_equal(model.encode(x, bytes_per_vector=7), codes.packed[:, :7])


def test_values_outside_the_range_are_stored_as_the_nearest_end():
    model = Int8.fit(np.float32([[1, 1], [1, 2]]))
    packed = model.compress(np.float32([[1, 0], [0, 1]]), bytes=2).packed
    np.testing.assert_array_equal(packed, [[255, 0], [0, 255]])


def test_a_constant_dim_is_kept():
    model = Int8.fit(np.float32([[1, 0], [-1, 0]]))
    np.testing.assert_array_equal(model.decompress(model.compress(np.float32([[3, 0]]), bytes=2)), [[1, 0]])


def test_longer_codes_are_refused(vectors):
    with pytest.raises(SizeError, match="bytes must be between 1 and 24, got 25"):
        Int8.fit(vectors).decode(np.zeros((1, 25), np.uint8))
