"""Exact search equals a slow reference, ties and blocks included."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.codec import ClassicCodec, Codes
from arfc.errors import DtypeError, RowError, ShapeError, SizeError
from arfc.io import matrix_writer, open_features
from arfc.scores import top_k, unit_rows
from arfc.search import exact, exact_search


def slow_search(queries, rows, k):
    """Score one pair at a time in float64 and sort by score, then by id."""
    found = []
    for query in queries.astype(np.float64):
        scores = [query @ row / np.linalg.norm(query) / np.linalg.norm(row) for row in rows.astype(np.float64)]
        found.append(sorted(range(len(rows)), key=lambda row, scores=scores: (-round(scores[row], 6), row))[:k])
    ids = np.array(found)
    return ids, np.array([[np.round(_cosine(q, rows[i]), 6) for i in row] for q, row in zip(queries, ids, strict=True)])


def _cosine(a, b):
    return a.astype(np.float64) @ b / np.linalg.norm(a.astype(np.float64)) / np.linalg.norm(b.astype(np.float64))


@pytest.fixture
def small_blocks(monkeypatch):
    """Many blocks of rows and queries, the last ones not full."""
    monkeypatch.setattr(exact, "_ROWS_PER_BLOCK", 32)
    monkeypatch.setattr(exact, "_QUERIES_PER_BLOCK", 7)


@pytest.mark.parametrize("k", [1, 10, 50, 200])
def test_equals_the_slow_reference(small_blocks, vectors, rng, k):
    queries = rng.standard_normal((17, 24)).astype(np.float32)
    ids, scores = exact_search(queries, vectors, k=k)
    slow_ids, slow_scores = slow_search(queries, vectors, k)
    np.testing.assert_array_equal(ids, slow_ids)
    np.testing.assert_allclose(scores, slow_scores, atol=2e-6)
    assert (ids.dtype, scores.dtype) == (np.int64, np.float32)


@given(
    values=st.lists(st.sampled_from([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, 0, 1)]), min_size=1, max_size=90),
    k=st.integers(1, 90),
)
def test_equal_scores_come_in_order_of_ids(values, k):
    rows = np.float32(values)
    k = min(k, len(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_ROWS_PER_BLOCK", 32)
        ids, scores = exact_search(np.float32([[2, 1, 0]]), rows, k=k)
    slow_ids, slow_scores = slow_search(np.float32([[2, 1, 0]]), rows, k)
    np.testing.assert_array_equal(ids, slow_ids)
    np.testing.assert_allclose(scores, slow_scores, atol=2e-6)


@pytest.mark.parametrize("copies", [5, 37, 4133])
@pytest.mark.parametrize("width", [7, 384])
@pytest.mark.parametrize("queries", [3, 300])
def test_copies_of_a_row_score_equal_wherever_they_stand(rng, copies, width, queries):
    rows = np.repeat(rng.standard_normal((1, width)).astype(np.float32), copies, axis=0)
    ids, scores = exact_search(rng.standard_normal((queries, width)).astype(np.float32), rows, k=copies)
    np.testing.assert_array_equal(ids, np.tile(np.arange(copies), (queries, 1)))
    assert (scores == scores[:, :1]).all()


def test_a_query_finds_the_same_alone_and_among_others(rng):
    rows, queries = (rng.standard_normal((n, 100)).astype(np.float32) for n in (5000, 40))
    ids, scores = exact_search(queries, rows, k=7)
    for query in (0, 17, 39):
        own_ids, own_scores = exact_search(queries[query : query + 1], rows, k=7)
        np.testing.assert_array_equal(own_ids, ids[query : query + 1])
        np.testing.assert_array_equal(own_scores, scores[query : query + 1])


def test_codes_are_searched_as_what_they_decode_to(small_blocks, vectors, rng):
    codec = ClassicCodec.fit(vectors * np.linspace(3, 0.3, 24, dtype=np.float32))
    codec = replace(codec, powers={1: 0.25})
    codes = Codes(codec.encode(vectors, bytes_per_vector=2), codec)
    queries = rng.standard_normal((9, 24)).astype(np.float32)
    ids, scores = exact_search(queries, codes, k=12)
    expected_ids, expected = top_k(unit_rows(queries) @ codes.decode().T, 12)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    lengths = np.linalg.norm(codes.decode(), axis=1)
    assert lengths.max() > 1.05 * lengths.min()  # and they count


def test_lengths_do_not_matter(vectors, rng):
    queries = rng.standard_normal((5, 24)).astype(np.float32)
    ids, scores = exact_search(queries, vectors, k=7)
    scaled_ids, scaled_scores = exact_search(8 * queries, vectors * np.float32(0.5), k=7)
    np.testing.assert_array_equal(scaled_ids, ids)
    np.testing.assert_array_equal(scaled_scores, scores)


def test_rows_can_stay_in_a_file(npy_file, vectors):
    ids, _ = exact_search(vectors[:3], npy_file, k=1)
    np.testing.assert_array_equal(ids, [[0], [1], [2]])


def test_a_file_is_read_once(small_blocks, tmp_path, vectors, monkeypatch):
    """Each read of a row group begins at the group's first row."""
    with matrix_writer(tmp_path / "x.parquet", rows=200, width=24, dtype="float32") as writer:
        writer.append(vectors)
    opened, walks = open_features(tmp_path / "x.parquet"), []
    blocks = opened._matrix.blocks
    monkeypatch.setattr(opened._matrix, "blocks", lambda *at, **size: walks.append(at) or blocks(*at, **size))
    for found, expected in zip(
        exact_search(vectors[:3], opened, k=5), exact_search(vectors[:3], vectors, k=5), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert walks == [(0, 200), (0, 200)]  # to look at the rows, and to score them


@pytest.mark.parametrize("k", [0, 201, -1, True])
def test_k_out_of_range_is_refused(vectors, k):
    with pytest.raises(SizeError, match=f"between 1 and 200, the number of rows, got {k}"):
        exact_search(vectors, vectors, k=k)


def test_bad_input_is_refused(vectors):
    with pytest.raises(ShapeError, match=r"queries must have shape \(Q, 24\)"):
        exact_search(vectors[:, :23], vectors, k=3)
    with pytest.raises(DtypeError, match="queries must hold float16"):
        exact_search(vectors.astype(np.int32), vectors, k=3)
    broken = vectors.copy()
    broken[150] = 0
    with pytest.raises(RowError, match=r"rows must be .* 1 row \(row 150\)"):
        exact_search(vectors, broken, k=3)
    with pytest.raises(RowError, match=r"queries must be .* 1 row \(row 150\)"):
        exact_search(broken, vectors, k=3)
