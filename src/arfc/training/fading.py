"""After a linear map is learned, with pairs or labels: how much the later dims count beside the first ones."""
# N rows, D feature dims

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from arfc.model.network import Network
from arfc.training.loop import Run
from arfc.training.recall import overall
from arfc.training.task import Task

CUTS = (16, 8, 4, 2)
"""The dims from D / 16, ... D / 2 on may fade."""
SCALES = (0.85, 0.7, 0.5, 0.35, 0.2)
"""What they are multiplied by; never by 0, so that the map can be undone."""


@torch.no_grad()
def fade(network: Network, task: Task, run: Run) -> dict[str, int | float]:
    """Scale all dims from a cut on where that raises the mean validation score and no size loses by it.

    The later dims hold what supervision would rather drop: a rotation keeps every full-width cosine, and ARC corrects
    leading tokens alone. On features whose short prefixes have become better than the whole, long ones then fall back
    to the whole's score. With the later dims scaled down they keep what the short ones have, which stay as they are
    (docs/log.md).

    Returns the first dim that is scaled and by how much; D and 1 where nothing is better. After Ctrl-C no more are
    tried.
    """
    coordinates = [network.compress(rows, dims=network.width) for rows in task.scored]
    start, klt = task.hits(coordinates), task.hits([rows @ network.klt.basis for rows in task.scored])
    (cut, scale), best_score = (network.width, 1.0), overall(start)
    for tried in product([network.width // part for part in CUTS if network.width >= part], SCALES):
        if run.interrupted:
            break
        faded = [rows * _weights(network.width, *tried) for rows in coordinates]
        hits = start | task.hits(faded, sizes=[size for size in start if size > tried[0]])
        if overall(hits) > best_score and task.keeps(hits, start) and task.keeps(hits, klt):
            (cut, scale), best_score = tried, overall(hits)
    network.linear.set_block(network.linear.weight * _weights(network.width, cut, scale))
    network.refresh()
    return {"from": cut, "scale": scale}


def _weights(width: int, cut: int, scale: float) -> Tensor:
    return torch.where(torch.arange(width) < cut, 1.0, scale)
