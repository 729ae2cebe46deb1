"""Joint tokens: each names what those before it have missed."""

import numpy as np
import pytest

from arfc.codec.joint import LOOKAHEAD, PATHS, JointTokens


@pytest.fixture(scope="module")
def rows():
    """(2000, 24) centred rows around 60 points, strong dims first."""
    rng = np.random.default_rng(3)
    points = rng.standard_normal((60, 24)) * np.linspace(1.5, 0.3, 24)
    x = points[rng.integers(60, size=2000)] + 0.3 * rng.standard_normal((2000, 24))
    return (x - x.mean(axis=0)).astype(np.float32)


@pytest.fixture(scope="module")
def joint(rows):
    return JointTokens.fit(rows[:1500], tokens=7, rng=np.random.default_rng(0))


def missed(joint, rows, tokens):
    packed = joint.encode(rows, tokens=tokens)
    return np.square(rows - joint.decode(packed)).sum(axis=1).mean()


def slow_encode(joint, row, tokens):
    """Follow the best paths, one token after another; a token stands once LOOKAHEAD more have been tried."""
    paths = [([], row)]
    for step in range(min(joint.tokens, tokens + LOOKAHEAD)):
        tried = [
            (path + [token], missed - codeword)
            for path, missed in paths
            for token, codeword in enumerate(joint.codebooks[step])
        ]
        paths = sorted(tried, key=lambda entry: np.square(entry[1], dtype=np.float64).sum())[:PATHS]
        if step >= LOOKAHEAD:
            stands = paths[0][0][step - LOOKAHEAD]
            paths = [entry for entry in paths if entry[0][step - LOOKAHEAD] == stands]
    return paths[0][0][:tokens]


def test_tokens_equal_a_slow_search(joint, rows):
    for tokens in (1, 3, 7):
        expected = [slow_encode(joint, row, tokens) for row in rows[1500:1512]]
        np.testing.assert_array_equal(joint.encode(rows[1500:1512], tokens=tokens), expected)


def test_decoding_is_the_sum_of_the_named_codewords(joint, rows):
    packed = joint.encode(rows[:20], tokens=3)
    expected = sum(joint.codebooks[step][packed[:, step]] for step in range(3))
    np.testing.assert_allclose(joint.decode(packed), expected, rtol=1e-5, atol=1e-6)
    assert (joint.decode(packed[:, :0]) == 0).all()


def test_every_token_brings_unseen_rows_nearer(joint, rows):
    errors = [missed(joint, rows[1500:], tokens) for tokens in range(8)]
    assert all(after < before for before, after in zip(errors, errors[1:], strict=False))


def test_the_first_tokens_of_a_longer_fit_are_a_shorter_fit(joint, rows):
    short = JointTokens.fit(rows[:1500], tokens=2, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(short.codebooks, joint.first(2).codebooks)


def test_a_caller_can_end_the_fit(rows):
    heard = []

    def go_on(done):
        heard.append(done)
        return done < 2

    ended = JointTokens.fit(rows[:1500], tokens=7, rng=np.random.default_rng(0), go_on=go_on)
    assert (heard, ended.tokens) == ([1, 2], 2)


def test_no_rows_and_no_tokens_are_codes_too(joint, rows):
    assert joint.encode(rows[:0], tokens=3).shape == (0, 3)
    assert joint.encode(rows[:5], tokens=0).shape == (5, 0)
