"""Rows between those of a sample: near them, as wide as they are, and new in every draw."""

import numpy as np
import pytest

from arfc.codec.between import AMONG, LEAST_DRAWN, NEIGHBOURS, RowsBetween


@pytest.fixture(scope="module")
def rows(sums):
    return sums[:2000] - sums[:2000].mean(axis=0)


@pytest.fixture(scope="module")
def between(rows):
    return RowsBetween(rows)


def nearest(rows, others):
    return np.sqrt(np.square(others[:, None] - rows[None]).sum(axis=2)).min(axis=1)


@pytest.fixture(scope="module")
def many():
    """(12001, 6) centred rows: more than neighbours are sought among."""
    return np.random.default_rng(4).standard_normal((AMONG + 2001, 6)).astype(np.float32)


def test_few_rows_give_several_each_and_many_as_many_as_there_are(rows, many):
    assert RowsBetween(rows[:500]).drawn == 8 * 500
    assert RowsBetween(rows).drawn == LEAST_DRAWN == len(RowsBetween(rows).draw(np.random.default_rng(0)))
    assert RowsBetween(many).drawn == len(many) == len(RowsBetween(many).draw(np.random.default_rng(0)))


def test_rows_of_a_large_sample_move_between_near_rows_and_none_is_its_own_neighbour(many):
    near_Nk = RowsBetween(many)._near_Nk
    for row in (0, 1, 2, 1023, 1024, 1025, 4096, 12_000):
        apart = np.square(many - many[row]).sum(axis=1)[::2]
        if row % 2 == 0:
            apart[row // 2] = np.inf
        np.testing.assert_array_equal(near_Nk[row], 2 * np.argsort(apart)[:NEIGHBOURS])


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
