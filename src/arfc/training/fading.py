"""Between the linear maps, with pairs or labels: how much the later dims count beside the first ones."""
# N rows, D feature dims

from __future__ import annotations

import torch
from torch import Tensor

from arfc.model.network import Network
from arfc.training.recall import means
from arfc.training.task import Task

CUTS = (16, 8, 4, 2)
"""The dims from D / 16, ... D / 2 on may fade."""
SCALES = (0.85, 0.7, 0.5, 0.35, 0.2)
"""What they are multiplied by; never by 0, so that the map can be undone."""


@torch.no_grad()
def fade(network: Network, task: Task) -> dict[str, float]:
    """Scale all dims from a cut on where that raises the mean validation score and no size loses by it.

    A rotation keeps every full-width cosine, also what supervision would rather drop: on features whose short prefixes
    it has made better than the whole, long ones then fall back to the whole's score. With the later dims scaled down
    they keep what the short ones have, which stay as they are (docs/log.md).

    Returns the first dim that is scaled and by how much; D and 1 where nothing is better.
    """
    coordinates = [network.compress(rows, dims=network.width) for rows in task.scored]
    klt = task.hits([rows @ network.klt.basis for rows in task.scored])
    start = task.hits(coordinates)
    best, best_gain = {"from": float(network.width), "scale": 1.0}, 0.0
    for cut in sorted({network.width // part for part in CUTS} - {0}):
        longer = [size for size in start if size > cut]
        floors = [{size: floor[size] for size in longer} for floor in (start, klt)]
        for scale in SCALES:
            weight_D = _faded(network.width, cut, scale)
            hits = task.hits([rows * weight_D for rows in coordinates], sizes=longer)
            gain = sum(means(hits).values()) - sum(means(floors[0]).values())
            if gain > best_gain and all(task.keeps(hits, floor) for floor in floors):
                best, best_gain = {"from": float(cut), "scale": scale}, gain
    network.linear.set_block(network.linear.weight * _faded(network.width, int(best["from"]), best["scale"]))
    network.refresh()
    return best


def _faded(width: int, cut: int, scale: float) -> Tensor:
    return torch.where(torch.arange(width) < cut, 1.0, scale)
