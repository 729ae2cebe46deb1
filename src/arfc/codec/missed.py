"""What joint tokens have missed: how long it is, in a byte, where that helps, and then narrow tokens."""
# N rows, H held-out rows, K dims, L lengths (256 or none), B bytes per vector

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arfc.codec.narrow import NarrowTokens
from arfc.codec.stored import taken
from arfc.errors import ModelFileError
from arfc.shapes import Array, Float32, Float64, UInt8

LENGTHS = 256
"""Lengths that a byte can name, in equal ratios."""
LEAST_RATIO = 1e-6
"""Shortest length over the longest; what is missed by less is nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Missed:
    """Code rows as they are, or their length first and then the row at length 1.

    Codewords that serve long rows are too far apart for short ones: the nearest one alone moves a short row away from
    where it is. Of rows of which a set has many that are nearly equal, joint tokens miss little, and that little is
    what tells these rows apart.

    Source: gain-shape quantisation (Sabin and Gray, 1984); the length as the first byte of a nested code is our choice.
    """

    lengths: Float32[Array, " L"]
    """Ascending; none where the length has no byte."""
    narrow: NarrowTokens
    """Of rows at length 1, or as they are where the length has no byte."""

    @classmethod
    def fit(
        cls,
        values_NK: Float32[Array, "N K"],
        *,
        unseen_HK: Float32[Array, "H K"],
        with_length: bool,
        emphasis: Sequence[Float32[Array, " K"]],
        rng: np.random.Generator,
    ) -> Missed:
        """Train on what tokens have missed, of rows that they were fitted on and of others: as `NarrowTokens.fit`."""
        lengths_H = _lengths(unseen_HK)
        longest = float(lengths_H.max())
        lengths_L = np.empty(0, dtype=np.float32)
        if with_length and longest > 0:
            shortest = max(float(lengths_H.min()), LEAST_RATIO * longest)
            lengths_L = np.geomspace(shortest, longest, LENGTHS, dtype=np.float32)
            unseen_HK = unseen_HK / lengths_L[_nearest(lengths_L, lengths_H)][:, None]
            values_NK = values_NK / np.maximum(_lengths(values_NK), LEAST_RATIO * longest).astype(np.float32)[:, None]
        narrow = NarrowTokens.fit(values_NK, unseen_HK=unseen_HK, emphasis=emphasis, rng=rng)
        return cls(lengths=lengths_L, narrow=narrow)

    @property
    def length_bytes(self) -> int:
        """Bytes that name the length: 1 or none."""
        return int(len(self.lengths) > 0)

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code."""
        return self.length_bytes + self.narrow.tokens

    def encode(self, values_NK: Float32[Array, "N K"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of values as they are; rows do not influence each other."""
        if not self.length_bytes:
            return self.narrow.encode(values_NK, tokens=bytes_per_vector)
        named_N1 = self._named(values_NK)
        if bytes_per_vector == 1:
            return named_N1
        shapes_NK = values_NK / self._decoded(named_N1)
        return np.concatenate([named_N1, self.narrow.encode(shapes_NK, tokens=bytes_per_vector - 1)], axis=1)

    def decode(self, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, "N K"]:
        """Return the values that codes stand for; a length alone says no direction, and so nothing."""
        if not self.length_bytes:
            return self.narrow.decode(packed_NB)
        if packed_NB.shape[1] == 1:
            return np.zeros((len(packed_NB), self.narrow.width), dtype=np.float32)
        values_NK: Array = self.narrow.decode(packed_NB[:, 1:]) * self._decoded(packed_NB[:, :1])
        return values_NK

    def factors(self, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, " N"]:
        """Return by what the codewords of each code are multiplied: the length it names, or 1."""
        if not self.length_bytes:
            return np.ones(len(packed_NB), dtype=np.float32)
        return self._decoded(packed_NB[:, :1])[:, 0]

    def to_arrays(self) -> dict[str, Array]:
        """Return everything this is made of, ready for safetensors."""
        return {"lengths": self.lengths} | self.narrow.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], *, width: int) -> Missed:
        """Build from `to_arrays`' form.

        Raises: ModelFileError when an array is missing, or they do not fit together.
        """
        (lengths_L,) = taken(arrays, ["lengths"])
        if lengths_L.shape not in ((0,), (LENGTHS,)) or lengths_L.dtype != np.float32:
            raise ModelFileError(
                f"codec lengths must be float32 of shape (0,) or ({LENGTHS},), got {lengths_L.dtype} of shape "
                f"{lengths_L.shape}; is the file whole?"
            )
        if not np.isfinite(lengths_L).all() or (lengths_L <= 0).any() or (np.diff(lengths_L) < 0).any():
            raise ModelFileError(
                "codec lengths must be finite, above 0 and ascending, they are not; is the file whole?"
            )
        return cls(lengths=lengths_L, narrow=NarrowTokens.from_arrays(arrays, width=width))

    def _named(self, values_NK: Float32[Array, "N K"]) -> UInt8[Array, "N 1"]:
        return _nearest(self.lengths, _lengths(values_NK))[:, None]

    def _decoded(self, named_N1: UInt8[Array, "N 1"]) -> Float32[Array, "N 1"]:
        return self.lengths[named_N1]


def _lengths(values_NK: Float32[Array, "N K"]) -> Float64[Array, " N"]:
    lengths_N: Array = np.sqrt(np.square(values_NK, dtype=np.float64).sum(axis=1))
    return lengths_N


def _nearest(lengths_L: Float32[Array, " L"], asked_N: Float64[Array, " N"]) -> UInt8[Array, " N"]:
    """Return the number of the nearest length, by ratio; of two that are as near, the longer."""
    wide_L = lengths_L.astype(np.float64)
    return np.searchsorted(np.sqrt(wide_L[1:] * wide_L[:-1]), asked_N, side="right").astype(np.uint8)
