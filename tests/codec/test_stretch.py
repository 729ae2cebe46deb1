"""Rows from offsets: the mean kept, offsets stretched as far as serves rows that were held out."""

import numpy as np
import pytest

from arfc.codec import ClassicCodec, NestedCodec, nested
from arfc.codec.stretch import POWERS, best_power, rows_about, stretches
from arfc.scores import recall_at_k, top_k, unit_rows


def recall(rows, decoded):
    """Return how many of the nearest and of the ten nearest float rows find among rows that were decoded."""
    found = []
    for stored in (rows, decoded):
        scores = rows @ stored.T
        np.fill_diagonal(scores, -np.inf)
        found.append(top_k(scores, 10)[0])
    return sum(recall_at_k(*(ids[:, :few] for ids in found)).mean() for few in (1, 10))


def pairs_of_twins(rng, count=300, dims=40):
    """Rows of which each has one that is nearly equal, and no other near it."""
    rows = rng.standard_normal((count, dims))
    return unit_rows(np.concatenate([rows, rows + 0.01 * rng.standard_normal(rows.shape)]).astype(np.float32))


@pytest.mark.parametrize("missed", [0.3, 0.6])
def test_it_is_the_power_with_the_best_recall(missed):
    rng = np.random.default_rng(0)
    for rows in (unit_rows(rng.standard_normal((600, 40)).astype(np.float32) + 0.3), pairs_of_twins(rng)):
        mean = rows.mean(axis=0)
        decoded = ((rows - mean) * rng.uniform(missed, 1, (len(rows), 1))).astype(np.float32)
        decoded += missed * rng.standard_normal(rows.shape, dtype=np.float32) / np.sqrt(40)
        chosen = best_power(mean, rows - mean, [decoded])
        kept = {power: recall(rows, rows_about(mean, decoded, power=power)) for power in POWERS}
        assert kept[chosen] == max(kept.values()) and len(set(kept.values())) > 1


def test_exact_offsets_keep_the_whole_stretch():
    rows = unit_rows(np.random.default_rng(1).standard_normal((200, 8)).astype(np.float32))
    mean = rows.mean(axis=0)
    assert best_power(mean, rows - mean, [rows - mean]) == 1


def test_two_rows_are_enough():
    rows = np.eye(2, 4, dtype=np.float32)
    assert best_power(rows.mean(axis=0), rows - rows.mean(axis=0), [rows - rows.mean(axis=0)]) == 1


@pytest.mark.parametrize("kind", [NestedCodec, ClassicCodec])
def test_decoded_rows_are_shorter_where_less_is_said(kind):
    """Rows far from each other: no query has what the code of a row leaves open."""
    rows = np.random.default_rng(2).standard_normal((3000, 128)) * np.geomspace(1, 0.2, 128)
    codec = kind.fit(rows, **({"rounds": 4} if kind is NestedCodec else {}))
    assert (codec.powers[8] if kind is ClassicCodec else codec.frame.power) < 1
    packed = codec.encode(rows, bytes_per_vector=64)
    lengths = [np.linalg.norm(codec.decode(packed[:, :size]), axis=1).mean() for size in (4, 16, 64)]
    assert lengths[0] < lengths[1] < lengths[2] < 1.01


def test_rows_that_ask_come_from_all_of_a_sorted_sample(monkeypatch):
    rows = np.random.default_rng(3).standard_normal((3000, 8)).astype(np.float32)
    rows[:, 0] = 3 + np.linspace(0, 9, len(rows))
    asked = []
    monkeypatch.setattr(nested, "best_power", lambda mean, offsets, decoded: asked.append(offsets) or 1.0)
    codec = NestedCodec.fit(rows, rounds=0)
    turned = codec.frame.basis @ (asked[0][:300] + codec.frame.mean).T  # unit rows, whose first entry rises
    whole = unit_rows(rows)[:, 0]
    quarters = np.histogram(turned[0], np.quantile(whole, [0, 0.25, 0.5, 0.75, 1]))[0]
    assert quarters.min() > 40


@pytest.fixture
def mean():
    return np.array([0.8, 0.0, 0.0], np.float32)


def test_a_shortened_offset_is_stretched_and_the_mean_is_not(mean):
    true = np.array([[0.8, 0.6, 0.0], [0.8, 0.0, -0.6]], np.float32)
    made = rows_about(mean, 0.4 * (true - mean))
    np.testing.assert_allclose(made, true, atol=1e-6)


def test_what_would_need_more_than_the_most_stays_short(mean):
    made = rows_about(mean, np.array([[0, 1e-3, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(made, [[0.8, 8e-3, 0], [0.8, 0, 0]], atol=1e-6)


def test_a_power_of_the_stretch_leaves_rows_the_shorter_the_less_their_offsets_say(mean):
    true = np.array([[0.8, 0.6, 0.0]] * 3, np.float32)
    offsets = np.array([[0.25], [0.64], [1.0]], np.float32) * (true - mean)
    np.testing.assert_allclose(stretches(mean, offsets, power=0.5), [2, 1.25, 1], rtol=1e-6)
    made = rows_about(mean, offsets, power=0.5)
    np.testing.assert_allclose(made[:, 1], 0.6 * np.sqrt([0.25, 0.64, 1]), rtol=1e-6)
    np.testing.assert_allclose(made[:, 0], 0.8, rtol=1e-6)
    np.testing.assert_allclose(rows_about(mean, offsets, power=0.0), mean + offsets, rtol=1e-6)


def test_no_direction_at_all_gets_the_first_one():
    made = rows_about(np.zeros(3, np.float32), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(made, [[1, 0, 0], [1, 0, 0]])
