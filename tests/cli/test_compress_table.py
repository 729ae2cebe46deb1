"""`arfc compress` and `decompress` from a table to a table: the vectors change, every other column stays."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arfc.io.model_folder import read_facts


@pytest.fixture
def table(fitted, tmp_path):
    """A file of ids, texts, features, nested columns and vectors of another kind; returns its table."""
    rows = range(len(fitted.x))
    table = pa.table(
        {
            "id": pa.array([f"doc-{i}" for i in rows]),
            "embedding": list(fitted.x),
            "text": pa.array([None if i % 9 == 0 else f"text {i}" for i in rows]),
            "meta": pa.array([{"page": i, "tags": ["a"] * (i % 3)} for i in rows]),
            "other": list(fitted.x[:, :3]),
        }
    )
    pq.write_table(table, tmp_path / "table.parquet", row_group_size=500)
    return table


def rest(path):
    return pq.read_table(path).drop(["embedding"])


@pytest.mark.parametrize(("flags", "size"), [(["--dims", "7"], {"dims": 7}), (["--bytes", "10"], {"bytes": 10})])
def test_there_and_back(arfc, fitted, table, flags, size):
    choice = ["--column", "embedding"]
    result = arfc("compress", "table.parquet", "-m", fitted.model, "-o", "small.parquet", *choice, *flags)
    assert result.stderr.startswith("small.parquet: 1,200 ")
    assert result.stderr.endswith("; kept id, text, meta, other\n")
    small, model = pq.read_table("small.parquet"), fitted.load()
    assert small.column_names == table.column_names
    assert rest("small.parquet").equals(table.drop(["embedding"]))
    expected = model.compress(fitted.x, **size)
    if "bytes" in size:
        assert small["embedding"].type == pa.binary(10)
        assert b"".join(small["embedding"].to_pylist()) == expected.packed.tobytes()
    else:
        np.testing.assert_array_equal(np.stack(small["embedding"].to_numpy()), expected)
    assert json.loads(small.schema.metadata[b"arfc"]) == {
        "column": "embedding",
        "tensors_sha256": read_facts(fitted.model)["tensors_sha256"],
    }
    result = arfc("decompress", "small.parquet", "-m", fitted.model, "-o", "back.parquet")  # the file names its column
    assert result.stderr.endswith("; kept id, text, meta, other\n")
    back = pq.read_table("back.parquet")
    assert back.column_names == table.column_names
    assert rest("back.parquet").equals(table.drop(["embedding"]))
    np.testing.assert_array_equal(np.stack(back["embedding"].to_numpy()), model.decompress(expected))
    assert b"arfc" not in (back.schema.metadata or {})


def test_a_table_may_be_its_own_output(arfc, fitted, table):
    arfc(
        "compress",
        "table.parquet",
        "-m",
        fitted.model,
        "-o",
        "table.parquet",
        "--column=embedding",
        "--dims=5",
        "--overwrite",
    )
    np.testing.assert_array_equal(
        np.stack(pq.read_table("table.parquet")["embedding"].to_numpy()), fitted.load().compress(fitted.x, dims=5)
    )
    assert rest("table.parquet").equals(table.drop(["embedding"]))


def test_to_npy_go_the_vectors_alone(arfc, fitted, table):
    result = arfc("compress", "table.parquet", "-m", fitted.model, "-o", "small.npy", "--column=embedding", "--bytes=4")
    assert "kept" not in result.stderr
    np.testing.assert_array_equal(np.load("small.npy"), fitted.load().compress(fitted.x, bytes=4).packed)


def test_from_npy_the_model_is_noted_too(arfc, fitted):
    arfc("compress", fitted.features, "-m", fitted.model, "-o", "small.parquet", "--dims", "4")
    assert json.loads(pq.read_schema("small.parquet").metadata[b"arfc"])["column"] == "vector"


def test_other_commands_take_a_column(arfc, fitted, table):
    arfc("fit", "table.parquet", "--column", "embedding", "-o", "model", "--steps", "1")
    assert read_facts("model")["width"] == 24
    assert json.loads(arfc("evaluate", "table.parquet", "--column", "embedding", "-m", "model", "--json", "-").stdout)[
        "rows"
    ]
    arfc("plan", "table.parquet", "--column", "embedding", "-m", "model", "--keep", "0.5")


def test_a_column_must_be_named_where_there_are_several(refused, fitted, table):
    refused(
        "compress", "table.parquet", "-m", fitted.model, "-o", "small.parquet", "--dims", "4",
        match=r"got 2 of them in table\.parquet: .* other \(float32\), .*; name the column \(--column\), in Python ",
    )  # fmt: skip
    refused(
        "compress", "table.parquet", "-m", fitted.model, "-o", "small.parquet", "--dims", "4", "--column", "vec",
        match="features must be in an existing column, got 'vec' for",
    )  # fmt: skip
    refused(
        "compress", fitted.features, "-m", fitted.model, "-o", "small.parquet", "--dims", "4", "--column", "vec",
        match=r"features must be a \.parquet file to have a column 'vec', got .*features\.npy; drop it",
    )  # fmt: skip
    refused(
        "decompress", "table.parquet", "-m", fitted.model, "-o", "back.parquet",
        match=r"compressed vectors must be in one list column of float values, got 2 of them",
    )  # fmt: skip


def test_another_model_does_not_decompress(arfc, refused, fitted, table):
    arfc("fit", fitted.features, "-o", "other", "--steps", "1", "--seed", "1")
    for flags in (["--bytes", "6"], ["--dims", "6"]):
        arfc(
            "compress", "table.parquet", "-m", fitted.model, "-o", "small.parquet", "--column=embedding", *flags,
            "--overwrite",
        )  # fmt: skip
        refused(
            "decompress", "small.parquet", "-m", "other", "-o", "back.parquet",
            match=r"small\.parquet must be read by the model that made it .*, got other \(.*; name that model$",
        )  # fmt: skip


def test_partners_and_queries_have_columns_of_their_own(arfc, refused, fitted, tmp_path):
    both = pa.table({"image": pa.array(list(fitted.x)), "text": pa.array(list(fitted.x[:, ::-1].copy()))})
    pq.write_table(both, tmp_path / "both.parquet")
    pq.write_table(both.select(["text"]), tmp_path / "texts.parquet")
    asked = ["evaluate", "both.parquet", "-m", fitted.model, "--json", "-", "--column", "image", "--pairs"]
    own = arfc(*asked, "both.parquet", "--pairs-column", "text").stdout
    assert arfc(*asked, "texts.parquet").stdout == own  # which has that one alone
    assert arfc(*asked, "both.parquet").stdout != own  # without a word the column is that of FEATURES
    fit = ["fit", "both.parquet", "--column", "image", "--pairs", "both.parquet", "--steps", "1", "-o"]
    arfc(*fit, "m", "--pairs-column", "text")
    refused(*fit, "n", "--pairs-column", "none", match="pairs must be in an existing column, got 'none'")
    refused("fit", fitted.features, "-o", "n", "--pairs-column", "x", match="--pairs-column says something of --pairs")
    (tmp_path / "qrels.tsv").write_text("".join(f"{row}\t{row}\t1\n" for row in range(1200)))
    ask = ["evaluate", fitted.features, "-m", fitted.model, "--qrels", "qrels.tsv", "--queries", "both.parquet"]
    refused(*ask, match=r"queries must be in one list column .*; name the column \(--queries-column\)")


def test_what_the_model_has_compressed_is_no_input(arfc, refused, fitted, table):
    choice = ["--column", "embedding"]
    arfc("compress", "table.parquet", "-m", fitted.model, "-o", "whole.parquet", *choice, "--ratio", "1")
    match = "must be original vectors, got column 'embedding' of whole.parquet, which this model has compressed"
    refused("compress", "whole.parquet", "-m", fitted.model, "-o", "small.parquet", *choice, "--dims", "8", match=match)
    arfc("decompress", "whole.parquet", "-m", fitted.model, "-o", "back.parquet")
    arfc("compress", "back.parquet", "-m", fitted.model, "-o", "small.parquet", *choice, "--dims", "8")
