"""TurboQuant does what faiss's does, stores true lengths, and chooses its bits."""

import numpy as np
import pytest

from arfc.baselines import CATALOGUE
from arfc.baselines.rotation import Rotation, random_basis
from arfc.baselines.turboquant import TurboQuantCodec, code_bytes
from arfc.errors import RowError, SizeError


def with_bits(rows, bits, *, bytes_per_vector):
    return TurboQuantCodec._with_bits(rows, bits, bytes_per_vector=bytes_per_vector, seed=0)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [24, 30, 37])
def test_directions_are_those_of_faiss(width, bits, clustered, unit):
    faiss = pytest.importorskip("faiss")
    kind = getattr(faiss.ScalarQuantizer, f"QT_{bits}bit_tqmse", None)
    if kind is None:
        pytest.skip("this faiss has no TurboQuant")
    x = clustered(200, width)
    size = code_bytes(width, bits=bits)
    codec = with_bits(unit(x).astype(np.float32), bits, bytes_per_vector=size)
    residual = unit(x) - codec.mean
    length = np.linalg.norm(residual, axis=1, keepdims=True)
    rotated = np.ascontiguousarray(residual / length @ codec.rotation.basis, dtype=np.float32)
    theirs = faiss.ScalarQuantizer(width, kind)
    theirs.train(rotated)
    direction = unit(theirs.decode(theirs.compute_codes(rotated))) @ codec.rotation.basis.T
    expected = unit(codec.mean + length * direction)
    decoded = codec.decode(codec.encode(x, bytes_per_vector=size))
    off = np.abs(decoded - expected).max(axis=1)
    assert np.median(off) < 1e-3  # of float16 lengths
    assert (off > 2e-3).mean() < 0.02  # a value on a border may fall on either side


def test_bytes_are_a_length_bits_and_zeros(clustered, unit):
    x = clustered(100, 37)
    codec = with_bits(unit(x).astype(np.float32), 3, bytes_per_vector=21)  # 37 dims at 3 bits and the length: 16 bytes
    packed = codec.encode(x, bytes_per_vector=21)
    assert packed.shape == (100, 21)
    np.testing.assert_array_equal(packed[:, code_bytes(37, bits=3) :], 0)
    lengths = np.ascontiguousarray(packed[:, :2]).view("<f2")[:, 0]
    np.testing.assert_allclose(lengths, np.linalg.norm(unit(x) - codec.mean, axis=1), rtol=1e-3)


@pytest.mark.parametrize("size", [3, 8, 12])
def test_what_is_dropped_is_at_the_mean(size, clustered, unit):
    x = clustered(400, 37)
    codec = TurboQuantCodec.fit(x, bytes_per_vector=size, seed=0)
    kept = codec.rotation.width
    assert kept == min(37, 8 * (size - 2) // codec.directions.bits)
    decoded = codec.decode(codec.encode(x, bytes_per_vector=size))
    np.testing.assert_allclose(np.linalg.norm(decoded, axis=1), 1, rtol=1e-5)
    if kept < 37:
        dropped = decoded[:, kept:] / codec.mean[kept:]
        np.testing.assert_allclose(dropped, np.repeat(dropped[:, :1], 37 - kept, axis=1), rtol=1e-3)


def test_a_row_at_the_mean_is_stored():
    codec = TurboQuantCodec(
        mean=np.float32([1, 0, 0]),
        rotation=Rotation(basis=random_basis(3, seed=0)),
        directions=with_bits(np.eye(3, dtype=np.float32), 2, bytes_per_vector=3).directions,
        largest_bytes=3,
    )
    np.testing.assert_array_equal(codec.decode(codec.encode(np.float32([[2, 0, 0]]), bytes_per_vector=3)), [[1, 0, 0]])


def test_the_bits_chosen_are_about_the_best(split, recall):
    fit, queries, rows = split(37)

    def score(codec):
        return recall(queries, codec.decode(codec.encode(rows, bytes_per_vector=size)), queries, rows)

    for size in (6, 14, 20):
        chosen = score(TurboQuantCodec.fit(fit, bytes_per_vector=size, seed=0))
        scores = [
            score(with_bits(fit / np.linalg.norm(fit, axis=1, keepdims=True), b, bytes_per_vector=size))
            for b in (1, 2, 3, 4)
        ]
        assert max(scores) - min(scores) > 0.1
        assert chosen > max(scores) - 0.03


def test_a_strong_mean_costs_nothing(split, recall):
    fit, queries, rows = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in split(24))
    plain = CATALOGUE["turboquant"].fit(fit, size=8, seed=0)
    common = np.full(24, 0.4, np.float32)
    moved = CATALOGUE["turboquant"].fit(fit + common, size=8, seed=0)
    scores = [
        recall(model.project(queries + shift), model.compress(rows + shift, bytes=8), queries + shift, rows + shift)
        for model, shift in ((plain, 0 * common), (moved, common))
    ]
    assert scores[1] > scores[0] - 0.05


def test_other_sizes_are_refused(vectors):
    codec = TurboQuantCodec.fit(vectors, bytes_per_vector=8, seed=0)
    with pytest.raises(SizeError, match="bytes must be 8, the size this was fitted for, got 7"):
        codec.encode(vectors, bytes_per_vector=7)
    with pytest.raises(SizeError, match="bytes must be 8, the size this was fitted for, got 7"):
        codec.decode(np.zeros((1, 7), np.uint8))
    with pytest.raises(SizeError, match="bytes must be at least 3 for TurboQuant, got 2; try 16"):
        TurboQuantCodec.fit(vectors, bytes_per_vector=2, seed=0)
    with pytest.raises(RowError, match="at least 50 rows"):
        TurboQuantCodec.fit(vectors[:49], bytes_per_vector=8, seed=0)
