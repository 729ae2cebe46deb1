"""Truncation: the first dims as they are, what `truncate_dim` does to a model that is not Matryoshka."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.baselines.blocks import check_width, compressed_rows
from arfc.io import open_features
from arfc.shapes import Array, Float32
from arfc.sizes import resolve_dims


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """Keep the first dims, forget the others."""

    width: int
    """Dims D of the features."""

    @classmethod
    def fit(cls, x: object) -> Truncation:
        """Learn the width, which is all there is to learn.

        Raises: whatever `open_features` and `Features.validate` raise.
        """
        features = open_features(x)
        features.validate()
        return cls(width=features.width)

    def compress(self, x: object, *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first `dims` dims of each row.

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
        """Return the first `dims` dims of rows that were checked before; there is no rotation."""
        return rows_ND[:, :dims]

    def decompress(self, small_NK: Array) -> Float32[Array, "N D"]:
        """Return the rows with zeros for the dims that were dropped.

        Raises: ShapeError when the rows are wider than the features.
        """
        check_width(small_NK, most=self.width)
        return np.pad(small_NK.astype(np.float32), ((0, 0), (0, self.width - small_NK.shape[1])))
