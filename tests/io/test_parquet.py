"""Letters: N rows, D dims."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.errors import DtypeError, InputError, MissingExtraError, RowError, ShapeError
from arfc.io import matrix_writer, open_features


def fixed(x_ND):
    return pa.FixedSizeListArray.from_arrays(pa.array(x_ND.reshape(-1)), x_ND.shape[1])


def loose(x_ND):
    return pa.array(list(x_ND))


@pytest.fixture
def save(tmp_path):
    def save_columns(row_group_size=64, **columns):
        path = tmp_path / "x.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
        return path

    return save_columns


@pytest.mark.parametrize("make", [fixed, loose])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("row_group_size", [1, 64, 1000])
def test_list_columns_are_read_as_float32(save, vectors, make, dtype, row_group_size):
    stored_ND = vectors.astype(dtype)
    path = save(row_group_size, id=pa.array(range(200)), vector=make(stored_ND))
    features = open_features(path)
    features.validate()
    assert (features.rows, features.width, features.dtype) == (200, 24, np.dtype(dtype))
    expected_ND = stored_ND.astype(np.float32)
    for rows_per_chunk in (1, 7, 64, 500):
        starts, blocks = zip(*features.chunks(rows_per_chunk), strict=True)
        assert list(starts) == list(range(0, 200, rows_per_chunk))
        np.testing.assert_array_equal(np.concatenate(blocks), expected_ND)
    for start, stop in [(0, 1), (60, 70), (64, 128), (63, 193), (199, 200), (0, 200), (5, 5)]:
        np.testing.assert_array_equal(features.read(start, stop), expected_ND[start:stop])


@given(rows=st.integers(1, 40), row_group_size=st.integers(1, 50), data=st.data())
def test_rows_are_taken_across_row_groups(tmp_path_factory, rows, row_group_size, data):
    x_ND = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    path = tmp_path_factory.mktemp("take") / "x.parquet"
    pq.write_table(pa.table({"v": fixed(x_ND)}), path, row_group_size=row_group_size)
    chosen = sorted(data.draw(st.lists(st.integers(0, rows - 1))))
    np.testing.assert_array_equal(open_features(path).take(np.array(chosen, np.int64)), x_ND[chosen])


@pytest.mark.parametrize("rows_per_block", [1, 50, 200])
def test_what_is_written_is_read(tmp_path, vectors, rows_per_block):
    path = tmp_path / "x.parquet"
    with matrix_writer(path, rows=200, width=24, dtype=np.float32) as writer:
        for start in range(0, 200, rows_per_block):
            writer.append(vectors[start : start + rows_per_block])
    assert pq.ParquetFile(path).num_row_groups == 200 // rows_per_block
    np.testing.assert_array_equal(open_features(path).read(0, 200), vectors)
    np.testing.assert_array_equal(np.stack(pq.read_table(path)["vector"].to_pylist()).astype(np.float32), vectors)


def test_a_file_of_one_row_group_is_never_held_whole(save, rng):
    path = save(40_000, v=fixed(rng.standard_normal((40_000, 128), dtype=np.float32)))  # 20 MB
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    held_bytes = [pool.bytes_allocated() - before for _ in open_features(path).chunks(1000)]
    assert len(held_bytes) == 40
    assert max(held_bytes) < 8e6


def test_column_is_chosen_by_name(save, vectors):
    path = save(image=fixed(vectors), text=fixed(vectors[:, :7]))
    assert open_features(path, column="text").width == 7
    message = (
        r"^features must be in one list column of float values, got 2 of them in .*: image \(float32\), text \(f.*\); "
        r"name the column \(--column\), in Python with arfc\.io\.open_features\(path, column=\.\.\.\)$"
    )
    with pytest.raises(InputError, match=message):
        open_features(path)
    path = save(**{f"c{i}": pa.array(range(200)) for i in range(7)}, image=fixed(vectors), text=fixed(vectors))
    with pytest.raises(InputError, match=r": image \(float32\), text \(float32\), c0 \(no vec.*\) and 4 more; name"):
        open_features(path)


def test_a_column_is_for_parquet_files(npy_file, vectors):
    for source, got in ((npy_file, npy_file), (vectors, "ndarray")):
        with pytest.raises(
            InputError, match=rf"^features must be a \.parquet file to have a column 'v', got {got}; drop"
        ):
            open_features(source, column="v")


def test_features_know_their_column(save, vectors, npy_file):
    assert open_features(save(image=fixed(vectors))).column == "image"
    assert open_features(npy_file).column is None


def test_a_name_that_begins_like_another(save, vectors):
    path = save(**{"v.note": pa.array(range(200)), "v": fixed(vectors), "v.more": pa.array(range(200))})
    np.testing.assert_array_equal(open_features(path).read(0, 200), vectors)


def test_columns_of_one_name_are_refused(tmp_path, vectors):
    table = pa.table([fixed(vectors), fixed(vectors)], names=["v", "v"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"^the columns of .* must have different names, got 'v' twice; rename one$"):
        open_features(tmp_path / "x.parquet")


def test_no_column_of_vectors(save, vectors):
    path = save(id=pa.array(range(200)), code=fixed(vectors.astype(np.uint8)))
    message = (
        r"^features must be in one list column of float values, got 0 of them in .*: code \(uint8\), id \(no vec.*; "
        "convert one column$"
    )
    with pytest.raises(InputError, match=message):
        open_features(path)


@pytest.mark.parametrize("columns", [4, 384])
def test_a_column_per_dim(save, columns):
    path = save(id=pa.array(range(3)), **{f"d{i}": pa.array([1.0, 2.0, 3.0]) for i in range(columns)})
    more = " and 380 more" if columns == 384 else ""
    message = (
        rf"got 0 of them in .*: id \(no vectors\), d0 \(no vectors\), .*, d3 \(no vectors\){more}; "
        rf"join the {columns} float columns into one list column$"
    )
    with pytest.raises(InputError, match=message):
        open_features(path)


def test_unknown_column(save, vectors):
    with pytest.raises(InputError, match=r"must be in an existing column, got 'w' for .*: v \(float32\)"):
        open_features(save(v=fixed(vectors)), column="w")


@pytest.mark.parametrize("column", ["id", "code"])
def test_named_column_without_floats(save, vectors, column):
    path = save(id=pa.array(range(200)), code=fixed(vectors.astype(np.uint8)))
    with pytest.raises(DtypeError, match=f"^features must be lists of floats, got '{column}' of"):
        open_features(path, column=column)


def test_vectors_of_other_widths(save):
    path = save(2, v=pa.array([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [5.0]]))
    with pytest.raises(ShapeError, match=r"^features must have 2 values in every row, got 1 in row 3 of .*; were two"):
        open_features(path).validate()


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)])
def test_nulls_are_counted_in_the_whole_file(save, kind):
    rows = [[1.0, 2.0], [1.0, 2.0], None, [5.0, 6.0], [None, 7.0], [None, None], [8.0, 9.0], None, [1.0, None]]
    message = r"^features must not hold nulls, got some in 5 rows \(rows 2, 4, 5, 7, 8\) of .*; drop these rows first$"
    with pytest.raises(RowError, match=message):
        open_features(save(2, v=pa.array(rows, kind))).validate()
    with pytest.raises(RowError, match=r"got some in 1 row \(row 0\) of"):
        open_features(save(v=pa.array([None, [1.0, 2.0]], kind)))
    with pytest.raises(RowError, match=r"got some in 6 rows \(rows 1, 3, 5, 7, 9, \.\.\.\) of"):
        open_features(save(4, v=pa.array([[1.0, 2.0], [3.0, None]] * 6, kind))).validate()


def test_bad_rows_are_counted(save, vectors):
    vectors[[70, 150]] = np.nan
    with pytest.raises(RowError, match=r"NaN or Inf in 2 rows \(rows 70, 150\)"):
        open_features(save(v=fixed(vectors))).validate()


def test_no_rows(save):
    with pytest.raises(RowError, match="^features must have at least 1 row, got 0 in"):
        open_features(save(v=fixed(np.ones((0, 3), np.float32))))


def test_no_dims(save):
    with pytest.raises(ShapeError, match="^features must have at least 1 value per row, got 0 in"):
        open_features(save(v=pa.array([[], []], pa.list_(pa.float32()))))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"^features must be an existing file, got .*none\.parquet"):
        open_features(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    "change", [lambda b: b"", lambda b: b"a,b\n1,2\n", lambda b: b[:-9], lambda b: b[: len(b) // 2]]
)
def test_file_cut_or_of_another_kind(save, vectors, change):
    path = save(v=fixed(vectors))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match="^features must be a whole parquet file, got"):
        open_features(path)


def test_damage_between_head_and_foot(save, vectors):
    path = save(v=fixed(vectors))
    content = bytearray(path.read_bytes())
    content[1000:9000] = b"\xff" * 8000
    path.write_bytes(content)
    with pytest.raises(InputError, match="^features must be a whole parquet file, got"):
        open_features(path).validate()


@pytest.fixture
def no_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)


def test_pyarrow_is_optional(no_pyarrow, tmp_path):
    cure = r"^pyarrow is not installed; run: pip install 'arfc\[parquet\]'$"
    with pytest.raises(MissingExtraError, match=cure):
        open_features(tmp_path / "x.parquet")
    with (
        pytest.raises(MissingExtraError, match=cure),
        matrix_writer(tmp_path / "x.parquet", rows=1, width=1, dtype=np.float32),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
