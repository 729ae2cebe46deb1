"""Post-training quantisation: coordinates that some rotation makes, and a byte code of them."""
# N rows, n rows of a sample, D feature dims, Q queries, B bytes per vector

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from arfc.baselines.blocks import compressed_rows, sample_rows
from arfc.codec import Codec, Codes
from arfc.io import open_features
from arfc.shapes import Array, Float32, UInt8
from arfc.sizes import check_bytes

_SAMPLE_ROWS = 30_000  # as many as our own codebooks see; faiss asks for 39 for each of 256 codewords


@runtime_checkable
class Front(Protocol):
    """What makes coordinates: Truncation, which leaves rows as they are, or a rotation such as Klt."""

    @property
    def width(self) -> int:
        """Dims D of the features."""
        ...

    def compress(self, x: object, *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first coordinates of each row."""
        ...

    def rotate(self, rows_ND: Float32[Array, "N D"], *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return the first coordinates of rows that were checked before."""
        ...

    def decompress(self, small_NK: Array) -> Float32[Array, "N D"]:
        """Return the rows that have these coordinates."""
        ...


@runtime_checkable
class RowCodec(Codec, Protocol):
    """What makes bytes of coordinates."""

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever its length."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantised:
    """Any front with any byte code behind it."""

    front: Front
    """What makes coordinates."""
    codec: RowCodec
    """What stores them."""

    @classmethod
    def fit(
        cls,
        x: object,
        *,
        front: Callable[[object], Front],
        codec: Callable[[Float32[Array, "n D"]], RowCodec],
        seed: int = 0,
    ) -> Quantised:
        """Fit the front on all rows and the code on the coordinates of a random sample of them.

        Raises: whatever `open_features`, `Features.validate` and the two fits raise.
        """
        features = open_features(x)
        fitted = front(features)
        sample_nD = sample_rows(features, most=_SAMPLE_ROWS, seed=seed)
        return cls(front=fitted, codec=codec(fitted.rotate(sample_nD, dims=features.width)))

    def compress(self, x: object, *, bytes: int) -> Codes:
        """Return the codes of the rows.

        Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        return coded_rows(x, front=self.front, codec=self.codec, bytes_per_vector=bytes)

    def project(self, queries: object) -> Float32[Array, "Q D"]:
        """Return queries as floats to compare with decoded codes by cosine.

        Raises: ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        return self.front.compress(queries, dims=self.front.width)

    def decompress(self, codes: Codes) -> Float32[Array, "N D"]:
        """Return the rows the codes stand for, in the original dims; their lengths mean nothing."""
        return self.front.decompress(codes.decode())


def coded_rows(x: object, *, front: Front, codec: RowCodec, bytes_per_vector: int) -> Codes:
    """Validate the input and encode its coordinates block by block.

    Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
    """
    size = check_bytes(bytes_per_vector, largest=codec.largest_bytes)
    packed_NB = compressed_rows(
        x,
        width=front.width,
        out_width=size,
        dtype=np.uint8,
        compress=lambda block: codec.encode(front.rotate(block, dims=front.width), bytes_per_vector=size),
    )
    return Codes(packed_NB, codec)
