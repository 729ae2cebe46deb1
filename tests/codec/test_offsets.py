"""Rows from offsets: length 1 or less, the mean kept, no direction where there is none."""

import numpy as np
import pytest

from arfc.codec.offsets import rows_about, stretches, widened


@pytest.fixture
def mean():
    return np.array([0.8, 0.0, 0.0], np.float32)


def test_a_shortened_offset_is_stretched_and_the_mean_is_not(mean):
    true = np.array([[0.8, 0.6, 0.0], [0.8, 0.0, -0.6]], np.float32)
    made = rows_about(mean, 0.4 * (true - mean))
    np.testing.assert_allclose(made, true, atol=1e-6)


def test_what_would_need_more_than_the_most_stays_short(mean):
    made = rows_about(mean, np.array([[0, 1e-3, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(made, [[0.8, 8e-3, 0], [0.8, 0, 0]], atol=1e-6)


def test_a_power_of_the_stretch_leaves_rows_the_shorter_the_less_their_offsets_say(mean):
    true = np.array([[0.8, 0.6, 0.0]] * 3, np.float32)
    offsets = np.array([[0.25], [0.64], [1.0]], np.float32) * (true - mean)
    np.testing.assert_allclose(stretches(mean, offsets, power=0.5), [2, 1.25, 1], rtol=1e-6)
    made = rows_about(mean, offsets, power=0.5)
    np.testing.assert_allclose(made[:, 1], 0.6 * np.sqrt([0.25, 0.64, 1]), rtol=1e-6)
    np.testing.assert_allclose(made[:, 0], 0.8, rtol=1e-6)
    np.testing.assert_allclose(rows_about(mean, offsets, power=0.0), mean + offsets, rtol=1e-6)


def test_no_direction_at_all_gets_the_first_one():
    made = rows_about(np.zeros(3, np.float32), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(made, [[1, 0, 0], [1, 0, 0]])


def test_dims_that_are_not_spoken_of_are_zero():
    rows = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(widened(rows, 5), [[1, 1, 1, 0, 0]] * 2)
    np.testing.assert_array_equal(widened(rows, 3), rows)
