"""Rows between those of a sample: near them, as wide as they are, and new in every draw."""

import numpy as np
import pytest

from arfc.codec.between import MOST_DRAWN, NEIGHBOURS, RowsBetween


@pytest.fixture(scope="module")
def rows(sums):
    return sums[:2000] - sums[:2000].mean(axis=0)


@pytest.fixture(scope="module")
def between(rows):
    return RowsBetween(rows)


def nearest(rows, others):
    return np.sqrt(np.square(others[:, None] - rows[None]).sum(axis=2)).min(axis=1)


def test_few_rows_give_several_each_and_many_no_more_than_the_bound(rows):
    assert RowsBetween(rows[:500]).drawn == 8 * 500
    assert RowsBetween(rows).drawn == MOST_DRAWN == len(RowsBetween(rows).draw(np.random.default_rng(0)))


def test_rows_are_new_in_every_draw_and_repeat_with_the_seed(between):
    rng = np.random.default_rng(0)
    first, second = between.draw(rng), between.draw(rng)
    assert not np.isin(first, second).all(axis=1).any()
    np.testing.assert_array_equal(first, between.draw(np.random.default_rng(0)))


def test_drawn_rows_are_as_wide_along_each_dim(rows, between):
    drawn = between.draw(np.random.default_rng(0))
    np.testing.assert_allclose(drawn.std(axis=0), rows.std(axis=0), rtol=0.05)
    assert np.abs(drawn.mean(axis=0)).max() < 0.1 * rows.std(axis=0).max()


def test_rows_move_no_farther_than_their_neighbours_are_apart():
    blobs = np.random.default_rng(1).standard_normal((8, 16)).astype(np.float32) * 10
    blobs -= blobs.mean(axis=0)
    noise = np.random.default_rng(2).standard_normal((8, 100, 16)).astype(np.float32) * 0.1
    rows = (blobs[:, None] + noise).reshape(-1, 16)
    drawn = RowsBetween(rows).draw(np.random.default_rng(0))
    assert nearest(rows, drawn[:400]).max() < 2  # another blob is 40 away


def test_rows_that_are_all_alike_stay_as_they_are():
    row = np.array([1, -2, 0, 0], dtype=np.float32)
    drawn = RowsBetween(np.tile(row, (NEIGHBOURS + 5, 1))).draw(np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, np.tile(row, (len(drawn), 1)))


def test_the_sample_is_left_as_it_was(rows):
    before = rows.copy()
    RowsBetween(rows).draw(np.random.default_rng(0))
    np.testing.assert_array_equal(rows, before)
