"""The texts of the examples: Python's own language reference."""

from _manual import sentences


def test_sentences_are_real_different_and_the_same_each_time():
    drawn = sentences(500)
    assert sentences(500) == drawn
    assert len({sentence.text for sentence in drawn}) == 500
    assert all(6 <= len(sentence.text.split()) <= 30 and sentence.text.endswith(".") for sentence in drawn)
    assert len({sentence.topic for sentence in drawn}) > 30
