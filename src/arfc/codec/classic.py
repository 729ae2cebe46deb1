"""KLT and bits where they help most, as a code: what the model's own code is compared with."""
# N rows, K dims, B bytes per vector

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from arfc.codec.codes import check_packed
from arfc.codec.emphasis import emphasis
from arfc.codec.frame import Frame
from arfc.codec.joint import GROUP
from arfc.codec.scalar import ScalarCodec
from arfc.codec.stretch import best_power
from arfc.codec.token_count import judged_sizes
from arfc.shapes import Array, Float32, UInt8
from arfc.sizes import check_bytes

ROWS = 16_384
"""Most rows that levels are fitted on."""
_ROWS_OF_LENGTHS = 2_000


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassicCodec:
    """Code unit rows dim by dim in the eigenbasis of a sample; errors weigh as in the model's own code.

    Source: transform coding; `ScalarCodec` names the rest.
    """

    frame: Frame
    """Eigenbasis and mean."""
    scalar: ScalarCodec
    """Levels of each dim, off the mean."""
    powers: Mapping[int, float] = field(default_factory=lambda: {1: 1.0})
    """How far decoded offsets are stretched (`Frame.power`), by the bytes of a code from which on it is so."""

    @classmethod
    def fit(cls, vectors_NK: Array) -> ClassicCodec:
        """Fit on a sample of rows.

        Some of them choose how long decoded rows are, size by size: levels know no row by heart.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf, zero or no rows).
        """
        frame, values_NK, energy_K = Frame.fit(vectors_NK)
        weights = emphasis(frame.mean, energy_K)
        order = np.random.default_rng([0, 3]).permutation(len(values_NK))
        early = [(8 * GROUP, weights.first), (2 * 8 * GROUP, weights.later)]
        scalar = ScalarCodec.fit(values_NK[np.sort(order[:ROWS])], emphasis_K=weights.fine, early=early)
        some_nK = values_NK[order[:_ROWS_OF_LENGTHS]]  # in no order, for some of them are asked
        if len(some_nK) < 2:
            return cls(frame=frame, scalar=scalar)
        sizes = sorted({min(size, scalar.largest_bytes) for size in judged_sizes(frame.width)})
        packed_nB = scalar.encode(some_nK, bytes_per_vector=max(sizes))
        powers = {size: best_power(frame.mean, some_nK, [scalar.decode(packed_nB[:, :size])]) for size in sizes}
        return cls(frame=frame, scalar=scalar, powers=powers)

    @property
    def width(self) -> int:
        """Dims K of the vectors."""
        return self.frame.width

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: every bit of every dim."""
        return self.scalar.largest_bytes

    def encode(self, vectors_NK: Array, *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever its length; rows do not influence each other.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf or zero rows), SizeError (bytes outside 1..largest_bytes).
        """
        size = check_bytes(bytes_per_vector, largest=self.largest_bytes)
        return self.scalar.encode(self.frame.offsets(vectors_NK), bytes_per_vector=size)

    def decode(self, packed_NB: Array) -> Float32[Array, "N K"]:
        """Return the vector each code stands for; its product with a unit query estimates their cosine.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this codec.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        reached = (least for least in self.powers if least <= packed_NB.shape[1])
        power = self.powers[max(reached, default=min(self.powers))]
        return self.frame.vectors(self.scalar.decode(packed_NB), power=power)
