"""The user's handle on coded vectors: bytes, and what turns them back into vectors."""
# N rows, B bytes per vector, K dims

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from arfc.errors import DtypeError, ShapeError
from arfc.shapes import Array, Float
from arfc.sizes import check_bytes


@runtime_checkable
class Codec(Protocol):
    """What `Codes` needs of the codec that made them."""

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code there is."""
        ...

    def decode(self, packed_NB: Array) -> Float[Array, "N K"]:
        """Return the vectors that codes of any length stand for."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Codes:
    """Coded rows of one length; a shorter code is the beginning of a longer one.

    Raises: DtypeError, ShapeError, SizeError when `packed` is no set of codes of this codec.
    """

    packed: Array
    """The bytes as stored, uint8 (N, B)."""
    codec: Codec
    """What decodes them."""

    def __post_init__(self) -> None:
        check_packed(self.packed, largest_bytes=self.codec.largest_bytes)

    def __len__(self) -> int:
        return len(self.packed)

    def __repr__(self) -> str:
        return f"Codes({len(self):,} rows, {self.bytes_per_vector} bytes each)"

    @property
    def bytes_per_vector(self) -> int:
        """Bytes of one code."""
        return int(self.packed.shape[1])

    def truncate(self, *, bytes: int) -> Codes:
        """Return the codes cut to their first `bytes` bytes.

        Raises: SizeError when the codes hold fewer bytes than asked for.
        """
        kept = check_bytes(bytes, largest=self.bytes_per_vector)
        return Codes(np.ascontiguousarray(self.packed[:, :kept]), self.codec)

    def decode(self) -> Float[Array, "N K"]:
        """Return the vectors the codes stand for: their products with unit queries are scores, larger when nearer.

        Where a code leaves much open its vector is shorter than 1, for a cosine would believe it too much: divide by
        the lengths only where what codes stand for is compared with each other.
        """
        return self.codec.decode(self.packed)


def check_packed(packed_NB: Array, *, largest_bytes: int) -> None:
    """Refuse anything that is not uint8 codes of shape (N, B) with B in 1..largest_bytes.

    Raises: DtypeError, ShapeError, SizeError.
    """
    if packed_NB.dtype != np.uint8:
        raise DtypeError(f"codes must be uint8, got {packed_NB.dtype}; are these vectors that were not encoded yet?")
    if packed_NB.ndim != 2:
        raise ShapeError(
            f"codes must have shape (N, bytes), got {packed_NB.shape}; a single code is one row, (1, bytes)"
        )
    check_bytes(packed_NB.shape[1], largest=largest_bytes)
