"""The decoder: any prefix of a compressed vector back to the feature."""
# B batch, D feature dims, K dims kept

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from arfc.shapes import Float, Tensor


class Decoder(nn.Module):
    """Correct the best linear estimate of the full coordinates; starts as exactly that estimate.

    Source: arXiv 2602.11494 names a multi-solution decoder and gives no more; this one decodes each solution by the
    same weights in training and the refined one in use. Small on purpose: larger ones overfit (docs/log.md).
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.up = nn.Linear(2 * width, 2 * channels)
        self.down = nn.Linear(2 * channels, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(
        self, estimate_BD: Float[Tensor, "B D"], prefix_BK: Float[Tensor, "B K"], scale_D: Float[Tensor, " D"]
    ) -> Float[Tensor, "B D"]:
        """Return full coordinates from their linear estimate and the prefix it was made from.

        Both are shown in units of `scale_D`, the prefix with a mask of the dims it has.
        """
        kept, width = prefix_BK.shape[1], estimate_BD.shape[1]
        shown_BD = functional.pad(prefix_BK / scale_D[:kept], (0, width - kept))
        mask_D = (torch.arange(width, device=prefix_BK.device) < kept).to(shown_BD.dtype).expand_as(shown_BD)
        hidden = functional.gelu(self.up(torch.cat([shown_BD, mask_D], 1)), approximate="tanh")
        return estimate_BD + self.down(hidden).float() * scale_D


def linear_estimator(covariance_DD: Float[Tensor, "D D"], kept: int) -> Float[Tensor, "K D"]:
    """Return the map from the first K coordinates to the best linear estimate (least squares) of all D.

    Source: the linear minimum mean square error estimator, C_KK^-1 C_KD; a ridge of 1e-6 of the mean energy keeps it
    stable.
    """
    cov = covariance_DD.double()
    ridge = 1e-6 * cov.diagonal().mean().clamp_min(1e-12) * torch.eye(kept, dtype=cov.dtype, device=cov.device)
    return torch.linalg.solve(cov[:kept, :kept] + ridge, cov[:kept]).float()
