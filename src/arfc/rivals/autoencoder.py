"""One autoencoder per size."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from arfc.rivals.fitting import NetStage, Setup, Stage, by_cached_blocks, reconstruction_share, score_one_size
from arfc.rivals.nets import Mlp, SkipDecoder
from arfc.rivals.rival import SizedRival
from arfc.shapes import Float, Tensor

PHASE = 12
"""Keeps the batches of this stage apart from those of others under one seed."""
WEIGHT_DECAY = 0.01
HIDDEN = 512
"""Hidden units of the encoder and of the decoder; our choice."""
RATE = 3e-4
"""Peak learning rate; 1e-3 ends lower at 32 dims (docs/log.md)."""
ROWS = 1024
"""Rows of a batch without supervision, drawn evenly: neighbours bring nothing to a reconstruction."""


class Coder(nn.Module):
    """Encoder and decoder, each a linear map that starts at the KLT and an MLP beside it."""

    def __init__(self, basis_DD: Float[Tensor, "D D"], *, dims: int, hidden: int) -> None:
        super().__init__()
        width = len(basis_DD)
        self.skip = nn.Parameter(basis_DD[:, :dims].clone())
        self.mlp = Mlp(width, hidden, dims, gain=width**0.5)
        self.decoder = SkipDecoder(basis_DD, dims=dims, hidden=hidden)

    def forward(self, unit_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
        """Return the code."""
        return unit_ND @ self.skip + self.mlp(unit_ND)


class CoderPhase(NetStage[Coder]):
    """Train both to give unit rows back; with pairs or labels, the code for our contrastive losses too."""

    def __init__(self, setup: Setup, *, dims: int, steps: int) -> None:
        net = Coder(setup.klt.basis, dims=dims, hidden=HIDDEN)
        super().__init__(net, steps=steps, rate=RATE, weight_decay=WEIGHT_DECAY)
        self.task = setup.task
        self.basis = setup.klt.basis
        self.dims = dims

    def loss(self, step: int, progress: float) -> Tensor:
        """Return the squared error as a share of the KLT's, and the supervised losses of the code where there are any.

        Source: the paper we follow (arXiv 2602.11494) names an autoencoder and gives no losses; these are our choice.
        """
        task = self.task
        if not task.supervised:
            rng = np.random.default_rng([task.seed, PHASE, step])
            unit_ND = task.fit.features[torch.from_numpy(rng.integers(len(task.fit), size=min(ROWS, len(task.fit))))]
            return self._reconstruction(unit_ND, self.net(unit_ND))
        batch = task.batch(step, phase=PHASE, rows=task.config.batch_rows)
        code_NK = self.net(batch.entities)
        floor_NK = batch.entities @ self.basis[:, : self.dims]
        return self._reconstruction(batch.entities, code_NK) + task.loss(batch, code_NK, floor_NK)

    def _reconstruction(self, unit_ND: Tensor, code_NK: Tensor) -> Float[Tensor, ""]:
        return reconstruction_share(unit_ND, self.net.decoder(code_NK), unit_ND @ self.basis, dims=self.dims)

    def score(self) -> float:
        """Return the validation score of the code."""
        return score_one_size(self.task, lambda unit: by_cached_blocks(self.net, unit))


class Autoencoder(SizedRival):
    """Encode to K dims and back through MLPs; starts as the KLT."""

    usual_steps = 1000

    @classmethod
    def _stage(cls, setup: Setup, *, dims: int, steps: int) -> Stage:
        return CoderPhase(setup, dims=dims, steps=steps)
