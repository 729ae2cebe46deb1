"""Held-out rows are apart from the others, and recall is that of exact search."""

import numpy as np
import pytest

from arfc.baselines.held_out import HeldOut
from arfc.baselines.levels import LevelCodec
from arfc.errors import RowError


def test_rows_are_dealt_out_once_and_at_random(clustered):
    x = clustered(1000, 24)
    fit, held = HeldOut.split(x, seed=0)
    assert (len(fit), len(held.queries), len(held.rows)) == (800, 100, 100)
    dealt = np.concatenate([fit, held.queries, held.rows])
    np.testing.assert_array_equal(np.sort(dealt[:, 0]), np.sort(x[:, 0]))
    first = {row.tobytes() for row in x[:500]}
    assert 60 < sum(row.tobytes() in first for row in (*held.queries, *held.rows)) < 140
    again, other = HeldOut.split(x, seed=0)[0], HeldOut.split(x, seed=1)[0]
    np.testing.assert_array_equal(fit, again)
    assert (fit != other).any()


def test_at_most_2200_rows_are_held_out():
    _, held = HeldOut.split(np.random.default_rng(0).standard_normal((20_000, 3)).astype(np.float32), seed=0)
    assert (len(held.queries), len(held.rows)) == (200, 2000)


def test_recall_counts_true_neighbours(clustered, recall):
    _, held = HeldOut.split(clustered(1000, 24), seed=0)
    assert held.recall(held.queries, held.rows) == 1
    cut = held.recall(held.queries[:, :3], held.rows[:, :3])
    assert cut == pytest.approx(recall(held.queries[:, :3], held.rows[:, :3], held.queries, held.rows))
    assert cut < 1


def test_the_best_codec_is_chosen_and_the_first_of_equals(clustered):
    fit, held = HeldOut.split(clustered(1000, 24), seed=0)
    binary, int4, again = LevelCodec.binary(fit), LevelCodec.int4(fit), LevelCodec.int4(fit)
    assert held.best([binary, int4, again], ask=lambda codec, queries: queries) is int4


def test_few_rows_are_refused(vectors):
    with pytest.raises(RowError, match="features must have at least 50 rows, got 49; add more vectors"):
        HeldOut.split(vectors[:49], seed=0)
