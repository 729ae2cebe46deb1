"""What a step learns from, and how a fit is scored."""

import dataclasses

import numpy as np
import pytest
import torch

from arfc.config import TrainConfig
from arfc.sizes import float_ladder
from arfc.training import task as task_module
from arfc.training.ergc import cosine_edges, ergc_loss
from arfc.training.objectives import label_loss, neighbour_loss, pair_loss
from arfc.training.recall import distinct
from arfc.training.rows import Rows
from arfc.training.task import FEW_ROWS, SUPERVISED_ERGC_SCALE, SUPERVISED_TOLERANCE, SURE_OF_ALL, Task

CONFIG = TrainConfig(batch_rows=24, ergc_weight=0.3, neighbour_weight=1.0, input_noise=0)


def unit(rows, width=8, seed=0):
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x, dim=1)


def rows_of(count, *, pairs=False, labels=False, seed=0):
    return Rows(
        features=unit(count, seed=seed),
        partners=unit(count, seed=seed + 1) if pairs else None,
        labels=torch.arange(count) % 3 if labels else None,
    )


def task_of(config=CONFIG, *, seed=0, **kinds):
    return Task(rows_of(60, **kinds), rows_of(40, seed=7, **kinds), config, seed=seed)


def test_take_keeps_rows_together():
    rows = rows_of(10, pairs=True, labels=True)
    taken = rows.take(np.array([7, 2]))
    assert len(taken) == 2
    assert torch.equal(
        taken.entities, torch.stack([rows.features[7], rows.features[2], rows.partners[7], rows.partners[2]])
    )
    assert taken.labels.tolist() == [1, 2]
    assert rows_of(10).take(np.array([1])).partners is None


def test_without_supervision_a_batch_is_fit_rows_drawn_evenly_and_none_twice():
    task, drawn = task_of(), torch.zeros(60)
    for step in range(400):
        batch = task.batch(step, phase=1, rows=24)
        assert batch.entities.shape == (24, 8)
        at = (task.fit.features @ batch.entities.T).argmax(0)
        assert torch.equal(task.fit.features[at], batch.entities)
        assert len(at.unique()) == 24
        drawn[at] += 1
    assert drawn.min() > 100 and drawn.max() < 220  # 160 each, spread 10
    np.testing.assert_allclose(batch.edges, batch.entities @ batch.entities.T, atol=1e-6)


@pytest.mark.parametrize("kinds", [{}, {"pairs": True}, {"labels": True}])
def test_batches_repeat_under_seed_phase_and_step(kinds):
    batch = task_of(**kinds).batch(5, phase=1, rows=CONFIG.batch_rows).entities
    assert torch.equal(batch, task_of(**kinds).batch(5, phase=1, rows=CONFIG.batch_rows).entities)
    for seed, phase, step in ((0, 1, 6), (0, 2, 5), (1, 1, 5)):
        assert not torch.equal(
            batch, task_of(seed=seed, **kinds).batch(step, phase=phase, rows=CONFIG.batch_rows).entities
        )


def test_edges_of_pairs_start_in_both_modalities(monkeypatch):
    monkeypatch.setattr(task_module, "EDGE_ROWS", 8)
    task = task_of(pairs=True)
    batch = task.batch(0, phase=1, rows=task.config.batch_rows)
    assert batch.entities.shape == (24, 8) and batch.edges.shape == (8, 24)
    started = batch.entities[:8]

    def among(rows):
        return [bool((row == rows).all(1).any()) for row in started]

    assert sum(among(task.fit.features)) == sum(among(task.fit.partners)) == 4


def test_pairs_stay_pairs_in_a_batch():
    task = task_of(pairs=True)
    batch = task.batch(3, phase=1, rows=task.config.batch_rows)
    for left, right in zip(batch.entities[0::2], batch.entities[1::2], strict=True):
        at = (task.fit.features == left).all(1).nonzero()[0, 0]
        assert torch.equal(task.fit.partners[at], right)
    assert torch.equal(batch.same, torch.eye(12, dtype=torch.bool))


def test_copies_in_a_batch_of_pairs_are_marked():
    rows = rows_of(12, pairs=True)
    features = rows.features.clone()
    features[1::2] = features[::2]  # two captions per image
    rows = dataclasses.replace(rows, features=features)
    batch = Task(rows, rows, CONFIG, seed=0).batch(0, phase=1, rows=CONFIG.batch_rows)
    left = batch.entities[0::2]
    expected = torch.tensor([[torch.equal(a, b) for b in left] for a in left])
    assert expected.sum() == 24
    assert torch.equal(batch.same, expected)


def test_what_proves_nothing_is_hidden():
    """The right side of one pair is the very left side of another."""
    rows = rows_of(12, pairs=True)
    partners = rows.partners.clone()
    partners[3] = rows.features[8]
    partners[5] = rows.features[5]  # a pair of a row with itself stays a pair
    rows = dataclasses.replace(rows, partners=partners)
    batch = Task(rows, rows, CONFIG, seed=0).batch(0, phase=1, rows=24)
    left, right = batch.entities[0::2], batch.entities[1::2]
    expected = torch.tensor([[torch.equal(a, b) and i != j for j, b in enumerate(right)] for i, a in enumerate(left)])
    assert expected.sum() == 1
    assert torch.equal(batch.hidden, expected)


@pytest.mark.parametrize("kinds", [{"pairs": True}, {"labels": True}])
def test_supervised_rows_are_noisy_unit_rows_and_their_edges_are_theirs(kinds):
    noisy = dataclasses.replace(CONFIG, input_noise=0.6)
    clean, batch = (task_of(config, **kinds).batch(4, phase=1, rows=24) for config in (CONFIG, noisy))
    moved = batch.entities - clean.entities
    # The noise is 0.6 long, and the part of it along the row goes when the length is made 1.
    assert 0.3 < float(moved.norm(dim=1).mean()) < 0.7
    np.testing.assert_allclose(batch.entities.norm(dim=1), 1, atol=1e-6)
    np.testing.assert_allclose(batch.edges, batch.entities @ batch.entities.T, atol=1e-6)
    for told in ("same", "hidden", "labels"):
        one, other = getattr(clean, told), getattr(batch, told)
        assert (one is None and other is None) or torch.equal(one, other)


def test_many_rows_are_less_noisy():
    """Up to `FEW_ROWS` rows have all of it, four times as many a quarter."""
    noisy = dataclasses.replace(CONFIG, input_noise=0.2)
    few, enough, many = (Task(rows_of(count, labels=True), rows_of(9, labels=True), noisy, seed=0)
                         for count in (FEW_ROWS // 2, FEW_ROWS, 4 * FEW_ROWS))  # fmt: skip
    assert few.noise == enough.noise == 0.2 and many.noise == pytest.approx(0.05)
    clean = Task(many.fit, many.validation, CONFIG, seed=0)
    moved = many.batch(1, phase=1, rows=320).entities - clean.batch(1, phase=1, rows=320).entities
    assert float(moved.norm(dim=1).mean()) == pytest.approx(0.05, rel=0.15)  # less what lies along the row


def test_many_rows_are_held_less_by_ergc():
    config = dataclasses.replace(CONFIG, ergc_weight=1.0, labels_weight=0.0)
    few, many = (Task(rows_of(count, labels=True), rows_of(9, labels=True), config, seed=0)
                 for count in (FEW_ROWS, 4 * FEW_ROWS))  # fmt: skip
    batch = few.batch(0, phase=1, rows=64)
    kept = batch.entities[:, :3]
    assert float(many.loss(batch, kept, kept)) == pytest.approx(float(few.loss(batch, kept, kept)) / 4)
    unsupervised = [Task(rows_of(count), rows_of(9), config, seed=0) for count in (FEW_ROWS, 4 * FEW_ROWS)]
    assert len({float(task.loss(batch, kept, batch.entities[:, 1:4])) for task in unsupervised}) == 1


def test_rows_without_supervision_are_left_as_they_are():
    noisy = dataclasses.replace(CONFIG, input_noise=0.6)
    one, other = (task_of(config).batch(4, phase=1, rows=24).entities for config in (CONFIG, noisy))
    assert torch.equal(one, other)


def test_known_partners_do_not_ask():
    both, one = (task_of(dataclasses.replace(CONFIG, known_partners=known), pairs=True) for known in (False, True))
    hits, forward = (task.hits(task.scored) for task in (both, one))
    for size, hits_Q in forward.items():
        assert len(hits_Q) == one.queries == 40
        assert torch.equal(hits_Q, hits[size][:40]) and len(hits[size]) == 80


def spread(mean, noise, count, *, seed=0):
    """`count` numbers of exactly this mean and standard deviation."""
    x = np.random.default_rng(seed).standard_normal(count)
    return torch.from_numpy(mean + noise * (x - x.mean()) / x.std(ddof=1))


@pytest.mark.parametrize(
    ("loss", "noise", "count", "kept"),
    [
        (0.0029, 0.0, 1000, True),
        (0.0031, 0.0, 1000, False),
        (0.0, 0.05, 1000, True),  # standard error 0.0016, the bound at -0.0026
        (0.0, 0.05, 500, False),  # 0.0022: half the queries can't tell any more
        (-0.01, 0.1, 500, True),
        (-0.01, 0.3, 500, False),
    ],
)
def test_a_size_is_kept_where_its_loss_is_surely_small(loss, noise, count, kept):
    """What counts is each query's own difference, however different queries are from each other."""
    floor = spread(0.5, 0.3, count, seed=1)
    hits = {8: floor + spread(-loss, noise, count), 20: floor}
    assert task_of().keeps(hits, {8: floor, 20: floor}) is kept
    assert task_of().keeps({20: floor, 8: floor}, {8: floor, 20: floor})


@pytest.mark.parametrize("kinds", [{"pairs": True}, {"labels": True}])
@pytest.mark.parametrize(("noise", "count"), [(0.0, 40), (0.3, 40), (0.3, 4000)])
def test_under_supervision_a_loss_within_the_noise_is_borne(kinds, noise, count):
    task = Task(rows_of(60, **kinds), rows_of(40, seed=7, **kinds), CONFIG, seed=0)
    borne = SUPERVISED_TOLERANCE + SURE_OF_ALL * noise / count**0.5
    floor = spread(0.5, 0.3, count, seed=1)
    for loss, kept in ((0.98 * borne, True), (1.02 * borne, False)):
        hits = {8: floor + spread(-loss, noise, count), 20: floor}
        assert task.keeps(hits, {8: floor, 20: floor}) is kept


def test_batches_of_few_rows():
    small = Task(rows_of(3), rows_of(12, seed=2), CONFIG, seed=0)
    assert small.batch(0, phase=1, rows=CONFIG.batch_rows).entities.shape == (3, 8)
    assert Task(rows_of(5, pairs=True), rows_of(12, seed=2), CONFIG, seed=0).batch(
        0, phase=1, rows=CONFIG.batch_rows
    ).entities.shape == (10, 8)


@pytest.mark.parametrize("kinds", [{}, {"pairs": True}, {"labels": True}, {"pairs": True, "labels": True}])
def test_loss_is_the_weighted_sum_of_its_parts(kinds):
    config = dataclasses.replace(
        CONFIG, ergc_weight=0.3, neighbour_weight=0.7, pairs_weight=1.1, labels_weight=1.3, temperature=0.1
    )
    task = task_of(config, **kinds)
    batch = task.batch(0, phase=1, rows=task.config.batch_rows)
    kept, floor = batch.entities[:, 1:4], batch.entities[:, :3]
    ours, theirs = (cosine_edges(v, rows=256) for v in (kept, floor))
    if kinds:
        expected = 0.3 * SUPERVISED_ERGC_SCALE * ergc_loss(batch.edges, ours)
    else:
        expected = 0.3 * ergc_loss(batch.edges, ours) / (ergc_loss(batch.edges, theirs) + 1e-5)
        lost = [neighbour_loss(batch.edges, edges, temperature=0.1) for edges in (ours, theirs)]
        expected += 0.7 * lost[0] / (lost[1] + 2e-3)
    if "pairs" in kinds:
        expected += 1.1 * pair_loss(kept[0::2], kept[1::2], batch.same, temperature=0.1, hidden_NN=batch.hidden)
    if "labels" in kinds:
        labels = batch.labels.repeat_interleave(2) if "pairs" in kinds else batch.labels
        expected += 1.3 * label_loss(kept, labels, temperature=0.1)
    assert float(task.loss(batch, kept, floor)) == pytest.approx(float(expected), rel=1e-6)
    off = dataclasses.replace(config, ergc_weight=0.0, neighbour_weight=0.0, pairs_weight=0.0, labels_weight=0.0)
    assert float(task_of(off, **kinds).loss(batch, kept, floor)) == 0


def test_the_floor_itself_costs_one_share_each():
    task = task_of()
    batch = task.batch(0, phase=1, rows=task.config.batch_rows)
    kept = batch.entities[:, :3]
    assert float(task.loss(batch, kept, kept)) == pytest.approx(CONFIG.ergc_weight + CONFIG.neighbour_weight, rel=0.02)


def recall_of(task, asked, stored, right):
    """What a slow search finds; `right` (Q, N) marks right answers.

    The share of them among as many rows found (features), 1 / rank of the first (pairs), average precision among as
    many (labels).
    """
    scores = torch.nn.functional.normalize(asked, dim=1) @ torch.nn.functional.normalize(stored, dim=1).T
    shares = []
    for own, (row, answers) in enumerate(zip(scores.tolist(), right.long().tolist(), strict=True)):
        others = [i for i in range(len(row)) if task.validation.partners is not None or i != own]
        order = sorted(others, key=lambda i: -row[i])
        if task.validation.partners is not None:
            shares.append(1 / (1 + [answers[i] for i in order].index(1)))
            continue
        right_answers = [answers[i] for i in others]
        found = np.array([answers[i] for i in order[: sum(right_answers)]])
        if task.supervised:
            found = found * np.cumsum(found) / np.arange(1, len(found) + 1)
        shares.append(np.mean(found))
    return shares


@pytest.mark.parametrize("kinds", [{}, {"pairs": True}, {"labels": True}])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_hits_equal_a_slow_search_at_every_size(kinds, noise):
    """Also where what is stored is another form than what asks."""
    task = Task(
        *[Rows(
            features=unit(count, 20, seed),
            partners=unit(count, 20, seed + 1) if "pairs" in kinds else None,
            labels=torch.arange(count) % 3 if "labels" in kinds else None,
        ) for count, seed in ((60, 0), (40, 7))],
        CONFIG, seed=0,
    )  # fmt: skip
    asked = [3 * x for x in task.scored]
    stored = [x + noise * unit(len(x), 20, 9) for x in asked]
    hits = task.hits(asked, stored if noise else None)
    assert tuple(hits) == (8, 16, 20)
    for k, found in hits.items():
        a, b = ([x[:, :k] for x in side] for side in (asked, stored))
        if "pairs" in kinds:
            own = torch.eye(100)[:40]  # partners of fit rows answer too
            expected = recall_of(task, a[0][:40], b[1], own) + recall_of(task, a[1][:40], b[0], own)
        elif "labels" in kinds:
            labels = task.validation.labels
            expected = recall_of(task, a[0], b[0], labels[:, None] == labels)
        else:
            everyone = torch.cat([task.validation.features, task.fit.features])  # fit rows answer too
            truth = everyone[:40] @ everyone.T
            truth.fill_diagonal_(-2)
            right = torch.zeros(40, 100).scatter(1, truth.topk(10).indices, 1)
            expected = recall_of(task, a[0][:40], b[0], right)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert task.hits(asked, stored, sizes=(20,)).keys() == {20}


def test_scores_are_the_means_of_the_hits():
    task = task_of()
    scores = task.scores(lambda x, dims: x[:, :dims])
    assert tuple(scores) == float_ladder(8) == (8,) and scores[8] == 1
    shifted = task.scores(lambda x, dims: (x - 0.3)[:, :dims])
    assert shifted[8] == pytest.approx(float(task.hits([task.answering - 0.3])[8].mean())) and shifted[8] < 1


def test_half_of_a_labelled_batch_are_mates_of_the_other_half():
    labels = torch.arange(60) // 2  # thirty classes of two: a random batch would rarely hold both
    rows = Rows(features=unit(60), labels=labels + 100)
    batch = Task(rows, rows, CONFIG, seed=0).batch(0, phase=1, rows=CONFIG.batch_rows)
    half = len(batch.labels) // 2
    assert half == 12
    assert torch.equal(batch.labels[:half], batch.labels[half:])
    assert len(batch.labels[:half].unique()) > 6
    assert not (batch.entities[:half] == batch.entities[half:]).all(1).any()  # a row is no mate of its own


def test_mates_are_drawn_evenly_and_rows_alone_in_their_class_have_none():
    labels = torch.tensor([5] * 4 + [6] + [7] * 3)
    rows = Rows(features=unit(8), labels=labels)
    task, found = Task(rows, rows, CONFIG, seed=0), np.zeros((8, 8), dtype=int)
    for step in range(600):
        batch = task.batch(step, phase=1, rows=16)
        at = (batch.entities @ rows.features.T).argmax(1).numpy()
        asked, mates = at[:8], at[8:]
        np.testing.assert_array_equal(np.sort(asked), np.arange(8))
        asked = asked[asked != 4]
        assert len(mates) == 7
        found[asked, mates] += 1
    same = (labels[:, None] == labels).numpy() & ~np.eye(8, dtype=bool)
    assert not found[~same].any()
    expected = np.where(same, 600 / np.maximum(same.sum(1, keepdims=True), 1), 0)
    assert (np.abs(found - expected) <= 60).all()


def test_rows_that_ask_are_drawn_over_a_sorted_file(monkeypatch):
    monkeypatch.setattr(task_module, "SCORE_QUERIES", 20)
    labels = torch.arange(200) // 50
    held = Rows(features=unit(200), labels=labels)
    task = Task(Rows(features=unit(60), labels=torch.arange(60) % 4), held, CONFIG, seed=0)
    assert len(task.validation.labels[: task.queries].unique()) == 4
    at = (task.validation.features @ held.features.T).argmax(1)
    assert torch.equal(at.sort().values, torch.arange(200)) and torch.equal(task.validation.labels, labels[at])


def test_the_asking_row_itself_is_hidden_where_it_is_another_rows_partner():
    x = unit(6)
    rows = Rows(features=x, partners=x.roll(1, 0))  # row i's partner is row i - 1, which is itself a feature
    batch = Task(rows, rows, CONFIG, seed=0).batch(0, phase=1, rows=CONFIG.batch_rows)
    left, right = batch.entities[::2], batch.entities[1::2]
    assert torch.equal(batch.hidden, torch.tensor([[torch.equal(a, b) for b in right] for a in left]))
    assert batch.hidden.any()
    near = torch.nn.functional.normalize(x + 0.5 * x.roll(1, 0), dim=1).repeat(2, 1)  # validation rows, then fit rows
    hits = Task(rows, rows, CONFIG, seed=0).hits([near, near.roll(1, 0)])
    assert hits[8][:6].any()  # else every row would find itself, and score 0


def test_copies_do_not_answer_in_each_others_place():
    """With every validation row three times, its own copies would be its nearest rows at any size."""
    fit, once = Rows(features=unit(60, 20)), Rows(features=unit(40, 20, seed=7))
    copied = once.take(np.random.default_rng(0).permutation(120) % 40)
    one, other = (Task(fit, rows, CONFIG, seed=0) for rows in (once, copied))
    assert torch.equal(distinct(copied.features).sort(0).values, once.features.sort(0).values)
    assert other.queries == 40 and len(other.answering) == len(one.answering)
    scores = [task.scores(lambda x, dims: x[:, :dims]) for task in (one, other)]
    assert scores[0] == pytest.approx(scores[1]) and scores[0][8] < 0.7
