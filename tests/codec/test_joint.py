"""Joint tokens: a group is chosen together, for what the groups before it have missed."""

import numpy as np
import pytest

from arfc.codec.between import LEAST_DRAWN
from arfc.codec.joint import GROUP, PATHS, JointTokens
from arfc.codec.local_search import MOST_REMEMBERED


@pytest.fixture(scope="module")
def rows():
    """(2000, 24) centred rows around 60 points, strong dims first."""
    rng = np.random.default_rng(3)
    points = rng.standard_normal((60, 24)) * np.linspace(1.5, 0.3, 24)
    x = points[rng.integers(60, size=2000)] + 0.3 * rng.standard_normal((2000, 24))
    return (x - x.mean(axis=0)).astype(np.float32)


@pytest.fixture(scope="module")
def joint(rows):
    return JointTokens.fit(rows[:1500], tokens=10, rng=np.random.default_rng(0), rounds=3)


def missed(joint, rows, tokens):
    packed = joint.encode(rows, tokens=tokens)
    return np.square(rows - joint.decode(packed)).sum(axis=1).mean()


def slow_group(codebooks, row):
    """Follow the best paths through a group, and choose each token of the best anew once."""

    def error(picked):
        sums = sum(codebook[token] for codebook, token in zip(codebooks, picked, strict=False))
        return np.square(row - sums, dtype=np.float64).sum()

    paths = [[]]
    for codebook in codebooks:
        paths = sorted(([*path, token] for path in paths for token in range(len(codebook))), key=error)[:PATHS]
    best = paths[0]
    for place in range(len(best)):
        best[place] = min(range(256), key=lambda token: error([*best[:place], token, *best[place + 1 :]]))
    return best


def test_tokens_equal_a_slow_search(joint, rows):
    for row in rows[1500:1506]:
        first = slow_group(joint.codebooks[:GROUP], row)
        left = row - sum(joint.codebooks[step][token] for step, token in enumerate(first))
        expected = first + slow_group(joint.codebooks[GROUP:], left)
        for tokens in (1, GROUP, 10):
            np.testing.assert_array_equal(joint.encode(row[None], tokens=tokens)[0], expected[:tokens])


def test_decoding_is_the_sum_of_the_named_codewords(joint, rows):
    packed = joint.encode(rows[:20], tokens=3)
    expected = sum(joint.codebooks[step][packed[:, step]] for step in range(3))
    np.testing.assert_allclose(joint.decode(packed), expected, rtol=1e-5, atol=1e-6)
    assert (joint.decode(packed[:, :0]) == 0).all()


def test_every_token_brings_unseen_rows_nearer(joint, rows):
    errors = [missed(joint, rows[1500:], tokens) for tokens in range(11)]
    assert all(after < before for before, after in zip(errors, errors[1:], strict=False))


def test_tokens_that_are_learned_together_find_what_no_token_finds_alone(sums):
    fit, unseen, new = sums[:-800], sums[-800:-400], sums[-400:]
    together, apart = (
        JointTokens.fit(fit, tokens=3, rng=np.random.default_rng(0), rounds=rounds, unseen_HP=unseen)
        for rounds in (5, 0)
    )
    assert missed(together, new, 3) < missed(apart, new, 3) / 5


def test_codebooks_made_one_after_another_are_kept_where_unseen_rows_are_missed_by_less(rows, monkeypatch):
    options = {"tokens": GROUP, "unseen_HP": rows[1500:1750]}
    apart = JointTokens.fit(rows[:1500], rng=np.random.default_rng(0), rounds=0, **options)
    monkeypatch.setattr("arfc.codec.joint.learn_from_draws", lambda codebooks, *_, **__: 2 * codebooks)
    together = JointTokens.fit(rows[:1500], rng=np.random.default_rng(0), rounds=3, **options)
    np.testing.assert_array_equal(together.codebooks, apart.codebooks)
    assert together.lessons[0].ridge == 0


@pytest.mark.parametrize(("few", "remembered"), [(1500, MOST_REMEMBERED), (1501, 0.0)])
def test_draws_are_remembered_where_rows_are_not_few(rows, monkeypatch, few, remembered):
    told = []

    def learn(codebooks, draw, **options):
        told.append((options["remembered"], len(draw())))
        return codebooks

    monkeypatch.setattr("arfc.codec.joint.FEW_ROWS", few)
    monkeypatch.setattr("arfc.codec.joint.learn_from_draws", learn)
    JointTokens.fit(rows[:1500], tokens=GROUP, rng=np.random.default_rng(0), rounds=3)
    assert told == [(remembered, LEAST_DRAWN)]


@pytest.mark.parametrize(("few", "is_kept"), [(1501, True), (1500, False)])
def test_nearly_equal_rows_outweigh_a_few_where_rows_are_not_few(rows, monkeypatch, few, is_kept):
    """What is learned halves the misses of a tenth of the rows, which are far from all; those of others are doubled."""
    start_N = np.where(np.arange(500) % 10 == 0, 100, 1).astype(np.float32)
    learned_N = np.where(np.arange(500) % 10 == 0, 50, 2).astype(np.float32)

    def missed(self, values):
        missed_N = learned_N if self.codebooks[0, 0, 0] == 7 else start_N
        return missed_N[:, None] * np.eye(1, values.shape[1], dtype=np.float32)

    def learn(codebooks, *_, **__):
        learned = codebooks.copy()
        learned[0, 0, 0] = 7
        return learned

    monkeypatch.setattr("arfc.codec.joint.FEW_ROWS", few)
    monkeypatch.setattr("arfc.codec.joint.learn_from_draws", learn)
    monkeypatch.setattr(JointTokens, "_missed", missed)
    options = {"tokens": GROUP, "rounds": 3, "unseen_HP": 1e3 * rows[1500:]}
    fitted = JointTokens.fit(rows[:1500], rng=np.random.default_rng(0), **options)
    assert (fitted.codebooks[0, 0, 0] == 7) == is_kept == (fitted.lessons[0].ridge > 0)


def test_the_first_groups_of_a_longer_fit_are_a_shorter_fit(joint, rows):
    short = JointTokens.fit(rows[:1500], tokens=GROUP, rng=np.random.default_rng(0), rounds=3)
    np.testing.assert_array_equal(short.codebooks, joint.first(GROUP).codebooks)


def test_later_groups_learn_from_misses_of_the_length_that_unseen_rows_have(rows):
    def lengths(**unseen):
        fitted = JointTokens.fit(rows[:800], tokens=9, rng=np.random.default_rng(0), rounds=0, **unseen)
        return np.linalg.norm(fitted.codebooks[GROUP], axis=1).mean()

    assert lengths(unseen_HP=rows[1500:]) > 1.1 * lengths()


def test_lessons_stand_in_for_the_rows_that_taught_them(sums):
    """Told what unseen rows told of the first fit, a fit of the same rows is the same fit."""
    options = {"tokens": 9, "rounds": 4}
    first = JointTokens.fit(sums[:-400], rng=np.random.default_rng(0), unseen_HP=sums[-400:], **options)
    again = JointTokens.fit(sums[:-400], rng=np.random.default_rng(0), lessons=first.lessons, **options)
    untold = JointTokens.fit(sums[:-400], rng=np.random.default_rng(0), **options)
    assert [lesson.ridge > 0 for lesson in first.lessons] == [True, True]
    assert first.lessons[0].missed > first.lessons[1].missed > 0
    np.testing.assert_array_equal(again.codebooks, first.codebooks)
    assert again.lessons == first.lessons and untold.lessons == []
    assert not np.array_equal(untold.codebooks, first.codebooks)


def test_the_pace_hears_how_far_the_fit_is_and_can_end_it(rows):
    def fit(used):
        heard = []

        def pace(done):
            heard.append(done)
            return used(done)

        tokens = JointTokens.fit(rows[:1500], tokens=20, rng=np.random.default_rng(0), rounds=2, pace=pace).tokens
        return heard, tokens

    heard, tokens = fit(lambda done: 0.0)
    assert tokens == 20
    assert heard == sorted(heard)
    assert heard[0] == 0
    assert heard[-1] == pytest.approx(1)
    slow, tokens = fit(lambda done: 2 * done)  # time is up before the second group's rounds
    assert tokens == 2 * GROUP
    assert len(slow) < len(heard)
    assert fit(lambda done: 1.0) == ([0.0], 0)
    assert fit(lambda done: float("inf") if done else 0.0)[1] == GROUP


def test_no_rows_and_no_tokens_are_codes_too(joint, rows):
    assert joint.encode(rows[:0], tokens=3).shape == (0, 3)
    assert joint.encode(rows[:5], tokens=0).shape == (5, 0)
