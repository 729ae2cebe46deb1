"""pgvector on a real server: what is written comes back, indexes are used, nothing is half done, names are quoted."""

import sys

import numpy as np
import psycopg
import pytest
from pgvector.psycopg import register_vector
from psycopg.rows import dict_row

from _postgres import temporary_server
from arfc import Compressor
from arfc.config import ModelConfig
from arfc.errors import (
    ConfigError,
    DtypeError,
    InputError,
    MissingExtraError,
    OutputError,
    RowError,
    ShapeError,
    SizeError,
)
from arfc.integrations import pgvector as integration
from arfc.integrations.pgvector import compress_column, create_index, search_table, write_vectors
from arfc.model.network import Network

WIDE = 2_001
"""More dims than pgvector's index takes."""


@pytest.fixture(scope="module")
def server():
    with temporary_server() as uri:
        yield uri


@pytest.fixture
def connection(server):
    """A connection to an empty schema, which is gone after the test."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        connection.execute("CREATE SCHEMA test; SET search_path = test, public")
        yield connection
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA test CASCADE")


@pytest.fixture(scope="module")
def wide_model(fitted_model):
    """A model of wide vectors as it is before any fit: a number of dims is the first of them."""
    network = Network(WIDE, ModelConfig(tokens=4, channels=16, heads=2)).eval().requires_grad_(False)
    return Compressor(network, fitted_model.codec, fitted_model.seen, fitted_model.facts)


def stored(connection, table, column="embedding", key="id"):
    """Return keys and vectors as they lie in a table, in the order of the keys."""
    register_vector(connection)
    rows = connection.execute(f'SELECT "{key}", "{column}" FROM "{table}" ORDER BY "{key}"').fetchall()
    return [row[0] for row in rows], [None if row[1] is None else np.float32(row[1].to_list()) for row in rows]


def with_originals(connection, x, *, kind=None):
    """A user's table: a text, and the original vectors in a column."""
    register_vector(connection)
    connection.execute(f"CREATE TABLE docs (body text, original {kind or f'vector({x.shape[1]})'})")
    with connection.cursor().copy("COPY docs FROM STDIN") as copy:
        for number, row in enumerate(x):
            text = "[" + ",".join(map(str, row.tolist())) + "]"
            copy.write_row((f"text {number}", text.translate(str.maketrans("[]", "{}")) if kind == "real[]" else text))


def test_written_vectors_are_the_compressed_ones(connection, fitted_model, small_rows):
    write_vectors(connection, "docs", fitted_model, small_rows, dims=7)
    keys, vectors = stored(connection, "docs")
    assert keys == list(range(600))
    np.testing.assert_array_equal(np.stack(vectors), fitted_model.compress(small_rows, dims=7))


def test_a_file_is_written_block_by_block(connection, fitted_model, small_rows, tmp_path):
    np.save(tmp_path / "x.npy", np.tile(small_rows, (15, 1)))
    write_vectors(connection, "docs", fitted_model, tmp_path / "x.npy", dims=3)
    keys, vectors = stored(connection, "docs")
    assert keys == list(range(9000))
    np.testing.assert_array_equal(np.stack(vectors)[8400:], fitted_model.compress(small_rows, dims=3))


@pytest.mark.parametrize("ids", [np.arange(600)[::-1] * 2**50, [f"text {number:03}'\"" for number in range(600)]])
def test_ids_are_kept(connection, fitted_model, small_rows, ids):
    write_vectors(connection, "docs", fitted_model, small_rows, dims=7, ids=ids, key="name", column="small")
    keys, vectors = stored(connection, "docs", "small", "name")
    assert keys == sorted(np.asarray(ids).tolist())
    hits = search_table(connection, "docs", fitted_model, small_rows[:3], k=1, key="name", column="small")
    assert [hit[0][0] for hit in hits] == np.asarray(ids)[:3].tolist()


@pytest.mark.parametrize("index", [False, True])
def test_search_equals_exact_search(connection, fitted_model, small_rows, index):
    write_vectors(connection, "docs", fitted_model, small_rows, dims=9)
    if index:
        create_index(connection, "docs", neighbours=32, candidates=200)
    hits = search_table(connection, "docs", fitted_model, small_rows[:20], k=5, candidates=400)
    ids, cosines = fitted_model.search(small_rows[:20], fitted_model.compress(small_rows, dims=9), k=5)
    np.testing.assert_allclose([[score for _, score in row] for row in hits], cosines, atol=1e-5)
    assert np.mean([[key for key, _ in row] for row in hits] == ids) > 0.9  # equal scores come in any order


def test_the_index_is_used_and_candidates_are_heard(connection, fitted_model, small_rows):
    write_vectors(connection, "docs", fitted_model, small_rows, dims=9)
    create_index(connection, "docs")
    connection.execute("SET enable_seqscan = off")
    plan = connection.execute(
        "EXPLAIN SELECT id FROM docs WHERE embedding IS NOT NULL ORDER BY embedding <=> (SELECT embedding FROM docs "
        "WHERE id = 1) LIMIT 5"
    ).fetchall()
    assert any("docs_embedding_idx" in line for (line,) in plan)
    few = search_table(connection, "docs", fitted_model, small_rows[:1], k=5, candidates=5)
    many = search_table(connection, "docs", fitted_model, small_rows[:1], k=300, candidates=300)
    assert len(few[0]) == 5 and len(many[0]) > 200
    assert connection.execute("SHOW hnsw.ef_search").fetchone() == ("40",)  # the connection's own setting is back


def test_more_dims_than_an_index_takes(connection, wide_model):
    x = np.random.default_rng(0).standard_normal((40, WIDE)).astype(np.float32)
    with_originals(connection, x)
    with pytest.raises(psycopg.errors.DatabaseError, match="2000 dimensions"):
        connection.execute("CREATE INDEX ON docs USING hnsw (original vector_cosine_ops)")
    with pytest.raises(SizeError, match="at most 2000 dims for an index, got 2001 in 'original'; compress it with"):
        create_index(connection, "docs", column="original")
    for dims, target in ((2000, "large"), (1024, "small")):
        assert compress_column(connection, "docs", wide_model, source="original", target=target, dims=dims) == 40
        create_index(connection, "docs", column=target)
        _, vectors = stored(connection, "docs", target, "body")
        order = sorted(range(40), key=lambda number: f"text {number}")
        np.testing.assert_array_equal(np.stack(vectors), wide_model.compress(x, dims=dims)[order])
        hits = search_table(connection, "docs", wide_model, x[:4], k=1, key="body", column=target)
        assert [hit[0][0] for hit in hits] == [f"text {number}" for number in range(4)]


@pytest.mark.parametrize("kind", [None, "real[]"])
def test_a_column_is_compressed_in_blocks_and_nulls_stay(connection, fitted_model, small_rows, kind, monkeypatch):
    monkeypatch.setattr(integration, "_ROWS_PER_BLOCK", 70)
    with_originals(connection, small_rows, kind=kind)
    connection.execute("UPDATE docs SET original = NULL WHERE body IN ('text 0', 'text 599')")
    connection.execute("ALTER TABLE docs RENAME body TO id")
    assert compress_column(connection, "docs", fitted_model, source="original", target="embedding", dims=5) == 598
    keys, vectors = stored(connection, "docs")
    expected = fitted_model.compress(small_rows, dims=5)
    assert {key for key, row in zip(keys, vectors, strict=True) if row is None} == {"text 0", "text 599"}
    for key, row in zip(keys, vectors, strict=True):
        if row is not None:
            np.testing.assert_allclose(row, expected[int(key.split()[1])], atol=1e-5)
    assert "text 0" not in [key for key, _ in search_table(connection, "docs", fitted_model, small_rows[:1], k=90)[0]]
    assert connection.execute("SELECT to_regclass('arfc_made')").fetchone() == (None,)


def test_a_table_in_partitions(connection, fitted_model, small_rows):
    connection.execute(
        "CREATE TABLE docs (id int, original vector(24)) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF docs FOR VALUES FROM (0) TO (300);"
        "CREATE TABLE high PARTITION OF docs FOR VALUES FROM (300) TO (600)"
    )
    register_vector(connection)
    connection.cursor().executemany("INSERT INTO docs VALUES (%s, %s)", list(enumerate(small_rows)))
    assert compress_column(connection, "docs", fitted_model, source="original", target="embedding", dims=5) == 600
    np.testing.assert_array_equal(np.stack(stored(connection, "docs")[1]), fitted_model.compress(small_rows, dims=5))


def test_a_stored_column_is_cut_without_the_model(connection, fitted_model, small_rows):
    write_vectors(connection, "docs", fitted_model, small_rows, dims=12)
    connection.execute("ALTER TABLE docs ADD COLUMN small vector(4)")
    connection.execute("UPDATE docs SET small = (embedding::real[])[1:4]::vector(4)")
    np.testing.assert_array_equal(
        np.stack(stored(connection, "docs", "small")[1]), fitted_model.compress(small_rows, dims=4)
    )
    hits = search_table(connection, "docs", fitted_model, small_rows[:2], k=3, column="small")
    _, cosines = fitted_model.search(small_rows[:2], fitted_model.compress(small_rows, dims=4), k=3)
    np.testing.assert_allclose([[score for _, score in row] for row in hits], cosines, atol=1e-5)


NASTY = 'docs"; DROP TABLE victim; --'


def test_names_are_quoted(connection, fitted_model, small_rows):
    connection.execute("CREATE TABLE victim (id int)")
    names = {"key": "i'd\"; SELECT", "column": 'select "%s" {x}'}
    write_vectors(connection, ("test", NASTY), fitted_model, small_rows, dims=6, **names)
    create_index(connection, NASTY, column=names["column"])
    compress = {"source": names["column"], "target": "x'; DROP"}
    with pytest.raises(ShapeError, match="vectors must have 24 dims, got 6"):
        compress_column(connection, NASTY, fitted_model, dims=3, **compress)
    hits = search_table(connection, ("test", NASTY), fitted_model, small_rows[:2], k=1, **names)
    assert [hit[0][0] for hit in hits] == [0, 1]
    assert connection.execute("SELECT count(*) FROM victim").fetchone() == (0,)


def test_the_form_of_rows_of_the_connection_does_not_matter(server, connection, fitted_model, small_rows):
    with psycopg.connect(server, row_factory=dict_row, options="-c search_path=test,public") as other:
        write_vectors(other, "docs", fitted_model, small_rows, dims=6)
        compress = {"source": "embedding", "target": "small"}
        with pytest.raises(ShapeError, match="was this model fitted on another encoder"):
            compress_column(other, "docs", fitted_model, dims=3, **compress)
        assert search_table(other, "docs", fitted_model, small_rows[:1], k=1)[0][0][0] == 0


def test_in_a_transaction_of_the_user_nothing_is_committed(server, connection, fitted_model, small_rows):
    with psycopg.connect(server, options="-c search_path=test,public") as other:
        other.execute("SELECT 1")
        write_vectors(other, "docs", fitted_model, small_rows, dims=6)
        assert connection.execute("SELECT to_regclass('docs')").fetchone() == (None,)
        other.rollback()
    assert connection.execute("SELECT to_regclass('docs')").fetchone() == (None,)


@pytest.mark.parametrize("spoil", ["zero", "short"])
def test_bad_stored_rows_leave_the_table_as_it_was(connection, fitted_model, small_rows, spoil, monkeypatch):
    monkeypatch.setattr(integration, "_ROWS_PER_BLOCK", 100)
    with_originals(connection, small_rows, kind="vector")
    value = "[" + ",".join(["0"] * 24) + "]" if spoil == "zero" else "[1,2,3]"
    (place,) = connection.execute(
        "UPDATE docs SET original = %s::vector WHERE body = 'text 500' RETURNING ctid::text", [value]
    ).fetchone()
    error, said = {
        "zero": (RowError, "vectors must have a direction, got 1 without one at ctid "),
        "short": (ShapeError, "vectors must have 24 dims, got 3 where ctid = "),
    }[spoil]
    with pytest.raises(error, match=said) as caught:
        compress_column(connection, "docs", fitted_model, source="original", target="small", dims=5)
    assert f"'{place}'" in str(caught.value)
    columns = connection.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'docs'::regclass AND attnum > 0")
    assert columns.fetchall() == [("body",), ("original",)]
    assert connection.execute("SELECT to_regclass('arfc_made')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"dims": 25}, SizeError, "dims must be between 1 and 24, got 25"),
        ({"ids": np.arange(5)}, ShapeError, r"ids must have shape \(600,\), one per row, got \(5,\)"),
        ({"ids": np.zeros(600, int)}, RowError, "ids must be distinct, got 599 again"),
        ({"ids": np.arange(600.0)}, DtypeError, "ids must be whole numbers or texts, got float64"),
        ({"x": np.full((3, 24), np.nan)}, RowError, "NaN or Inf in 3 rows"),
        ({"x": np.ones((3, 23))}, ShapeError, r"features must have shape \(N, 24\), got \(3, 23\)"),
    ],
)
def test_bad_input_writes_nothing(connection, fitted_model, small_rows, arguments, error, match):
    arguments = {"x": small_rows, "dims": 5} | arguments
    with pytest.raises(error, match=match):
        write_vectors(connection, "docs", fitted_model, **arguments)
    assert connection.execute("SELECT to_regclass('docs')").fetchone() == (None,)


def test_bad_tables_and_columns(connection, fitted_model, small_rows):
    write_vectors(connection, "docs", fitted_model, small_rows, dims=5)
    connection.execute("ALTER TABLE docs ADD COLUMN body text, ADD COLUMN any_size vector, ADD COLUMN wide vector(25)")
    with pytest.raises(OutputError, match="a table must not exist yet, got docs; choose another name or drop it"):
        write_vectors(connection, "docs", fitted_model, small_rows, dims=5)
    with pytest.raises(OutputError, match="table docs must not have the column 'body' yet; choose another name"):
        compress_column(connection, "docs", fitted_model, source="embedding", target="body", dims=5)
    with pytest.raises(InputError, match=r"table test\.docs must have a column 'none', it has not; is the name right"):
        compress_column(connection, ("test", "docs"), fitted_model, source="none", target="new", dims=5)
    with pytest.raises(InputError, match=r"the table must exist, got test\.docs; a schema is given as \('schema', 'ta"):
        create_index(connection, "test.docs")
    for column, got in (("body", "text"), ("any_size", "vector")):
        with pytest.raises(DtypeError, match=f"column '{column}' must be of a type like .*, got {got}; make it with"):
            create_index(connection, "docs", column=column)
    with pytest.raises(InputError, match="table docs must have a column 'none', it has not"):
        search_table(connection, "docs", fitted_model, small_rows[:1], column="none")
    with pytest.raises(ShapeError, match="column 'wide' must have at most 24 dims, got 25; was it written by this"):
        search_table(connection, "docs", fitted_model, small_rows[:1], column="wide")
    for k, candidates in ((0, 100), (11, 10), (10, 1001)):
        with pytest.raises(SizeError, match=f"1 <= k <= candidates <= 1000, got k={k} and candidates={candidates}"):
            search_table(connection, "docs", fitted_model, small_rows[:1], k=k, candidates=candidates)


def test_without_the_extension_or_the_packages(server, fitted_model, small_rows, monkeypatch):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare")
    with psycopg.connect(server.replace("/postgres?", "/bare?")) as connection:
        with pytest.raises(ConfigError, match="must have the extension vector; run: CREATE EXTENSION vector"):
            write_vectors(connection, "docs", fitted_model, small_rows, dims=5)
        for name in ("psycopg", "pgvector"):
            with monkeypatch.context() as patch:
                patch.setitem(sys.modules, name if name == "psycopg" else "pgvector.psycopg", None)
                with pytest.raises(MissingExtraError, match=rf"{name} is not installed; .* 'arfc\[pgvector\]'"):
                    create_index(connection, "docs")
