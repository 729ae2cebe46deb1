"""Phase 1: train the linear map in the KLT basis, as a rotation first; with pairs or labels freely after that."""
# N entities, D feature dims, K dims kept, R rotated dims

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from arfc.model.linear import cayley
from arfc.model.network import Network
from arfc.training.loop import Run
from arfc.training.recall import overall
from arfc.training.task import Task

PHASE = 1
SHARES = (1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)
"""How much of the learned map may be kept, the most first."""
QUICK_SHARES = (1.0, 0.5)
"""Those that are tried after Ctrl-C."""


class LinearPhase:
    """Rotate the first R KLT dims ("orthogonal"), or learn any map of all D ("free"), for the loss at every prefix.

    The floor is the map that the network has: the KLT itself, or for a free map after a rotation that rotation, faded.
    Without supervision losses are shares of what the KLT's prefix loses.
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
        batch = self.task.batch(step, phase=PHASE, anchors=config.anchors)
        floor_NR = batch.entities @ self.network.klt.basis[:, : self.width]
        kept_NR = floor_NR @ self.matrix()
        rng = np.random.default_rng([self.task.seed, PHASE, step, 1])
        sizes = self.task.sizes(rng, width=self.width, progress=progress)
        losses = [self.task.loss(batch, kept_NR[:, :k], floor_NR[:, :k]) for k in sizes]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def score(self) -> float:
        """Return the mean validation score over the size ladder."""
        return overall(self._hits())

    @torch.no_grad()
    def settle(self, run: Run) -> float:
        """Go back towards the start until no size scores below it or the KLT on validation rows; return the share kept.

        With pairs or labels, where scores are noisy and maps overfit, it is the share that scores best among those.
        """
        learned = self.coefficients.clone()
        self.coefficients.zero_()
        floors = [self._hits()]
        if self.free:  # it may start at a rotation, which may have used up what a size may lose against the KLT
            floors.append(self.task.hits([rows @ self.network.klt.basis for rows in self.task.scored]))
        best, best_score = 0.0, overall(floors[0])
        for share in SHARES:
            if run.interrupted and share not in QUICK_SHARES:
                continue
            self.coefficients.copy_(share * learned)
            hits = self._hits()
            kept = all(self.task.keeps(hits, floor) for floor in floors)
            if kept and (not self.task.supervised or overall(hits) > best_score):
                best, best_score = share, overall(hits)
                if not self.task.supervised:
                    break
        self.coefficients.copy_(best * learned)
        self.install()
        return best

    def _hits(self) -> dict[int, Tensor]:
        self.install()
        return self.task.hits([self.network.compress(rows, dims=self.network.width) for rows in self.task.scored])

    @torch.no_grad()
    def install(self) -> None:
        """Put the map into the network."""
        self.network.linear.set_block(self.matrix())
        self.network.refresh()
