"""What ARC would change on the rows that are scored, made once and mixed in as far as an opening says."""
# N rows, D feature dims, T tokens, W token width, O open tokens, n dims of the open tokens

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from arfc.model.network import Network
from arfc.shapes import Float
from arfc.training.precision import autocast
from arfc.training.task import Task

BLOCK_ROWS = 1024
"""Rows that pass the network at a time, few enough to stay in cache."""


class Corrections:
    """The linear coordinates of the rows that are scored and ARC's corrections of them, as the weights are now.

    Tokens are fed back before openings are applied, so the corrections do not depend on the opening: they are generated
    once, and any opening is one sum. `fast` generates in the precision of training.
    """

    @torch.no_grad()
    def __init__(self, network: Network, task: Task, *, fast: bool = False) -> None:
        self.network = network
        self.task = task
        self.linear = [network.linear_tokens(rows).flatten(1)[:, : network.width] for rows in task.scored]
        self.corrections = [self._corrections(rows, fast=fast) for rows in task.scored] if network.corrects else []

    def hits(self, opening_O: Float[Tensor, " O"]) -> dict[int, Tensor]:
        """Return how right each query is per size, with these openings in place of the network's."""
        by_dim = opening_O.repeat_interleave(self.network.token_width)[: self.network.width]
        mixed = [linear_ND.clone() for linear_ND in self.linear]
        for full_ND, correction_Nn in zip(mixed, self.corrections, strict=False):  # none where nothing is corrected
            full_ND[:, : len(by_dim)] += by_dim * correction_Nn
        return self.task.hits(mixed)

    def _corrections(self, rows_ND: Float[Tensor, "N D"], *, fast: bool) -> Float[Tensor, "N n"]:
        network, blocks = self.network, []
        count, solutions = len(network.opening), network.useful_solutions
        for block in rows_ND.split(BLOCK_ROWS):
            linear_NTW = network.linear_tokens(block)
            with autocast() if fast else nullcontext():
                refined_NOW = network.corrected(linear_NTW, tokens=count, solutions=solutions)[0]
            blocks.append((refined_NOW - linear_NTW[:, :count]).flatten(1))
        return torch.cat(blocks)[:, : network.width]


def opened(network: Network, tokens: int, share: float) -> Float[Tensor, " O"]:
    """Return the opening that lets this share of the first tokens' corrections in, and nothing of the others'."""
    return share * (torch.arange(len(network.opening)) < tokens).float()


@torch.no_grad()
def compress_blocks(network: Network, unit_ND: Tensor, *, dims: int) -> Tensor:
    """Compress many rows in blocks that stay in cache."""
    return torch.cat([network.compress(block, dims=dims) for block in unit_ND.split(BLOCK_ROWS)])
