"""Residual MLPs on the KLT: Matryoshka-Adaptor with its authors' losses, and the same net with ours."""
# N rows, D feature dims, E rows whose edges are scored, k neighbours

from __future__ import annotations

import torch
from torch import nn

from arfc.rivals.fitting import Setup, Stage
from arfc.rivals.nets import Mlp
from arfc.rivals.prefixes import PrefixPhase
from arfc.rivals.rival import AllSizesRival
from arfc.shapes import Float, Tensor
from arfc.sizes import float_ladder
from arfc.training.ergc import cosine_edges
from arfc.training.task import EDGE_ROWS, Batch, Task

HIDDEN = 512
"""Hidden units. The authors say "a shallow multi-layer perceptron" and no more."""
RATE = 3e-4
"""Peak learning rate; 1e-3, the authors' own, ends lower with our losses and with theirs (docs/log.md)."""
WEIGHT_DECAY = 0.01
TOP_K = 10
"""Neighbours whose similarity counts once more; our choice."""


class ResidualMlp(nn.Module):
    """KLT coordinates plus an MLP of them."""

    basis: Tensor

    def __init__(self, basis_DD: Float[Tensor, "D D"], *, hidden: int) -> None:
        super().__init__()
        width = len(basis_DD)
        self.register_buffer("basis", basis_DD)
        self.mlp = Mlp(width, hidden, width, gain=width**0.5)

    def forward(self, unit_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return all coordinates."""
        coordinates_ND = unit_ND @ self.basis
        return coordinates_ND + self.mlp(coordinates_ND)


class AdaptorPhase(PrefixPhase):
    """Train with the losses of Matryoshka-Adaptor, at all sizes of the ladder in every step."""

    def objective(self, batch: Batch, made_ND: Tensor, coordinates_ND: Tensor, sizes: list[int]) -> Tensor:
        """Return the authors' loss."""
        return adaptor_loss(self.task, batch, made_ND, coordinates_ND)


def adaptor_loss(
    task: Task, batch: Batch, made_ND: Float[Tensor, "N D"], coordinates_ND: Float[Tensor, "N D"]
) -> Float[Tensor, ""]:
    """Return L_topk + L_pair + L_rec, and with pairs or labels + L_rank, all of weight 1 as the authors have it.

    L_pair (equation 1): |cos(x_i, x_j) - cos(y_i[:m], y_j[:m])| over all pairs of the batch and all prefixes m.
    L_topk (equation 2): the same over each row's nearest neighbours in the batch. L_rec (equation 3): |x_i - y_i|.
    L_rank (equation 5) ranks right answers above wrong ones; our losses for pairs and labels stand for it, which do so
    with all wrong ones of the batch at once.

    Source: arXiv 2407.20243, equations 1 to 6. The authors write sums over all rows; means over pairs, over entries and
    over prefixes are our choice, and so are the prefixes, our size ladder.
    """
    own = torch.eye(*batch.edges.shape, dtype=torch.bool)
    near_Ek = batch.edges.masked_fill(own, -2).topk(min(TOP_K, batch.edges.shape[1] - 1), dim=1).indices
    per_prefix = []
    for dims in float_ladder(task.width):
        error_EN = (cosine_edges(made_ND[:, :dims], rows=EDGE_ROWS) - batch.edges).abs()
        loss = error_EN.mean() + error_EN.gather(1, near_Ek).mean()
        if task.supervised:
            loss = loss + task.contrast(batch, made_ND[:, :dims])
        per_prefix.append(loss)
    return torch.stack(per_prefix).mean() + (made_ND - coordinates_ND).abs().mean()


class LearnedMlp(AllSizesRival):
    """Add a residual MLP to the KLT coordinates and train it with our objectives at all prefixes."""

    usual_steps = 1000

    @classmethod
    def _stage(cls, setup: Setup, *, dims: int, steps: int) -> Stage:
        net = ResidualMlp(setup.klt.basis, hidden=HIDDEN)
        return PrefixPhase(net, setup, steps=steps, rate=RATE, weight_decay=WEIGHT_DECAY)


class MlpAdaptor(AllSizesRival):
    """Matryoshka-Adaptor: add a residual MLP and train it to keep cosines at all prefixes.

    It starts at the KLT, where the authors start at the features as they are: far below.

    Source: Yoon et al., 2024, arXiv 2407.20243.
    """

    usual_steps = 1000

    @classmethod
    def _stage(cls, setup: Setup, *, dims: int, steps: int) -> Stage:
        net = ResidualMlp(setup.klt.basis, hidden=HIDDEN)
        return AdaptorPhase(net, setup, steps=steps, rate=RATE, weight_decay=WEIGHT_DECAY)
