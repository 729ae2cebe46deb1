"""The parts of the demos that need no encoder: the texts, their split, and the table."""

import re

import numpy as np
import pytest

import demo
from _docstrings import Docstring, collect, first_paragraph, near_duplicates, normalise, split
from _table import Line, compare, format_lines
from arfc.baselines import Klt, Quantised
from arfc.codec import ClassicCodec


@pytest.fixture(scope="module")
def items():
    return collect()


class KltModel:
    """What the table asks of a Compressor, made of the baselines: a model that gains nothing."""

    def __init__(self, x):
        self.klt, self.coder = Klt.fit(x), Quantised.fit(x, front=Klt.fit, codec=ClassicCodec.fit)

    def compress(self, x, *, dims=None, bytes=None):
        return self.klt.compress(x, dims=dims) if bytes is None else self.coder.compress(x, bytes=bytes)


def test_collect_finds_several_thousand_different_texts(items):
    texts = [item.text for item in items]
    assert len(texts) > 4000
    assert len(set(texts)) == len(texts)
    assert all(len(text.split()) >= 4 and len(text) <= 600 and "\n" not in text for text in texts)


def test_collect_is_deterministic(items):
    assert collect() == items


def test_collect_names_python_and_c_objects(items):
    by_name = {item.name: item.text for item in items}
    assert by_name["asyncio.threads.to_thread"] == "Asynchronously run function *func* in a separate thread."
    assert by_name["zlib.compress"] == "Returns a bytes object containing compressed data."


def test_split_keeps_near_duplicates_on_one_side(items):
    fit_rows, held_rows = split(items, held_out=0.3, seed=0)
    assert sorted(fit_rows + held_rows) == list(range(len(items)))
    assert len(held_rows) == pytest.approx(0.3 * len(items), rel=0.01)
    fit_keys = {normalise(items[row].text) for row in fit_rows}
    assert not fit_keys & {normalise(items[row].text) for row in held_rows}
    assert split(items, held_out=0.3, seed=0) == (fit_rows, held_rows)
    assert split(items, held_out=0.3, seed=1) != (fit_rows, held_rows)


def test_split_holds_a_whole_group_out():
    items = [Docstring(f"m.f{row}", f"Return {'the' if row % 2 else 'a'} line {row}.") for row in range(10)]
    assert split(items, held_out=0.1, seed=0) == ([], list(range(10)))
    assert near_duplicates(items) == 10
    assert near_duplicates([*items, Docstring("m.g", "Close the file.")]) == 10


def test_texts_that_begin_alike_are_near_duplicates():
    long = "word " * 40
    assert normalise(long + "one") == normalise(long + "another")
    assert normalise("Close the file 1.") == normalise("close file")
    assert normalise("Close the file.") != normalise("Open the file.")


def test_first_paragraph_leaves_signatures_out():
    assert first_paragraph("reader(iterable) -> it\n\nRead   rows\nof text.\n\nMore.") == "Read rows of text."
    assert first_paragraph("Open (or make) a file.") == "Open (or make) a file."
    assert first_paragraph("f(x)") == ""


def test_table_scores_every_size_on_small_data(vectors):
    lines = compare(KltModel(vectors[:120]), fit_ND=vectors[:120], queries_QD=vectors[120:140], rows_ND=vectors[140:])
    assert [(line.size, line.bytes_per_vector) for line in lines] == [
        ("8 dims float32", 32),
        ("16 dims float32", 64),
        ("24 dims float32", 96),
        ("8 byte code", 8),
        ("16 byte code", 16),
    ]
    by_size = {line.size: line for line in lines}
    assert by_size["24 dims float32"].recall == pytest.approx({"arfc": 1, "KLT": 1, "truncation": 1})
    for line in lines:
        assert list(line.recall) == ["arfc", "KLT", "truncation"]
        assert line.recall["arfc"] == line.recall["KLT"]
        assert all(0 <= value <= 1 for value in line.recall.values())


def test_gain_compares_with_the_best_baseline():
    assert Line("8 dims float32", 32, {"arfc": 0.5, "KLT": 0.4, "truncation": 0.3}).gain == pytest.approx(10)
    assert Line("8 dims float32", 32, {"arfc": 0.5, "KLT": 0.4, "truncation": 0.6}).gain == pytest.approx(-10)


def test_format_lines_aligns_columns_and_shows_losses():
    lines = [
        Line("8 dims float32", 32, {"arfc": 0.1234, "KLT": 0.5, "truncation": 0.25}),
        Line("384 dims float32", 1536, {"arfc": 1.0, "KLT": 1.0, "truncation": 1.0}),
    ]
    head, rule, first, last = format_lines(lines).splitlines()
    assert head.split() == ["size", "bytes", "arfc", "KLT", "truncation", "gain"]
    assert first.split() == ["8", "dims", "float32", "32", "0.123", "0.500", "0.250", "-37.7"]
    assert last.split()[3] == "1,536"
    assert {len(head), len(rule), len(first), len(last)} == {len(head)}


def test_columns_fit_120_characters(capsys):
    demo.print_columns("a" * 200, "b", "c" * 200)
    line = capsys.readouterr().out.rstrip("\n")
    assert len(line) == 120
    assert re.fullmatch(r"a{37}… \| b {37} \| c{37}…", line)


def test_vectors_are_embedded_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(demo, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(demo, "embed", lambda texts: calls.append(texts) or np.ones((len(texts), 3), np.float32))
    first_ND = demo.cached_vectors(["one", "two"])
    np.testing.assert_array_equal(demo.cached_vectors(["one", "two"]), first_ND)
    assert demo.cached_vectors(["one", "three"]).shape == (2, 3)
    assert calls == [["one", "two"], ["one", "three"]]
    assert all(path.suffix == ".npy" for path in (tmp_path / "cache").iterdir())
