"""KLT: the best linear compressor there is, and the one a learned compressor starts from."""
# N rows, n rows of a block, D feature dims, K dims kept

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.baselines.blocks import check_width, compressed_rows
from arfc.codec.product import stable_product
from arfc.io import open_features
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32
from arfc.sizes import resolve_dims


@dataclass(frozen=True, eq=False, kw_only=True)
class Klt:
    """Rotate onto the eigenbasis of the uncentred second moment and keep the first dims.

    Source: Karhunen-Loeve transform; its first k dims keep the Gram matrix of unit rows best (Eckart and Young, 1936).
    """

    basis: Float32[Array, "D D"]
    """One direction per column, strongest first; the entry of largest magnitude of each is positive."""

    @classmethod
    def fit(cls, x: object) -> Klt:
        """Find the basis of the unit-normalised rows, all of them, in float64.

        Raises: whatever `open_features` and `Features.validate` raise.
        """
        features = open_features(x)
        features.validate()
        moment_DD = np.zeros((features.width, features.width))
        for _, block_nD in features.chunks():
            unit_nD = unit_rows(block_nD).astype(np.float64)
            moment_DD += unit_nD.T @ unit_nD
        basis_DD = np.linalg.eigh(moment_DD / features.rows).eigenvectors[:, ::-1]
        peak_D = basis_DD[np.abs(basis_DD).argmax(axis=0), np.arange(features.width)]
        return cls(basis=(basis_DD * np.sign(peak_D)).astype(np.float32))

    @property
    def width(self) -> int:
        """Dims D of the features."""
        return len(self.basis)

    def compress(self, x: object, *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first `dims` coordinates of each row; the row's length is kept.

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
        """Return the first `dims` coordinates of rows that were checked before."""
        return stable_product(rows_ND, self.basis, columns=dims)

    def decompress(self, small_NK: Array) -> Float32[Array, "N D"]:
        """Return the nearest point of the kept subspace.

        Raises: ShapeError when the vectors are wider than the features.
        """
        check_width(small_NK, most=self.width)
        directions_KD = self.basis[:, : small_NK.shape[1]].T
        return stable_product(small_NK.astype(np.float32), directions_KD, columns=self.width)
