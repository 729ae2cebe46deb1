"""`Compressor.search`: rows can be chosen, a shortlist serves codes, and what can't be is refused."""

import numpy as np
import pytest

from arfc.errors import DtypeError, RowError, ShapeError, SizeError


@pytest.mark.parametrize("form", ["vectors", "codes", "shortlist"])
def test_chosen_rows_alone_are_found(opened_model, small_rows, form):
    stored = (
        opened_model.compress(small_rows, dims=9) if form == "vectors" else opened_model.compress(small_rows, bytes=9)
    )
    shortlist = {"shortlist": 60} if form == "shortlist" else {}
    only = np.array([40, 3, 77, 12, 5, 90])
    ids, scores = opened_model.search(small_rows[:8], stored, k=4, only=only, **shortlist)
    every, every_scores = opened_model.search(small_rows[:8], stored, k=len(small_rows))
    for query in range(8):
        kept = np.isin(every[query], only)
        np.testing.assert_allclose(scores[query], every_scores[query][kept][:4], atol=1e-6)
        assert set(ids[query]) <= set(only)
    mask = np.isin(np.arange(len(small_rows)), only)
    np.testing.assert_array_equal(opened_model.search(small_rows[:8], stored, k=4, only=mask, **shortlist)[0], ids)


def test_rows_in_a_file_can_be_chosen(opened_model, small_rows, tmp_path):
    np.save(tmp_path / "small.npy", opened_model.compress(small_rows, dims=7))
    ids, _ = opened_model.search(small_rows[[30, 31]], tmp_path / "small.npy", k=1, only=[29, 31, 30])
    np.testing.assert_array_equal(ids, [[30], [31]])


@pytest.mark.parametrize(
    ("only", "error", "words"),
    [
        ([], RowError, "between 0 and .*, got none"),
        (np.array([2**63 + 5], np.uint64), RowError, "between 0 and 599, got 9223372036854775807 to"),
        ([-1, 3], RowError, "got -1 to 3; were these ids of another set"),
        ([10_000], RowError, "got 10000 to 10000"),
        ([1, 2, 1], RowError, "each row once, got 1 ids twice"),
        ([1.0, 2.0], DtypeError, "whole numbers or bools, got float64"),
        ([[1, 2]], ShapeError, r"of shape \(M,\) or bools"),
        ([[1], [2, 3]], ShapeError, "a flat list of ids or bools, got lists of unequal lengths"),
        ([True, False], ShapeError, r"got bool \(2,\)"),
    ],
)
def test_rows_that_are_not_there_are_refused(opened_model, small_rows, only, error, words):
    with pytest.raises(error, match=words):
        opened_model.search(small_rows[:2], opened_model.compress(small_rows, dims=5), k=1, only=only)


def test_vectors_have_no_shortlist(opened_model, small_rows):
    with pytest.raises(SizeError, match="shortlist must be left out for vectors"):
        opened_model.search(small_rows[:2], opened_model.compress(small_rows, dims=5), k=1, shortlist=10)
