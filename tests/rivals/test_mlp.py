"""The losses of Matryoshka-Adaptor against their equations, written out."""

import dataclasses

import pytest
import torch

from arfc.rivals.mlp import adaptor_loss
from arfc.sizes import float_ladder


def test_the_adaptors_loss_is_the_sum_of_its_equations(make_setup):
    task = make_setup().task
    batch = task.batch(0, phase=1, rows=64)
    x = batch.entities
    residual = 0.1 * torch.sin(7 * x)  # of a row alone: a row may stand twice in a batch
    pair, topk, sizes = 0.0, 0.0, float_ladder(24)
    for m in sizes:
        y = torch.nn.functional.normalize((x + residual)[:, :m], dim=1)
        for i in range(len(x)):
            true = x @ x[i]
            error = (true - y @ y[i]).abs()
            others = [j for j in range(len(x)) if j != i]
            near = sorted(others, key=lambda j, true=true: -float(true[j]))[:10]
            pair += float(error.mean())
            topk += float(error[near].mean())
    expected = (pair + topk) / len(x) / len(sizes) + float(residual.abs().mean())
    assert float(adaptor_loss(task, batch, x + residual, x)) == pytest.approx(expected, rel=1e-4)


def test_nothing_is_lost_where_nothing_is_changed(make_setup):
    task = make_setup().task
    batch = task.batch(0, phase=1, rows=64)
    flat = torch.zeros_like(batch.entities)
    flat[:, :8] = batch.entities[:, :8]  # 8 dims hold all there is, so every prefix keeps every cosine
    flat = torch.nn.functional.normalize(flat, dim=1)
    same = type(batch)(entities=flat, edges=flat @ flat.T)
    assert float(adaptor_loss(task, same, flat, flat)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kind", ["pairs", "labels"])
def test_supervision_adds_its_own_losses_and_no_graph(kind, make_setup):
    setup = make_setup(**{kind: True})
    batch = setup.task.batch(0, phase=1, rows=64)
    x = batch.entities
    plain = dataclasses.replace(batch, same=None, labels=None)
    added = adaptor_loss(setup.task, batch, x, x) - adaptor_loss(setup.task, plain, x, x)
    sizes = float_ladder(24)
    expected = sum(setup.task.contrast(batch, x[:, :m]) for m in sizes) / len(sizes)
    assert float(added) == pytest.approx(float(expected), rel=1e-5) and float(expected) > 0.1
