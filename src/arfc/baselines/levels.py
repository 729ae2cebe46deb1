"""The same few bits for every dim: int4, binary, and the levels of a Gaussian."""
# N rows, D dims of the rows, L levels (2**bits), T thresholds (L - 1), B bytes per vector

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import numpy as np

from arfc.codec.codes import check_packed
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8

_CLIPPED_SHARE = 0.005
"""Share of the values beyond either end of the int4 grid. Recall@10 of full codes on validation rows: on muge .956
against .938 with the whole range (.931 and .913 on the KLT), on flickr8k_captions .923 and .902 on the KLT. Shares of
.001 and .02 lie between."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LevelCodec:
    """Each dim of a unit-normalised row is stored as the number of its level, in so many bits for every dim.

    Bits are packed from the highest bit of the first byte on. A code of B bytes holds the first dims whose bits are all
    among its first 8 * B.
    """

    thresholds: Float32[Array, "D T"]
    """Ascending borders between the levels; a value equal to a border belongs above it."""
    levels: Float32[Array, "D L"]
    """Values the levels stand for."""

    @classmethod
    def int4(cls, rows_ND: Float32[Array, "N D"]) -> LevelCodec:
        """Fit 16 evenly spaced levels per dim, all but the outermost values between the first and the last."""
        low_D, high_D = np.quantile(unit_rows(rows_ND), (_CLIPPED_SHARE, 1 - _CLIPPED_SHARE), axis=0)
        levels_DL = np.linspace(low_D, high_D, 16, axis=1).astype(np.float32)
        return cls(thresholds=_halfway(levels_DL), levels=levels_DL)

    @classmethod
    def binary(cls, rows_ND: Float32[Array, "N D"]) -> LevelCodec:
        """Fit a sign bit about the mean of each dim, and the mean of the values on either side.

        About the mean: recall@10 of full width codes on validation rows is .748 on muge, .742 about the median and
        .709 about zero; on flickr8k_captions .758, .758 and .754.
        """
        unit_ND = unit_rows(rows_ND)
        mean_D = unit_ND.mean(axis=0)
        above_ND = unit_ND >= mean_D
        sides = []
        for side_ND in (~above_ND, above_ND):
            count_D = side_ND.sum(axis=0)
            sum_D = np.sum(unit_ND, axis=0, where=side_ND)
            sides.append(np.where(count_D > 0, sum_D / np.maximum(count_D, 1), mean_D).astype(np.float32))
        return cls(thresholds=mean_D[:, None], levels=np.stack(sides, axis=1))

    @classmethod
    def gaussian(cls, width: int, *, bits: int) -> LevelCodec:
        """Return the best levels for randomly rotated unit rows, whose dims are about N(0, 1 / width)."""
        levels_L = gaussian_levels(bits) / np.float32(sqrt(width))
        levels_DL = np.repeat(levels_L[None], width, axis=0)
        return cls(thresholds=_halfway(levels_DL), levels=levels_DL)

    @property
    def width(self) -> int:
        """Dims D of the rows."""
        return len(self.levels)

    @property
    def bits(self) -> int:
        """Bits of one dim."""
        return int(self.thresholds.shape[1]).bit_length()

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: that of all dims."""
        return -(-self.width * self.bits // 8)

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the first bytes of each row's code, whatever the row's length."""
        touched = min(self.width, -(-8 * bytes_per_vector // self.bits))
        values_ND = unit_rows(rows_ND)[:, :touched]
        index_ND = np.zeros(values_ND.shape, dtype=np.uint8)
        for border_D in self.thresholds[:touched].T:
            index_ND += values_ND >= border_D
        bits_NDb = (index_ND[:, :, None] >> np.arange(self.bits - 1, -1, -1, dtype=np.uint8)) & np.uint8(1)
        return np.packbits(bits_NDb.reshape(len(rows_ND), -1), axis=1)[:, :bytes_per_vector]

    def decode(self, packed_NB: Array) -> Float32[Array, "N D"]:
        """Return the values of the levels, and zeros for the dims that were dropped.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of these levels.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        kept = min(self.width, 8 * packed_NB.shape[1] // self.bits)
        bits_NDb = np.unpackbits(packed_NB, axis=1)[:, : kept * self.bits].reshape(len(packed_NB), kept, self.bits)
        index_ND = bits_NDb @ (1 << np.arange(self.bits - 1, -1, -1))
        values_ND = np.zeros((len(packed_NB), self.width), dtype=np.float32)
        values_ND[:, :kept] = self.levels[np.arange(kept), index_ND]
        return values_ND


def gaussian_levels(bits: int) -> Float32[Array, " L"]:
    """Return the 2**bits levels that store a standard normal value with least squared error, ascending.

    Each level is the mean of its cell, each border lies halfway between two levels; the two are repeated until the
    levels stand still.
    Source: Max, "Quantizing for minimum distortion" (1960), table I.
    """
    levels = np.linspace(-2, 2, 1 << bits)
    while True:
        borders = (levels[1:] + levels[:-1]) / 2
        density = np.array([0.0, *(exp(-(b**2) / 2) / sqrt(2 * pi) for b in borders), 0.0])
        below = np.array([0.0, *((1 + erf(b / sqrt(2))) / 2 for b in borders), 1.0])
        means = -np.diff(density) / np.diff(below)
        if np.abs(means - levels).max() < 1e-9:
            return means.astype(np.float32)
        levels = means


def _halfway(levels_DL: Float32[Array, "D L"]) -> Float32[Array, "D T"]:
    return (levels_DL[:, 1:] + levels_DL[:, :-1]) / 2
