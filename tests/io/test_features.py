"""Letters: N rows, D dims."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arfc.errors import DtypeError, InputError, RowError, ShapeError
from arfc.io import Features, open_features
from arfc.io.features import ArrayMatrix

FLOATS = [np.float16, np.float32, np.float64]


def whole(features):
    return np.concatenate([block for _, block in features.chunks()])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("make", [lambda x: x, torch.from_numpy, lambda x: torch.from_numpy(x).requires_grad_()])
def test_arrays_and_tensors_are_read_as_float32(vectors, dtype, make):
    stored_ND = vectors.astype(dtype)
    features = open_features(make(stored_ND))
    assert (features.rows, features.width, features.dtype) == (200, 24, np.dtype(dtype))
    assert whole(features).dtype == np.float32
    np.testing.assert_array_equal(whole(features), stored_ND.astype(np.float32))


@pytest.mark.parametrize("dtype", [*FLOATS, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_files_are_read_as_float32(tmp_path, vectors, dtype, order):
    stored_ND = np.asarray(vectors, dtype=dtype, order=order)
    np.save(tmp_path / "x.NPY", stored_ND)
    (tmp_path / "x.NPY.npy").rename(tmp_path / "x.NPY")  # numpy insists on its own suffix
    features = open_features(str(tmp_path / "x.NPY"))
    features.validate()
    np.testing.assert_array_equal(whole(features), stored_ND.astype(np.float32))
    np.testing.assert_array_equal(features.take(np.array([0, 3, 3, 199])), vectors.astype(dtype)[[0, 3, 3, 199]])


@given(rows=st.integers(1, 60), width=st.integers(1, 7), rows_per_chunk=st.integers(1, 70), data=st.data())
def test_every_way_of_reading_gives_the_same_rows(rows, width, rows_per_chunk, data):
    x_ND = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    features = open_features(x_ND)
    starts, blocks = zip(*features.chunks(rows_per_chunk), strict=True)
    assert list(starts) == list(range(0, rows, rows_per_chunk))
    np.testing.assert_array_equal(np.concatenate(blocks), x_ND)
    start, stop = sorted((data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows))))
    np.testing.assert_array_equal(features.read(start, stop), x_ND[start:stop])
    chosen = sorted(data.draw(st.lists(st.integers(0, rows - 1))))
    np.testing.assert_array_equal(features.take(np.array(chosen, np.int64)), x_ND[chosen])


def test_blocks_are_copies(vectors):
    before = vectors.copy()
    features = open_features(vectors)
    features.read(0, 5)[:] = 0
    features.take(np.arange(3))[:] = 0
    next(features.chunks())[1][:] = 0
    np.testing.assert_array_equal(vectors, before)


def test_a_file_is_mapped_and_never_held_whole(tmp_path):
    path = tmp_path / "big.npy"
    np.save(path, np.ones((40_000, 128), np.float32))  # 20 MB
    tracemalloc.start()
    try:
        features = open_features(path)
        features.validate()
        features.take(np.array([0, 39_999]))
        for _ in features.chunks(1000):
            pass
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(features._matrix, ArrayMatrix)
    assert isinstance(features._matrix.values_ND, np.memmap)
    assert peak_bytes < 12e6


def test_an_opened_source_is_passed_through(vectors):
    features = open_features(vectors, name="queries")
    assert isinstance(features, Features)
    assert open_features(features) is features
    assert features.name == "queries"


def test_good_rows_validate(vectors):
    open_features(vectors).validate(min_rows=200)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([np.nan] * 3, "NaN or Inf"),
        ([1, np.nan, 0], "NaN or Inf"),
        ([1, -np.inf, 0], "NaN or Inf"),
        ([np.inf, np.nan, 0], "NaN or Inf"),
        ([0, 0, 0], "only zeros"),
        ([-0.0, 0, 0.0], "only zeros"),
        ([-0.0, 0, 1e-30], "lengths too short for float32"),
        ([1e30, 0, 0], "values too large for float32"),
    ],
)
def test_rows_without_a_direction_are_counted_and_named(values, fault):
    x_ND = np.ones((20_000, 3), np.float32)
    bad = [3, 8191, 8192, 10_000, 15_000, 19_998, 19_999]
    x_ND[bad] = values
    message = (
        rf"^pairs must be finite and not zero, got {fault} in 7 rows \(rows 3, 8191, 8192, 10000, 15000, \.\.\.\);"
    )
    with pytest.raises(RowError, match=message):
        open_features(x_ND, name="pairs").validate()


def test_all_kinds_of_bad_rows_are_told_at_once():
    x_ND = np.ones((9, 3), np.float32)
    x_ND[1, 0], x_ND[4], x_ND[6] = np.nan, 0, 0
    with pytest.raises(
        RowError, match=r"got NaN or Inf in 1 row \(row 1\) and only zeros in 2 rows \(rows 4, 6\); remove"
    ):
        open_features(x_ND).validate()


def test_float64_beyond_float32_is_told_as_what_it_is():
    x_ND = np.ones((5, 3))
    x_ND[2, 1], x_ND[3] = 1e150, 1e-150
    found = (
        r"got lengths too short for float32 in 1 row \(row 3\) and values too large for float32 in 1 row \(row 2\); "
        "divide rows by their length in float64$"
    )
    with pytest.raises(RowError, match=found):
        open_features(x_ND).validate()
    open_features(x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)).validate()
    x_ND[4, 0] = np.nan
    with pytest.raises(RowError, match=r"got NaN or Inf in 1 row \(row 4\) and .*; remove or .* rows; divide rows by"):
        open_features(x_ND).validate()


def test_zeros_pass_where_they_are_asked_for():
    x_ND = np.ones((4, 3), np.float32)
    x_ND[1:3] = np.array([[0], [1e-30]])
    open_features(x_ND).validate(zeros=True)
    x_ND[0, 0] = np.inf
    with pytest.raises(RowError, match=r"got NaN or Inf in 1 row \(row 0\); remove"):
        open_features(x_ND).validate(zeros=True)


def test_too_few_rows(vectors):
    with pytest.raises(RowError, match="^features must have at least 500 rows, got 200; add more vectors$"):
        open_features(vectors).validate(min_rows=500)


@pytest.mark.parametrize("bounds", [(-1, 5), (5, 3), (0, 201)])
def test_ranges_outside(vectors, bounds):
    with pytest.raises(RowError, match=r"^rows of features must lie in 0\.\.200, got .*; ask for fewer"):
        open_features(vectors).read(*bounds)


@pytest.mark.parametrize("rows", [[-1, 2], [3, 2], [0, 200]])
def test_row_numbers_outside_or_unsorted(vectors, rows):
    with pytest.raises(RowError, match=r"^row numbers of features must ascend within 0\.\.199, got others; sort them$"):
        open_features(vectors).take(np.array(rows))


STRUCTURED = np.zeros(3, dtype=[("a", "f4"), ("b", "f4")])


@pytest.mark.parametrize(
    "x",
    [
        np.ones((3, 2), np.int64),
        np.ones((3, 2), np.uint8),
        np.ones((3, 2), bool),
        np.ones((3, 2), complex),
        np.ones((3, 2), np.longdouble),
        np.ones((3, 2), object),
        STRUCTURED,
        torch.ones(3, 2, dtype=torch.int32),
    ],
    ids=lambda x: str(x.dtype),
)
def test_other_values_are_refused(x):
    with pytest.raises(DtypeError, match="^features must hold float16, float32 or float64 values, got .*; convert"):
        open_features(x)


@pytest.mark.parametrize("x", [np.ones((3, 2), np.int32), STRUCTURED], ids=lambda x: str(x.dtype))
def test_other_values_in_a_file_are_refused(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DtypeError, match="^features must hold float16, float32 or float64 values, got .*; convert"):
        open_features(tmp_path / "x.npy")


def test_bfloat16_is_refused_with_the_cure():
    with pytest.raises(DtypeError, match=r"dense tensor that numpy knows, got torch\.bfloat16; call \.float\(\) first"):
        open_features(torch.ones(3, 2, dtype=torch.bfloat16))


@pytest.mark.parametrize("name", ["to_sparse", "to_sparse_csc"])
@pytest.mark.filterwarnings("ignore:Sparse CSC")
def test_sparse_tensors_are_refused_with_the_cure(name):
    x = torch.ones(3, 2)
    made = getattr(x, name)()
    with pytest.raises(
        DtypeError, match=rf"be a dense tensor that numpy knows, got {made.layout}; call \.to_dense\(\)"
    ):
        open_features(made)


def test_tensors_without_values_are_refused():
    with pytest.raises(
        DtypeError, match="^features must be a tensor with values, got one on the device meta; load its"
    ):
        open_features(torch.ones(3, 2, device="meta"))


def test_tensors_that_are_only_marked_as_negative_are_read():
    x = torch.complex(torch.ones(3, 2), torch.arange(6.0).view(3, 2)).conj().imag
    assert x.is_neg()
    np.testing.assert_array_equal(open_features(x).read(0, 3), -np.arange(6.0).reshape(3, 2))


def test_masked_arrays_are_refused():
    with pytest.raises(DtypeError, match="must be a plain array, got a masked one"):
        open_features(np.ma.masked_less(np.ones((3, 2), np.float32), 0))


@pytest.mark.parametrize("source", [[[1.0, 2.0]], None, 3, {"a": 1}])
def test_other_sources_are_refused(source):
    kind = type(source).__name__
    with pytest.raises(DtypeError, match=f"must be a numpy array, a torch tensor or a path, got {kind}; try numpy"):
        open_features(source)


@pytest.mark.parametrize("shape", [(), (3,), (3, 0), (2, 3, 4)])
def test_two_axes_are_needed(tmp_path, shape):
    with pytest.raises(ShapeError, match=r"^features must have shape \(N, D\) with D >= 1, got \("):
        open_features(np.ones(shape, np.float32))
    np.save(tmp_path / "x.npy", np.ones(shape, np.float32))
    with pytest.raises(ShapeError, match=r"^features must have shape \(N, D\) with D >= 1, got \("):
        open_features(tmp_path / "x.npy")


def test_no_rows(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((0, 3), np.float32))
    with pytest.raises(RowError, match="^queries must have at least 1 row, got 0;"):
        open_features(tmp_path / "x.npy", name="queries")


def test_unknown_format(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n")
    with pytest.raises(InputError, match=r"^features must be a \.npy or \.parquet file, got .*x\.csv; save it with"):
        open_features(tmp_path / "x.csv")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to tell what is resident")
@pytest.mark.parametrize("way", ["chunks", "take"])
def test_pages_of_a_mapped_file_do_not_stay_resident(tmp_path, way):
    rows = 40_000
    np.save(tmp_path / "x.npy", np.ones((rows, 400), np.float32))  # 64 MB
    features = open_features(tmp_path / "x.npy")

    def resident_mb():
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile:")) / 1024

    features.read(0, 10)
    before = resident_mb()
    if way == "chunks":
        assert sum(len(block) for _, block in features.chunks()) == rows
    else:
        assert features.take(np.arange(0, rows, 2)).sum() == rows / 2 * 400
    assert resident_mb() - before < 20
