"""Every baseline keeps its promises: the same verbs, the sizes it names, rows alone, inputs checked."""

import sys

import numpy as np
import pytest

from arfc.baselines import CATALOGUE, Method
from arfc.errors import DtypeError, MissingExtraError, RowError, ShapeError, SizeError

pytest.importorskip("faiss")

FLOATS = [name for name, method in CATALOGUE.items() if method.unit == "dims"]
BYTES = [name for name, method in CATALOGUE.items() if method.unit == "bytes"]
NESTED = [name for name in BYTES if CATALOGUE[name].one_fit and name != "rq"]  # a beam makes rq's sizes their own
FREE = [name for name, method in CATALOGUE.items() if not method.extra]
SEARCHED = "lsq"  # encodes by a random search over the batch, and trains slowly


def usual_size(name, width=24):
    return 2 if name == SEARCHED else min(9, CATALOGUE[name].largest(width))


def packed(compressed):
    return getattr(compressed, "packed", compressed)


def fit(name, x, *, size=None, seed=0):
    return CATALOGUE[name].fit(x, size=size or usual_size(name), seed=seed)


def compress(name, model, x, size=None):
    return model.compress(x, **{CATALOGUE[name].unit: usual_size(name) if size is None else size})


@pytest.fixture(scope="module")
def rows(clustered):
    return clustered(600, 24)


@pytest.fixture(scope="module")
def models(rows):
    """Every baseline, fitted once."""
    return {name: fit(name, rows) for name in CATALOGUE}


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_seed_decides_where_a_fit_is_random(name, models, rows):
    of_seeds = [packed(compress(name, model, rows)) for model in (models[name], fit(name, rows, seed=1))]
    assert np.array_equal(*of_seeds) != CATALOGUE[name].random


@pytest.mark.parametrize("width", [30, 37])
@pytest.mark.parametrize("name", CATALOGUE)
def test_any_width_is_compressed_asked_for_and_brought_back(name, width, clustered, unit):
    x = clustered(400, width)
    size = CATALOGUE[name].largest(width) if name in FREE else usual_size(name)
    model = fit(name, x, size=size)
    small = compress(name, model, x, size)
    assert packed(small).shape == (400, size)
    assert packed(small).dtype == (np.float32 if name in FLOATS else np.uint8)
    if name in BYTES:
        decoded = small.decode()
        assert decoded.dtype == np.float32
        assert model.project(x).shape == decoded.shape
    back = model.decompress(small)
    assert back.shape == x.shape
    assert np.mean(np.sum(unit(back) * unit(x), axis=1)) > 0.6


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_sizes_named_are_those_that_exist(name, rows):
    method = CATALOGUE[name]
    largest = method.largest(24)
    assert method.sizes([largest + 1, largest, method.smallest, method.smallest - 1], width=24) == (
        largest,
        method.smallest,
    )
    for size in {method.smallest, 2 if name == SEARCHED else min(largest, 12)}:
        assert packed(compress(name, fit(name, rows, size=size), rows[:3], size)).shape == (3, size)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if not CATALOGUE[name].one_fit])
def test_a_fit_of_one_size_has_that_size_only(name, models, rows):
    size = usual_size(name)
    with pytest.raises(SizeError, match=f"bytes must be {size}, the size this was fitted for, got {size - 1}"):
        compress(name, models[name], rows, size - 1)


@pytest.mark.parametrize("name", [*FLOATS, *NESTED])
def test_small_is_the_beginning_of_large(name, models, rows):
    largest = min(24, CATALOGUE[name].largest(24))
    model = models[name]
    whole = compress(name, model, rows, largest)
    for size in range(1, largest + 1):
        small = compress(name, model, rows, size)
        np.testing.assert_array_equal(packed(small), packed(whole)[:, :size])
        if name in NESTED:
            np.testing.assert_array_equal(whole.truncate(bytes=size).decode(), small.decode())


@pytest.mark.parametrize("name", FREE)
def test_a_row_is_compressed_alone(name, models, rows):
    many = np.tile(rows, (15, 1))  # more rows than one block
    whole = packed(compress(name, models[name], many))
    single = np.concatenate([packed(compress(name, models[name], rows[i : i + 1])) for i in range(100)])
    for start in range(0, len(many), len(rows)):
        np.testing.assert_array_equal(whole[start : start + 100], single)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != SEARCHED])
def test_calibration_is_not_taken_from_the_rows_at_hand(name, models, rows):
    few = np.sort(rows, axis=0)[:40]  # unlike the rows of the fit
    with_others = packed(compress(name, models[name], np.concatenate([few, rows])))[:40]
    np.testing.assert_array_equal(packed(compress(name, models[name], few)), with_others)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fit_repeats_under_a_seed(name, models, rows):
    again = compress(name, fit(name, rows), rows)
    np.testing.assert_array_equal(packed(again), packed(compress(name, models[name], rows)))


@pytest.mark.parametrize("name", ["random rotation", "turboquant", "rabitq", "pq", "opq", "lsq", "rq"])
def test_another_seed_is_another_fit(name, models, rows):
    other = compress(name, fit(name, rows, seed=1), rows)
    assert (packed(other) != packed(compress(name, models[name], rows))).any()


@pytest.mark.parametrize("name", FREE)
def test_paths_are_read_like_arrays(name, npy_file, vectors):
    from_file = compress(name, fit(name, npy_file), npy_file)
    np.testing.assert_array_equal(packed(from_file), packed(compress(name, fit(name, vectors), vectors)))


@pytest.mark.parametrize("name", CATALOGUE)
def test_bad_input_is_refused(name, models, rows):
    model, unit = models[name], CATALOGUE[name].unit
    with pytest.raises(ShapeError, match=r"shape \(N, 24\), got \(600, 23\); was this fitted on another encoder"):
        compress(name, model, rows[:, :23])
    for size in (0, 97):
        with pytest.raises(SizeError, match=f"{unit} must be between 1 and"):
            compress(name, model, rows, size)
    with pytest.raises(DtypeError, match="features must hold float16"):
        fit(name, rows.astype(np.int32))
    broken = rows.copy()
    broken[7, 2] = np.nan
    with pytest.raises(RowError, match="row 7"):
        fit(name, broken)
    with pytest.raises(RowError, match="row 7"):
        compress(name, model, broken)


def test_methods_that_need_an_extra_say_so(monkeypatch, rows):
    monkeypatch.setitem(sys.modules, "faiss", None)
    for name, method in CATALOGUE.items():
        if method.extra:
            with pytest.raises(MissingExtraError, match=rf"arfc\[{method.extra}\]"):
                fit(name, rows)
        else:
            fit(name, rows)


def test_klt_and_few_bits_beat_the_first_dims(split, recall):
    fit_rows, queries, rows = split(36)
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((36, 36)))[0].astype(np.float32)
    fit_rows, queries, rows = fit_rows @ turned, queries @ turned, rows @ turned

    def score(name):
        model = fit(name, fit_rows, size=6)
        small = compress(name, model, rows, 6)
        asked = compress(name, model, queries, 6) if name in FLOATS else model.project(queries)
        return recall(asked, small, queries, rows)

    scores = {
        name: score(name) for name in ("klt + int4", "int4", "klt + bits", "int8", "klt + int8", "klt", "truncation")
    }
    assert scores["klt + int4"] > scores["int4"] + 0.1, scores  # 12 of 36 dims
    assert scores["klt + int8"] > scores["int8"] + 0.1, scores
    assert scores["klt + bits"] > scores["klt + int8"], scores
    assert scores["klt"] > scores["truncation"] + 0.1, scores


def test_sizes_are_filtered_by_width():
    method = Method(unit="bytes", fit=CATALOGUE["pq"].fit, smallest=3, largest=lambda width: 2 * width)
    assert method.sizes([64, 2, 3, 20, 21], width=10) == (3, 20)
