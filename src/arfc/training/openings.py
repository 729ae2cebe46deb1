"""After training: how much of the non-linear part is let into the model, decided on validation rows."""
# N rows, D feature dims

from __future__ import annotations

import torch

from arfc.model.network import Network
from arfc.training.arc_phase import compress_blocks
from arfc.training.task import Task

LOSSLESS_ERROR = 1e-4
"""Largest relative error of full-width decoding on validation rows; the promise is 1e-3."""
MOST_DECODE_STEPS = 64
SHARES = (1.0, 0.5, 0.25)


@torch.no_grad()
def choose_openings(network: Network, task: Task) -> dict[str, dict[int, float]]:
    """Open the leading tokens that raise the mean validation score and lower none, or stay closed.

    Candidates: the first n tokens open by a share of 1, 1/2 or 1/4; none where training has left no correction. A
    candidate must also decode without loss at full width. Returns the score per size of every candidate, "closed"
    first, for the model's record.
    """
    network.opening.zero_()
    tried = {"closed": _scores(network, task)}
    floor = tried["closed"]
    best_name, best_mean = "closed", _mean(floor)
    openings = {"closed": network.opening.clone()}
    if not network.corrects:
        settle_decoding(network, task)
        return tried
    for tokens in range(1, len(network.opening) + 1):
        for share in SHARES:
            name = f"{tokens} x {share}"
            network.opening.zero_()
            network.opening[:tokens] = share
            tried[name] = _scores(network, task)
            openings[name] = network.opening.clone()
            lost = max(floor[k] - tried[name][k] for k in floor)
            if lost <= task.tolerance and _mean(tried[name]) > best_mean and settle_decoding(network, task):
                best_name, best_mean = name, _mean(tried[name])
    network.opening.copy_(openings[best_name])
    network.refresh()
    settle_decoding(network, task)
    return tried


@torch.no_grad()
def settle_decoding(network: Network, task: Task) -> bool:
    """Set the fixed-point steps that decode validation rows without loss; False where they do not converge."""
    network.refresh()
    entities = task.validation.entities
    unit_ND = entities[:: -(-len(entities) // 512)]  # rows of all modalities
    full_ND = compress_blocks(network, unit_ND, dims=network.width)
    steps = 1
    while steps <= MOST_DECODE_STEPS:
        network.decode_steps.fill_(steps if network.open_tokens else 0)
        error = float((network.decode(full_ND) - unit_ND).norm(dim=1).max())
        if error <= LOSSLESS_ERROR:
            network.decode_steps.mul_(2)  # rows unlike the validation rows converge later
            return True
        steps *= 2
    return False


def _scores(network: Network, task: Task) -> dict[int, float]:
    network.refresh()
    return task.scores(lambda unit, dims: compress_blocks(network, unit, dims=dims))


def _mean(scores: dict[int, float]) -> float:
    return sum(scores.values()) / len(scores)
