"""The codes of faiss are taken over as they are, for any width, and at every size that exists."""

import sys

import numpy as np
import pytest

from arfc.baselines import CATALOGUE
from arfc.baselines.faiss_codec import FaissCodec, ResidualCodec, import_faiss
from arfc.errors import MissingExtraError, RowError, SizeError

faiss = pytest.importorskip("faiss")

SIZED = {"pq": FaissCodec.pq, "opq": FaissCodec.opq, "lsq": FaissCodec.lsq}


@pytest.mark.parametrize("width", [24, 30, 37])
@pytest.mark.parametrize("fit", SIZED.values(), ids=SIZED)
def test_codes_are_of_the_size_asked_for_and_come_near(fit, width, clustered, unit):
    x = clustered(600, width)
    codec = fit(x, bytes_per_vector=3, seed=0)
    packed = codec.encode(x, bytes_per_vector=3)
    assert packed.shape == (600, codec.largest_bytes) == (600, 3)
    decoded = codec.decode(packed)
    assert decoded.shape == (600, width)
    np.testing.assert_allclose(np.linalg.norm(decoded, axis=1), 1, rtol=1e-5)
    assert np.mean(np.sum(decoded * unit(x), axis=1)) > 0.95
    np.testing.assert_array_equal(packed, codec.encode(3 * x, bytes_per_vector=3))  # only directions count


@pytest.mark.parametrize("fit", SIZED.values(), ids=SIZED)
def test_other_sizes_and_few_rows_are_refused(fit, clustered):
    x = clustered(300, 24)
    codec = fit(x, bytes_per_vector=4, seed=0)
    with pytest.raises(SizeError, match="bytes must be 4, the size this was fitted for, got 3; fit another"):
        codec.encode(x, bytes_per_vector=3)
    with pytest.raises(SizeError, match="bytes must be 4, the size this was fitted for, got 3"):
        codec.decode(np.zeros((1, 3), np.uint8))
    with pytest.raises(RowError, match="at least 256 rows for a codebook, got 255; add more"):
        fit(x[:255], bytes_per_vector=4, seed=0)


def test_pq_is_that_of_faiss(clustered, unit):
    x = clustered(600, 24)
    theirs = faiss.IndexPQ(24, 4, 8)
    theirs.pq.cp.seed = 3
    theirs.pq.cp.min_points_per_centroid = 1
    rows = unit(x).astype(np.float32)
    theirs.train(rows)
    codec = FaissCodec.pq(x, bytes_per_vector=4, seed=3)
    np.testing.assert_array_equal(codec.encode(x, bytes_per_vector=4), theirs.sa_encode(rows))
    other = FaissCodec.pq(x, bytes_per_vector=4, seed=4).encode(x, bytes_per_vector=4)
    assert (other != theirs.sa_encode(rows)).any()


@pytest.mark.parametrize("width", [24, 37])
def test_residual_codes_decode_to_sums_of_codewords(width, clustered, unit):
    x = clustered(600, width)
    codec = ResidualCodec.fit(x, bytes_per_vector=6, seed=0)
    assert codec.largest_bytes == 6
    books = faiss.vector_to_array(codec.quantizer.codebooks).reshape(6, 256, width)
    previous = np.inf
    for size in range(1, 7):
        packed = codec.encode(x, bytes_per_vector=size)
        assert packed.shape == (600, size)
        decoded = codec.decode(packed)
        np.testing.assert_allclose(decoded, unit(sum(books[m][packed[:, m]] for m in range(size))), atol=1e-5)
        error = np.mean(np.square(decoded - unit(x)).sum(axis=1))
        assert error < previous
        previous = error


def test_a_residual_code_of_its_own_size_beats_a_cut_one(clustered, unit):
    x = clustered(2000, 24, centres=300)
    codec = ResidualCodec.fit(x, bytes_per_vector=6, seed=0)
    long = codec.encode(x, bytes_per_vector=6)

    def error(packed):
        return np.mean(np.square(codec.decode(packed) - unit(x)).sum(axis=1))

    assert error(codec.encode(x, bytes_per_vector=2)) < error(long[:, :2])
    with pytest.raises(SizeError, match="bytes must be between 1 and 6, got 7"):
        codec.decode(np.zeros((1, 7), np.uint8))
    with pytest.raises(RowError, match="at least 256 rows"):
        ResidualCodec.fit(x[:100], bytes_per_vector=2, seed=0)


def test_a_residual_code_can_be_fitted_on_fewer_rows_than_dims(clustered, unit):
    x = clustered(300, 320)
    codec = ResidualCodec.fit(x, bytes_per_vector=2, seed=0)
    errors = [
        np.square(codec.decode(codec.encode(x, bytes_per_vector=size)) - unit(x)).sum(axis=1).mean() for size in (1, 2)
    ]
    assert errors[1] < errors[0] < 1


def test_quantisers_rank_as_the_literature_has_them(split, recall):
    fit, queries, rows = split(36)
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((36, 36)))[0].astype(np.float32)
    fit, queries, rows = fit @ turned, queries @ turned, rows @ turned

    def score(name):
        model = CATALOGUE[name].fit(fit, size=4, seed=0)
        return recall(model.project(queries), model.compress(rows, bytes=4), queries, rows)

    scores = {name: score(name) for name in ("pq", "opq", "rq")}
    assert scores["rq"] > scores["pq"] + 0.05, scores
    assert scores["opq"] > scores["pq"], scores


def test_without_faiss_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"faiss is not installed; run: pip install 'arfc\[faiss\]'"):
        import_faiss()
