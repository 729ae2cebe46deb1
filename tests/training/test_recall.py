"""Right answers are counted as a slow search counts them, and a row that asks is never its own answer."""

import numpy as np
import pytest
import torch

from arfc.training.recall import (
    clearly_worse,
    distinct,
    label_precision,
    nearest_others,
    neighbour_hits,
    partners,
    prefix_scores,
    reciprocal_ranks,
    same_rows,
)


def unit(rows, width=8, seed=0):
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x, dim=1)


def test_distinct_keeps_first_copies_in_their_order():
    x = unit(5)
    assert torch.equal(distinct(x[[3, 1, 3, 0, 1, 4]]), x[[3, 1, 0, 4]])


def test_prefix_scores_rank_as_cosines_do():
    queries, rows = 5 * unit(7, 20), unit(30, 20, seed=1) * torch.linspace(0.1, 9, 30)[:, None]
    for size, scores in prefix_scores(queries, rows, (20, 3, 8)):
        expected = torch.nn.functional.normalize(rows[:, :size], dim=1) @ queries[:, :size].T
        torch.testing.assert_close(scores, expected.T, rtol=1e-4, atol=1e-5)
    assert [size for size, _ in prefix_scores(queries, rows, (20, 3, 8))] == [3, 8, 20]


def test_prefix_scores_of_rows_that_are_zero_so_far():
    rows = torch.tensor([[0.0, 2], [1, 0]])
    scores = dict(prefix_scores(rows, rows, (1, 2)))
    assert scores[1].isfinite().all() and scores[1][1].tolist() == [0, 1]
    torch.testing.assert_close(scores[2], torch.tensor([[2.0, 0], [0, 1]]))


def test_neighbour_hits_are_shares_of_the_true_neighbours():
    x = unit(40)
    truth = nearest_others(x[:15] @ x.T, k=10)
    assert truth.shape == (15, 10) and not (truth == torch.arange(15)[:, None]).any()
    assert (neighbour_hits(x[:15] @ x.T, truth) == 1).all()
    scores = x[:15, :3] @ x[:, :3].T
    expected = []
    for i, answers in enumerate(truth.tolist()):
        order = sorted((j for j in range(40) if j != i), key=lambda j: -float(scores[i, j]))
        expected.append(len(set(order[:10]) & set(answers)) / 10)
    np.testing.assert_allclose(neighbour_hits(scores, truth), expected)
    assert 0.1 < np.mean(expected) < 0.9


def test_few_rows_have_few_neighbours():
    assert nearest_others(torch.eye(4), k=10).shape == (4, 3)


def labelled(x, labels):
    return label_precision(x @ x.T, torch.tensor(labels), same_rows(x, x)).tolist()


def test_precision_of_labels_counts_right_answers_among_the_first_r():
    x = torch.nn.functional.normalize(torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1.2]]), dim=1)
    # Row 4 finds 3, 2, 1, 0 in this order.
    assert labelled(x, [0, 0, 1, 1, 0]) == [1, 1, 1, 1, 0]
    assert labelled(x, [0, 0, 1, 0, 0])[4] == pytest.approx((1 + 2 / 3) / 3)
    assert labelled(x, [0, 1, 2, 3, 4]) == [0] * 5
    assert labelled(x[:4], [0, 0, 1, 1]) == [1, 1, 1, 1]


def test_precision_of_labels_is_the_definition():
    x, labels = unit(60, seed=5), np.random.default_rng(5).integers(4, size=60)
    expected = []
    for i, scores in enumerate((x @ x.T).tolist()):
        others = sorted((j for j in range(60) if j != i), key=lambda j: -scores[j])
        right = np.array([labels[j] == labels[i] for j in others])
        mates = right.sum()
        at = np.flatnonzero(right[:mates])
        expected.append(sum(right[: place + 1].mean() for place in at) / mates)
    np.testing.assert_allclose(labelled(x, labels), expected, rtol=1e-5)
    assert 0.05 < np.mean(expected) < 0.5
    some = label_precision(x[:20] @ x.T, torch.tensor(labels), same_rows(x[:20], x))
    np.testing.assert_allclose(some, expected[:20], rtol=1e-5)


def test_copies_of_the_asker_are_no_answers():
    """Rows 0 and 1 are one and the same; what counts is whether the next row has their label."""
    x = torch.nn.functional.normalize(torch.tensor([[1.0, 0], [1, 0], [1, 0.3], [0, 1]]), dim=1)
    assert labelled(x, [0, 0, 1, 2]) == [0, 0, 0, 0]
    assert labelled(x, [0, 0, 0, 2]) == [1, 1, 1, 0]
    assert labelled(x[:2], [0, 0]) == [0, 0]  # no answer is left


def paired(left, right, *, scores=None):
    """Return the mean reciprocal rank of right answers from left to right."""
    scores = left @ right.T if scores is None else scores
    return float(reciprocal_ranks(scores, partners(left, right, queries=len(left)), same_rows(left, right)).mean())


def test_ranks_of_partners_forgive_copies():
    left = unit(3, seed=3)
    right = left + 0.1 * unit(3, seed=4)
    right[1] = 0.8 * left[0] + 0.6 * left[1]
    right = torch.nn.functional.normalize(right, dim=1)
    # Row 1 of the right is nearer to row 0 of the left; row 1 of the left still finds it.
    scores = left @ right.T
    assert scores.argmax(1).tolist() == [0, 1, 2] and scores.argmax(0).tolist() == [0, 0, 2]
    assert paired(left, right) == 1 and paired(right, left) == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert paired(left, right, scores=scores.roll(1, 1)) <= 1 / 2
    # Rows 0 and 1 have the same partner, so the row that finds the partner of the other is right.
    one_partner = right[[1, 1, 2]]
    assert paired(left, one_partner) == 1
    assert paired(left, right, scores=left @ one_partner.T) == pytest.approx((1 / 1.5 + 1 / 1.5 + 1) / 3)
    # And so is the row that finds the partner of its own copy.
    assert paired(left[[0, 0, 2]], right, scores=torch.eye(3)[[1, 0, 2]]) == 1


def test_the_asker_is_no_answer_unless_it_is_its_own_partner():
    """Captions in pairs: the caption that asks may stand among the answers, as the partner of another one."""
    captions = unit(3, seed=3)
    features, others = captions[[0, 1]], captions[[2, 0]]
    assert int((features[0] @ others.T).argmax()) == 1  # itself, which is no answer
    expected = [True, bool(captions[1] @ captions[0] > captions[1] @ captions[2])]
    assert paired(features, others) == np.mean([1 if first else 1 / 2 for first in expected])
    assert paired(captions, captions) == 1


def test_wrong_answers_of_the_same_score_count_half():
    left, right = unit(5, seed=3), unit(5, seed=4)
    assert paired(left, right, scores=torch.zeros(5, 5)) == pytest.approx(1 / (1 + 4 / 2))
    scores = torch.tensor([[2.0, 3, 2, 1, 1]]).repeat(5, 1)
    expected = [1 / 2.5, 1, 1 / 2.5, 1 / 4.5, 1 / 4.5]
    assert paired(left, right, scores=scores) == pytest.approx(np.mean(expected))


def test_worse_by_chance_is_not_clearly_worse():
    """Each query is held against itself: what all of them lose shows, though they differ."""
    other = {4: torch.linspace(0, 1, 50), 8: torch.linspace(1, 0, 50)}
    loss = torch.full((50,), 0.01)
    assert clearly_worse({4: other[4] - loss, 8: other[8] - loss}, other)
    assert not clearly_worse({4: other[4] - loss, 8: other[8] + loss}, other)
    noise = torch.randn(50, generator=torch.Generator().manual_seed(0))
    noise = (noise - noise.mean()) / noise.std(correction=0)
    for loss, worse in ((0.9, False), (1.1, True)):  # in standard errors of the mean over both sizes
        assert clearly_worse({4: other[4] + noise - loss / 50**0.5, 8: other[8]}, other) is worse
