"""Rows of fewer dims."""

import numpy as np

from arfc.codec.rows import widened


def test_dims_that_are_not_spoken_of_are_zero():
    rows = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(widened(rows, 5), [[1, 1, 1, 0, 0]] * 2)
    np.testing.assert_array_equal(widened(rows, 3), rows)
