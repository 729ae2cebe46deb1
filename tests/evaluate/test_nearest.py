"""What is found equals a slow search, and a row never finds itself."""

import sys

import numpy as np
import pytest

from arfc import RowError, ShapeError, SizeError
from arfc.errors import MissingExtraError
from arfc.evaluate.nearest import nearest
from arfc.search import exact_search


@pytest.mark.parametrize("width", [1, 7, 24])
def test_equals_the_searches_of_the_package(rng, width):
    queries, rows = rng.standard_normal((30, width)), rng.standard_normal((200, width))
    if width == 1:
        rows = rows[:2] = np.array([[3.0], [-1.0]])
    k = min(9, len(rows))
    found = nearest(queries, rows, k=k)
    np.testing.assert_array_equal(found, exact_search(queries, rows, k=k)[0])


def test_a_row_does_not_find_itself_also_among_many_equal_ones(vectors):
    rows = np.concatenate([vectors, np.repeat(vectors[:1], 50, axis=0)])
    own = np.array([3, 0, 220, -1])
    found = nearest(np.concatenate([rows[own[:3]], rows[7:8]]), rows, k=10, own_Q=own)
    assert found.shape == (4, 10)
    assert not (found == own[:, None]).any()
    np.testing.assert_array_equal(found[0], exact_search(rows[3:4], rows, k=11)[0][0][1:])
    assert set(found[1]) <= {0, *range(200, 250)}
    assert found[3, 0] == 7  # this query is none of the rows as far as the search knows


def test_refused(vectors, monkeypatch):
    with pytest.raises(ShapeError, match=r"queries must have shape \(Q, 24\) like the rows, got \(3, 5\)"):
        nearest(vectors[:3, :5], vectors, k=1)
    with pytest.raises(SizeError, match="k must be between 1 and 200, the number of rows to find, got 201"):
        nearest(vectors, vectors, k=201)
    with pytest.raises(SizeError, match="got 200; try fewer"):
        nearest(vectors, vectors, k=200, own_Q=np.arange(200))
    with pytest.raises(RowError, match=r"queries must be finite and not all zero, got 1 row \(row 1\)"):
        nearest(np.stack([vectors[0], 0 * vectors[0]]), vectors, k=1)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"faiss is not installed; run: pip install 'arfc\[evaluate\]'"):
        nearest(vectors, vectors, k=1)
