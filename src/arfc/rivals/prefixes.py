"""Training of nets that serve all sizes: our objectives at a few prefixes per step."""
# N rows, D feature dims

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from arfc.rivals.fitting import NetStage, Setup, by_cached_blocks, score_all_sizes
from arfc.training.schedule import sample_dims
from arfc.training.task import Batch

PHASE = 11
"""Keeps the batches of this stage apart from those of others under one seed."""


class PrefixPhase(NetStage[nn.Module]):
    """Train a net whose output's beginnings are the compressed vectors."""

    def __init__(self, net: nn.Module, setup: Setup, *, steps: int, rate: float, weight_decay: float) -> None:
        super().__init__(net, steps=steps, rate=rate, weight_decay=weight_decay)
        self.task = setup.task
        self.basis = setup.klt.basis
        # Without supervision losses are shares of what the KLT loses. Near full width it loses next to nothing: sizes
        # up to there would hold a free map where it is.
        self.most_dims = setup.width if setup.task.supervised else max(1, setup.width // 2)

    def loss(self, step: int, progress: float) -> Tensor:
        """Return the objective of this step's batch."""
        batch = self.task.batch(step, phase=PHASE, rows=self.task.config.batch_rows)
        rng = np.random.default_rng([self.task.seed, PHASE, step, 1])
        sizes = sample_dims(rng, self.task.config, width=self.most_dims, progress=progress)
        return self.objective(batch, self.net(batch.entities), batch.entities @ self.basis, sizes)

    def objective(self, batch: Batch, made_ND: Tensor, coordinates_ND: Tensor, sizes: list[int]) -> Tensor:
        """Return the mean of our losses over the prefixes, as phase 1 of the compressor has it."""
        return torch.stack([self.task.loss(batch, made_ND[:, :k], coordinates_ND[:, :k]) for k in sizes]).mean()

    def score(self) -> float:
        """Return the mean validation score over the sizes up to D / 2."""
        return score_all_sizes(self.task, lambda unit, dims: by_cached_blocks(self.net, unit)[:, :dims])
