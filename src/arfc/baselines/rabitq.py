"""RaBitQ: signs of a randomly rotated residual, or a few bits more, and factors that make its estimates unbiased."""
# N rows, n rows of the fit, D dims of the rows, K dims kept, Q queries, B bytes per vector,
# M = K + 2 coordinates compared

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from arfc.baselines.blocks import check_only_size
from arfc.baselines.faiss_codec import import_faiss
from arfc.baselines.held_out import HeldOut
from arfc.baselines.klt import Klt
from arfc.baselines.quantised import Quantised
from arfc.baselines.rotation import Rotation, random_basis
from arfc.codec import Codes
from arfc.codec.codes import check_packed
from arfc.errors import SizeError
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8

MOST_BITS = 4
_SIGN_FACTOR_BYTES = (8, 12)
"""Of one bit per dim: squared length of the residual and its scale; of more bits, a bound of the error as well."""
_EXTRA_FACTOR_BYTES = 8
"""Of more bits: the same two factors again, for the whole number."""
_LENGTH = 16.0
"""Of every decoded row. A residual is decoded at most sqrt(K) times too long, and at random 1.25 times."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RaBitQCodec:
    """faiss's RaBitQ of the first dims of rows, at 1 to 4 bits per dim.

    A code is K / 8 bytes of signs and 8 bytes of factors; with b > 1 bits it is K / 8 bytes of signs, 12 bytes of
    factors, (b - 1) * K / 8 bytes of further bits and 8 bytes of factors. Rows are compared by RaBitQ's own estimate,
    which finds more than the cosine of the decoded vectors (recall@10 on validation rows of muge: .533 and .500 at 16
    bytes, .791 and .741 at 64). To make it a cosine, decoded rows have two more coordinates: what the estimate adds for
    the row, and what makes all rows equally long.
    Source: Gao and Long, "RaBitQ" (2024); Gao et al., "Practical and asymptotically optimal quantization" (2024).
    """

    index: Any
    """The faiss index; its metric is L2."""
    centre: Float32[Array, " K"]
    """Mean of the rotated rows."""
    rotation: Rotation
    """Random, of the K dims kept."""
    bits: int
    """Bits of one dim."""
    width: int
    """Dims D of the rows."""
    largest_bytes: int
    """The one size there is; bytes that the dims leave over are zero."""

    @classmethod
    def fit(cls, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> RaBitQCodec:
        """Try 1, 2, 3 and 4 bits on as many dims as fit, and keep what finds most neighbours of held-out rows.

        Raises: MissingExtraError; SizeError below 9 bytes; RowError for fewer than 50 rows.
        """
        if not kept_dims(bytes_per_vector, width=rows_ND.shape[1], bits=1):
            least = _SIGN_FACTOR_BYTES[0] + 1
            raise SizeError(f"bytes must be at least {least} for RaBitQ, got {bytes_per_vector}; try 16")
        fit_nD, held_out = HeldOut.split(rows_ND, seed=seed)
        return held_out.best(
            (
                cls._with_bits(fit_nD, bits, bytes_per_vector=bytes_per_vector, seed=seed)
                for bits in range(1, MOST_BITS + 1)
                if kept_dims(bytes_per_vector, width=rows_ND.shape[1], bits=bits)
            ),
            ask=lambda codec, queries: codec.queries(queries),
        )

    @classmethod
    def _with_bits(cls, rows_nD: Float32[Array, "n D"], bits: int, *, bytes_per_vector: int, seed: int) -> RaBitQCodec:
        faiss = import_faiss()
        kept = kept_dims(bytes_per_vector, width=rows_nD.shape[1], bits=bits)
        rotation = Rotation(basis=random_basis(kept, seed=seed))
        index = faiss.IndexRaBitQ(kept, faiss.METRIC_L2, bits)
        index.train(_rotated(rows_nD, rotation))
        centre_K = faiss.vector_to_array(index.center).astype(np.float32)
        return cls(
            index=index,
            centre=centre_K,
            rotation=rotation,
            bits=bits,
            width=rows_nD.shape[1],
            largest_bytes=bytes_per_vector,
        )

    def encode(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever its length.

        Raises: SizeError for another size than that of the fit.
        """
        check_only_size(bytes_per_vector, fitted=self.largest_bytes)
        packed_NB = np.zeros((len(rows_ND), self.largest_bytes), dtype=np.uint8)
        packed_NB[:, : self.index.sa_code_size()] = self.index.sa_encode(_rotated(rows_ND, self.rotation))
        return packed_NB

    def queries(self, rows_QD: Float32[Array, "Q D"]) -> Float32[Array, "Q M"]:
        """Return float queries to compare with decoded rows by cosine."""
        ones_Q = np.ones(len(rows_QD), dtype=np.float32)
        return np.column_stack((_rotated(rows_QD, self.rotation), ones_Q, 0 * ones_Q))

    def decode(self, packed_NB: Array) -> Float32[Array, "N M"]:
        """Return rows whose cosine with `queries` ranks them by the estimated distance, nearest first.

        |q - x|^2 = |x - c|^2 + |q - c|^2 - 2 <q - c, x - c>, where the code holds the first term and an unbiased
        estimate r of x - c. Half of it, turned round and without what all rows share, is
        <q, r> - <c, r> - |x - c|^2 / 2.
        Raises: DtypeError, ShapeError, SizeError when these are no codes of this size.
        """
        residual_NK, square_N = self._parse(packed_NB)
        added_N = -residual_NK @ self.centre - square_N / 2
        rest_N = _LENGTH**2 - np.square(residual_NK).sum(axis=1) - added_N**2
        return np.column_stack((residual_NK, added_N, np.sqrt(np.maximum(rest_N, 0))))

    def rows(self, packed_NB: Array) -> Float32[Array, "N K"]:
        """Return the coordinates the codes stand for, as unit vectors.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this size.
        """
        residual_NK, square_N = self._parse(packed_NB)
        length_N = np.linalg.norm(residual_NK, axis=1)
        scale_N = np.sqrt(square_N) / np.where(length_N > 0, length_N, 1)
        return self.rotation.decompress(unit_rows(self.centre + scale_N[:, None] * residual_NK))

    def _parse(self, packed_NB: Array) -> tuple[Float32[Array, "N K"], Float32[Array, " N"]]:
        """Return the estimated residuals about the centre, and their true squared lengths."""
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        check_only_size(packed_NB.shape[1], fitted=self.largest_bytes)
        kept, more = self.rotation.width, self.bits - 1
        sign_NK = _unpack(packed_NB, dims=kept, bits=1)
        start = -(-kept // 8)
        if not more:
            factors_N2 = _floats(packed_NB[:, start : start + 8])
            # A level lies at +-1 / sqrt(K); the second factor scales it.
            return (2 * sign_NK - 1) * (factors_N2[:, 1:] / np.float32(np.sqrt(kept))), factors_N2[:, 0]
        start += _SIGN_FACTOR_BYTES[1]
        more_NK = _unpack(packed_NB[:, start:], dims=kept, bits=more)
        start += -(-kept * more // 8)
        factors_N2 = _floats(packed_NB[:, start : start + _EXTRA_FACTOR_BYTES])
        level_NK = (1 << more) * sign_NK + more_NK - np.float32((1 << more) - 0.5)
        return level_NK * (factors_N2[:, 1:] / -2), factors_N2[:, 0]  # stored is what multiplies in the distance


@dataclass(frozen=True, eq=False, kw_only=True)
class RaBitQ(Quantised):
    """RaBitQ of the leading coordinates of a KLT."""

    front: Klt
    """What makes coordinates, the strongest first."""
    codec: RaBitQCodec
    """What stores them."""

    def project(self, queries: object) -> Float32[Array, "Q M"]:
        """Return queries as floats to compare with decoded codes by cosine.

        Raises: ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        return self.codec.queries(super().project(queries))

    def decompress(self, codes: Codes) -> Float32[Array, "N D"]:
        """Return the rows the codes stand for, in the original dims; their lengths mean nothing."""
        return self.front.decompress(self.codec.rows(codes.packed))


def code_bytes(dims: int, *, bits: int) -> int:
    """Return the bytes of one code: bits and factors."""
    signs = -(-dims // 8) + _SIGN_FACTOR_BYTES[bits > 1]
    return signs + (-(-dims * (bits - 1) // 8) + _EXTRA_FACTOR_BYTES if bits > 1 else 0)


def kept_dims(bytes_per_vector: int, *, width: int, bits: int) -> int:
    """Return the most dims whose code fits, at most `width`; 0 when there are none."""
    fits = [dims for dims in range(1, width + 1) if code_bytes(dims, bits=bits) <= bytes_per_vector]
    return max(fits, default=0)


def _rotated(rows_ND: Float32[Array, "N D"], rotation: Rotation) -> Float32[Array, "N K"]:
    kept = rotation.width
    return unit_rows(rotation.rotate(rows_ND[:, :kept], dims=kept))


def _unpack(packed_NB: UInt8[Array, "N _"], *, dims: int, bits: int) -> Float32[Array, "N K"]:
    """Return the number of each dim; its lowest bit comes first, and the lowest bit of a byte as well."""
    size = -(-dims * bits // 8)
    bits_N = np.unpackbits(packed_NB[:, :size], axis=1, bitorder="little")[:, : dims * bits]
    bits_NKb = bits_N.reshape(len(packed_NB), dims, bits)
    return (bits_NKb @ (1 << np.arange(bits))).astype(np.float32)


def _floats(packed_NB: UInt8[Array, "N _"]) -> Float32[Array, "N 2"]:
    return np.ascontiguousarray(packed_NB).view("<f4")
