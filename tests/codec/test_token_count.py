"""The layout: joint tokens where rows cluster, a length where what they miss differs, and what a judge says."""

import numpy as np
import pytest

from arfc.codec import NestedCodec
from arfc.codec.token_count import Layout, Order, layouts, token_choices


def chosen(rows, *, tokens):
    codec = NestedCodec.fit(rows, most_tokens=tokens, rounds=2, twice=False)
    return Layout(codec.joint.tokens, with_length=codec.missed.length_bytes == 1)


def test_sums_of_points_are_worth_joint_tokens(sums):
    assert chosen(sums, tokens=4).tokens == 4


def test_half_a_group_is_no_choice_where_there_is_a_whole_one():
    assert [token_choices(most) for most in (0, 3, 4, 7, 8, 23, 48, 99)] == [
        [0],
        [0],
        [0, 4],
        [0, 4],
        [0, 8],
        [0, 8, 16],
        [0, 8, 16, 24, 32, 48],
        [0, 8, 16, 24, 32, 48],
    ]


def test_errors_that_near_rows_share_do_not_count_against_a_code():
    rows = np.random.default_rng(2).standard_normal((300, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    order = Order(rows, queries=300)
    noise = 0.01 * np.random.default_rng(3).standard_normal(rows.shape).astype(np.float32)
    assert order.kept(rows) > order.kept(rows + noise / 2) > order.kept(rows + noise)
    shared = rows + np.float32(0.1) * rows[:1]  # moves all scores of a query by the same
    assert order.kept(shared) > order.kept(rows + noise)


def test_rows_of_another_modality_ask():
    rng = np.random.default_rng(5)
    rows, others = (rng.standard_normal((count, 16)).astype(np.float32) for count in (40, 30))
    decoded = rows + 0.1 * rng.standard_normal(rows.shape).astype(np.float32)
    variances = []
    for other in others[:20]:
        near = np.argsort(-(rows @ other))[:10]
        variances.append(np.var((decoded - rows)[near] @ other))
    kept = Order(rows, queries=20, others_MK=others).kept(decoded)
    assert kept == pytest.approx(-np.mean(np.log(variances)), rel=1e-5)


def test_one_row_has_no_order():
    row = np.eye(4, dtype=np.float32)[:1]
    assert Order(row, queries=1).kept(row) == Order(row, queries=1).kept(-row)


def test_few_rows_tell_the_better_code(sums):
    rows = sums[:660] / np.linalg.norm(sums[:660], axis=1, keepdims=True)
    noise = np.random.default_rng(4).standard_normal(rows.shape).astype(np.float32)
    for part, error in zip(np.split(rows, 11), np.split(noise, 11), strict=True):
        order = Order(part, queries=60)
        assert order.kept(part + 0.015 * error) > order.kept(part + 0.02 * error)


def test_a_choice_without_a_length_comes_before_that_with_one():
    assert layouts(8) == [Layout(8, False), Layout(8, True), Layout(0, False), Layout(0, True)]


def test_rows_that_differ_by_much_or_little_are_worth_a_length():
    rng = np.random.default_rng(6)
    spots = rng.standard_normal((40, 24))[rng.integers(40, size=4400)]
    spread = np.geomspace(0.002, 0.5, 4400)[rng.permutation(4400), None]
    rows = (spots + spread * rng.standard_normal((4400, 24))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert chosen(rows, tokens=4).with_length


def test_a_judge_may_want_no_joint_tokens_and_a_length(sums):
    codec = NestedCodec.fit(sums, rounds=1, judge=lambda one: (-one.joint.tokens, one.missed.length_bytes))
    assert (codec.joint.tokens, codec.missed.length_bytes, codec.largest_bytes) == (0, 1, 41)
    longest = codec.encode(sums[:50], bytes_per_vector=41)
    np.testing.assert_array_equal(codec.encode(sums[:50], bytes_per_vector=3), longest[:, :3])
    unit = sums[:50] / np.linalg.norm(sums[:50], axis=1, keepdims=True)
    assert np.square(codec.decode(longest) - unit).sum(axis=1).mean() < 1e-3
