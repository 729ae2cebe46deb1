"""The losses, one function per equation."""
# E rows scored, N entities, K dims kept, D feature dims

from __future__ import annotations

import torch
from torch.nn import functional

from arfc.shapes import Bool, Float, Int, Tensor


def neighbour_loss(
    edges_EN: Float[Tensor, "E N"], kept_edges_EN: Float[Tensor, "E N"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the mean over rows of KL( softmax(edges / t) || softmax(kept edges / t) ), self-edges left out.

    A small temperature makes near neighbours count most, which is what recall@k asks for.

    Source: stochastic neighbour embedding (Hinton and Roweis, 2002) with one temperature; our addition to the paper's
    losses, since ERGC alone serves all pairs alike (docs/log.md).
    """
    own = torch.eye(*edges_EN.shape, dtype=torch.bool, device=edges_EN.device)
    log_p = functional.log_softmax((edges_EN / temperature).masked_fill(own, -1e4), 1)
    log_q = functional.log_softmax((kept_edges_EN / temperature).masked_fill(own, -1e4), 1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def reconstruction_loss(feature_ND: Float[Tensor, "N D"], decoded_ND: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """Return the mean over rows of |x - x'|^2; for unit rows, the share of energy that is lost."""
    return (feature_ND - decoded_ND).square().sum(1).mean()


def pair_loss(
    left_NK: Float[Tensor, "N K"],
    right_NK: Float[Tensor, "N K"],
    same_NN: Bool[Tensor, "N N"],
    *,
    temperature: float,
    hidden_NN: Bool[Tensor, "N N"] | None = None,
) -> Float[Tensor, ""]:
    """Return the contrastive loss both ways: row i of one side must find row i of the other among all of the batch.

    `same_NN[i, j]` marks further right answers (one image with several captions); they share the target evenly.
    `hidden_NN[i, j]` marks rows that are neither right nor wrong: j on the right is the very row i on the left.

    Source: CLIP (Radford et al., 2021), with several positives as in supervised contrastive learning.
    """
    scores_NN = functional.normalize(left_NK, dim=1) @ functional.normalize(right_NK, dim=1).T / temperature
    target_NN = same_NN.float()
    if hidden_NN is not None:
        scores_NN = scores_NN.masked_fill(hidden_NN, -1e4)
        target_NN = target_NN.masked_fill(hidden_NN, 0)

    def one_way(scores: Tensor, target: Tensor) -> Tensor:
        share = target / target.sum(1, keepdim=True).clamp_min(1)
        return -(share * scores.log_softmax(1)).sum(1).mean()

    return (one_way(scores_NN, target_NN) + one_way(scores_NN.T, target_NN.T)) / 2


def label_loss(
    vectors_NK: Float[Tensor, "N K"], labels_N: Int[Tensor, " N"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the supervised contrastive loss: rows of one class must find each other among all rows of the batch.

    Rows alone in their class bring nothing; a batch without any two of a class gives 0.

    Source: Khosla et al., 2020, equation 2 (L_out).
    """
    unit_NK = functional.normalize(vectors_NK, dim=1)
    own = torch.eye(len(labels_N), dtype=torch.bool, device=labels_N.device)
    log_NN = (unit_NK @ unit_NK.T / temperature).masked_fill(own, -1e4).log_softmax(1)
    same_NN = ((labels_N[:, None] == labels_N) & ~own).float()
    mates_N = same_NN.sum(1)
    per_row = -(same_NN * log_NN).sum(1) / mates_N.clamp_min(1)
    return per_row.sum() / (mates_N > 0).sum().clamp_min(1)
