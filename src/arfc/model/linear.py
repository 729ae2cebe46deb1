"""The learned linear map in the KLT basis: the floor that every non-linear part must pass."""
# D feature dims, R rotated dims

from __future__ import annotations

import torch
from torch import nn

from arfc.shapes import Float, Float64, Tensor


def cayley(skew_RR: Float[Tensor, "R R"]) -> Float[Tensor, "R R"]:
    """Turn any square matrix into a rotation, the zero matrix into the identity.

    Source: Cayley transform (I + S)^-1 (I - S) of the skew part S; eight times faster than the matrix exponential on
    CPU at R = 192, and as good (docs/log.md).
    """
    half_RR = (skew_RR - skew_RR.T) / 2
    eye_RR = torch.eye(len(skew_RR), dtype=skew_RR.dtype, device=skew_RR.device)
    return torch.linalg.solve(eye_RR + half_RR, eye_RR - half_RR)


def conditioned(map_DD: Float[Tensor, "D D"], *, most: float) -> Float[Tensor, "D D"]:
    """Raise small singular values until the largest is at most `most` times the smallest.

    What a map all but drops can't be had back from rounded numbers; kept a little louder it can, and no cosine shows
    it.
    """
    left_DD, size_D, right_DD = torch.linalg.svd(map_DD.double())
    if size_D[0] <= most * size_D[-1]:
        return map_DD
    return ((left_DD * size_D.clamp_min(float(size_D[0]) / most)) @ right_DD).to(map_DD.dtype)


def rotated_dims(width: int, most: int) -> int:
    """Return how many leading KLT dims may rotate: half of D, so that every size from there on is the KLT's equal."""
    return min(width // 2, most)


class LinearMap(nn.Module):
    """Hold the (D, D) map applied to KLT coordinates; the identity until phase 1 of the fit sets it.

    An orthogonal map keeps every full-width cosine; one that also leaves the tail alone keeps the cosine of every
    prefix from R on. With pairs or labels its columns may be scaled, or any map learned: cosines then change.
    """

    weight: Tensor
    """(D, D), coordinates multiply it from the left."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.eye(width))

    @torch.no_grad()
    def set_block(self, block_RR: Float[Tensor, "R R"]) -> None:
        """Use this map on the first R dims and the identity on the rest."""
        rows = len(block_RR)
        self.weight.copy_(torch.eye(len(self.weight)))
        self.weight[:rows, :rows] = block_RR

    @torch.no_grad()
    def after(self, basis_DD: Float[Tensor, "D D"], *, rows: int) -> Float64[Tensor, "D D"]:
        """Return basis @ weight; where the map changes no dims after `rows`, only the columns before are multiplied."""
        rest_DD = self.weight.clone()
        rest_DD[:rows, :rows] = torch.eye(rows)
        if not torch.equal(rest_DD, torch.eye(len(rest_DD))):
            return basis_DD.double() @ self.weight.double()
        turned_DR = basis_DD[:, :rows].double() @ self.weight[:rows, :rows].double()
        return torch.cat([turned_DR, basis_DD[:, rows:].double()], 1)
