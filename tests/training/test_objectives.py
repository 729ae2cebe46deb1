"""Every loss equals a slow reference that is written as the equation stands."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arfc.training.ergc import cosine_edges
from arfc.training.objectives import label_loss, neighbour_loss, pair_loss, reconstruction_loss

T = 0.05


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def unit(x):
    return x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)


def softmax(values, left_out=()):
    weights = {j: math.exp(v - max(values)) for j, v in enumerate(values) if j not in left_out}
    return {j: w / sum(weights.values()) for j, w in weights.items()}


def slow_neighbour(edges, kept):
    rows = []
    for i in range(len(edges)):
        p, q = (softmax([v / T for v in e[i]], left_out=(i,)) for e in (edges, kept))
        rows.append(sum(p[j] * math.log(p[j] / q[j]) for j in p if p[j] > 0))
    return sum(rows) / len(rows)


def slow_pair(left, right, same):
    def one_way(asked, answers, right_answers):
        total = 0.0
        for i, a in enumerate(unit(asked)):
            found = softmax([a @ b / T for b in unit(answers)])
            total += np.mean([-math.log(found[j]) for j in range(len(answers)) if right_answers[i][j]])
        return total / len(asked)

    return (one_way(left, right, same) + one_way(right, left, same.T)) / 2


def slow_label(x, labels):
    losses = []
    for i, a in enumerate(unit(x)):
        found = softmax([a @ b / T for b in unit(x)], left_out=(i,))
        mates = [j for j in range(len(x)) if j != i and labels[j] == labels[i]]
        if mates:
            losses.append(np.mean([-math.log(found[j]) for j in mates]))
    return np.mean(losses)


@pytest.mark.parametrize("rows", [3, 8])
def test_neighbour_loss_equals_its_reference(rows):
    edges, kept = (cosine_edges(drawn(8, 4, seed=s) + 1, rows=rows) for s in (1, 2))
    assert float(neighbour_loss(edges, kept, temperature=T)) == pytest.approx(slow_neighbour(edges, kept), rel=1e-6)


def test_neighbour_loss_is_zero_only_for_the_same_ranking():
    edges = cosine_edges(drawn(8, 4), rows=8)
    assert float(neighbour_loss(edges, edges, temperature=T)) == pytest.approx(0, abs=1e-12)
    shifted = edges + 0.3  # the softmax takes a constant away
    assert float(neighbour_loss(edges, shifted, temperature=T)) == pytest.approx(0, abs=1e-9)
    assert float(neighbour_loss(edges, edges.flip(1), temperature=T)) > 0.1


def test_near_neighbours_count_most():
    """The same error of an edge costs more at the nearest row than at the farthest."""
    edges = torch.tensor([[1.0, 0.9, 0.5, 0.1]])
    near, far = edges.clone(), edges.clone()
    near[0, 1] -= 0.2
    far[0, 3] -= 0.2
    costs = [float(neighbour_loss(edges, kept, temperature=T)) for kept in (near, far)]
    assert costs[0] > 100 * costs[1]


def test_reconstruction_loss_is_the_mean_squared_length_of_the_error():
    x, y = drawn(5, 3), drawn(5, 3, seed=1)
    slow = np.mean([sum((a - b) ** 2 for a, b in zip(v, w, strict=True)) for v, w in zip(x, y, strict=True)])
    assert float(reconstruction_loss(x, y)) == pytest.approx(slow, rel=1e-9)


def same_of(groups):
    return torch.tensor([[a == b for b in groups] for a in groups])


@pytest.mark.parametrize("groups", [[0, 1, 2, 3, 4], [0, 0, 1, 2, 1]])
def test_pair_loss_equals_its_reference(groups):
    left, right, same = drawn(5, 4), drawn(5, 4, seed=1), same_of(groups)
    expected = slow_pair(left, right, same.numpy())
    assert float(pair_loss(left, right, same, temperature=T)) == pytest.approx(expected, rel=1e-6)
    # Both ways count alike.
    assert float(pair_loss(right, left, same, temperature=T)) == pytest.approx(expected, rel=1e-6)


def test_pair_loss_does_not_punish_duplicates():
    """Two equal rows are each other's right answers: the best there is costs log 2 for each of them."""
    left = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    known = pair_loss(left, left, same_of([0, 0, 1, 2]), temperature=T)
    assert float(known) == pytest.approx((2 * math.log(2)) / 4, abs=1e-6)
    left.requires_grad_()
    pair_loss(left, left.detach(), same_of([0, 0, 1, 2]), temperature=T).backward()
    assert left.grad.abs().max() < 1e-6  # nothing pushes them apart


def test_hidden_rows_are_neither_right_nor_wrong():
    left, right, same = drawn(5, 4), drawn(5, 4, seed=1), same_of([0, 0, 1, 2, 3])
    hidden = torch.zeros(5, 5, dtype=torch.bool)
    hidden[0, 3] = hidden[0, 1] = True  # one of them would even have been right

    def one_way(scores, target, left_out):
        total = 0.0
        for i, row in enumerate(scores.tolist()):
            found = softmax(row, left_out={j for j in range(5) if left_out[i, j]})
            total += np.mean([-math.log(found[j]) for j in found if target[i, j]])
        return total / 5

    scores = torch.from_numpy(unit(left) @ unit(right).T) / T
    expected = (one_way(scores, same, hidden) + one_way(scores.T, same.T, hidden.T)) / 2
    loss = pair_loss(left, right, same, temperature=T, hidden_NN=hidden)
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    assert float(loss) != pytest.approx(float(pair_loss(left, right, same, temperature=T)), rel=1e-3)


@pytest.mark.parametrize("labels", [[0, 1, 0, 1, 2], [3, 3, 3, 3, 3], [0, 0, 1, 2, 3]])
def test_label_loss_equals_its_reference(labels):
    x = drawn(5, 4)
    loss = label_loss(x, torch.tensor(labels), temperature=T)
    assert float(loss) == pytest.approx(slow_label(x, labels), rel=1e-6)


def test_label_loss_with_duplicates():
    x = drawn(3, 4).repeat(2, 1)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    assert float(label_loss(x, labels, temperature=T)) == pytest.approx(slow_label(x, labels.tolist()), rel=1e-6)
    other = torch.tensor([0, 1, 2, 1, 0, 2])  # equal rows of two classes: dear, and finite
    assert float(label_loss(x, other, temperature=T)) == pytest.approx(slow_label(x, other.tolist()), rel=1e-6)


def test_rows_alone_in_their_class_bring_nothing():
    x = drawn(4, 3).requires_grad_()
    loss = label_loss(x, torch.arange(4), temperature=T)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(x.grad, torch.zeros(4, 3, dtype=x.dtype))


@given(
    x=arrays(np.float32, (6, 3), elements=st.floats(-10, 10, width=32)),
    labels=arrays(np.int64, 6, elements=st.integers(0, 3)),
)
def test_losses_and_gradients_are_finite_whatever_comes(x, labels):
    kept = torch.from_numpy(x).requires_grad_()
    same = torch.from_numpy(labels[:, None] == labels)
    edges = cosine_edges(kept, rows=4)
    losses = [
        label_loss(kept, torch.from_numpy(labels), temperature=T),
        pair_loss(kept, kept.flip(0), same, temperature=T),
        neighbour_loss(cosine_edges(kept.detach().flip(1), rows=4), edges, temperature=T),
    ]
    sum(losses).backward()
    assert all(float(loss.detach()) >= -1e-5 for loss in losses)
    assert kept.grad.isfinite().all()


def test_pair_loss_leaves_hidden_rows_out():
    left, right = drawn(4, 5), drawn(4, 5, seed=1)
    same = torch.eye(4, dtype=torch.bool)
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[0, 1] = True
    scores = torch.from_numpy(unit(left) @ unit(right).T / T)
    there = [-(scores[i, i] - torch.logsumexp(scores[i][~hidden[i]], 0)) for i in range(4)]
    back = [-(scores[i, i] - torch.logsumexp(scores[:, i][~hidden[:, i]], 0)) for i in range(4)]
    expected = float((sum(there) + sum(back)) / 8)
    assert float(pair_loss(left, right, same, temperature=T, hidden_NN=hidden)) == pytest.approx(expected, rel=1e-5)
    assert float(pair_loss(left, right, same, temperature=T)) > expected
