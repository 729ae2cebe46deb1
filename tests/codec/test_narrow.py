"""Narrow tokens: prefixes, the dims that they cover, one codeword after another, few rows, files."""

import numpy as np
import pytest

from arfc.codec import narrow
from arfc.codec.narrow import DIMS, LEARNED, NarrowTokens
from arfc.errors import ModelFileError

WIDTH = 40
STRENGTH = np.geomspace(3, 0.1, WIDTH)


def made(rows, seed):
    return (np.random.default_rng(seed).standard_normal((rows, WIDTH)) * STRENGTH).astype(np.float32)


def fitted(rows, *, tokens, emphasis=None, unseen=None, seed=0):
    emphasis = np.ones(rows.shape[1], np.float32) if emphasis is None else emphasis
    unseen = rows if unseen is None else unseen
    return NarrowTokens.fit(rows, unseen_HK=unseen, emphasis=[emphasis] * tokens, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def tokens():
    return fitted(made(4000, 1), tokens=WIDTH, unseen=made(1000, 2))


@pytest.fixture(scope="module")
def rows():
    return made(700, 3)


def missed(tokens, rows, size):
    return np.square(rows - tokens.decode(tokens.encode(rows, tokens=size))).mean(axis=0)


def test_each_token_is_the_nearest_codeword_to_what_is_missed(tokens, rows):
    packed, left = tokens.encode(rows, tokens=WIDTH), rows.astype(np.float64)
    for token in range(WIDTH):
        dims, words = tokens.dims[token], tokens.words(token).astype(np.float64)
        errors = np.square(left[:, dims][:, None] - words[None]).sum(axis=2)
        chosen = errors[np.arange(len(rows)), packed[:, token]]
        np.testing.assert_allclose(chosen, errors.min(axis=1), rtol=1e-3, atol=1e-6)
        left[:, dims] -= words[packed[:, token]]
    np.testing.assert_allclose(tokens.decode(packed), rows - left, atol=1e-4)


def test_a_code_is_the_beginning_of_every_longer_one_and_its_row_s_alone(tokens, rows):
    longest = tokens.encode(rows, tokens=WIDTH)
    for size in (1, 7, LEARNED + 1):
        np.testing.assert_array_equal(tokens.encode(rows, tokens=size), longest[:, :size])
    for row in (0, 500):
        np.testing.assert_array_equal(tokens.encode(rows[row : row + 1], tokens=WIDTH), longest[row : row + 1])
        np.testing.assert_array_equal(tokens.decode(longest[row : row + 1]), tokens.decode(longest)[row : row + 1])


def test_strong_dims_are_spoken_of_first_and_often(tokens):
    assert set(tokens.dims[0]) == set(range(DIMS))
    times = np.bincount(tokens.dims.reshape(-1), minlength=WIDTH)
    assert times[:10].min() > times[-10:].max() > 0


def test_every_token_brings_rows_that_it_has_not_seen_nearer(tokens, rows):
    errors = [missed(tokens, rows, size).sum() for size in (1, 4, 12, LEARNED, WIDTH)]
    assert all(later < 0.9 * earlier for earlier, later in zip(errors, errors[1:], strict=False))
    assert errors[-1] < 2e-3 * np.square(STRENGTH).sum()


def test_less_is_missed_than_by_the_best_levels():
    """Of a Gaussian two levels miss .363 and four .117 (Max, 1960). Four tokens are 1 1/3 bits for each of 24 dims."""
    x, new = (np.random.default_rng(seed).standard_normal((9000, 24)).astype(np.float32) for seed in (1, 2))
    assert missed(fitted(x, tokens=4), new, 4).mean() < 0.9 * (2 / 3 * 0.363 + 1 / 3 * 0.117)


def test_what_an_emphasis_stretches_is_missed_by_less(rows):
    emphasis = np.where(np.arange(WIDTH) % 2, 4, 1).astype(np.float32)
    plain, weighed = (fitted(made(4000, 1), tokens=8, emphasis=one) for one in (None, emphasis))
    ratio = missed(weighed, rows, 8) / missed(plain, rows, 8)
    assert ratio[1::2].mean() < 0.8 and ratio[::2].mean() > 1.1
    weighted = np.square(emphasis) * [missed(one, rows, 8) for one in (plain, weighed)]
    assert weighted[1].sum() < weighted[0].sum()


def test_unseen_rows_say_how_large_codewords_are(rows):
    long = fitted(made(4000, 1), tokens=4, unseen=3 * made(1000, 2))
    assert missed(long, 3 * rows, 4).sum() < 0.8 * missed(fitted(made(4000, 1), tokens=4), 3 * rows, 4).sum()


def test_few_rows_teach_codewords_for_others(rows):
    few = fitted(made(60, 1), tokens=12)
    many = fitted(made(8000, 1), tokens=12)
    assert missed(few, rows, 12).sum() < 1.5 * missed(many, rows, 12).sum()


def test_later_tokens_use_the_last_codebook(tokens):
    assert len(tokens.codebooks) == LEARNED < tokens.tokens == WIDTH
    np.testing.assert_array_equal(tokens.words(WIDTH - 1), tokens.codebooks[-1] * tokens.scale[-1])


@pytest.mark.parametrize("width", [1, 2, 5])
def test_few_dims_are_all_spoken_of(width):
    x = np.random.default_rng(0).standard_normal((500, width)).astype(np.float32)
    one = fitted(x, tokens=width)
    assert one.dims.shape == (width, width)
    assert missed(one, x, width).mean() < 1e-3


def test_rows_that_are_nothing_have_a_code():
    none = np.zeros((9, 3), np.float32)
    one = fitted(none, tokens=3)
    np.testing.assert_array_equal(one.decode(one.encode(none, tokens=3)), none)


def test_wide_codes_take_no_learning_after_the_first(monkeypatch, rows):
    learned = []
    book = narrow._Learner.codebook
    monkeypatch.setattr(narrow._Learner, "codebook", lambda *given: learned.append(1) or book(*given))
    fitted(rows, tokens=WIDTH)
    assert len(learned) == LEARNED


def test_arrays_round_trip(tokens, rows):
    again = NarrowTokens.from_arrays({name: one.copy() for name, one in tokens.to_arrays().items()}, width=WIDTH)
    packed = again.encode(rows, tokens=9)
    np.testing.assert_array_equal(packed, tokens.encode(rows, tokens=9))
    np.testing.assert_array_equal(again.decode(packed), tokens.decode(packed))


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("narrow_dims", lambda one: None, r"\['narrow_dims'\] is missing"),
        ("narrow_dims", lambda one: one[:, :-1], "must have shapes"),
        ("narrow_dims", lambda one: one[:5], "must have shapes"),
        ("narrow_dims", lambda one: one.astype(np.int64), "must be int32 and then float32, got int64"),
        ("narrow_dims", lambda one: one + WIDTH, "must name 12 different dims of 40"),
        ("narrow_dims", lambda one: one - WIDTH, "must name 12 different dims of 40"),
        ("narrow_dims", lambda one: 0 * one, "must name 12 different dims of 40"),
        ("narrow_scale", lambda one: one[:-1], "must have shapes"),
        ("narrow_scale", lambda one: -one, "must be finite and not below 0"),
        ("narrow_scale", lambda one: one * np.float32(np.nan), "must be finite and not below 0"),
        ("narrow_emphasis", lambda one: 0 * one, "must be finite and above 0"),
        ("narrow_codebooks", lambda one: one[:, :-1], "must have shapes"),
        ("narrow_codebooks", lambda one: np.concatenate([one, one]), r"S in 1\.\.40"),
        ("narrow_codebooks", lambda one: one / np.float32(0), "must be finite, got NaN or Inf"),
    ],
)
def test_damaged_arrays_are_refused(tokens, name, change, match):
    with np.errstate(divide="ignore", invalid="ignore"):
        arrays = tokens.to_arrays() | {name: change(tokens.to_arrays()[name])}
    with pytest.raises(ModelFileError, match=match):
        NarrowTokens.from_arrays({key: one for key, one in arrays.items() if one is not None}, width=WIDTH)
