"""One Q-Former per size: learned queries that attend to the tokens of the feature."""
# N rows, D feature dims, K dims kept, T tokens, W token width, C channels, Q queries, P dims per query

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from arfc.model.block import Block, attend
from arfc.rivals.fitting import NetStage, Setup, Stage, by_cached_blocks, reconstruction_share, score_one_size
from arfc.rivals.nets import SkipDecoder, coordinate_scale
from arfc.rivals.rival import SizedRival
from arfc.shapes import Float, Tensor
from arfc.training.precision import autocast

PHASE = 13
"""Keeps the batches of this stage apart from those of others under one seed."""
TOKENS = 8
"""Tokens a feature is cut into, as many as ARC has."""
CHANNELS = 128
"""Width of the queries; 256 take three times as long per step (docs/log.md)."""
LAYERS = 2
HEADS = 4
QUERIES = 4
"""Learned queries; 8 end lower after equal time (docs/log.md)."""
QUERY_STD = 0.02
"""Size of the queries at the start, as in BERT."""
RATE = 1e-3
"""Peak learning rate; 3e-3 ends lower (docs/log.md)."""
WEIGHT_DECAY = 0.01
HIDDEN = 512
"""Hidden units of the decoder; our choice."""


class Querier(nn.Module):
    """Queries read the tokens of the KLT coordinates; each gives its share of the code, beside a linear map.

    A layer is self-attention among the queries, then cross-attention to the tokens, each with its own network. The map
    starts as the KLT and the last layer at zero, so the code starts as the first K coordinates: without that, hundreds
    of steps end far below the KLT (docs/log.md).

    Source: BLIP-2 (Li et al., 2023, arXiv 2301.12597), the Q-Former; pre-norm blocks, sizes and the start at the KLT
    are our choice.
    """

    basis: Tensor
    scale: Tensor

    def __init__(
        self,
        basis_DD: Float[Tensor, "D D"],
        scale_D: Float[Tensor, " D"],
        *,
        dims: int,
        tokens: int,
        channels: int,
        layers: int,
        heads: int,
        queries: int,
        hidden: int,
    ) -> None:
        super().__init__()
        width = len(basis_DD)
        self.dims = dims
        self.token_width = math.ceil(width / min(tokens, width))
        tokens = math.ceil(width / self.token_width)
        queries = min(queries, dims)
        self.register_buffer("basis", basis_DD)
        self.register_buffer("scale", scale_D[:dims])
        self.skip = nn.Parameter(basis_DD[:, :dims].clone())
        self.embed = nn.Parameter(torch.randn(tokens, self.token_width, channels) * self.token_width**-0.5)
        self.place = nn.Parameter(torch.randn(tokens, channels) * 0.02)
        self.queries = nn.Parameter(torch.randn(queries, channels) * QUERY_STD)
        self.among = cast(list[Block], nn.ModuleList(Block(channels, heads) for _ in range(layers)))
        self.across = cast(list[Block], nn.ModuleList(Block(channels, heads) for _ in range(layers)))
        self.norm = nn.RMSNorm(channels)
        self.head = nn.Parameter(torch.zeros(queries, channels, math.ceil(dims / queries)))
        self.decoder = SkipDecoder(basis_DD, dims=dims, hidden=hidden)

    def forward(self, unit_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
        """Return the code."""
        with torch.autocast("cpu", enabled=False):  # bfloat16 would cost the start .01 of recall at long sizes
            linear_NK, coordinates_ND = unit_ND @ self.skip, unit_ND @ self.basis
        tokens_NTC = self._cut(coordinates_ND)
        stream_NQC = self.queries.expand(len(unit_ND), -1, -1)
        for among, across in zip(self.among, self.across, strict=True):
            asked, keys_values = among.project(stream_NQC)
            stream_NQC = among.finish(stream_NQC, attend(asked, [keys_values], None))
            asked, seen = across.project(stream_NQC)[0], across.project(tokens_NTC)[1]
            stream_NQC = across.finish(stream_NQC, attend(asked, [seen], None))
        parts_NQP = torch.einsum("nqc,qcp->nqp", self.norm(stream_NQC), self.head)
        return linear_NK + self.scale * parts_NQP.flatten(1)[:, : self.dims].float()

    def _cut(self, coordinates_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N T C"]:
        """Cut coordinates into tokens, the last one padded, and embed each by its own matrix."""
        tokens, width = len(self.embed), coordinates_ND.shape[1]
        padded = functional.pad(coordinates_ND * width**0.5, (0, tokens * self.token_width - width))
        return torch.einsum("ntw,twc->ntc", padded.unflatten(1, (tokens, self.token_width)), self.embed) + self.place


class QuerierPhase(NetStage[Querier]):
    """Train queries and decoder: our objectives at the one size, and the error of decoding at our weight of it.

    With pairs or labels that error trains the decoder alone, as in `ArcPhase`: queries that serve it hardly learn.
    """

    def __init__(self, setup: Setup, *, dims: int, steps: int) -> None:
        net = Querier(
            setup.klt.basis,
            coordinate_scale(setup.klt),
            dims=dims,
            tokens=TOKENS,
            channels=CHANNELS,
            layers=LAYERS,
            heads=HEADS,
            queries=QUERIES,
            hidden=HIDDEN,
        )
        super().__init__(net, steps=steps, rate=RATE, weight_decay=WEIGHT_DECAY)
        self.task = setup.task
        self.basis = setup.klt.basis
        self.dims = dims

    def loss(self, step: int, progress: float) -> Tensor:
        """Return our losses, relative to the KLT's at this size, and the decoder's error."""
        task = self.task
        batch = task.batch(step, phase=PHASE, rows=task.config.arc_batch_rows)
        coordinates_ND = batch.entities @ self.basis
        with autocast():
            code_NK = self.net(batch.entities)
        decoded_ND = self.net.decoder(code_NK.detach() if task.supervised else code_NK)
        error = reconstruction_share(batch.entities, decoded_ND, coordinates_ND, dims=self.dims)
        objectives = task.loss(batch, code_NK, coordinates_ND[:, : self.dims])
        return objectives + task.config.reconstruction_weight * error

    def score(self) -> float:
        """Return the validation score of the code."""
        return score_one_size(self.task, self._code)

    def _code(self, unit_ND: Tensor) -> Tensor:
        with autocast():
            return by_cached_blocks(self.net, unit_ND)


class QFormer(SizedRival):
    """Let learned queries read the feature's tokens and give K dims; starts as the KLT."""

    usual_steps = 400

    @classmethod
    def _stage(cls, setup: Setup, *, dims: int, steps: int) -> Stage:
        return QuerierPhase(setup, dims=dims, steps=steps)
