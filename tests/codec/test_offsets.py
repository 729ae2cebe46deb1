"""Rows from offsets: length 1, the mean kept, no direction where there is none."""

import numpy as np
import pytest

from arfc.codec.offsets import unit_about, widened


@pytest.fixture
def mean():
    return np.array([0.8, 0.0, 0.0], np.float32)


def test_a_shortened_offset_is_stretched_and_the_mean_is_not(mean):
    true = np.array([[0.8, 0.6, 0.0], [0.8, 0.0, -0.6]], np.float32)
    made = unit_about(mean, 0.4 * (true - mean))
    np.testing.assert_allclose(made, true, atol=1e-6)


def test_rows_have_length_1_though_an_offset_would_need_more_than_the_most(mean):
    made = unit_about(mean, np.array([[0, 1e-3, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert made[0, 1] == pytest.approx(8e-3 / np.hypot(0.8, 8e-3), rel=1e-4)
    np.testing.assert_allclose(made[1], [1, 0, 0], atol=1e-6)


def test_no_direction_at_all_gets_the_first_one():
    made = unit_about(np.zeros(3, np.float32), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(made, [[1, 0, 0], [1, 0, 0]])


def test_dims_that_are_not_spoken_of_are_zero():
    rows = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(widened(rows, 5), [[1, 1, 1, 0, 0]] * 2)
    np.testing.assert_array_equal(widened(rows, 3), rows)
