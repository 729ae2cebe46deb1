"""A task and a network to train, as `fit` sets them up."""

import itertools

import numpy as np
import pytest
import torch

from arfc.model.network import Network
from arfc.training.loop import Run, run_phase
from arfc.training.rows import Rows
from arfc.training.task import Task


def unit(x):
    return torch.nn.functional.normalize(torch.from_numpy(x), dim=1)


@pytest.fixture
def make_task(clustered, tiny_config):
    """A function that gives a task on 300 fit and 100 validation rows, and a network that is their KLT."""

    def build(*, width=24, pairs=False, labels=False, model=None, **train):
        config = tiny_config(model=model, **train)
        x = unit(clustered(400, width))
        partners = unit(clustered(400, width, spread=0.8)) if pairs else None
        rows = Rows(features=x, partners=partners, labels=torch.arange(400) % 4 if labels else None)
        parts = [rows.take(np.arange(300)), rows.take(np.arange(300, 400))]
        torch.manual_seed(0)
        network = Network(width, config.model)
        network.klt.fit([parts[0].entities])
        network.refresh()
        network.set_scale()
        return Task(*parts, config.train, seed=0), network

    return build


@pytest.fixture
def run_to_the_end():
    """A function that trains a phase and keeps its last parameters, whatever validation says of them."""

    def run(phase):
        better = itertools.count()
        phase.score = lambda: float(next(better))
        run_phase(phase, Run(config=phase.task.config), budget_s=float("inf"))
        del phase.score

    return run
