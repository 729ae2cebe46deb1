"""Any way to make vectors, with the nested byte code on top: what equal bytes are compared with."""
# N rows, D feature dims, K dims kept, Q queries, B bytes per vector

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from arfc.codec import Codes, NestedCodec
from arfc.codec.nested import FIT_ROWS, MOST_HELD_OUT_ROWS
from arfc.io import open_features
from arfc.shapes import Array, Float32
from arfc.sizes import check_bytes

SAMPLE_ROWS = FIT_ROWS + MOST_HELD_OUT_ROWS
"""Rows of each side that the code is fitted on, at most: as many as our own codebooks see."""


@runtime_checkable
class MakesVectors(Protocol):
    """Whatever compresses rows to float vectors that are compared by cosine."""

    def compress(self, x: object, *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return `dims` coordinates of each row."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Coded:
    """A way to make vectors of K dims, and the nested code of these."""

    inner: MakesVectors
    """What makes the vectors."""
    codec: NestedCodec
    """The code of its vectors."""
    dims: int
    """Dims K of the vectors that are coded."""

    @classmethod
    def fit(cls, inner: MakesVectors, x: object, *, dims: int, pairs: object = None, seed: int = 0) -> Coded:
        """Fit the code on a random sample of compressed rows, of both modalities where there are two.

        Give it the rows that `inner` was fitted on.

        Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        samples = []
        for side in (x,) if pairs is None else (x, pairs):
            features = open_features(side)
            count = min(features.rows, SAMPLE_ROWS)
            chosen = np.sort(np.random.default_rng(seed).choice(features.rows, size=count, replace=False))
            samples.append(inner.compress(features.take(chosen), dims=dims))
        return cls(inner=inner, codec=NestedCodec.fit(np.concatenate(samples), seed=seed), dims=dims)

    def compress(self, x: object, *, bytes: int) -> Codes:
        """Return the codes of the rows.

        Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        size = check_bytes(bytes, largest=self.codec.largest_bytes)
        return Codes(self.codec.encode(self.project(x), bytes_per_vector=size), self.codec)

    def project(self, queries: object) -> Float32[Array, "Q K"]:
        """Return queries as floats that can be compared with decoded codes.

        Raises: ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        return self.inner.compress(queries, dims=self.dims)
