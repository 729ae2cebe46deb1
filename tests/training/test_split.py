"""Fit, validation and test rows share no row, no copy and no near copy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc.config import Config, TrainConfig
from arfc.errors import RowError
from arfc.training.fit import split
from arfc.training.rows import Rows
from arfc.training.split import sample_rows, split_rows


def parts_of(groups, seed=0, **train):
    parts = split_rows(np.asarray(groups), TrainConfig(**train), seed=seed)
    return parts.fit, parts.validation, parts.test


def check(parts, groups):
    """Every row is in one part, sorted, and every group too."""
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert all((np.diff(part) > 0).all() for part in parts)
    owners = [set(np.asarray(groups)[part].tolist()) for part in parts]
    assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])


@settings(max_examples=60)
@given(rows=st.integers(300, 900), distinct=st.integers(150, 2000), seed=st.integers(0, 1000))
def test_no_group_is_in_two_parts(rows, distinct, seed):
    groups = np.random.default_rng(seed).integers(distinct, size=rows)
    check(parts_of(groups, seed), groups)


@settings(max_examples=60)
@given(count=st.integers(200, 400), largest=st.integers(1, 40), seed=st.integers(0, 1000))
def test_parts_get_their_shares_with_groups_of_any_size(count, largest, seed):
    groups = np.repeat(np.arange(count), np.random.default_rng(seed).integers(1, largest + 1, size=count))
    parts = parts_of(groups, seed, validation_share=0.2, test_share=0.1)
    check(parts, groups)
    assert 0.12 * len(groups) <= len(parts[1]) <= 0.2 * len(groups)
    assert 0.06 * len(groups) <= len(parts[2]) <= 0.1 * len(groups)


def test_shares_and_upper_bounds():
    assert [len(p) for p in parts_of(range(2000))] == [1600, 200, 200]
    bounded = parts_of(range(2000), max_validation_rows=50, max_test_rows=30)
    assert [len(p) for p in bounded] == [1920, 50, 30]
    assert [len(p) for p in parts_of(range(100))] == [60, 20, 20]  # few rows: a fifth, so that a score says something


def test_no_test_rows_where_none_are_wanted():
    assert [len(p) for p in parts_of(range(2000), test_share=0.0)] == [1800, 200, 0]


def test_a_large_group_goes_to_fit():
    groups = [0] * 300 + list(range(1, 701))
    for seed in range(5):
        parts = parts_of(groups, seed)
        check(parts, groups)
        assert set(range(300)) <= set(parts[0].tolist())
        assert [len(parts[1]), len(parts[2])] == [100, 100]


def test_split_repeats_and_depends_on_the_seed():
    one, again, other = parts_of(range(500), 3), parts_of(range(500), 3), parts_of(range(500), 4)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[1], other[1])


def test_too_few_rows():
    with pytest.raises(RowError, match=r"^a fit needs at least 100 rows, got 99; add rows or use arfc\.baselines\.Klt"):
        parts_of(range(99))


def test_too_many_duplicates():
    with pytest.raises(
        RowError, match=r"validation must have at least 10 rows, got 0 \(2 distinct groups in 200 rows\)"
    ):
        parts_of([0, 1] * 100)


@settings(max_examples=15)
@given(
    copies=st.lists(st.integers(2, 40), min_size=1, max_size=8),
    noise=st.sampled_from([0.0, 1e-3, 0.02]),
    seed=st.integers(0, 50),
)
def test_copies_and_near_copies_stay_in_one_part(copies, noise, seed):
    rng = np.random.default_rng(seed)
    originals = rng.standard_normal((300, 32))
    owner = np.concatenate([np.arange(300), np.repeat(np.arange(len(copies)), copies)])
    x = originals[owner]
    x[300:] += noise * rng.standard_normal((len(x) - 300, 32))
    features = torch.nn.functional.normalize(torch.from_numpy(x.astype(np.float32)), dim=1)
    parts = split(Rows(features=features), Config(), seed=seed)
    check((parts.fit, parts.validation, parts.test), owner)


def test_pairs_stay_together_through_either_side(rng):
    """Five captions of one image: the captions differ, the image is the same."""
    images = np.repeat(rng.standard_normal((100, 16)), 5, axis=0)
    captions = rng.standard_normal((500, 16))
    captions[7] = captions[490]  # one caption that two images share
    images[250:255] = captions[300]  # and one row that is a partner here and a feature there
    rows = Rows(
        **{
            name: torch.nn.functional.normalize(torch.from_numpy(x.astype(np.float32)), dim=1)
            for name, x in (("features", captions), ("partners", images))
        }
    )
    owner = np.repeat(np.arange(100), 5)
    owner[owner == 98] = 1
    owner[owner == 60] = 50
    for seed in range(3):
        parts = split(rows, Config(), seed=seed)
        check((parts.fit, parts.validation, parts.test), owner)


def labelled_parts(rng, labels, seed):
    features = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((len(labels), 16))).float(), dim=1)
    parts = split(Rows(features=features, labels=torch.from_numpy(np.asarray(labels))), Config(), seed=seed)
    return parts.fit, parts.validation, parts.test


@pytest.mark.parametrize(("classes", "size"), [(20, 5), (60, 5), (100, 10), (500, 19)])
def test_small_classes_stay_whole(rng, classes, size):
    """They name things, such as one image's captions."""
    labels = rng.permutation(np.repeat(np.arange(classes), size))
    for seed in range(3):
        parts = labelled_parts(rng, labels, seed)
        check(parts, labels)
        assert min(len(parts[1]), len(parts[2])) >= 0.8 * max(20, len(labels) // 10)


@pytest.mark.parametrize(("classes", "size"), [(20, 15), (10, 12), (10, 20), (2, 60)])
def test_classes_without_room_in_a_held_out_part_are_split(rng, classes, size):
    """300 rows of 20 classes: two of them would be all of the validation rows."""
    labels = np.arange(classes * size) % classes
    parts = labelled_parts(rng, labels, 0)
    assert [len(part) for part in parts[1:]] == [max(20, len(labels) // 10)] * 2
    assert len(np.unique(labels[parts[1]])) >= min(classes, 8)
    assert set(labels[parts[1]]) <= set(labels[parts[0]])


def test_a_few_large_classes_among_small_ones_go_to_fit(rng):
    labels = np.concatenate([np.repeat(np.arange(60), 5), np.full(100, 60)])
    parts = labelled_parts(rng, labels, 0)
    check(parts, labels)
    assert not (labels[np.concatenate(parts[1:])] == 60).any()


def test_siblings_of_few_rows_fill_the_held_out_parts(rng):
    """A hundred pairs, five captions to an image: a part needs four of the twenty images."""
    images = np.repeat(rng.standard_normal((20, 16)), 5, axis=0)
    unit = [
        torch.nn.functional.normalize(torch.from_numpy(x).float(), dim=1)
        for x in (rng.standard_normal((100, 16)), images)
    ]
    parts = split(Rows(features=unit[0], partners=unit[1]), Config(), seed=0)
    check((parts.fit, parts.validation, parts.test), np.repeat(np.arange(20), 5))
    assert len(parts.validation) == len(parts.test) == 20


@given(rows=st.integers(1, 3000), most=st.integers(1, 500), seed=st.integers(0, 20))
def test_sample_is_sorted_distinct_and_repeats(rows, most, seed):
    ids = sample_rows(rows, most, seed=seed)
    assert len(ids) == min(rows, most)
    assert (np.diff(ids) > 0).all() and ids[0] >= 0 and ids[-1] < rows
    assert np.array_equal(ids, sample_rows(rows, most, seed=seed))


def test_sample_is_drawn_over_all_of_the_input():
    ids = sample_rows(1_000_000, 10_000, seed=0)
    counts = np.histogram(ids, bins=10, range=(0, 1_000_000))[0]
    assert counts.min() > 850 and counts.max() < 1150
