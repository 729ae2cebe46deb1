"""Letters: N rows, B bytes per vector."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arfc.errors import DtypeError, InputError, RowError, ShapeError
from arfc.io import Stored, matrix_writer, open_labels, open_packed, sniff


@pytest.fixture
def codes(rng):
    return rng.integers(256, size=(300, 7), dtype=np.uint8)


@pytest.fixture(params=[".npy", ".parquet"])
def codes_file(request, tmp_path, codes):
    path = tmp_path / f"codes{request.param}"
    with matrix_writer(path, rows=300, width=7, dtype=np.uint8) as writer:
        writer.append(codes[:180])
        writer.append(codes[180:])
    return path


def test_codes_are_mapped(codes_file, codes):
    packed_NB = open_packed(codes_file)
    assert isinstance(packed_NB, np.memmap)
    assert (packed_NB.shape, packed_NB.dtype) == ((300, 7), np.uint8)
    np.testing.assert_array_equal(packed_NB, codes)


def test_codes_and_features_are_told_apart(codes_file, npy_file, tmp_path):
    column = "vector" if codes_file.suffix == ".parquet" else None
    assert sniff(codes_file) == Stored(codes=True, column=column, made_by=None)
    assert sniff(str(npy_file)) == Stored(codes=False, column=None, made_by=None)
    with matrix_writer(tmp_path / "x.parquet", rows=1, width=2, dtype=np.float32) as writer:
        writer.append(np.ones((1, 2), np.float32))
    assert sniff(tmp_path / "x.parquet") == Stored(codes=False, column="vector", made_by=None)


def test_codes_as_lists_of_uint8_are_read_too(tmp_path, codes):
    pq.write_table(pa.table({"c": pa.array(list(codes))}), tmp_path / "x.parquet")
    assert sniff(tmp_path / "x.parquet") == Stored(codes=True, column="c", made_by=None)
    np.testing.assert_array_equal(open_packed(tmp_path / "x.parquet"), codes)


def test_codes_without_a_row(tmp_path):
    table = pa.table({"c": pa.array([b"abc", None, b"def"], pa.binary(3))})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(RowError, match=r"^codes must not hold nulls, got some in 1 row \(row 1\) of .*; drop these"):
        open_packed(tmp_path / "x.parquet")


@pytest.fixture
def two_columns(tmp_path, codes):
    """A table with a column of codes and one of other bytes, as ids often are."""
    ids = pa.array([row.tobytes() * 2 for row in codes], pa.binary(14))
    table = pa.table({"id": ids, "code": pa.array([row.tobytes() for row in codes], pa.binary(7))})

    def save(note=None, name="x.parquet"):
        raw = note if note is None or isinstance(note, bytes) else json.dumps(note).encode()
        pq.write_table(table.replace_schema_metadata({} if raw is None else {"arfc": raw}), tmp_path / name)
        return tmp_path / name

    return save


def test_the_column_that_is_noted_or_named_is_taken(two_columns, codes):
    noted = two_columns({"column": "code", "tensors_sha256": "ab"})
    assert sniff(noted) == Stored(codes=True, column="code", made_by="ab")
    assert sniff(noted, column="id") == Stored(codes=True, column="id", made_by=None)
    plain = two_columns()
    assert sniff(plain, column="code") == Stored(codes=True, column="code", made_by=None)
    np.testing.assert_array_equal(open_packed(plain, column="code"), codes)
    renamed = two_columns({"column": "vector", "tensors_sha256": "ab"})
    assert sniff(renamed) == Stored(codes=True, column=None, made_by=None)
    with pytest.raises(
        InputError, match=r"got 2 of them in .*: id \(uint8\), code \(uint8\); name the column \(--col.*open_packed\("
    ):
        open_packed(renamed)


def test_a_column_that_is_not_there(two_columns, npy_file):
    with pytest.raises(InputError, match="^input must have the column 'vector', got id, code in .*; name another$"):
        sniff(two_columns(), column="vector")
    with pytest.raises(InputError, match=r"^input must be a \.parquet file to have a column 'v', got .*; drop it$"):
        sniff(npy_file, column="v")


@pytest.mark.parametrize("note", [b"\xff", b"{", b"[]", b"3", {"column": "code"}])
def test_a_note_that_arfc_did_not_write(two_columns, note):
    with pytest.raises(InputError, match='^the metadata "arfc" of .* must be what arfc compress writes, got '):
        sniff(two_columns(note))


def test_sniff_refuses_other_values(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2), np.int64))
    with pytest.raises(DtypeError, match="^input must hold floats or uint8 codes, got int64 in"):
        sniff(tmp_path / "x.npy")
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(DtypeError, match="^input must hold floats or uint8 codes, got no vectors in"):
        sniff(tmp_path / "x.parquet")


def test_sniff_refuses_a_file_that_holds_both(tmp_path):
    table = pa.table({"v": [[1.0]], "c": pa.array([[1]], pa.list_(pa.uint8()))})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(
        DtypeError, match=r"got float64 and uint8 in .*; name one column \(--column\), in Python with .*\)$"
    ):
        sniff(tmp_path / "x.parquet")


@pytest.mark.parametrize("opener", [sniff, open_packed])
def test_unknown_formats(tmp_path, opener):
    with pytest.raises(InputError, match=r"must be a \.npy or \.parquet file, got .*codes\.bin"):
        opener(tmp_path / "codes.bin")
    with pytest.raises(InputError, match="must be an existing file, got"):
        opener(tmp_path / "codes.npy")


def test_codes_of_another_dtype(npy_file, tmp_path):
    with pytest.raises(DtypeError, match="^codes must hold uint8 values, got float32 in"):
        open_packed(npy_file)
    pq.write_table(pa.table({"c": pa.array([[1]], pa.list_(pa.uint16()))}), tmp_path / "x.parquet")
    with pytest.raises(DtypeError, match="^codes must hold uint8 values, got uint16 in"):
        open_packed(tmp_path / "x.parquet")


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 2, 1)])
def test_codes_of_another_shape(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.ones(shape, np.uint8))
    with pytest.raises(ShapeError, match=r"^codes must have shape \(N, B\) with B >= 1, got"):
        open_packed(tmp_path / "x.npy")


def test_no_codes(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((0, 3), np.uint8))
    with pytest.raises(RowError, match="^codes must have at least 1 row, got 0 in"):
        open_packed(tmp_path / "x.npy")


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16])
def test_integer_labels_are_kept(tmp_path, dtype):
    labels = np.array([5, 0, 5, 100], dtype)
    np.save(tmp_path / "y.npy", labels)
    for source in (labels, labels.tolist(), torch.tensor(labels.tolist()), tmp_path / "y.npy"):
        found = open_labels(source, 4)
        assert found.dtype == np.int64
        assert found.tolist() == [5, 0, 5, 100]


def test_text_labels_become_their_place_in_sorted_order(tmp_path):
    (tmp_path / "y.txt").write_text("dog\ncat\r\n dog \nÄffchen\n", encoding="utf-8")
    assert open_labels(str(tmp_path / "y.txt"), 4).tolist() == [1, 0, 1, 2]
    assert open_labels(["dog", "cat", "dog"], 3).tolist() == [1, 0, 1]
    (tmp_path / "one.txt").write_text("a\u2028b\nc\x0bd", encoding="utf-8")  # two lines in any editor
    assert open_labels(tmp_path / "one.txt", 2).tolist() == [0, 1]
    (tmp_path / "bom.txt").write_text("cat\ndog\ncat\n", encoding="utf-8-sig")  # as some editors save UTF-8
    assert open_labels(tmp_path / "bom.txt", 3).tolist() == [0, 1, 0]


def test_label_per_row_is_needed():
    with pytest.raises(ShapeError, match=r"^labels must have shape \(5,\), one per row, got \(4,\); is it the same"):
        open_labels([1, 2, 3, 4], 5)
    with pytest.raises(ShapeError, match=r"^labels must have shape \(5,\), one per row, got \(5, 1\)"):
        open_labels(np.ones((5, 1), np.int64), 5)


@pytest.mark.parametrize("labels", [np.ones(3), np.ones(3, bool), np.array([1, "a", None], object)])
def test_labels_of_another_dtype(labels):
    with pytest.raises(DtypeError, match="^labels must be integers or text, got .*; number the classes 0, 1, 2"):
        open_labels(labels, 3)


def test_labels_beyond_int64():
    with pytest.raises(DtypeError, match="^labels must fit into int64, got 18446744073709551615"):
        open_labels(np.array([2**64 - 1], np.uint64), 1)


def test_empty_label(tmp_path):
    (tmp_path / "y.txt").write_text("a\n\nb\n")
    with pytest.raises(RowError, match=r"^labels must have one label per line, got none in line 2 of .*y\.txt$"):
        open_labels(tmp_path / "y.txt", 2)


def test_label_files_of_another_kind(tmp_path):
    (tmp_path / "y.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="^labels must be UTF-8 text, got other bytes in"):
        open_labels(tmp_path / "y.txt", 1)
    with pytest.raises(InputError, match=r"^labels must be a \.npy or \.txt file, got .*y\.csv"):
        open_labels(tmp_path / "y.csv", 1)
    with pytest.raises(InputError, match="^labels must be an existing file, got"):
        open_labels(tmp_path / "z.txt", 1)
    with pytest.raises(DtypeError, match=r"^labels must be a numpy array, .* got NoneType; .*dtype=numpy\.int64\)"):
        open_labels(None, 1)
    with pytest.raises(ShapeError, match="^labels must be one integer or text per row, got lists of unequal lengths"):
        open_labels([[1], [1, 2]], 2)
