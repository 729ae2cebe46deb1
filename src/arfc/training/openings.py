"""After training: how much of the non-linear part is let into the model, decided on validation rows."""
# N rows, D feature dims

from __future__ import annotations

import torch

from arfc.model.network import MOST_DECODE_STEPS, Network
from arfc.training.arc_phase import SCORED_SHARES
from arfc.training.corrections import Corrections, compress_blocks, opened
from arfc.training.loop import Run
from arfc.training.recall import means, overall
from arfc.training.task import Task

LOSSLESS_ERROR = 1e-4
"""Largest relative error of full-width decoding on validation rows; the promise is 1e-3."""
SHARES = (1.0, 0.5, 0.25)


@torch.no_grad()
def choose_openings(network: Network, task: Task, run: Run) -> dict[str, dict[int, float]]:
    """Open the leading tokens that raise the mean validation score and lower none, or stay closed.

    Candidates: the first n tokens open by a share of 1, 1/2 or 1/4; none where training has left no correction. A
    candidate must also decode without loss at full width. After Ctrl-C only those that phase 2 was scored with are
    tried. Returns the score per size of every candidate, "closed" first, for the model's record.
    """
    made = Corrections(network, task)
    closed = torch.zeros_like(network.opening)
    floor = made.hits(closed)
    tried, better = {"closed": means(floor)}, []
    for tokens, share in candidates(network):
        if run.interrupted and not (tokens in (1, len(closed)) and share in SCORED_SHARES):
            continue
        opening = opened(network, tokens, share)
        hits = made.hits(opening)
        tried[f"{tokens} x {share}"] = means(hits)
        if overall(hits) > overall(floor) and task.keeps(hits, floor):
            better.append((overall(hits), opening))
    for _, opening in sorted(better, key=lambda one: -one[0]):  # decoding is what takes long: the best ones first
        network.opening.copy_(opening)
        if settle_decoding(network, task):
            return tried
    network.opening.copy_(closed)
    settle_decoding(network, task)
    return tried


def candidates(network: Network) -> list[tuple[int, float]]:
    """Return how many leading tokens to open and by which share; nothing where there is no correction to let in."""
    tokens = range(1, len(network.opening) + 1) if network.corrects else ()
    return [(count, share) for count in tokens for share in SHARES]


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
