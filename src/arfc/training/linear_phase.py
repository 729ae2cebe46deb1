"""Phase 1: train the linear map in the KLT basis: a rotation, and with pairs or labels a free one on top of it."""
# N entities, D feature dims, K dims kept, R rotated dims

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from arfc.model.linear import cayley, conditioned
from arfc.model.network import Network
from arfc.training.fading import fade
from arfc.training.loop import Run, run_phase
from arfc.training.recall import clearly_worse, overall
from arfc.training.schedule import sample_dims
from arfc.training.task import Task

PHASE = 1
ROTATION_SHARE = 0.4
"""The rotation's share of the phase, where a free map is learned too."""
SHARES = (1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)
"""How much of the learned map may be kept, the most first."""
QUICK_SHARES = (1.0, 0.5)
"""Those that are tried after Ctrl-C."""
MOST_CONDITION = 256.0
"""Largest ratio of the free map's largest singular value to its smallest; what is stored in float32 then gives the row
back to about 1e-5."""


def learn_map(network: Network, task: Task, run: Run, *, budget_s: float) -> dict[str, Any]:
    """Train the linear map that the config asks for; with pairs or labels that is one of two. Return what happened.

    A rotation can't learn a few hundred pairs by heart as a free map does; a free map on top of the rotation says more
    where rows are many (docs/log.md). The later dims of either may fade. Validation rows decide; where they cannot,
    it is the map that has learned more.
    """
    kind = task.config.linear_map
    maps = {"orthogonal": [False], "free": [True], "auto": [False, True] if task.supervised else [False]}[kind]
    history: dict[str, Any] = {"linear_share": 0.0}
    best, best_hits = network.linear.weight.clone(), dict[int, Tensor]()
    for free in maps:
        share = 1.0 if len(maps) == 1 else 1 - ROTATION_SHARE if free else ROTATION_SHARE
        phase = LinearPhase(network, task, free=free, steps=round(share * task.config.linear_steps))
        history[phase.name] = run_phase(phase, run, budget_s=max(1e-3, share * budget_s))
        history[f"{phase.name}_share"] = phase.settle(run)
        unfaded = network.linear.weight.clone()
        faded = {"fade": fade(network, task, run)} if len(maps) > 1 and not run.interrupted else {}
        if faded:
            keep_invertible(network)
        hits = map_hits(network, task)
        learned = history[f"{phase.name}_share"] > 0
        if not best_hits or (learned and not clearly_worse(hits, best_hits)):
            best, best_hits = network.linear.weight.clone(), hits
            history.pop("fade", None)  # that of a map that is not kept
            history |= {"map": "free" if free else "orthogonal"} | faded
        network.linear.set_block(unfaded)
        network.refresh()
    network.linear.set_block(best)
    network.refresh()
    return history


def map_hits(network: Network, task: Task) -> dict[int, Tensor]:
    """Return how right each validation query is per size, with the linear map that the network has."""
    return task.hits([network.compress(rows, dims=network.width) for rows in task.scored])


@torch.no_grad()
def keep_invertible(network: Network) -> None:
    """Raise the singular values of the linear map that are too small to undo it."""
    network.linear.weight.copy_(conditioned(network.linear.weight, most=MOST_CONDITION))
    network.refresh()


class LinearPhase:
    """Rotate the first R KLT dims ("orthogonal"), or learn any map of all D ("free"), for the loss at every prefix.

    It starts at the map that the network has: the KLT, or a rotation. Without supervision losses are shares of what
    the KLT's prefix loses.
    """

    weight_decay = 0.0

    def __init__(self, network: Network, task: Task, *, free: bool, steps: int) -> None:
        self.network = network
        self.task = task
        self.free = free
        self.name = "free" if free else "linear"
        self.steps = steps
        self.start_patience = task.config.patience
        self.rate = task.config.free_rate if free else task.config.linear_rate
        self.width = network.width if free else network.rotated_dims
        self.start = network.linear.weight[: self.width, : self.width].clone()
        self.coefficients = nn.Parameter(torch.zeros(self.width, self.width))

    def parameters(self) -> dict[str, nn.Parameter]:
        """Name the skew coefficients (orthogonal) or the difference from the identity (free)."""
        return {"coefficients": self.coefficients}

    def matrix(self) -> Tensor:
        """Return the trained part of the map as it is now."""
        if self.free:
            return self.start @ (torch.eye(self.width) + self.coefficients)
        return self.start @ cayley(self.coefficients)

    def loss(self, step: int, progress: float) -> Tensor:
        """Return the mean objective over this step's prefixes."""
        config = self.task.config
        batch = self.task.batch(step, phase=PHASE, rows=config.batch_rows)
        floor_NR = batch.entities @ self.network.klt.basis[:, : self.width]
        kept_NR = floor_NR @ self.matrix()
        rng = np.random.default_rng([self.task.seed, PHASE, step, 1])
        sizes = sample_dims(rng, self.task.config, width=self.width, progress=progress)
        losses = [self.task.loss(batch, kept_NR[:, :k], floor_NR[:, :k]) for k in sizes]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def score(self) -> float:
        """Return the mean validation score over the size ladder."""
        return overall(self._hits())

    @torch.no_grad()
    def settle(self, run: Run) -> float:
        """Go back towards the start until no size scores below it or the KLT on validation rows; return the share kept.

        With pairs or labels, where maps overfit and scores are noisy, it is the share that scores best among those, or
        a larger one that is not clearly worse: a few queries tell it from the best by chance alone (docs/log.md).
        """
        learned = self.coefficients.clone()
        if not learned.any():  # no time, no steps, or nothing better than the start
            self.install()
            return 0.0
        self.coefficients.zero_()
        floors = [self._hits()]
        if self.free:  # it may start at a rotation, which may have used up what a size may lose against the KLT
            floors.append(self.task.hits([rows @ self.network.klt.basis for rows in self.task.scored]))
        good: dict[float, dict[int, Tensor]] = {}
        for share in SHARES:
            if run.interrupted and share not in QUICK_SHARES:
                continue
            self.coefficients.copy_(share * learned)
            hits = self._hits()
            if all(self.task.keeps(hits, floor) for floor in floors):
                good[share] = hits
                if not self.task.supervised:
                    break
        top = max([*good.values(), floors[0]], key=overall)
        best = next((share for share, hits in good.items() if not clearly_worse(hits, top)), 0.0)
        self.coefficients.copy_(best * learned)
        self.install()
        if self.free and best:
            keep_invertible(self.network)
        return best

    def _hits(self) -> dict[int, Tensor]:
        self.install()
        return map_hits(self.network, self.task)

    @torch.no_grad()
    def install(self) -> None:
        """Put the map into the network."""
        self.network.linear.set_block(self.matrix())
        self.network.refresh()
