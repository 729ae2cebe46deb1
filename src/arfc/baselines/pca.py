"""PCA: the KLT of what is left when the mean is taken away, as most users compress vectors."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.baselines.rotation import Rotation, unit_moments
from arfc.codec.basis import eigenbasis
from arfc.io import open_features
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32


@dataclass(frozen=True, eq=False, kw_only=True)
class Pca(Rotation):
    """Normalise rows, subtract the mean, rotate onto the eigenbasis of the covariance and keep the first dims.

    The small vectors are compared by the cosine of the centred coordinates, as users do. That is another score than the
    cosine of the originals, even when no dim is dropped.
    Source: Pearson (1901), Hotelling (1933).
    """

    mean: Float32[Array, " D"]
    """Mean of the unit-normalised rows."""

    @classmethod
    def fit(cls, x: object) -> Pca:
        """Find mean and basis of the unit-normalised rows, all of them, in float64.

        Raises: whatever `open_features` and `Features.validate` raise.
        """
        mean_D, moment_DD = unit_moments(open_features(x))
        return cls(basis=eigenbasis(moment_DD - np.outer(mean_D, mean_D)), mean=mean_D.astype(np.float32))

    def rotate(self, rows_ND: Float32[Array, "N D"], *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first `dims` centred coordinates of rows that were checked before."""
        return super().rotate(unit_rows(rows_ND) - self.mean, dims=dims)

    def decompress(self, small_NK: Array) -> Float32[Array, "N D"]:
        """Return the nearest point to each unit-normalised row in the kept subspace through the mean.

        Raises: ShapeError when the vectors are wider than the features.
        """
        return super().decompress(small_NK) + self.mean
