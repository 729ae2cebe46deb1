"""Phase 2 trains ARC, MoS and the decoder on top of the linear map."""

import numpy as np
import pytest
import torch

from arfc.training import arc_phase, corrections
from arfc.training.arc_phase import ArcPhase
from arfc.training.objectives import reconstruction_loss


@pytest.fixture
def in_float32(monkeypatch):
    """Losses without bfloat16's rounding, whatever the machine."""
    for module in (arc_phase, corrections):
        monkeypatch.setattr(module, "autocast", lambda: torch.autocast("cpu", enabled=False))


def gradients(phase, step=0):
    phase.network.zero_grad()
    phase.loss(step, 0.0).backward()
    return {name: 0.0 if p.grad is None else float(p.grad.abs().max()) for name, p in phase.parameters().items()}


def test_every_part_learns(make_task, open_up):
    task, network = make_task()
    phase = ArcPhase(network, task)
    names = {name.split(".")[0] for name in phase.parameters()}
    assert names == {"arc", "mos", "decoder"}  # the KLT and the linear map are fixed
    open_up(network, std=0.1).requires_grad_(True)
    torch.nn.init.normal_(network.decoder.down.weight, std=0.01)
    still = {name for name, size in gradients(phase).items() if size == 0}
    assert not {name for name in still if not name.startswith("decoder")}
    assert not still


def test_at_the_start_only_the_closing_layers_learn(make_task):
    """They are zero, so nothing behind them has a say yet, and the first step cannot do harm."""
    task, network = make_task()
    moving = {name for name, size in gradients(ArcPhase(network, task)).items() if size > 0}
    assert moving == {"arc.head", "mos.head", "decoder.down.weight", "decoder.down.bias"}


@pytest.mark.parametrize(
    ("kinds", "progress", "solutions"),
    [({}, 0.0, 2), ({"labels": True}, 0.0, 1), ({"pairs": True}, 0.69, 1), ({"pairs": True}, 0.7, 2)],
)
def test_with_supervision_the_first_solution_learns_before_the_others(
    make_task, monkeypatch, kinds, progress, solutions
):
    task, network = make_task(**kinds)
    asked, corrected = [], network.corrected_parallel
    monkeypatch.setattr(
        network, "corrected_parallel", lambda linear, fed: asked.append(fed.shape[1]) or corrected(linear, fed)
    )
    ArcPhase(network, task).loss(0, progress).backward()
    assert asked == [solutions]
    assert (network.mos.head.grad is not None) == (solutions > 1)


def test_untrained_it_costs_one_share_of_each_part(make_task, in_float32):
    task, network = make_task(reconstruction_weight=0.5, size_law="fixed", fixed_dims=8)
    loss = ArcPhase(network, task).loss(0, 0.0)
    assert float(loss.detach()) == pytest.approx(0.3 + 1.0 + 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ({"reconstruction_weight": 0.0}, {"arc", "mos"}),
        ({"ergc_weight": 0.0, "neighbour_weight": 0.0}, {"arc", "mos", "decoder"}),  # decoding shapes the tokens too
        ({"ergc_weight": 0.0, "neighbour_weight": 0.0, "reconstruction_weight": 0.0}, set()),
    ],
)
def test_what_learns_from_which_loss(make_task, off, expected):
    task, network = make_task(**off)
    torch.nn.init.normal_(network.decoder.down.weight, std=0.01)
    moving = {name.split(".")[0] for name, size in gradients(ArcPhase(network, task)).items() if size > 0}
    assert moving == expected


def test_reconstruction_is_a_share_of_the_linear_decoders(make_task, in_float32):
    task, network = make_task(model={"solutions": 1})
    phase = ArcPhase(network, task)
    linear = (task.fit.features @ network.klt.basis)[:50]
    with torch.no_grad():
        torch.nn.init.normal_(network.decoder.down.weight, std=0.1)
        share = phase._reconstruction(linear, [linear[:, :8]])
        estimate = network.estimate(linear[:, :8])
        ours = reconstruction_loss(linear, network.decoder(estimate, linear[:, :8], network.scale))
        floor = reconstruction_loss(linear, estimate)
    assert float(share) == pytest.approx(float(ours / (floor + 1e-4)), rel=1e-5)
    assert float(share) > 1.01


@pytest.mark.parametrize("solutions", [1, 2])
def test_training_lowers_the_loss_and_leaves_the_linear_parts(make_task, run_to_the_end, solutions):
    task, network = make_task(model={"solutions": solutions}, arc_steps=40, arc_rate=5e-3)
    buffers = {name: b.clone() for name, b in network.named_buffers()}
    phase = ArcPhase(network, task)
    before = [float(phase.loss(step, 1.0).detach()) for step in range(100, 106)]
    run_to_the_end(phase)
    after = [float(phase.loss(step, 1.0).detach()) for step in range(100, 106)]
    assert np.mean(after) < np.mean(before) - 0.02
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, buffers[name]), name


def best_of(task, network, openings):
    """The best mean score of the network itself, opened in each of these ways."""
    means = []
    for opening in openings:
        network.opening.copy_(torch.tensor(opening))
        network.refresh()
        scores = task.scores(lambda unit, dims: network.compress(unit, dims=dims))
        means.append(sum(scores.values()) / len(scores))
    network.opening.zero_()
    network.refresh()
    return max(means), means


@pytest.mark.parametrize("kinds", [{}, {"pairs": True}, {"labels": True}])
def test_the_score_is_that_of_the_best_opening(make_task, open_up, in_float32, kinds):
    task, network = make_task(**kinds)
    phase = ArcPhase(network, task)
    assert phase.score() == pytest.approx(best_of(task, network, [[0.0, 0.0]])[0])  # no correction yet: the linear map
    open_up(network, std=0.3, opening=0.0)
    score = phase.score()
    assert network.open_tokens == 0 and (network.opening == 0).all()
    best, means = best_of(task, network, [[1.0, 0.0], [1.0, 1.0], [0.5, 0.0], [0.5, 0.5]])
    assert score == pytest.approx(best, abs=2e-3)  # a near tie may fall the other way
    assert max(means) > min(means) + 0.01


def test_a_gain_of_a_part_is_seen(make_task, open_up, in_float32):
    """The second token does great harm; the first one alone does none."""
    task, network = make_task()
    closed = ArcPhase(network, task).score()
    open_up(network, std=2.0, opening=0.0)
    with torch.no_grad():
        network.arc.head[0] = 0
        network.mos.head[0] = 0
    assert best_of(task, network, [[1.0, 1.0]])[0] < closed - 0.02
    assert ArcPhase(network, task).score() == pytest.approx(closed, abs=2e-3)
