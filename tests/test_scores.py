"""Letters: Q queries, N rows, D dims, K neighbours kept."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arfc.errors import RowError, ShapeError, SizeError
from arfc.scores import cosine_scores, of_one_length, recall_at_k, top_k, unit_rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_cosine_scores_equal_a_slow_reference(rng, dtype):
    queries_QD, rows_ND = (rng.standard_normal((n, 37)).astype(dtype) for n in (5, 11))
    scores_QN = cosine_scores(queries_QD, rows_ND)
    for q, query in enumerate(queries_QD.tolist()):
        for n, row in enumerate(rows_ND.tolist()):
            expected = sum(a * b for a, b in zip(query, row, strict=True)) / math.hypot(*query) / math.hypot(*row)
            assert scores_QN[q, n] == pytest.approx(expected, abs=1e-6)
    assert scores_QN.dtype == np.float32


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1.0, 1e19, 1e30, 1e38])
def test_length_does_not_matter_anywhere_in_float32(rng, scale):
    x_ND = rng.uniform(-1, 1, (6, 9)).astype(np.float32)
    scaled_ND = (x_ND * np.float64(scale)).astype(np.float32)
    np.testing.assert_allclose(cosine_scores(x_ND, scaled_ND), cosine_scores(x_ND, x_ND), atol=1e-6)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_rows_without_a_direction_are_named(bad):
    x_ND = np.ones((9, 4), np.float32)
    x_ND[[2, 5]] = bad
    with pytest.raises(
        RowError, match=r"^rows must be finite and not all zero, got 2 rows \(rows 2, 5\) without a dir"
    ):
        cosine_scores(np.ones((1, 4), np.float32), x_ND)
    with pytest.raises(RowError, match="^queries must be finite"):
        cosine_scores(x_ND, np.ones((1, 4), np.float32))
    with pytest.raises(RowError, match="^pairs must be finite"):
        unit_rows(x_ND, name="pairs")


def test_widths_must_agree():
    with pytest.raises(ShapeError, match=r"queries must have shape \(Q, 4\) like the rows, got \(2, 3\)"):
        cosine_scores(np.ones((2, 3), np.float32), np.ones((5, 4), np.float32))


# Few distinct values, so that ties are the rule.
tied_scores = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])
)


@given(tied_scores, st.data())
def test_top_k_equals_sorting_everything(scores_QN, data):
    k = data.draw(st.integers(1, scores_QN.shape[1]))
    ids_QK, kept_QK = top_k(scores_QN, k)
    for q, row in enumerate(scores_QN.tolist()):
        expected = sorted(range(len(row)), key=lambda n, row=row: (-row[n], n))[:k]
        assert ids_QK[q].tolist() == expected
        assert kept_QK[q].tolist() == [row[n] for n in expected]
    assert ids_QK.dtype == np.int64
    assert kept_QK.dtype == scores_QN.dtype


def test_top_k_of_distinct_scores(rng):
    scores_QN = rng.standard_normal((7, 500))
    ids_QK, kept_QK = top_k(scores_QN, 10)
    np.testing.assert_array_equal(ids_QK, np.argsort(-scores_QN, axis=1)[:, :10])
    np.testing.assert_array_equal(kept_QK, -np.sort(-scores_QN, axis=1)[:, :10])


@pytest.mark.parametrize("k", [0, -1, 4])
def test_k_out_of_range(k):
    with pytest.raises(SizeError, match=f"k must be between 1 and 3, the number of rows, got {k}"):
        top_k(np.zeros((1, 3), np.float32), k)


def test_nan_scores_are_refused():
    scores_QN = np.zeros((3, 3), np.float32)
    scores_QN[1, 2] = np.nan
    with pytest.raises(RowError, match=r"scores must not be NaN, got NaN in 1 row \(row 1\)"):
        top_k(scores_QN, 1)


def test_recall_is_the_share_found_per_query():
    truth_QK = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [0, 1, 2, 3]])
    found_QK = np.array([[4, 3, 2, 1], [5, 9, 8, 0], [9, 8, 7, 6]])
    assert recall_at_k(truth_QK, found_QK).tolist() == [1.0, 0.5, 0.0]


def test_recall_needs_the_same_k():
    with pytest.raises(ShapeError, match=r"found ids must have shape \(2, 3\) like the true ids, got \(2, 4\)"):
        recall_at_k(np.zeros((2, 3), np.int64), np.zeros((2, 4), np.int64))


def test_one_length_ranks_by_cosine_as_inner_products_do(rng):
    rows = (rng.standard_normal((60, 7)) * rng.uniform(0.2, 1, (60, 1))).astype(np.float32)
    queries = rng.standard_normal((9, 7)).astype(np.float32)
    made = of_one_length(rows)
    np.testing.assert_array_equal(made[:, :7], rows)
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), lengths.max(), rtol=1e-6)
    expected = unit_rows(queries) @ rows.T / lengths.max()
    np.testing.assert_allclose(cosine_scores(np.pad(queries, ((0, 0), (0, 1))), made), expected, atol=1e-6)
    assert (np.argmax(expected, axis=1) != np.argmax(cosine_scores(queries, rows), axis=1)).any()  # lengths count


def test_no_rows_are_of_one_length():
    assert of_one_length(np.empty((0, 3), np.float32)).shape == (0, 4)
