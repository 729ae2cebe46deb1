"""Which rows are scored: unseen ones only, drawn over the whole input, none twice."""

import numpy as np
import pytest

from arfc import RowError
from arfc.evaluate import sample as sampling
from arfc.evaluate.sample import draw
from arfc.io import open_features


def drawn(x, model, *, labels=None, queries=2000, seed=0):
    sides = [open_features(side) for side in (x if isinstance(x, list) else [x])]
    return draw(sides, labels, model.seen, queries=queries, seed=seed)


def test_of_the_fits_own_file_just_the_test_rows_are_drawn(model, x, parts):
    sample = drawn(x, model)
    np.testing.assert_array_equal(sample.sides[0], x[parts.test])
    assert sample.left_out_rows == len(parts.fit) + len(parts.validation)
    np.testing.assert_array_equal(sample.seen, np.delete(x, parts.test, axis=0))


def test_near_duplicates_of_any_length_are_left_out(model, x, parts, unseen, rng):
    near = 7 * x[parts.fit] + 1e-3 * rng.standard_normal((len(parts.fit), 24)).astype(np.float32)
    mixed = rng.permutation(np.concatenate([near, unseen]))
    sample = drawn(mixed, model)
    assert sample.left_out_rows >= len(near)
    assert {row.tobytes() for row in sample.sides[0]} <= {row.tobytes() for row in unseen}


def test_too_few_unseen_rows_name_how_many_were_left_out(model, x, parts, unseen):
    seen = np.delete(x, parts.test, axis=0)
    with pytest.raises(RowError, match=r"got 99, with 1040 of 1139 rows left out as used or nearly.*; give it other"):
        drawn(np.concatenate([seen[:1040], unseen[:99]]), model)
    with pytest.raises(RowError, match="at least 100 rows that the fit has not used, got 99, with 0 of 99"):
        drawn(unseen[:99], model)
    assert len(drawn(unseen[:100], model).asks) == 100


def test_a_pair_is_left_out_when_either_side_was_used(model, x, parts, unseen):
    left, right = unseen[:300].copy(), unseen[300:].copy()
    left[:10], right[5:25] = x[parts.fit[:10]], x[parts.fit[10:30]]
    sample = drawn([left, right], model)
    assert (sample.left_out_rows, len(sample.asks)) == (25, 275)
    np.testing.assert_array_equal(sample.sides[0], left[25:])
    np.testing.assert_array_equal(sample.sides[1], right[25:])
    assert len(sample.seen) == 50  # of both sides, so that baselines know both


def test_few_rows_ask_a_quarter_and_the_rest_answer(model, unseen):
    assert drawn(unseen, model).asks.sum() == 150
    assert drawn(unseen, model, queries=7).asks.sum() == 7


def test_large_inputs_are_drawn_over_their_whole_length(model, unseen, monkeypatch):
    monkeypatch.setattr(sampling, "MOST_DATABASE_ROWS", 200)
    monkeypatch.setattr(sampling, "ROWS_PER_CHECK", 128)
    sample = drawn(unseen, model, labels=np.arange(600), queries=50)
    assert (sample.asks.sum(), (~sample.asks).sum(), sample.checked_rows) == (50, 200, 256)
    np.testing.assert_array_equal(sample.sides[0], unseen[sample.labels])  # labels are row numbers here
    assert (np.diff(sample.labels) > 0).all()
    assert np.histogram(sample.labels, bins=4, range=(0, 600))[0].min() > 40
    assert np.histogram(sample.labels[sample.asks], bins=2, range=(0, 600))[0].min() > 10


def test_the_seed_decides(model, unseen):
    assert (drawn(unseen, model, seed=1).asks == drawn(unseen, model, seed=1).asks).all()
    assert (drawn(unseen, model, seed=1).asks != drawn(unseen, model, seed=2).asks).any()
