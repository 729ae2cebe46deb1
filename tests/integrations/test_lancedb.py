"""LanceDB tables on disk: vectors compressed, other columns kept, cut later without the model."""

import sys

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arfc.errors import DtypeError, InputError, MissingExtraError, OutputError, RowError, ShapeError, SizeError
from arfc.integrations import lancedb as integration
from arfc.integrations.lancedb import cut_column, search_table, write_table


@pytest.fixture
def database(tmp_path):
    return lancedb.connect(tmp_path / "database")


@pytest.fixture(scope="module")
def data(small_rows):
    """Every kind of column a user may have around the vectors."""
    count = len(small_rows)
    values = pa.array(small_rows.reshape(-1))
    return pa.table(
        {
            "name": [f"text {row}" for row in range(count)],
            "vector": pa.FixedSizeListArray.from_arrays(values, 24),
            "tags": [["a", "b"][: row % 3] for row in range(count)],
            "facts": [{"year": row, "kind": None} for row in range(count)],
            "score": pa.array([None if row % 7 == 0 else row / 2 for row in range(count)]),
        }
    )


def vectors_of(table, column="vector"):
    return np.array(table.to_arrow()[column].to_pylist(), dtype=np.float32)


def with_vectors(data, lists):
    return data.set_column(1, "vector", lists)


@pytest.mark.parametrize("form", ["table", "reader", "parquet", "parquet name"])
def test_all_other_columns_are_kept(database, data, fitted_model, small_rows, tmp_path, form, monkeypatch):
    monkeypatch.setattr(integration, "_ROWS_PER_BATCH", 70)
    pq.write_table(data, tmp_path / "data.parquet")
    source = {
        "table": data,
        "reader": data.to_reader(),
        "parquet": tmp_path / "data.parquet",
        "parquet name": str(tmp_path / "data.parquet"),
    }[form]
    table = write_table(database, "docs", source, fitted_model, dims=7)
    np.testing.assert_array_equal(vectors_of(table), fitted_model.compress(small_rows, dims=7))
    written = database.open_table("docs").to_arrow()
    assert written.column_names == data.column_names
    assert written.schema.field("vector").type == pa.list_(pa.float32(), 7)
    assert written.drop_columns("vector").to_pylist() == data.drop_columns("vector").to_pylist()


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float16(), 24)])
def test_lists_of_any_float(database, data, fitted_model, small_rows, kind):
    given = small_rows.astype(kind.value_type.to_pandas_dtype())
    lists = pa.array(list(given), type=kind)
    table = write_table(database, "docs", with_vectors(data, lists), fitted_model, dims=5)
    expected = fitted_model.compress(given.astype(np.float32), dims=5)
    np.testing.assert_array_equal(vectors_of(table), expected)


@pytest.mark.parametrize("index", [False, True])
def test_search_equals_exact_search(database, data, fitted_model, small_rows, index):
    table = write_table(database, "docs", data, fitted_model, dims=8)
    if index:
        table.create_index("vector", config=lancedb.index.IvfFlat(distance_type="cosine", num_partitions=1))
    hits = search_table(table, fitted_model, small_rows[:10], k=5)
    ids, cosines = fitted_model.search(small_rows[:10], fitted_model.compress(small_rows, dims=8), k=5)
    assert [hit.column_names for hit in hits] == [["name", "tags", "facts", "score", "cosine"]] * 10
    np.testing.assert_allclose([hit["cosine"].to_pylist() for hit in hits], cosines, atol=1e-5)
    assert [hit["name"][0].as_py() for hit in hits] == [f"text {row}" for row in ids[:, 0]]


def test_the_score_stands_in_place_of_a_column_of_its_name(database, data, fitted_model, small_rows):
    named = data.append_column("cosine", pa.array(["mine"] * 600))
    (hits,) = search_table(
        write_table(database, "docs", named, fitted_model, dims=5), fitted_model, small_rows[:1], k=2
    )
    assert hits.schema.names.count("cosine") == 1 and hits["cosine"].type == pa.float32()


def test_search_under_a_condition(database, data, fitted_model, small_rows):
    table = write_table(database, "docs", data, fitted_model, dims=8)
    (hit,) = search_table(table, fitted_model, small_rows[:1], k=3, where="score > 280")
    assert hit.num_rows == 3 and min(hit["score"].to_pylist()) > 280
    (few,) = search_table(table, fitted_model, small_rows[:1], k=50, where="name IN ('text 1', 'text 5')")
    assert sorted(few["name"].to_pylist()) == ["text 1", "text 5"]


def test_a_stored_column_is_cut_without_the_model(database, data, fitted_model, small_rows):
    named = data.rename_columns(["name", "My Vector", "tags", "facts", "score"])
    table = write_table(database, "docs", named, fitted_model, dims=12, column="My Vector")
    cut_column(table, dims=4, target="small", column="My Vector")
    np.testing.assert_array_equal(vectors_of(table, "small"), fitted_model.compress(small_rows, dims=4))
    np.testing.assert_array_equal(vectors_of(table, "My Vector"), fitted_model.compress(small_rows, dims=12))
    hits = search_table(table, fitted_model, small_rows[:3], k=2, column="small")
    _, cosines = fitted_model.search(small_rows[:3], fitted_model.compress(small_rows, dims=4), k=2)
    np.testing.assert_allclose([hit["cosine"].to_pylist() for hit in hits], cosines, atol=1e-5)
    assert hits[0].column_names == ["name", "tags", "facts", "score", "cosine"]


def test_rows_without_a_vector_stay_without(database, data, fitted_model, small_rows):
    rows = [None if row in (0, 9, 599) else vector for row, vector in enumerate(small_rows.tolist())]
    table = write_table(
        database, "docs", with_vectors(data, pa.array(rows, pa.list_(pa.float32()))), fitted_model, dims=3
    )
    written = table.to_arrow()["vector"].to_pylist()
    assert [row for row, vector in enumerate(written) if vector is None] == [0, 9, 599]
    given = np.delete(np.arange(600), [0, 9, 599])
    np.testing.assert_array_equal(
        np.float32([written[row] for row in given]), fitted_model.compress(small_rows[given], dims=3)
    )
    cut_column(table, dims=2, target="small")
    assert table.to_arrow()["small"].null_count == 3
    (hit,) = search_table(table, fitted_model, small_rows[:1], k=600)
    assert hit.num_rows == 597


@pytest.mark.parametrize(
    ("spoil", "error", "match"),
    [
        ({500: [0.0] * 24}, RowError, r"got 1 row \(row 500\) without a direction; set them to null"),
        ({0: None, 500: [np.nan] * 24, 501: [np.inf] * 24}, RowError, r"got 2 rows \(rows 500, 501\) without a direct"),
        ({0: None, 500: [1.0] * 23}, ShapeError, "vectors must have 24 dims, got 23 in row 500; was this model"),
        ({0: None, 500: [None] + [1.0] * 23}, RowError, "vectors must not hold nulls, got one in row 500; set the"),
    ],
)
def test_bad_rows_leave_the_database_as_it_was(
    database, data, fitted_model, small_rows, spoil, error, match, monkeypatch
):
    monkeypatch.setattr(integration, "_ROWS_PER_BATCH", 100)
    rows = [spoil.get(row, vector) for row, vector in enumerate(small_rows.tolist())]
    bad = with_vectors(data, pa.array(rows, pa.list_(pa.float32())))
    with pytest.raises(error, match=match):
        write_table(database, "docs", bad, fitted_model, dims=5)
    with pytest.raises(error, match=match):
        write_table(database, "docs", bad, fitted_model, dims=5, overwrite=True)  # of nothing
    assert database.list_tables().tables == []
    write_table(database, "docs", data, fitted_model, dims=5)
    with pytest.raises(error, match=match):
        write_table(database, "docs", bad, fitted_model, dims=6, overwrite=True)
    assert vectors_of(database.open_table("docs")).shape == (600, 5)


def test_overwrite_only_when_asked(database, data, fitted_model):
    for number in range(12):  # more than one page of names
        write_table(database, f"docs{number}", data.slice(0, 5), fitted_model, dims=3)
    with pytest.raises(OutputError, match="a table must not exist yet, got 'docs11'; choose another name or overwrite"):
        write_table(database, "docs11", data, fitted_model, dims=5)
    table = write_table(database, "docs11", data, fitted_model, dims=5, overwrite=True)
    assert vectors_of(table).shape == (600, 5)


def test_bad_data(database, data, fitted_model, tmp_path):
    (tmp_path / "bad.parquet").write_text("no parquet")
    for source, error, match in (
        (tmp_path / "none.parquet", InputError, "data must be an existing file"),
        (tmp_path / "bad.parquet", InputError, "data must be a whole parquet file"),
        ([{"vector": [1.0]}], DtypeError, "data must be a .parquet file, a pyarrow Table or .*, got list; try pyarrow"),
        (data.drop_columns("vector"), InputError, "data must have the column 'vector', got name, tags, facts, score"),
        (with_vectors(data, data["name"]), DtypeError, "column 'vector' must hold lists of floats, got string"),
        (with_vectors(data, data["tags"]), DtypeError, "column 'vector' must hold lists of floats, got list"),
        (
            with_vectors(data, pa.array([[1.0] * 5] * 600, pa.list_(pa.float32(), 5))),
            ShapeError,
            "vectors must have 24 dims, got 5 in 'vector'; was this model fitted on another encoder",
        ),
    ):
        with pytest.raises(error, match=match):
            write_table(database, "docs", source, fitted_model, dims=5)
    with pytest.raises(SizeError, match="dims must be between 1 and 24, got 25"):
        write_table(database, "docs", data, fitted_model, dims=25)
    assert database.list_tables().tables == []


def test_bad_searches_and_cuts(database, data, fitted_model, small_rows):
    table = write_table(database, "docs", data, fitted_model, dims=5)
    with pytest.raises(SizeError, match="k must be at least 1, got 0"):
        search_table(table, fitted_model, small_rows[:1], k=0)
    with pytest.raises(ShapeError, match=r"features must have shape \(N, 24\), got \(1, 20\)"):
        search_table(table, fitted_model, small_rows[:1, :20])
    with pytest.raises(InputError, match="the table must have the column 'none', got name, vector, tags, facts, score"):
        search_table(table, fitted_model, small_rows[:1], column="none")
    with pytest.raises(DtypeError, match="column 'tags' must hold vectors of one size, got list.*; write it with"):
        cut_column(table, dims=2, target="small", column="tags")
    with pytest.raises(SizeError, match="dims must be between 1 and 5, got 6"):
        cut_column(table, dims=6, target="small")
    with pytest.raises(OutputError, match="the table must not have the column 'name' yet; choose another name"):
        cut_column(table, dims=2, target="name")
    wide = database.create_table("wide", [{"vector": np.ones(25, np.float32)}])
    with pytest.raises(ShapeError, match="'vector' must have at most 24 dims, got 25; was it written by this model"):
        search_table(wide, fitted_model, small_rows[:1])


def test_without_lancedb(database, data, fitted_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(MissingExtraError, match=r"lancedb is not installed; run: pip install 'arfc\[lancedb\]'"):
        write_table(database, "docs", data, fitted_model, dims=5)
