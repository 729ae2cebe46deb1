"""Fading scales down the dims that supervision has no use for, and touches no size that ends before them."""

import numpy as np
import pytest
import torch

from arfc.model.network import Network
from arfc.training.fading import fade
from arfc.training.loop import Run
from arfc.training.recall import means
from arfc.training.rows import Rows
from arfc.training.task import Task

WIDTH = 32


@pytest.fixture
def make_network(tiny_config, rng):
    """A function that gives a task of ten classes in the strongest dims, with noise in all dims, and its KLT."""

    def build(noise):
        labels = np.arange(600) % 10
        x = np.concatenate([rng.standard_normal((10, 4))[labels], np.zeros((600, WIDTH - 4))], axis=1)
        x = torch.from_numpy((x + noise * rng.standard_normal(x.shape)).astype(np.float32))
        rows = Rows(features=torch.nn.functional.normalize(x, dim=1), partners=None, labels=torch.from_numpy(labels))
        parts = [rows.take(np.arange(300)), rows.take(np.arange(300, 600))]
        config = tiny_config()
        network = Network(WIDTH, config.model)
        network.klt.fit([parts[0].entities])
        network.refresh()
        return network, Task(*parts, config.train, seed=0)

    return build


def scores(network, task):
    return means(task.hits([network.compress(rows, dims=WIDTH) for rows in task.scored]))


def test_dims_that_only_disturb_fade(make_network):
    network, task = make_network(noise=0.4)
    before = scores(network, task)
    found = fade(network, task, Run(config=task.config))
    after = scores(network, task)
    assert found["from"] < WIDTH and found["scale"] < 1
    assert after[WIDTH] > before[WIDTH] + 0.05
    assert {size: after[size] for size in after if size <= found["from"]} == {
        size: before[size] for size in before if size <= found["from"]
    }


def test_a_faded_map_can_be_undone(make_network):
    network, task = make_network(noise=0.4)
    fade(network, task, Run(config=task.config))
    x = task.validation.features
    torch.testing.assert_close(network.decode(network.compress(x, dims=WIDTH)), x, atol=1e-5, rtol=0)


def test_nothing_fades_where_all_is_right_already(make_network):
    network, task = make_network(noise=0.01)
    assert fade(network, task, Run(config=task.config)) == {"from": WIDTH, "scale": 1.0}
    assert torch.equal(network.linear.weight, torch.eye(WIDTH))
