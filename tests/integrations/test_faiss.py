"""faiss indexes of compressed vectors and of codes: the scores are cosines, ids are kept, files are faiss's own."""

import sys

import faiss
import numpy as np
import pytest
import torch

from arfc import Compressor
from arfc.baselines import Int8
from arfc.codec import Codes
from arfc.errors import ConfigError, DtypeError, MissingExtraError, RowError, ShapeError, SizeError
from arfc.integrations import faiss as integration
from arfc.integrations.faiss import build_index, build_token_index, search_index, search_token_index
from arfc.search import exact_search


@pytest.fixture(scope="module")
def rows(coded_rows):
    return coded_rows


@pytest.fixture(scope="module")
def model(coded_model):
    return coded_model


@pytest.fixture(scope="module")
def queries(clustered):
    return clustered(20, 64, seed=1)


def same_search(found, expected):
    """Hold ids and scores against exact search; where scores are equal up to rounding, the order may differ."""
    (ids, scores), (true_ids, true_scores) = found, expected
    np.testing.assert_allclose(scores, true_scores, atol=1e-5)
    clear = np.abs(np.diff(true_scores, axis=1, append=-1)) > 1e-5
    clear &= np.abs(np.diff(true_scores, axis=1, prepend=2)) > 1e-5
    assert clear[:, :-1].mean() > 0.5
    np.testing.assert_array_equal(ids[:, :-1][clear[:, :-1]], true_ids[:, :-1][clear[:, :-1]])


@pytest.mark.parametrize("dims", [1, 7, 64])
def test_flat_equals_exact_search(model, rows, queries, dims):
    small = model.compress(rows, dims=dims)
    index = build_index(small)
    assert index.d == dims and index.ntotal == len(rows)
    found = search_index(model, index, queries, k=5)
    if dims > 1:  # all cosines of one dim are 1 or -1
        same_search(found, model.search(queries, small, k=5))
    assert (np.diff(found[1], axis=1) <= 0).all()


def test_codes_are_decoded(model, rows, queries):
    codes = model.compress(rows, bytes=20)
    index = build_index(codes)
    assert index.d == model.width
    same_search(search_index(model, index, queries, k=5), model.search(queries, codes, k=5))


def test_the_lengths_of_rows_do_not_matter(model, rows, queries):
    long = model.compress(rows * np.linspace(0.1, 9, len(rows), dtype=np.float32)[:, None], dims=9)
    one = search_index(model, build_index(long), queries, k=5)
    same_search(one, search_index(model, build_index(model.compress(rows, dims=9)), queries, k=5))
    assert one[1].max() <= 1 + 1e-5


def test_files_are_read_block_by_block(model, rows, queries, tmp_path, monkeypatch):
    monkeypatch.setattr(integration, "_ROWS_PER_BLOCK", 300)
    small = model.compress(rows, dims=9)
    np.save(tmp_path / "small.npy", small)
    for source in (tmp_path / "small.npy", str(tmp_path / "small.npy"), np.load(tmp_path / "small.npy", mmap_mode="r")):
        same_search(search_index(model, build_index(source), queries), model.search(queries, small))
    codes = model.compress(rows, bytes=4)
    for index, search in ((build_index(codes), search_index), (build_token_index(codes), search_token_index)):
        assert index.ntotal == len(rows)
        same_search(search(model, index, queries), model.search(queries, codes))


def test_a_stored_vector_is_cut_without_the_model(model, rows, queries):
    small = model.compress(rows, dims=32)
    same_search(search_index(model, build_index(small[:, :6]), queries), model.search(queries, small[:, :6]))


@pytest.mark.parametrize("factory", ["HNSW16", "IVF8,Flat", "SQ8", "RR24,Flat", "IDMap,Flat", "L2norm,Flat"])
def test_other_factories_find_near_rows(model, rows, queries, factory):
    small = model.compress(rows, dims=24)
    ids = np.arange(len(rows)) * 3 + 7
    index = build_index(small, factory=factory, ids=ids)
    assert index.metric_type == faiss.METRIC_INNER_PRODUCT
    found, scores = search_index(model, index, queries, k=5)
    assert set(found.ravel()) <= set(ids) | {-1}
    truth, true_scores = model.search(queries, small, k=1)
    assert (found[:, 0] == ids[truth[:, 0]]).mean() > 0.5
    kept = found[:, 0] == ids[truth[:, 0]]
    np.testing.assert_allclose(scores[kept, 0], true_scores[kept, 0], atol=0.1)


def test_training_sees_rows_of_the_whole_input(model, rows, monkeypatch):
    """Sorted input: lists that were trained on its beginning would all lie there."""
    small = model.compress(rows[np.argsort(rows[:, 0])], dims=8)
    monkeypatch.setattr(integration, "TRAIN_ROWS", 400)
    index = build_index(small, factory="IVF10,Flat")
    lists = faiss.extract_index_ivf(index.index).invlists
    sizes = np.array([lists.list_size(number) for number in range(10)])
    assert sizes.sum() == len(rows) and sizes.max() < len(rows) / 2
    codes = build_index(model.compress(rows, bytes=4), factory="IVF10,Flat")
    assert codes.ntotal == len(rows)


def test_token_index_holds_the_codes_as_they_are(model, rows):
    codes = model.compress(rows, bytes=4)
    index = build_token_index(codes)
    sums = faiss.downcast_index(faiss.downcast_index(index.index).index)
    np.testing.assert_array_equal(faiss.vector_to_array(sums.codes).reshape(-1, 4), codes.packed)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_token_index_with_all_rows_on_the_list_is_exact(model, rows, queries, size):
    codes = model.compress(rows, bytes=size)
    found = search_token_index(model, build_token_index(codes), queries, k=5, shortlist=len(rows))
    np.testing.assert_allclose(found[1], model.search(queries, codes, k=5)[1], atol=1e-5)
    # Rows of equal codes have equal scores: every id that is named has the score that is said.
    decoded = codes.decode()
    asked = model.compress(queries, dims=64)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    np.testing.assert_allclose(np.einsum("qd,qkd->qk", asked, decoded[found[0]]), found[1], atol=1e-5)


def test_a_short_list_is_enough(model, rows, queries):
    codes = model.compress(rows, bytes=4)
    index = build_token_index(codes)
    _, few = search_token_index(model, index, queries, k=5, shortlist=50)
    _, exact = model.search(queries, codes, k=5)
    assert np.isclose(few, exact, atol=1e-5).mean() > 0.95
    sums, _ = index.search(model.compress(queries, dims=64), 5)  # faiss alone: sums of codewords, which are no cosines
    assert not np.isclose(sums[:, 0], exact[:, 0], atol=1e-3).any()


def test_files_are_those_of_faiss(model, rows, queries, tmp_path):
    ids = np.random.default_rng(3).permutation(10**6)[: len(rows)]
    codes = model.compress(rows, bytes=4)
    for number, (index, search) in enumerate(
        (
            (build_index(model.compress(rows, dims=9), ids=ids), search_index),
            (build_index(codes, factory="HNSW16", ids=ids), search_index),
            (build_token_index(codes, ids=ids), search_token_index),
        )
    ):
        path = str(tmp_path / str(number))
        faiss.write_index(index, path)
        back = faiss.read_index(path)
        for found, expected in zip(search(model, back, queries), search(model, index, queries), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert np.isin(search(model, back, queries)[0], ids).all()


def test_a_saved_model_searches_an_index_made_before(model, rows, queries, tmp_path):
    codes = model.compress(rows, bytes=4)
    index = build_token_index(codes)
    model.save(tmp_path / "model")
    again = Compressor.load(tmp_path / "model")
    for found, expected in zip(
        search_token_index(again, index, queries), search_token_index(model, index, queries), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("build", [build_index, build_token_index])
@pytest.mark.parametrize(
    ("ids", "error", "match"),
    [
        (np.arange(10), ShapeError, r"ids must have shape \(1600,\), one per row, got \(10,\)"),
        (np.arange(1600.0), DtypeError, "ids must be whole numbers, got float64"),
        (["a"] * 1600, DtypeError, "ids must be whole numbers, got <U1"),
        (np.arange(1600) - 1, SizeError, r"ids must lie in 0\.\.2\*\*63 - 1, got -1 to 1598"),
        (np.arange(1600, dtype=np.uint64) + 2**63, SizeError, "faiss uses -1 for no row"),
    ],
)
def test_bad_ids(model, rows, build, ids, error, match):
    with pytest.raises(error, match=match):
        build(model.compress(rows, bytes=4), ids=ids)


def test_bad_rows_and_factories(model, rows):
    small = model.compress(rows, dims=10)
    with pytest.raises(ConfigError, match="factory must be an index that faiss knows, got 'Tree' .*; try 'Flat'"):
        build_index(small, factory="Tree")
    with pytest.raises(ConfigError, match=r"got 'PQ3' \(.*multiple"):
        build_index(small, factory="PQ3")
    small[7] = np.nan
    with pytest.raises(RowError, match=r"compressed vectors must be finite and not zero, got NaN or Inf in 1 row"):
        build_index(small)
    packed = model.compress(rows, bytes=4).packed
    for given in (packed, torch.from_numpy(packed)):
        with pytest.raises(DtypeError, match=r"rows must be vectors or Codes, got uint8, .* model\.codes\(rows"):
            build_index(given)
    few = model.compress(rows[:50], dims=10)
    with pytest.raises(ConfigError, match=r"an index that 50 rows can train, got 'IVF200,Flat' \(.*\); try 'Flat'"):
        build_index(few, factory="IVF200,Flat")
    with pytest.raises(ConfigError, match="an index that compares by inner product, got 'HNSW8_PQ5'; try 'Flat'"):
        build_index(few, factory="HNSW8_PQ5")


def test_what_cannot_be_a_token_index(model, rows):
    with pytest.raises(SizeError, match=r"must have at most \d+ bytes, the joint tokens of this model, got 60; trunc"):
        build_token_index(model.compress(rows, bytes=60))
    other = Int8.fit(rows)
    with pytest.raises(ConfigError, match="needs the codes of a Compressor, got codes of"):
        build_token_index(other.compress(rows, bytes=4))


def test_an_index_of_another_model_or_metric(model, rows, queries, tiny_config):
    codes = model.compress(rows, bytes=4)
    changed = Compressor(model.network, shifted(model.codec), model.seen, model.facts)
    with pytest.raises(ConfigError, match="must hold the codebooks of this model, got IndexPreTransform without them"):
        search_token_index(changed, build_token_index(codes), queries)
    with pytest.raises(ConfigError, match="must hold the codebooks of this model, got IndexIDMap without them"):
        search_token_index(model, build_index(codes), queries)
    pca = build_index(codes, factory="IDMap,Flat")
    with pytest.raises(ConfigError, match="got IndexPreTransform without them"):
        search_token_index(model, faiss.IndexPreTransform(faiss.LinearTransform(64, 64), pca), queries)
    with pytest.raises(ConfigError, match="an index must compare by inner product, got another metric"):
        search_index(model, faiss.IndexFlatL2(8), queries)
    with pytest.raises(ShapeError, match="an index must have at most 64 dims, got 65"):
        search_index(model, faiss.IndexFlatIP(65), queries)


def shifted(codec):
    arrays = codec.to_arrays()
    return type(codec).from_arrays({**arrays, "codebooks": arrays["codebooks"] + 1})


def test_bad_counts(model, rows, queries):
    codes = model.compress(rows, bytes=4)
    for k in (0, 1601):
        with pytest.raises(
            SizeError, match=f"k must be a whole number between 1 and 1600, the number of rows, got {k}"
        ):
            search_index(model, build_index(codes), queries, k=k)
        with pytest.raises(
            SizeError, match=f"k must be a whole number between 1 and 1600, the number of rows, got {k}"
        ):
            search_token_index(model, build_token_index(codes), queries, k=k)
    with pytest.raises(SizeError, match="shortlist must be at least k, got 5 for k=10; try shortlist=100"):
        search_token_index(model, build_token_index(codes), queries, shortlist=5)
    with pytest.raises(ShapeError, match=r"features must have shape \(N, 64\), got \(20, 60\)"):
        search_index(model, build_index(codes), queries[:, :60])


def test_without_faiss(model, rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    for build in (build_index, build_token_index):
        with pytest.raises(MissingExtraError, match=r"faiss is not installed; run: pip install 'arfc\[faiss\]'"):
            build(model.compress(rows, bytes=4))


def test_codes_of_any_codec(rows, queries):
    codes = Int8.fit(rows).compress(rows, bytes=16)
    assert isinstance(codes, Codes)
    index = build_index(codes)
    asked = queries[:, : index.d] / np.linalg.norm(queries[:, : index.d], axis=1, keepdims=True)
    np.testing.assert_allclose(index.search(asked, 5)[0], exact_search(asked, codes, k=5)[1], atol=1e-5)
