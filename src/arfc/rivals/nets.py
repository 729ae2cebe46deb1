"""Parts that several rivals are made of; each starts as the KLT or as nothing."""
# N rows, D feature dims, K dims kept, H hidden units, I dims in, O dims out

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from arfc.model.klt import Klt
from arfc.shapes import Float, Tensor

LEAST_SCALE = 1e-3
"""Smallest scale of a coordinate, as a share of the largest."""


class Mlp(nn.Module):
    """One hidden layer of GELU units, the last layer zero at the start, so that it begins as no correction at all."""

    def __init__(self, dims_in: int, hidden: int, dims_out: int, *, gain: float) -> None:
        super().__init__()
        self.gain = gain
        """Brings the entries of what comes in, such as unit rows of D dims, to a size of about 1."""
        self.up = nn.Linear(dims_in, hidden)
        self.down = nn.Linear(hidden, dims_out)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, rows_NI: Float[Tensor, "N I"]) -> Float[Tensor, "N O"]:
        """Return the correction."""
        return self.down(functional.gelu(self.up(self.gain * rows_NI), approximate="tanh"))


class SkipDecoder(nn.Module):
    """Turn codes into unit rows: a linear map that starts as the KLT's way back, and an MLP beside it."""

    def __init__(self, basis_DD: Float[Tensor, "D D"], *, dims: int, hidden: int) -> None:
        super().__init__()
        width = len(basis_DD)
        self.skip = nn.Parameter(basis_DD[:, :dims].T.clone())
        self.mlp = Mlp(dims, hidden, width, gain=width**0.5)

    def forward(self, code_NK: Float[Tensor, "N K"]) -> Float[Tensor, "N D"]:
        """Return the decoded rows."""
        return code_NK @ self.skip + self.mlp(code_NK)


def coordinate_scale(klt: Klt) -> Float[Tensor, " D"]:
    """Return the root mean square of each KLT coordinate of unit rows, no less than a thousandth of the largest."""
    size_D = torch.sqrt(klt.energy)
    return size_D.clamp_min(LEAST_SCALE * float(size_D.max()))
