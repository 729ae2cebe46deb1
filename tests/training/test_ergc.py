"""ERGC compares the cosine graphs of a batch before and after."""

import numpy as np
import pytest
import torch

from arfc.training.ergc import cosine_edges, ergc_loss


def slow_edges(x, rows):
    return np.array([[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in x] for a in x[:rows]])


def test_edges_are_cosines(rng):
    x = rng.standard_normal((7, 4))
    edges = cosine_edges(torch.from_numpy(x), rows=3)
    np.testing.assert_allclose(edges, slow_edges(x, 3), atol=1e-12)
    assert cosine_edges(torch.from_numpy(x), rows=99).shape == (7, 7)


def test_loss_is_the_mean_squared_difference_of_all_edges(rng):
    x, y = rng.standard_normal((6, 5)), rng.standard_normal((6, 3))
    one, other = (cosine_edges(torch.from_numpy(v), rows=6) for v in (x, y))
    slow = sum((slow_edges(x, 6)[i, j] - slow_edges(y, 6)[i, j]) ** 2 for i in range(6) for j in range(6)) / 36
    assert float(ergc_loss(one, other)) == pytest.approx(slow, rel=1e-9)


def test_rotations_and_lengths_lose_nothing(rng):
    x = torch.from_numpy(rng.standard_normal((6, 5)))
    turned = 3 * x @ torch.linalg.qr(torch.from_numpy(rng.standard_normal((5, 5))))[0]
    assert float(ergc_loss(cosine_edges(x, rows=6), cosine_edges(turned, rows=6))) < 1e-12
    assert float(ergc_loss(cosine_edges(x, rows=6), cosine_edges(x[:, :2], rows=6))) > 1e-2
