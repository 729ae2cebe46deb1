"""Phase 2: train ARC, MoS and the decoder, the linear map fixed."""
# N entities, D feature dims, K dims kept, T tokens, W token width, S solutions

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from arfc.model.network import Network
from arfc.training.corrections import Corrections, opened
from arfc.training.objectives import reconstruction_loss
from arfc.training.precision import autocast
from arfc.training.recall import overall
from arfc.training.schedule import sample_dims
from arfc.training.task import Task

PHASE = 2
ALONE_SHARE = 0.7
"""With pairs or labels, share of the phase in which ARC learns its first solution only; MoS and the others come after
that. A step takes half as long, and steps are what a correction of many rows wants (docs/log.md)."""
SCORED_SHARES = (1.0, 0.5)
"""How far the first token, or all of them, are opened to judge the weights."""


class ArcPhase:
    """Train what the linear map can't say; it is the floor, so the non-linear part is paid only for beating it."""

    name = "arc"

    def __init__(self, network: Network, task: Task) -> None:
        self.network = network
        self.task = task
        self.steps = task.config.arc_steps
        # With pairs or labels a correction may need a hundred steps until the first gain (docs/log.md).
        self.start_patience = task.config.arc_patience * (2 if task.supervised else 1)
        self.rate = task.config.arc_rate
        self.weight_decay = task.config.weight_decay

    def parameters(self) -> dict[str, nn.Parameter]:
        """Name every weight of ARC, MoS and the decoder."""
        return dict(self.network.named_parameters())

    def loss(self, step: int, progress: float) -> Tensor:
        """Return the mean over this step's prefixes of objectives and decoding error.

        Tokens are generated as in use, without gradients; one parallel pass over them then gives the same tokens with
        gradients. With pairs or labels decoding has no say here: it would bring back what supervision drops, and wins
        (docs/log.md).
        """
        config, network = self.task.config, self.network
        batch = self.task.batch(step, phase=PHASE, rows=config.arc_batch_rows)
        rng = np.random.default_rng([self.task.seed, PHASE, step, 1])
        sizes = sample_dims(rng, self.task.config, width=network.width, progress=progress)
        solutions = 1 if self.task.supervised and progress < ALONE_SHARE else network.arc.solutions
        reconstructs = config.reconstruction_weight and not self.task.supervised
        linear_NTW = network.linear_tokens(batch.entities)
        linear_ND = linear_NTW.flatten(1)[:, : network.width]
        tokens = min(len(network.opening), math.ceil(max(sizes) / network.token_width))
        with autocast():
            with torch.no_grad():
                fed = network.corrected(linear_NTW, tokens=tokens, solutions=solutions)[1]
            refined, made = network.corrected_parallel(linear_NTW, fed)
        candidates = [refined, *made.unbind(1)] if solutions > 1 else [refined]
        fulls = [self._full(linear_ND, candidate) for candidate in candidates]
        losses = []
        for dims in sizes:
            losses.append(self.task.loss(batch, fulls[0][:, :dims], linear_ND[:, :dims]))
            if reconstructs and dims < network.width:
                losses.append(
                    config.reconstruction_weight * self._reconstruction(linear_ND, [f[:, :dims] for f in fulls])
                )
        return torch.stack(losses).sum() / len(sizes)

    def _full(self, linear_ND: Tensor, tokens_NnW: Tensor) -> Tensor:
        """Join made tokens and the linear rest to full-width coordinates."""
        made = tokens_NnW.flatten(1)[:, : self.network.width]
        return torch.cat([made, linear_ND[:, made.shape[1] :]], 1)

    def _reconstruction(self, linear_ND: Tensor, prefixes: list[Tensor]) -> Tensor:
        """Return the squared error of decoding, mean over solutions, as a share of the best linear decoder's.

        At its small weight the error shapes the tokens too; the decoder itself goes on learning in phase 3.
        """
        network, losses = self.network, []
        dims = prefixes[0].shape[1]
        with torch.no_grad():
            floor = reconstruction_loss(linear_ND, network.estimate(linear_ND[:, :dims]))
        for prefix in prefixes:
            estimate = network.estimate(prefix)
            with autocast():
                decoded = network.decoder(estimate, prefix, network.scale)
            losses.append(reconstruction_loss(linear_ND, decoded) / (floor + 1e-4))
        return torch.stack(losses).mean()

    @torch.no_grad()
    def score(self) -> float:
        """Return the mean validation score over the size ladder, with the best of a few openings.

        A correction may help only in part, or only its first token; judged fully open it would look useless. Generation
        costs most and is the same for all of them.
        """
        made = Corrections(self.network, self.task, fast=True)
        counts = {1, len(self.network.opening)} if self.network.corrects else ()
        openings = [opened(self.network, count, share) for count in counts for share in SCORED_SHARES]
        return max(overall(made.hits(opening)) for opening in openings or [torch.zeros_like(self.network.opening)])
