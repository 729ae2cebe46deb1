"""Learned linear map: any matrix, from the KLT on, with our objectives."""
# N rows, D feature dims

from __future__ import annotations

import torch
from torch import nn

from arfc.rivals.fitting import Setup, Stage
from arfc.rivals.prefixes import PrefixPhase
from arfc.rivals.rival import AllSizesRival
from arfc.shapes import Float, Tensor

RATE = 2e-3
"""Peak learning rate, that of our own rotation; the free map of ours has 5e-3."""


class FreeMap(nn.Module):
    """KLT coordinates times I + B, B free and zero at the start."""

    basis: Tensor

    def __init__(self, basis_DD: Float[Tensor, "D D"]) -> None:
        super().__init__()
        self.register_buffer("basis", basis_DD)
        self.change = nn.Parameter(torch.zeros_like(basis_DD))

    def forward(self, unit_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        """Return all coordinates."""
        coordinates_ND = unit_ND @ self.basis
        return coordinates_ND + coordinates_ND @ self.change


class LearnedLinear(AllSizesRival):
    """Learn any linear map of the KLT coordinates for our objectives at all prefixes.

    What the compressor's phase 1 would be without rotations and without a bound on what full width may lose.
    """

    usual_steps = 1000

    @classmethod
    def _stage(cls, setup: Setup, *, dims: int, steps: int) -> Stage:
        return PrefixPhase(FreeMap(setup.klt.basis), setup, steps=steps, rate=RATE, weight_decay=0.0)
