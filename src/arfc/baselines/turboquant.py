"""TurboQuant: a random rotation makes all dims alike, so that one table of levels, known before, serves them all."""
# N rows, n rows of the fit, D dims of the rows, K dims kept, B bytes per vector

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arfc.baselines.blocks import check_only_size
from arfc.baselines.held_out import HeldOut
from arfc.baselines.levels import LevelCodec
from arfc.baselines.rotation import Rotation, random_basis
from arfc.codec.codes import check_packed
from arfc.errors import SizeError
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8

NORM_BYTES = 2
MOST_BITS = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class TurboQuantCodec:
    """The first dims of rows about their mean: a float16 length, and the direction at 1 to 4 bits per dim.

    Source: Zandieh et al., "TurboQuant" (arXiv 2504.19874), algorithm 1 (the form for squared error): rotate at random,
    take the nearest Lloyd-Max level of each coordinate, N(0, 1 / K) being their law. We differ as its packages do: the
    mean is taken away first, which needs the length of what is left (recall@10 on validation rows of muge at 64 bytes:
    .851 with, .786 without), and rows come as coordinates of a KLT, of which the last are dropped for small sizes. The
    decoded direction is brought back to unit length (.851; .844 as it is).
    """

    mean: Float32[Array, " D"]
    """Mean of the unit-normalised rows; it stands for the dims that are dropped."""
    rotation: Rotation
    """Random, of the K dims kept."""
    directions: LevelCodec
    """Code of the rotated directions."""
    largest_bytes: int
    """The one size there is; bytes that the dims leave over are zero."""

    @classmethod
    def fit(cls, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> TurboQuantCodec:
        """Try 1, 2, 3 and 4 bits on as many dims as fit, and keep what finds most neighbours of held-out rows.

        Raises: SizeError below 3 bytes; RowError for fewer than 50 rows.
        """
        if bytes_per_vector <= NORM_BYTES:
            raise SizeError(f"bytes must be at least {NORM_BYTES + 1} for TurboQuant, got {bytes_per_vector}; try 16")
        fit_nD, held_out = HeldOut.split(unit_rows(rows_ND), seed=seed)
        return held_out.best(
            (
                cls._with_bits(fit_nD, bits, bytes_per_vector=bytes_per_vector, seed=seed)
                for bits in range(1, MOST_BITS + 1)
            ),
            ask=lambda codec, queries: queries,
        )

    @classmethod
    def _with_bits(
        cls, rows_nD: Float32[Array, "n D"], bits: int, *, bytes_per_vector: int, seed: int
    ) -> TurboQuantCodec:
        kept = min(rows_nD.shape[1], 8 * (bytes_per_vector - NORM_BYTES) // bits)
        return cls(
            mean=rows_nD.mean(axis=0),
            rotation=Rotation(basis=random_basis(kept, seed=seed)),
            directions=LevelCodec.gaussian(kept, bits=bits),
            largest_bytes=bytes_per_vector,
        )

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever the row's length.

        Raises: SizeError for another size than that of the fit.
        """
        check_only_size(bytes_per_vector, fitted=self.largest_bytes)
        kept = self.rotation.width
        about_mean_NK = unit_rows(rows_ND)[:, :kept] - self.mean[:kept]
        norm_N = np.linalg.norm(about_mean_NK, axis=1)
        about_mean_NK[norm_N == 0] = 1  # a row at the mean has no direction; any will do, its length is stored as 0
        packed_NB = np.zeros((len(rows_ND), self.largest_bytes), dtype=np.uint8)
        packed_NB[:, :NORM_BYTES] = norm_N.astype("<f2")[:, None].view(np.uint8)
        used = self.directions.largest_bytes
        packed_NB[:, NORM_BYTES : NORM_BYTES + used] = self.directions.encode(
            self.rotation.rotate(about_mean_NK, dims=kept), bytes_per_vector=used
        )
        return packed_NB

    def decode(self, packed_NB: Array) -> Float32[Array, "N D"]:
        """Return the unit vectors the codes stand for.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this size.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        check_only_size(packed_NB.shape[1], fitted=self.largest_bytes)
        norm_N1 = np.ascontiguousarray(packed_NB[:, :NORM_BYTES]).view("<f2").astype(np.float32)
        rotated_NK = self.directions.decode(packed_NB[:, NORM_BYTES : NORM_BYTES + self.directions.largest_bytes])
        values_ND = np.repeat(self.mean[None], len(packed_NB), axis=0)
        values_ND[:, : self.rotation.width] += norm_N1 * self.rotation.decompress(unit_rows(rotated_NK))
        return unit_rows(values_ND)


def code_bytes(dims: int, *, bits: int) -> int:
    """Return the bytes of one code: the length and the bits."""
    return NORM_BYTES + -(-dims * bits // 8)
