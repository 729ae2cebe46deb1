"""Judgements from files and arrays, by row number or by id."""

import numpy as np
import pytest

from arfc import DtypeError, InputError, RowError, ShapeError
from arfc.evaluate.qrels import open_qrels


@pytest.fixture
def written(tmp_path):
    """A function that writes a file and returns its path."""

    def write(text, name="qrels.tsv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_rows_by_number_with_and_without_a_header(written):
    rows = "0\t7\t1\n2\t0\t0\n"
    for text in (rows, "query-id\tcorpus-id\tscore\n" + rows):
        np.testing.assert_array_equal(open_qrels(written(text), queries=3, documents=8), [[0, 7, 1], [2, 0, 0]])


def test_rows_by_id(written):
    path = written("query-id\tcorpus-id\tscore\nq1\t31\t2\nq0\t4\t1\n")
    ids = written("4\n9\n31\n", name="ids.txt")
    for given in (ids, ["4", "9", "31"]):
        found = open_qrels(path, queries=2, documents=3, query_ids=["q0", "q1"], ids=given)
        np.testing.assert_array_equal(found, [[1, 2, 2], [0, 0, 1]])
    # A number is an id, and no row, as soon as ids are given.
    with pytest.raises(RowError, match=r"qrels must name known ids, got '31' in line 2"):
        open_qrels(path, queries=2, documents=3, query_ids=["q0", "q1"], ids=["4", "9", "2"])


def test_an_array_is_taken_as_it_is():
    np.testing.assert_array_equal(open_qrels(np.array([[1, 2, 3]], np.uint8), queries=2, documents=3), [[1, 2, 3]])


@pytest.mark.parametrize(
    ("text", "options", "error", "match"),
    [
        ("0 1 1\n", {}, InputError, r"qrels must have 3 columns split by tabs, got 1 in line 1 of .*qrels\.tsv"),
        ("0\t0\t1\t1\n", {}, InputError, "got 4 in line 1"),
        ("0\t1\t1\n0\t2\tyes\n", {}, InputError, "qrels must have integer scores, got 'yes' in line 2"),
        ("0\t1\t1.0\n", {}, InputError, r"qrels must have integer scores, got '1\.0' in line 1"),
        ("0_1\t1\t1\n", {}, RowError, r"rows 0\.\.1, got '0_1' in line 1 of .*; if it is an id, give query ids"),
        ("0\t02\t1\n", {}, RowError, r"rows 0\.\.2, got '02' in line 1 of .*; if it is an id, give ids"),
        ("0\t+2\t1\n", {}, RowError, r"rows 0\.\.2, got '\+2'"),
        ("0\t\N{ARABIC-INDIC DIGIT TWO}\t1\n", {}, RowError, r"rows 0\.\.2, got"),
        ("0\t3\t1\n", {}, RowError, r"qrels must name rows 0\.\.2, got '3' in line 1 of .*; if it is an id, give ids"),
        ("x\t1\t1\n", {}, RowError, r"rows 0\.\.1, got 'x' in line 1 of .*; if it is an id, give query ids"),
        ("0\t-1\t1\n", {}, RowError, r"rows 0\.\.2, got '-1'"),
        ("0\t1\t1\n1\t1\t1\n0\t1\t0\n", {}, RowError, "qrels must judge a document once per query, got 1 more"),
        ("0\t1\t1\n", {"ids": ["a", "b"]}, ShapeError, "ids must be 3, one per row, got 2"),
        ("0\t1\t1\n", {"query_ids": ["a", "a"]}, RowError, "query ids must differ, got 1 that stood before"),
        ("0\t1\t1\n", {"ids": "none.txt"}, InputError, r"ids must be an existing file, got none\.txt"),
        ("0\t1\t1\n", {"ids": 3}, DtypeError, "ids must be a path or a list, got int"),
    ],
)
def test_refused_files(written, text, options, error, match):
    with pytest.raises(error, match=match):
        open_qrels(written(text), queries=2, documents=3, **options)


def test_refused_sources(tmp_path):
    with pytest.raises(InputError, match="qrels must be an existing file"):
        open_qrels(tmp_path / "none.tsv", queries=2, documents=3)
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe0")
    with pytest.raises(InputError, match="qrels must be UTF-8 text, got other bytes"):
        open_qrels(tmp_path / "binary.tsv", queries=2, documents=3)
    with pytest.raises(DtypeError, match="qrels must be a path or an integer array, got ndarray"):
        open_qrels(np.ones((2, 3)), queries=2, documents=3)
    with pytest.raises(ShapeError, match=r"qrels must have shape \(E, 3\)"):
        open_qrels(np.ones((2, 2), int), queries=2, documents=3)
