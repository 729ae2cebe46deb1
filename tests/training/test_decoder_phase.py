"""Phase 3 trains the decoder on tokens as they are stored."""

import numpy as np
import pytest
import torch

from arfc.training import decoder_phase
from arfc.training.decoder_phase import DecoderPhase
from arfc.training.objectives import reconstruction_loss


def test_starts_as_the_linear_estimate(make_task):
    task, network = make_task()
    phase = DecoderPhase(network, task)
    # A share of 1, but for what keeps the division from zero.
    assert phase.score() == pytest.approx(-1, abs=0.01)
    assert float(phase.loss(0, 0.0).detach()) == pytest.approx(1, abs=0.02)


def test_only_the_decoder_learns(make_task, open_up):
    task, network = make_task()
    open_up(network, std=0.1).requires_grad_(True)
    torch.nn.init.normal_(network.decoder.down.weight, std=0.01)
    phase = DecoderPhase(network, task)
    assert set(phase.parameters()) == {
        "decoder.up.weight",
        "decoder.up.bias",
        "decoder.down.weight",
        "decoder.down.bias",
    }
    phase.loss(0, 0.0).backward()
    moving = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert moving == set(phase.parameters())


def test_score_is_minus_the_mean_share_of_the_linear_error(make_task, open_up):
    task, network = make_task()
    open_up(network, std=0.1)
    torch.nn.init.normal_(network.decoder.down.weight, std=0.5)
    x = task.validation.features
    linear = x @ network.klt.basis
    shares = []
    with torch.no_grad():
        for dims in (8, 16):
            prefix = network.compress(x, dims=dims)
            decoded = network.decoder(network.estimate(prefix), prefix, network.scale)
            floor = reconstruction_loss(linear, network.estimate(prefix)) + 1e-4
            shares.append(float(reconstruction_loss(linear, decoded) / floor))
    assert DecoderPhase(network, task).score() == pytest.approx(-np.mean(shares), rel=1e-4)
    assert np.mean(shares) > 1.01


def test_the_score_reads_rows_of_both_modalities(make_task, monkeypatch):
    """More validation rows than are read: the partners, which stand below the features, must be among them."""
    monkeypatch.setattr(decoder_phase, "SCORED_ROWS", 30)
    task, network = make_task(pairs=True)
    phase, read = DecoderPhase(network, task), []
    monkeypatch.setattr(phase, "_shares", lambda unit, sizes: read.append(unit) or torch.zeros(len(sizes)))
    phase.score()
    counts = [
        sum(bool((row == side).all(1).any()) for row in read[0])
        for side in (task.validation.features, task.validation.partners)
    ]
    assert len(read[0]) <= 30 and sum(counts) == len(read[0])
    assert abs(counts[0] - counts[1]) <= 1


def test_training_lowers_the_decoding_error(make_task, run_to_the_end):
    """Rows of a few classes: what the prefix says of the class says more than a linear map can take from it."""
    task, network = make_task(decoder_steps=150, arc_rate=5e-3)
    phase = DecoderPhase(network, task)
    run_to_the_end(phase)
    with torch.no_grad():
        losses = [float(phase.loss(step, 0.0)) for step in range(200, 206)]
    assert np.mean(losses) < 0.97
    x = task.fit.features
    prefix = (x @ network.klt.basis)[:, :6]
    linear = prefix @ network.klt.basis[:, :6].T
    assert (network.decode(prefix) - x).square().sum(1).mean() < 0.97 * (linear - x).square().sum(1).mean()
