"""KLT front: the uncentred eigenbasis of the data, where every model starts."""
# D feature dims, N rows, B batch

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from arfc.shapes import Float, Tensor


class Klt(nn.Module):
    """Hold the eigenbasis of the uncentred second moment of unit rows, strongest direction first.

    Source: Karhunen-Loeve transform, the best rank-k approximation of the Gram matrix (Eckart and Young, 1936).
    Uncentred, because the scores to keep are cosines, and a mean that is taken away changes them (docs/log.md).
    """

    basis: Tensor
    """(D, D), one direction per column."""
    energy: Tensor
    """(D,) eigenvalues, descending; they sum to 1 for unit rows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("basis", torch.eye(width))
        self.register_buffer("energy", torch.ones(width) / width)

    @torch.no_grad()
    def fit(self, blocks: Iterable[Float[Tensor, "_ D"]]) -> None:
        """Set basis and energy from blocks of unit rows; float64 inside, signs fixed so that a fit repeats exactly."""
        width = self.basis.shape[0]
        moment_DD = torch.zeros(width, width, dtype=torch.float64)
        rows = 0
        for block_ND in blocks:
            block_ND = block_ND.double()
            moment_DD += block_ND.T @ block_ND
            rows += len(block_ND)
        energy_D, basis_DD = torch.linalg.eigh(moment_DD / rows)
        energy_D, basis_DD = energy_D.flip(0).clamp_min(0), basis_DD.flip(1)
        peak_D = basis_DD.gather(0, basis_DD.abs().argmax(0, keepdim=True))[0]
        self.basis.copy_(basis_DD * torch.where(peak_D < 0, -1.0, 1.0))
        self.energy.copy_(energy_D)
