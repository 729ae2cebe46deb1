"""An orthogonal change of coordinates of which the first dims are kept: what KLT, PCA and random rotation share."""
# N rows, n rows of a block, D feature dims, K dims kept

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.baselines.blocks import check_width, compressed_rows
from arfc.codec.product import stable_product
from arfc.io import Features
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, Float64
from arfc.sizes import resolve_dims


@dataclass(frozen=True, eq=False, kw_only=True)
class Rotation:
    """Rotate rows, keep the first coordinates."""

    basis: Float32[Array, "D D"]
    """One direction per column, in the order in which they are kept; orthonormal."""

    @property
    def width(self) -> int:
        """Dims D of the features."""
        return len(self.basis)

    def compress(self, x: object, *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first `dims` coordinates of each row.

        Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        kept = resolve_dims(self.width, dims=dims)
        return compressed_rows(
            x,
            width=self.width,
            out_width=kept,
            dtype=np.float32,
            compress=lambda block: self.rotate(block, dims=kept),
        )

    def rotate(self, rows_ND: Float32[Array, "N D"], *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first `dims` coordinates of rows that were checked before; the row's length is kept."""
        return stable_product(rows_ND, self.basis, columns=dims)

    def decompress(self, small_NK: Array) -> Float32[Array, "N D"]:
        """Return the nearest point of the kept subspace.

        Raises: ShapeError when the vectors are wider than the features.
        """
        check_width(small_NK, most=self.width)
        directions_KD = self.basis[:, : small_NK.shape[1]].T
        return stable_product(small_NK.astype(np.float32), directions_KD, columns=self.width)


def unit_moments(features: Features) -> tuple[Float64[Array, " D"], Float64[Array, "D D"]]:
    """Return the mean and the uncentred second moment of the unit-normalised rows, all of them.

    Raises: whatever `Features.validate` raises.
    """
    features.validate()
    sum_D = np.zeros(features.width)
    moment_DD = np.zeros((features.width, features.width))
    for _, block_nD in features.chunks():
        unit_nD = unit_rows(block_nD).astype(np.float64)
        sum_D += unit_nD.sum(axis=0)
        moment_DD += unit_nD.T @ unit_nD
    return sum_D / features.rows, moment_DD / features.rows


def random_basis(width: int, *, seed: int) -> Float32[Array, "{width} {width}"]:
    """Return an orthogonal matrix drawn evenly from all of them.

    Source: Mezzadri, "How to generate random matrices from the classical compact groups" (2007): Gauss, QR, and signs.
    """
    q_DD, r_DD = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))
    return (q_DD * np.where(np.diag(r_DD) < 0, -1.0, 1.0)).astype(np.float32)
