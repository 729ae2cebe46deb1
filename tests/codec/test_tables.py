"""A code's table entries add up to its product with a query, but for the mean and the stretch."""

import numpy as np
import pytest

from arfc.codec import NestedCodec
from arfc.codec.tables import byte_tables


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(4)
    centres = rng.standard_normal((60, 20))
    x = centres[rng.integers(60, size=2600)] + 0.4 * rng.standard_normal((2600, 20)) + 0.5
    return (x * np.linspace(2, 0.3, 20)).astype(np.float32)


@pytest.fixture(scope="module")
def codec(rows):
    fitted = NestedCodec.fit(rows[:2000])
    assert fitted.joint.tokens
    return fitted


def estimates(codec, queries, packed):
    tables, tokens = byte_tables(codec, queries, bytes_per_vector=packed.shape[1]), codec.joint.tokens
    length = codec.missed.factors(packed[:, tokens:]) if packed.shape[1] > tokens else 1
    entries = [tables[:, byte][:, packed[:, byte]] for byte in range(packed.shape[1])]
    return sum(entry * (1 if byte < tokens else length) for byte, entry in enumerate(entries))


@pytest.mark.parametrize("with_length", [False, True])
def test_tokens_of_both_kinds_are_estimated_exactly_but_for_mean_and_stretch(rows, with_length):
    codec = NestedCodec.fit(
        rows[:2000], rounds=1, judge=lambda one: (one.missed.length_bytes == with_length, one.joint.tokens)
    )
    assert (codec.missed.length_bytes, codec.joint.tokens > 0) == (with_length, True)
    queries = rows[2000:2005]
    for size in (1, codec.joint.tokens, codec.joint.tokens + 1, codec.joint.tokens + 6, codec.largest_bytes):
        packed = codec.encode(rows[2100:2150], bytes_per_vector=size)
        stretch = codec.stretches(packed)
        unit = codec.decode(packed) @ codec.frame.basis  # mean + stretch * offset, made length 1
        length = np.linalg.norm(codec.frame.mean + stretch[:, None] * offsets(codec, packed), axis=1)
        expected = (queries @ codec.frame.basis) @ (unit * length[:, None] - codec.frame.mean).T
        np.testing.assert_allclose(stretch * estimates(codec, queries, packed), expected, rtol=1e-3, atol=1e-3)


def offsets(codec, packed):
    """Add up codewords, byte by byte."""
    tokens, said = codec.joint.tokens, np.zeros((len(packed), codec.width))
    for codebook, byte in zip(codec.joint.codebooks, packed.T, strict=False):
        said[:, : codebook.shape[1]] += codebook[byte]
    first = tokens + codec.missed.length_bytes
    length = codec.missed.factors(packed[:, tokens:])[:, None] if packed.shape[1] > first else 1
    for token, byte in enumerate(packed[:, first:].T):
        said[:, codec.missed.narrow.dims[token]] += length * codec.missed.narrow.words(token)[byte]
    return said


def test_the_order_of_rows_is_nearly_that_of_the_full_decoder(codec, rows):
    queries = rows[2000:2040] / np.linalg.norm(rows[2000:2040], axis=1, keepdims=True)
    for size in (1, 3, codec.joint.tokens + 5, codec.largest_bytes):
        packed = codec.encode(rows[2100:], bytes_per_vector=size)
        exact = queries @ codec.decode(packed).T
        correlations = [np.corrcoef(pair)[0, 1] for pair in zip(estimates(codec, queries, packed), exact, strict=True)]
        assert min(correlations) > 0.9


def test_codes_of_few_rows_have_tables_too(rows):
    codec = NestedCodec.fit(rows[:300])
    assert codec.joint.tokens == 0
    queries, packed = rows[2000:2040], codec.encode(rows[2100:], bytes_per_vector=6)
    exact = queries @ codec.decode(packed).T
    for estimate, scores in zip(estimates(codec, queries, packed), exact, strict=True):
        assert np.corrcoef(estimate, scores)[0, 1] > 0.9
