"""Every baseline keeps the promises that the Compressor makes."""

import numpy as np
import pytest

from arfc.baselines import Int8, Klt, KltCodec, Truncation
from arfc.errors import DtypeError, RowError, ShapeError, SizeError


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", [Truncation, Klt])
def test_small_vectors_are_the_beginning_of_large_ones(kind, vectors):
    model = kind.fit(vectors)
    whole = model.compress(vectors, dims=24)
    for dims in range(1, 25):
        np.testing.assert_array_equal(model.compress(vectors, dims=dims), whole[:, :dims])


@pytest.mark.parametrize("kind", [KltCodec, Int8])
def test_short_codes_are_the_beginning_of_long_ones(kind, vectors):
    model = kind.fit(vectors)
    whole = model.compress(vectors, bytes=24)
    for size in range(1, 25):
        short = model.compress(vectors, bytes=size)
        np.testing.assert_array_equal(short.packed, whole.packed[:, :size])
        np.testing.assert_array_equal(whole.truncate(bytes=size).decode(), short.decode())


@pytest.mark.parametrize("kind", [Klt, KltCodec, Int8])
def test_a_row_is_compressed_alone(kind, vectors):
    model = kind.fit(vectors)
    many = np.tile(vectors, (45, 1))  # more rows than one block

    def compress(x):
        return model.compress(x, dims=7) if kind is Klt else model.compress(x, bytes=7).packed

    whole = compress(many)
    single = np.concatenate([compress(vectors[i : i + 1]) for i in range(200)])
    np.testing.assert_array_equal(whole, np.tile(single, (45, 1)))


def test_truncation_keeps_the_first_dims(vectors):
    model = Truncation.fit(vectors)
    np.testing.assert_array_equal(model.compress(vectors, dims=5), vectors[:, :5])
    back = model.decompress(vectors[:, :5])
    np.testing.assert_array_equal(back[:, :5], vectors[:, :5])
    np.testing.assert_array_equal(back[:, 5:], 0)


def test_klt_finds_the_singular_vectors_of_unit_rows(vectors):
    model = Klt.fit(vectors)
    right = np.linalg.svd(unit(vectors.astype(np.float64)), full_matrices=False)[2].T
    np.testing.assert_allclose(np.abs(right.T @ model.basis), np.eye(24), atol=1e-5)
    peaks = model.basis[np.abs(model.basis).argmax(axis=0), np.arange(24)]
    assert (peaks > 0).all()


def test_klt_comes_back_at_full_width_and_nearest_below(vectors):
    model = Klt.fit(vectors)
    np.testing.assert_allclose(model.decompress(model.compress(vectors, dims=24)), vectors, atol=1e-5)
    errors = [
        np.sum((unit(vectors) - model.decompress(model.compress(unit(vectors), dims=dims))) ** 2) for dims in (4, 8, 16)
    ]
    singular = np.linalg.svd(unit(vectors.astype(np.float64)), compute_uv=False)
    np.testing.assert_allclose(errors, [np.sum(singular[dims:] ** 2) for dims in (4, 8, 16)], rtol=1e-4)


def test_klt_codec_comes_near_and_nearer(vectors):
    model = KltCodec.fit(vectors)
    errors = [
        np.mean((model.decompress(model.compress(vectors, bytes=size)) - unit(vectors)) ** 2) for size in (2, 6, 12, 24)
    ]
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < 1e-6
    np.testing.assert_array_equal(model.project(vectors), model.klt.compress(vectors, dims=24))


def test_klt_codec_repeats_under_a_seed(vectors, monkeypatch):
    monkeypatch.setattr("arfc.baselines.klt_codec._SAMPLE_ROWS", 50)
    first, again, other = (KltCodec.fit(vectors, seed=seed).codec.to_arrays() for seed in (1, 1, 2))
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)
    assert (other["thresholds"] != first["thresholds"]).any()


def test_int8_is_at_most_half_a_step_off(vectors):
    model = Int8.fit(vectors)
    back = model.decompress(model.compress(vectors, bytes=24))
    assert (np.abs(back - unit(vectors)) <= model.step / 2 + 1e-6).all()
    assert (model.compress(vectors, bytes=24).packed.max(axis=0) == 255).all()
    assert (model.compress(vectors, bytes=24).packed.min(axis=0) == 0).all()


def test_int8_calibration_is_not_taken_from_the_rows_at_hand(vectors):
    model = Int8.fit(vectors)
    alone = model.compress(vectors[:1], bytes=24).packed
    np.testing.assert_array_equal(alone, model.compress(vectors, bytes=24).packed[:1])


def test_int8_stores_values_outside_its_range_as_the_nearest_end():
    model = Int8.fit(np.float32([[1, 1], [1, 2]]))
    packed = model.compress(np.float32([[1, 0], [0, 1]]), bytes=2).packed
    np.testing.assert_array_equal(packed, [[255, 0], [0, 255]])


def test_int8_keeps_a_constant_dim():
    model = Int8.fit(np.float32([[1, 0], [-1, 0]]))
    np.testing.assert_array_equal(model.decompress(model.compress(np.float32([[3, 0]]), bytes=2)), [[1, 0]])


@pytest.mark.parametrize("kind", [Truncation, Klt, KltCodec, Int8])
def test_paths_are_read_like_arrays(kind, npy_file, vectors):
    size = {"bytes": 6} if kind in (KltCodec, Int8) else {"dims": 6}
    from_file = kind.fit(npy_file).compress(npy_file, **size)
    from_array = kind.fit(vectors).compress(vectors, **size)
    if kind in (KltCodec, Int8):
        from_file, from_array = from_file.packed, from_array.packed
    np.testing.assert_array_equal(from_file, from_array)


@pytest.mark.parametrize("kind", [Truncation, Klt, KltCodec, Int8])
def test_bad_input_is_refused(kind, vectors):
    model = kind.fit(vectors)
    name = "bytes" if kind in (KltCodec, Int8) else "dims"
    with pytest.raises(ShapeError, match=r"shape \(N, 24\), got \(200, 23\); was this fitted on another encoder"):
        model.compress(vectors[:, :23], **{name: 4})
    for size in (0, 25):
        with pytest.raises(SizeError, match=f"{name} must be between 1 and 24, got {size}"):
            model.compress(vectors, **{name: size})
    with pytest.raises(DtypeError, match="features must hold float16"):
        kind.fit(vectors.astype(np.int32))
    broken = vectors.copy()
    broken[7, 2] = np.nan
    with pytest.raises(RowError, match=r"row 7"):
        kind.fit(broken)
    with pytest.raises(RowError, match=r"row 7"):
        model.compress(broken, **{name: 4})


@pytest.mark.parametrize("kind", [Truncation, Klt])
def test_wider_vectors_do_not_decompress(kind, vectors):
    model = kind.fit(vectors)
    with pytest.raises(ShapeError, match=r"shape \(N, 1..24\), got \(200, 48\)"):
        model.decompress(np.tile(vectors, 2))
