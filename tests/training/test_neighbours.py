"""Nearest rows, and groups of duplicates however many copies there are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc.training import precision
from arfc.training.neighbours import duplicate_groups, join_groups, nearest


def unit(x):
    return torch.nn.functional.normalize(torch.as_tensor(np.asarray(x), dtype=torch.float32), dim=1)


def groups_of(x, cosine=0.995):
    return duplicate_groups(unit(x), cosine=cosine).tolist()


@pytest.mark.parametrize("block_rows", [7, 2048])
@pytest.mark.parametrize("fast", [False, True])
def test_nearest_equals_brute_force(rng, monkeypatch, block_rows, fast):
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: fast)
    angles = np.sort(rng.permutation(200)[:40]) * 0.03  # apart by more than bfloat16 loses
    x = unit(np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.5, 2, (40, 1)))
    ids, cosines = nearest(x, k=3, block_rows=block_rows)
    scores = (x @ x.T).double()
    scores.fill_diagonal_(-2)
    np.testing.assert_allclose(cosines, scores.topk(3, dim=1).values, atol=0.01 if fast else 1e-6)
    # What is found is as near as the truth but for bfloat16's error, and never the row itself.
    np.testing.assert_allclose(scores.gather(1, ids), scores.topk(3, dim=1).values, atol=0.01 if fast else 1e-6)
    assert (ids != torch.arange(40)[:, None]).all()


@pytest.mark.parametrize("copies", [2, 12, 300])
def test_exact_copies_share_a_group_however_many(rng, copies):
    x = rng.standard_normal((50, 16))
    x = np.concatenate([x, np.repeat(x[:1], copies - 1, axis=0)])
    groups = groups_of(x)
    assert len(set(groups)) == 50
    assert {groups[0]} == set(groups[50:])


def test_all_rows_equal():
    assert set(groups_of(np.ones((30, 4)))) == {0}


@settings(max_examples=25)
@given(
    copies=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    noise=st.sampled_from([0.0, 1e-4, 0.01, 0.02]),
    half=st.booleans(),
    common=st.sampled_from([0.0, 100.0]),
    seed=st.integers(0, 99),
)
def test_near_copies_share_a_group(copies, noise, half, common, seed):
    """Noise of 2 % of a row's length (cosine 0.9996), float16 and back, a direction that makes all cosines 0.997."""
    rng = np.random.default_rng(seed)
    originals = rng.standard_normal((300, 32))
    parts, owner = [originals], list(range(300))
    for row, count in enumerate(copies):
        noisy = originals[row] + noise * rng.standard_normal((count, 32))
        parts.append(noisy.astype(np.float16).astype(np.float64) if half else noisy)
        owner += [row] * count
    groups = np.array(groups_of(np.concatenate(parts) + common * np.eye(32)[0]))
    for row in range(len(copies)):
        assert len(set(groups[np.array(owner) == row])) == 1
    assert len(set(groups)) == 300  # and no two originals do


@pytest.mark.parametrize("noise", [1e-4, 0.01, 0.02])
@pytest.mark.parametrize("others", [3, 30, 150, 400])
def test_near_copies_share_a_group_where_they_are_the_mean_of_all(rng, others, noise):
    """600 rows, most of them near-copies of one: what the mean row leaves of them is noise that points anywhere."""
    x = rng.standard_normal((others, 32))
    copies = x[0] + noise * rng.standard_normal((600 - others, 32))
    groups = groups_of(np.concatenate([x, copies]))
    assert {groups[0]} == set(groups[others:])
    assert len(set(groups)) == others


@pytest.mark.parametrize(("common", "outliers"), [(10.0, 0), (10.0, 5), (100.0, 0), (100.0, 5), (1000.0, 0)])
def test_a_common_direction_makes_no_duplicates(rng, common, outliers):
    """Raw cosines of unrelated rows up to 0.99997, or 0.997 and a few rows that do not share the direction."""
    x = rng.standard_normal((600, 32)) + common * np.eye(32)[0]
    x[600 - outliers :] -= common * np.eye(32)[0]
    raw = unit(x[:2])
    assert float(raw[0] @ raw[1]) > {10: 0.6, 100: 0.995, 1000: 0.9999}[common]
    assert len(set(groups_of(x))) == 600


@pytest.mark.parametrize("copies", [4, 9, 40])
def test_two_crowds_near_each_other_share_a_group(rng, copies):
    """Each row's nearest rows are all of its own crowd, so a short list of neighbours never names the other crowd."""
    one, other = unit(rng.standard_normal((2, 64))).numpy()
    other -= other @ one * one
    bridge = 0.997 * one + np.sqrt(1 - 0.997**2) * other / np.linalg.norm(other)
    crowds = np.repeat([one, bridge], copies, axis=0) + 1e-4 * rng.standard_normal((2 * copies, 64))
    groups = groups_of(np.concatenate([rng.standard_normal((500, 64)), crowds]))
    assert len(set(groups[500:])) == 1
    assert len(set(groups)) == 501


def test_groups_hang_together_through_chains():
    angles = np.concatenate([np.arange(6) * 0.08, np.pi / 2 + np.arange(3) * 0.5, np.pi + np.arange(6) * 0.4])
    groups = groups_of(np.stack([np.cos(angles), np.sin(angles)], 1), cosine=0.99)
    assert len(set(groups[:6])) == 1
    assert len(set(groups[6:])) == 9


@settings(max_examples=50)
@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_join_groups_equals_a_slow_search(pairs):
    one, other = (torch.tensor(list(column)) for column in zip(*pairs, strict=True))
    joined = join_groups(one, other).tolist()
    for start in range(len(pairs)):
        reached = {start}
        while True:
            more = {i for i, pair in enumerate(pairs) if any(set(pair) & set(pairs[j]) for j in reached)}
            if more <= reached:
                break
            reached |= more
        assert {i for i in range(len(pairs)) if joined[i] == joined[start]} == reached
