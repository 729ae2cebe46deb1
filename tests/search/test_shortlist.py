"""The shortlist search finds what the exact one finds, and scans like a slow reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.codec import Codes, NestedCodec
from arfc.errors import SizeError
from arfc.scores import recall_at_k
from arfc.search import exact_search, shortlist
from arfc.search.shortlist import scan, shortlist_search


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((50, 16))[rng.integers(50, size=2900)] + 0.5 * rng.standard_normal((2900, 16))
    return (x * np.linspace(2, 0.3, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def codec(rows):
    return NestedCodec.fit(rows[:2000], rounds=5)


def test_a_shortlist_of_all_rows_is_the_exact_search(codec, rows):
    queries, codes = rows[2000:2020], Codes(codec.encode(rows[2100:], bytes_per_vector=5), codec)
    ids, scores = shortlist_search(queries, codes, k=7, shortlist=len(codes))
    exact_ids, exact_scores = exact_search(queries, codes, k=7)
    np.testing.assert_allclose(scores, exact_scores, atol=1e-6)
    assert recall_at_k(exact_ids, ids).mean() > 0.99  # equal codes are told apart by rounding


@pytest.mark.parametrize("size", [3, 9])
def test_a_short_shortlist_loses_at_most_a_point(codec, rows, size):
    queries, codes = rows[2000:2100], Codes(codec.encode(rows[2100:], bytes_per_vector=size), codec)
    _, scores = shortlist_search(queries, codes, k=10, shortlist=100)
    _, exact_scores = exact_search(queries, codes, k=10)
    np.testing.assert_allclose(scores[:, 0], exact_scores[:, 0], atol=1e-6)
    as_good = scores >= exact_scores - 1e-6  # a tie may be broken otherwise
    assert as_good.mean() >= 0.99


def test_clusters_about_a_long_mean_lose_no_more():
    """Rows of one cluster differ by little, and their stretches by as much."""
    rng = np.random.default_rng(0)
    spots = rng.standard_normal((30, 48)) * 0.65
    x = spots[rng.integers(30, size=4100)] + 10 * np.eye(48)[0] + 0.4 * rng.standard_normal((4100, 48))
    codec = NestedCodec.fit(x[:2000].astype(np.float32), rounds=3)
    queries, codes = x[4000:].astype(np.float32), Codes(codec.encode(x[2000:4000], bytes_per_vector=12), codec)
    for only in (None, np.arange(0, 2000, 2), np.arange(1, 2000, 2)):
        exact_ids, _ = exact_search(queries, codes, k=10, only=only)
        for asked in (codes, Codes(codes.packed, codec)):  # stretches that are known, and that are not
            ids, _ = shortlist_search(queries, asked, k=10, shortlist=30, only=only)
            assert recall_at_k(exact_ids, ids).mean() >= 0.99


def test_codes_with_a_length_lose_no_more():
    """Half of the rows lie so close that only codewords of little length tell them apart."""
    rng = np.random.default_rng(6)
    spread = np.where(np.arange(5200) % 2, 0.5, 0.05)[:, None]
    x = rng.standard_normal((40, 24))[rng.integers(40, size=5200)] + spread * rng.standard_normal((5200, 24))
    codec = NestedCodec.fit(x[:3000].astype(np.float32), rounds=3, judge=lambda codec: codec.missed.length_bytes)
    assert codec.missed.length_bytes and codec.joint.tokens
    queries, codes = x[5000:].astype(np.float32), Codes(codec.encode(x[3000:5000], bytes_per_vector=16), codec)
    for only in (None, np.arange(0, 2000, 3)):
        exact_ids, _ = exact_search(queries, codes, k=10, only=only)
        ids, _ = shortlist_search(queries, codes, k=10, shortlist=50, only=only)
        assert recall_at_k(exact_ids, ids).mean() >= 0.99


def test_only_the_rows_that_are_named_are_found(codec, rows):
    queries, packed = rows[2000:2010], codec.encode(rows[2100:], bytes_per_vector=6)
    only = np.sort(np.random.default_rng(0).permutation(800)[:90])
    ids, scores = shortlist_search(queries, Codes(packed, codec), k=5, shortlist=40, only=only)
    assert np.isin(ids, only).all()
    own_ids, own_scores = shortlist_search(queries, Codes(packed[only], codec), k=5, shortlist=40)
    np.testing.assert_array_equal(ids, only[own_ids])
    np.testing.assert_array_equal(scores, own_scores)


@given(
    rows=st.integers(1, 60),
    size=st.integers(1, 7),
    queries=st.integers(1, 19),
    by_pairs=st.booleans(),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_a_scan_keeps_the_largest_sums(rows, size, queries, by_pairs, seed, data):
    rng = np.random.default_rng(seed)
    packed = rng.integers(0, 256, (rows, size + 2), dtype=np.uint8)
    tables = rng.standard_normal((queries, size, 256)).astype(np.float32)
    factors = rng.uniform(0.5, 2, (2, rows)).astype(np.float32)
    tokens = data.draw(st.integers(0, 8))
    each = tables[:, np.arange(size), packed[:, :size]]
    sums = factors[0] * each[..., :tokens].sum(axis=2) + factors[1] * each[..., tokens:].sum(axis=2)
    only = np.sort(rng.permutation(rows)[: data.draw(st.integers(1, rows))]) if data.draw(st.booleans()) else None
    searched = np.arange(rows) if only is None else only
    keep = data.draw(st.integers(1, len(searched)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortlist, "_BLOCK_ROWS", 16)
        patch.setattr(shortlist, "_PAIR_ROWS", 1 if by_pairs else 100)
        found = scan(packed, tables, factors[:, searched], tokens=tokens, keep=keep, only=only)
    assert found.shape == (queries, keep)
    for ids, scores in zip(found, sums, strict=True):
        assert len(set(ids)) == keep
        assert set(ids) <= set(searched)
        np.testing.assert_allclose(np.sort(scores[ids]), np.sort(scores[searched])[-keep:], atol=1e-5)


@pytest.mark.parametrize("length", [2, True])
def test_a_shortlist_that_cannot_hold_the_answer_is_refused(codec, rows, length):
    codes = Codes(codec.encode(rows[2100:2200], bytes_per_vector=2), codec)
    with pytest.raises(SizeError, match=f"shortlist must be a whole number of at least k = 3, got {length!r}; try 60"):
        shortlist_search(rows[:2], codes, k=3, shortlist=length)
    with pytest.raises(SizeError, match="k must be a whole number between 1 and 4, the rows of 100 that are searched"):
        shortlist_search(rows[:2], codes, k=5, shortlist=50, only=np.arange(4))
