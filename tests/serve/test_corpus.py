"""The texts of the page: lines of a file, or the standard library's own words."""

import re

import pytest

from arfc.errors import InputError
from arfc.serve.corpus import MOST_PASSAGES, Passage, from_file, standard_library


def test_the_standard_library_speaks_in_sentences():
    corpus = standard_library()
    texts = [one.text for one in corpus.passages]
    assert 500 < len(texts) < 2000
    assert len(set(texts)) == len(texts)
    assert all(len(text.split()) >= 4 and "\n" not in text for text in texts)
    assert Passage("gzip.compress", "Compress data in one shot and return the compressed string.") in corpus.passages
    assert not [text for text in texts if re.match(r"\w+\(", text)]
    assert corpus == standard_library()


def test_a_file_has_a_text_per_line(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("one\n\n  two words \r\n", encoding="utf-8")
    corpus = from_file(path)
    assert (corpus.named, corpus.examples) == ("lines of texts.txt", ())
    assert corpus.passages == [Passage("", "one"), Passage("", "two words")]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\n \n", "corpus must have 1 to 20,000 lines that are not empty, .* has 0"),
        (b"a\n" * (MOST_PASSAGES + 1), "has 20,001"),
        (b"a" * 1001, "a line of the corpus must have at most 1,000 characters, one has 1,001"),
        (b"\xff", "corpus must be UTF-8 text"),
    ],
)
def test_a_file_that_is_no_corpus_is_refused(tmp_path, content, match):
    (tmp_path / "texts.txt").write_bytes(content)
    with pytest.raises(InputError, match=match):
        from_file(tmp_path / "texts.txt")


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InputError, match="^corpus must be an existing file, got "):
        from_file(tmp_path / "texts.txt")
