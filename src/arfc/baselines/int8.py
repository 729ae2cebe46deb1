"""Int8: one byte per dim, what most databases offer."""
# N rows, n rows of a block, D feature dims, Q queries, B bytes per vector

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.baselines.blocks import compressed_rows
from arfc.codec import Codes
from arfc.codec.codes import check_packed
from arfc.io import open_features
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8
from arfc.sizes import check_bytes

_TOP = 255


@dataclass(frozen=True, eq=False, kw_only=True)
class Int8:
    """An even grid of 256 levels per dim, from the smallest to the largest value seen in the fit.

    The grid belongs to the fitted object, so queries and corpus share it; a value outside is stored as the nearest end.
    """

    lowest: Float32[Array, " D"]
    """Value of level 0."""
    step: Float32[Array, " D"]
    """Distance of two levels, above 0."""

    @classmethod
    def fit(cls, x: object) -> Int8:
        """Find the range of each dim over all unit-normalised rows.

        Raises: whatever `open_features` and `Features.validate` raise.
        """
        features = open_features(x)
        features.validate()
        lowest_D = np.full(features.width, np.inf, dtype=np.float32)
        highest_D = -lowest_D
        for _, block_nD in features.chunks():
            unit_nD = unit_rows(block_nD)
            lowest_D = np.minimum(lowest_D, unit_nD.min(axis=0))
            highest_D = np.maximum(highest_D, unit_nD.max(axis=0))
        step_D = (highest_D - lowest_D) / np.float32(_TOP)
        return cls(lowest=lowest_D, step=np.where(step_D > 0, step_D, np.float32(1)))

    @property
    def width(self) -> int:
        """Dims D of the features."""
        return len(self.lowest)

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: one per dim."""
        return self.width

    def compress(self, x: object, *, bytes: int) -> Codes:
        """Return the levels of the first `bytes` dims of each row.

        Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        size = check_bytes(bytes, largest=self.width)
        packed_NB = compressed_rows(
            x,
            width=self.width,
            out_width=size,
            dtype=np.uint8,
            compress=lambda block: self.encode(block, bytes_per_vector=size),
        )
        return Codes(packed_NB, self)

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the levels of the first dims of rows that were checked before."""
        level_ND = np.rint((unit_rows(rows_ND) - self.lowest) / self.step)
        return np.clip(level_ND[:, :bytes_per_vector], 0, _TOP).astype(np.uint8)

    def project(self, queries: object) -> Float32[Array, "Q D"]:
        """Return queries as floats that can be compared with decoded codes: as they are.

        Raises: ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        return compressed_rows(
            queries, width=self.width, out_width=self.width, dtype=np.float32, compress=lambda block: block
        )

    def decode(self, packed_NB: Array) -> Float32[Array, "N D"]:
        """Return the values of the levels, and zeros for the dims that were dropped.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this grid.
        """
        check_packed(packed_NB, largest_bytes=self.width)
        kept = packed_NB.shape[1]
        values_ND = np.zeros((len(packed_NB), self.width), dtype=np.float32)
        values_ND[:, :kept] = self.lowest[:kept] + packed_NB * self.step[:kept]
        return values_ND

    def decompress(self, codes: Codes) -> Float32[Array, "N D"]:
        """Return the rows the codes stand for, of about unit length when no dim was dropped."""
        return self.decode(codes.packed)
