"""Phase 3: train the decoder on the tokens as they are stored, everything else fixed."""
# N entities, D feature dims, K dims kept

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from arfc.model.network import Network
from arfc.shapes import Float, Tensor
from arfc.sizes import float_ladder
from arfc.training.objectives import reconstruction_loss
from arfc.training.schedule import sample_dims
from arfc.training.task import Task

PHASE = 3
ROWS = 512
SCORED_ROWS = 1000
"""Most validation rows that a score reads, taken evenly over both modalities."""


class DecoderPhase:
    """Learn what of the feature the best linear estimate misses; validation rows say whether it learns anything.

    Apart from phase 2, so that it reads the openings that were chosen, and improves where ARC stays closed.
    """

    name = "decoder"

    def __init__(self, network: Network, task: Task) -> None:
        self.network = network
        self.task = task
        self.steps = task.config.decoder_steps
        self.start_patience = task.config.patience
        self.rate = task.config.arc_rate
        self.weight_decay = task.config.weight_decay

    def parameters(self) -> dict[str, nn.Parameter]:
        """Name the decoder's weights."""
        return {f"decoder.{name}": p for name, p in self.network.decoder.named_parameters()}

    def loss(self, step: int, progress: float) -> Tensor:
        """Return the decoding error of this step's prefixes, as a share of the best linear decoder's."""
        rng = np.random.default_rng([self.task.seed, PHASE, step])
        entities = self.task.fit.entities
        unit_ND = entities[torch.from_numpy(rng.integers(len(entities), size=min(ROWS, len(entities))))]
        sizes = sample_dims(rng, self.task.config, width=max(1, self.network.width - 1), progress=progress)
        return self._shares(unit_ND, sizes).mean()

    @torch.no_grad()
    def score(self) -> float:
        """Return minus the mean share over the size ladder, on validation rows."""
        sizes = [dims for dims in float_ladder(self.network.width) if dims < self.network.width]
        entities = self.task.validation.entities
        unit_ND = entities[:: -(-len(entities) // SCORED_ROWS)]
        return -float(self._shares(unit_ND, sizes).mean()) if sizes else 0.0

    def _shares(self, unit_ND: Tensor, sizes: list[int]) -> Float[Tensor, " sizes"]:
        """Return per size what the decoder loses as a share of what the best linear estimate loses."""
        network = self.network
        linear_ND = network.linear_tokens(unit_ND).flatten(1)[:, : network.width]
        with torch.no_grad():
            full_NK = network.compress(unit_ND, dims=max(sizes))
        shares = []
        for dims in sizes:
            estimate_ND = network.estimate(full_NK[:, :dims])
            decoded_ND = network.decoder(estimate_ND, full_NK[:, :dims], network.scale)
            floor = reconstruction_loss(linear_ND, estimate_ND) + 1e-4
            shares.append(reconstruction_loss(linear_ND, decoded_ND) / floor)
        return torch.stack(shares)
