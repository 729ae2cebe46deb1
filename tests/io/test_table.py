"""Tables whose column of vectors is replaced: everything else comes out as it went in.

Letters: N rows, D dims.
"""

import datetime
import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arfc.errors import InputError
from arfc.io import OtherColumns, matrix_writer, open_features

ROWS = 300


def table_of_everything(vectors_ND):
    """Return a table with columns of many types on both sides of the vectors."""
    rows = range(len(vectors_ND))
    day = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
    columns = {
        "id": pa.array(rows, pa.uint32()),
        "text": pa.array([None if i % 7 == 3 else f"text {i} é" for i in rows]),
        "kind": pa.array([f"kind {i % 3}" for i in rows]).dictionary_encode(),
        "embedding": pa.array(list(vectors_ND)),
        "tags": pa.array([[f"t{j}" for j in range(i % 4)] if i % 5 else None for i in rows]),
        "meta": pa.array(
            [{"page": i, "box": [0.5 * i, 1.0], "by": {"name": f"n{i}"}} if i % 6 else None for i in rows]
        ),
        "counts": pa.array([[("a", i), ("b", i + 1)] for i in rows], pa.map_(pa.string(), pa.int64())),
        "at": pa.array([day + datetime.timedelta(hours=i) for i in rows], pa.timestamp("us", "UTC")),
        "price": pa.array([decimal.Decimal(i) / 4 for i in rows], pa.decimal128(9, 2)),
        "uuid": pa.array([i.to_bytes(16, "big") for i in rows], pa.binary(16)),
        "raw": pa.array([bytes(i % 5) for i in rows], pa.binary()),
        "nothing": pa.nulls(len(vectors_ND)),
        "user.name": pa.array([f"user {i}" for i in rows]),
        "half": pa.array([[i, i + 1] for i in rows], pa.list_(pa.int16(), 2)),
    }
    fields = [pa.field(name, array.type) for name, array in columns.items()]
    fields[0] = pa.field("id", pa.uint32(), nullable=False, metadata={"note": "key"})
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata={"owner": "me", "arfc": "x"}))


@pytest.fixture
def everything(rng):
    return table_of_everything(rng.standard_normal((ROWS, 24), dtype=np.float32))


def replace(source, out, small, *, column="embedding", rows_per_block=70, **options):
    with matrix_writer(
        out,
        rows=len(small),
        width=small.shape[1],
        dtype=small.dtype,
        beside=OtherColumns(source, column=column),
        **options,
    ) as writer:
        for start in range(0, len(small), rows_per_block):
            writer.append(small[start : start + rows_per_block])


@pytest.mark.parametrize("row_group_size", [1000, 64, 7])
@pytest.mark.parametrize("rows_per_block", [1000, 70, 1])
def test_all_other_columns_are_kept(tmp_path, everything, rng, row_group_size, rows_per_block):
    pq.write_table(everything, tmp_path / "in.parquet", row_group_size=row_group_size)
    small = rng.standard_normal((ROWS, 5), dtype=np.float32)
    replace(tmp_path / "in.parquet", tmp_path / "out.parquet", small, rows_per_block=rows_per_block, made_by="ab")
    out = pq.read_table(tmp_path / "out.parquet")
    place = everything.schema.get_field_index("embedding")
    assert out.column_names == everything.column_names
    assert out.remove_column(place).equals(everything.remove_column(place))
    for mine, theirs in zip(out.schema.remove(place), everything.schema.remove(place), strict=True):
        assert mine.equals(theirs, check_metadata=False)
    assert out.schema.field("id").metadata[b"note"] == b"key"
    assert out.schema.field("embedding").type == pa.list_(pa.float32(), 5)
    np.testing.assert_array_equal(np.stack(out["embedding"].to_numpy()), small)
    assert out.schema.metadata[b"owner"] == b"me"
    assert json.loads(out.schema.metadata[b"arfc"]) == {"column": "embedding", "tensors_sha256": "ab"}


def test_codes_are_fixed_size_binary(tmp_path, everything, rng):
    pq.write_table(everything, tmp_path / "in.parquet")
    packed = rng.integers(256, size=(ROWS, 6), dtype=np.uint8)
    replace(tmp_path / "in.parquet", tmp_path / "out.parquet", packed)
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.schema.field("embedding").type == pa.binary(6)
    assert out["embedding"].to_pylist() == [row.tobytes() for row in packed]
    assert b"arfc" not in out.schema.metadata  # the input's note is not that of the output


@pytest.mark.parametrize("names", [["v"], ["v", "v.x", "v.y"], ["a.b", "a", "v"], ["a", "v", "a.v"]])
def test_names_with_dots_and_no_other_column(tmp_path, rng, names):
    columns = {name: pa.array([f"{name} {i}" for i in range(50)]) for name in names}
    columns["v"] = pa.array(list(rng.standard_normal((50, 3), dtype=np.float32)))
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=20)
    small = np.arange(100, dtype=np.float32).reshape(50, 2)
    replace(tmp_path / "in.parquet", tmp_path / "out.parquet", small, column="v", rows_per_block=9)
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.column_names == names
    assert out.drop(["v"]).equals(table.drop(["v"]))
    np.testing.assert_array_equal(np.stack(out["v"].to_numpy()), small)


def test_what_repeats_stays_small(tmp_path, rng):
    text = pa.array(["the same long text " * 20] * 4000)
    table = pa.table({"text": text, "v": list(rng.standard_normal((4000, 4), dtype=np.float32))})
    pq.write_table(table, tmp_path / "in.parquet")
    replace(tmp_path / "in.parquet", tmp_path / "out.parquet", np.ones((4000, 2), np.float32), column="v")
    with pq.ParquetFile(tmp_path / "out.parquet") as file:
        encodings = {
            group.column(i).path_in_schema: group.column(i).encodings
            for group in [file.metadata.row_group(0)]
            for i in range(group.num_columns)
        }
    assert "RLE_DICTIONARY" in encodings["text"]
    assert "RLE_DICTIONARY" not in encodings["v.list.element"]


def test_memory_is_flat(tmp_path, rng):
    rows = 40_000
    long = [f"{i:0400d}" for i in range(rows)]  # 16 MB of text
    table = pa.table({"text": long, "v": pa.FixedSizeListArray.from_arrays(pa.array(np.ones(rows * 8, np.float32)), 8)})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=rows)
    del table
    pool, held_bytes = pa.default_memory_pool(), []
    before = pool.bytes_allocated()
    with matrix_writer(
        tmp_path / "out.parquet",
        rows=rows,
        width=2,
        dtype=np.float32,
        beside=OtherColumns(tmp_path / "in.parquet", column="v"),
    ) as writer:
        for _, block_nD in open_features(tmp_path / "in.parquet").chunks(1000):
            writer.append(block_nD[:, :2])
            held_bytes.append(pool.bytes_allocated() - before)
    assert len(held_bytes) == 40
    assert max(held_bytes) < 6e6
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == long


def test_damage_in_another_column_leaves_nothing(tmp_path, rng):
    x_ND = rng.standard_normal((2000, 4), dtype=np.float32)
    table = pa.table({"v": list(x_ND), "text": [f"{i:050d}" for i in range(2000)]})
    path = tmp_path / "in.parquet"
    pq.write_table(table, path, use_dictionary=False, compression="none")
    with pq.ParquetFile(path) as file:
        start = file.metadata.row_group(0).column(1).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^a table must be a whole parquet file, got .*in\.parquet"):
        replace(path, tmp_path / "out.parquet", x_ND, column="v")
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_a_table_that_is_shorter_than_its_vectors(tmp_path, rng):
    pq.write_table(pa.table({"v": [[1.0]] * 9, "id": range(9)}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="^a table must not change while it is read, got fewer rows in"):
        replace(tmp_path / "in.parquet", tmp_path / "out.parquet", np.ones((10, 2), np.float32), column="v")
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
