"""Half precision: two bytes per dim."""
# N rows, D feature dims, B bytes per vector

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.codec.codes import check_packed
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8


@dataclass(frozen=True, eq=False, kw_only=True)
class HalfCodec:
    """The first dims of unit-normalised rows as little-endian float16; an odd last byte says nothing."""

    width: int
    """Dims D of the rows."""

    @classmethod
    def fit(cls, rows_ND: Float32[Array, "N D"]) -> HalfCodec:
        """Learn the width, which is all there is to learn."""
        return cls(width=rows_ND.shape[1])

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: two per dim."""
        return 2 * self.width

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the first bytes of each row's code, whatever the row's length."""
        return np.ascontiguousarray(unit_rows(rows_ND).astype("<f2").view(np.uint8)[:, :bytes_per_vector])

    def decode(self, packed_NB: Array) -> Float32[Array, "N D"]:
        """Return the values, and zeros for the dims that were dropped.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this width.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        kept = packed_NB.shape[1] // 2
        values_ND = np.zeros((len(packed_NB), self.width), dtype=np.float32)
        values_ND[:, :kept] = np.ascontiguousarray(packed_NB[:, : 2 * kept]).view("<f2")
        return values_ND
