"""RaBitQ ranks as faiss does, by bytes that are all counted."""

import numpy as np
import pytest

from arfc.baselines import CATALOGUE
from arfc.baselines.rabitq import RaBitQCodec, code_bytes, kept_dims
from arfc.errors import SizeError
from arfc.scores import cosine_scores

faiss = pytest.importorskip("faiss")


def with_bits(rows, bits, *, bytes_per_vector):
    return RaBitQCodec._with_bits(rows, bits, bytes_per_vector=bytes_per_vector, seed=0)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [24, 30, 37])
def test_scores_are_the_distances_of_faiss(width, bits, clustered, unit):
    x = clustered(300, width)
    codec = with_bits(x[:200], bits, bytes_per_vector=40)
    queries, rows = x[:20], x[200:]
    packed = codec.encode(rows, bytes_per_vector=40)
    scores = cosine_scores(codec.queries(queries), codec.decode(packed))
    turned = [unit(x).astype(np.float32) @ codec.rotation.basis for x in (queries, rows)]
    codec.index.qb = 0  # float queries
    codec.index.add(turned[1])
    distances, ids = codec.index.search(turned[0], 100)
    ours = np.take_along_axis(scores, ids, axis=1)
    # cosine = (constant of the query - distance / 2) / (16 * sqrt(2)), the lengths of decoded rows and of queries
    expected = -distances / 2 / (16 * np.sqrt(2))
    known = distances > 0  # faiss cuts estimates below 0
    assert known.mean() > 0.99
    off = (ours - ours[:, -1:]) - (expected - expected[:, -1:])
    np.testing.assert_allclose(off[known], 0, atol=2e-6)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [24, 30, 37])
def test_bytes_are_counted_as_faiss_does(width, bits):
    assert code_bytes(width, bits=bits) == faiss.IndexRaBitQ(width, faiss.METRIC_L2, bits).sa_code_size()


def test_as_many_dims_are_kept_as_fit():
    for bits in (1, 2, 3, 4):
        for size in range(1, 60):
            kept = kept_dims(size, width=100, bits=bits)
            assert kept == 0 or code_bytes(kept, bits=bits) <= size
            assert kept == 100 or code_bytes(kept + 1, bits=bits) > size
    assert kept_dims(8, width=100, bits=1) == 0
    assert kept_dims(9, width=100, bits=1) == 8


def test_bytes_left_over_are_zero(vectors):
    codec = with_bits(vectors, 2, bytes_per_vector=40)
    packed = codec.encode(vectors, bytes_per_vector=40)
    assert packed.shape == (200, 40)
    np.testing.assert_array_equal(packed[:, code_bytes(24, bits=2) :], 0)


@pytest.mark.parametrize("bits", [1, 4])
def test_rows_come_back_about_as_they_were(bits, clustered, unit):
    x = clustered(400, 37)
    codec = with_bits(x, bits, bytes_per_vector=45)
    rows = codec.rows(codec.encode(x, bytes_per_vector=45))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert np.mean(np.sum(rows * unit(x), axis=1)) > {1: 0.75, 4: 0.99}[bits]


@pytest.mark.parametrize("size", [9, 12, 45])
def test_small_sizes_keep_leading_klt_dims(size, clustered, unit):
    x = clustered(400, 37)
    model = CATALOGUE["rabitq"].fit(x, size=size, seed=0)
    codes = model.compress(x, bytes=size)
    assert codes.bytes_per_vector == size
    assert model.project(x).shape == codes.decode().shape == (400, model.codec.rotation.width + 2)
    kept = model.codec.rotation.width
    assert kept == kept_dims(size, width=37, bits=model.codec.bits)
    back = model.decompress(codes)
    assert back.shape == x.shape
    assert np.mean(np.sum(unit(back) * unit(x), axis=1)) > 0.6


def test_its_estimate_finds_more_than_the_cosine_of_the_decoded_rows(split, recall, unit):
    fit, queries, rows = ((unit(x) + 0.5 * unit(np.ones((1, 64)))).astype(np.float32) for x in split(64))
    codec = with_bits(fit, 1, bytes_per_vector=16)
    turned = unit(rows).astype(np.float32) @ codec.rotation.basis
    decoded = codec.index.sa_decode(codec.index.sa_encode(turned))
    cosine = recall(queries @ codec.rotation.basis, decoded, queries, rows)
    estimate = recall(codec.queries(queries), codec.decode(codec.encode(rows, bytes_per_vector=16)), queries, rows)
    assert estimate > cosine + 0.01


def test_other_sizes_are_refused(vectors):
    codec = RaBitQCodec.fit(vectors, bytes_per_vector=12, seed=0)
    with pytest.raises(SizeError, match="bytes must be 12, the size this was fitted for, got 11"):
        codec.encode(vectors, bytes_per_vector=11)
    with pytest.raises(SizeError, match="bytes must be 12, the size this was fitted for, got 11"):
        codec.decode(np.zeros((1, 11), np.uint8))
    with pytest.raises(SizeError, match="bytes must be at least 9 for RaBitQ, got 8; try 16"):
        RaBitQCodec.fit(vectors, bytes_per_vector=8, seed=0)
