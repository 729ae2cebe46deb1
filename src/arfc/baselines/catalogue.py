"""All classic baselines by name: at which sizes each exists, and how it is fitted."""
# N rows, D feature dims

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from arfc.baselines import rabitq, turboquant
from arfc.baselines.faiss_codec import FaissCodec, ResidualCodec
from arfc.baselines.half import HalfCodec
from arfc.baselines.int8 import Int8
from arfc.baselines.klt import Klt
from arfc.baselines.levels import LevelCodec
from arfc.baselines.pca import Pca
from arfc.baselines.quantised import Front, Quantised, RowCodec
from arfc.baselines.random_rotation import RandomRotation
from arfc.baselines.truncation import Truncation
from arfc.codec import ClassicCodec
from arfc.shapes import Array, Float32


@runtime_checkable
class Fit(Protocol):
    """Learn from rows `x`; `size` is the size wanted, or the largest where one fit serves all."""

    def __call__(self, x: object, *, size: int, seed: int) -> Any:
        """Return what has `compress`, `decompress` and, for bytes, `project`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Method:
    """One baseline. `compress` of what it fits takes the size by the name of its unit, `dims=` or `bytes=`."""

    unit: Literal["dims", "bytes"]
    """What a size counts: float32 dims to compare with each other, or bytes to compare with `project(queries)`."""
    fit: Fit
    """Learns it."""
    largest: Callable[[int], int]
    """Largest size for a feature width."""
    smallest: int = 1
    """Smallest size."""
    one_fit: bool = True
    """Whether one fit, of the largest size wanted, serves all sizes below."""
    extra: str = ""
    """Extra of this package that it needs, if any."""
    random: bool = False
    """Whether the seed decides more than which rows calibrate it: a random rotation, or where k-means starts."""

    def sizes(self, asked: Iterable[int], *, width: int) -> tuple[int, ...]:
        """Return those of the sizes asked for that exist for features of this width."""
        return tuple(size for size in asked if self.smallest <= size <= self.largest(width))


@runtime_checkable
class SizedFit(Protocol):
    """Train a code of one size."""

    def __call__(self, rows_ND: Float32[Array, "N D"], *, bytes_per_vector: int, seed: int) -> RowCodec:
        """Return the code."""
        ...


def _floats(fit: Callable[[object, int], Any], *, random: bool = False) -> Method:
    return Method(unit="dims", fit=lambda x, *, size, seed: fit(x, seed), largest=lambda width: width, random=random)


def _fixed_bits(
    codec: Callable[[Float32[Array, "N D"]], RowCodec], *, bits: int, front: Callable[[object], Front]
) -> Method:
    return Method(
        unit="bytes",
        fit=lambda x, *, size, seed: Quantised.fit(x, front=front, codec=codec, seed=seed),
        largest=lambda width: -(-width * bits // 8),
    )


def _sized(
    codec: SizedFit,
    *,
    largest: Callable[[int], int],
    smallest: int = 1,
    one_fit: bool = False,
    extra: str = "faiss",
    front: Callable[[object], Front] = Truncation.fit,
    kind: type[Quantised] = Quantised,
) -> Method:
    return Method(
        unit="bytes",
        fit=lambda x, *, size, seed: kind.fit(
            x, front=front, codec=lambda rows_ND: codec(rows_ND, bytes_per_vector=size, seed=seed), seed=seed
        ),
        largest=largest,
        smallest=smallest,
        one_fit=one_fit,
        extra=extra,
        random=True,
    )


CATALOGUE: dict[str, Method] = {
    "truncation": _floats(lambda x, seed: Truncation.fit(x)),
    "random rotation": _floats(lambda x, seed: RandomRotation.fit(x, seed=seed), random=True),
    "pca": _floats(lambda x, seed: Pca.fit(x)),
    "klt": _floats(lambda x, seed: Klt.fit(x)),
    "fp16": _fixed_bits(HalfCodec.fit, bits=16, front=Truncation.fit),
    "int8": _fixed_bits(Int8.fit, bits=8, front=Truncation.fit),
    "int4": _fixed_bits(LevelCodec.int4, bits=4, front=Truncation.fit),
    "binary": _fixed_bits(LevelCodec.binary, bits=1, front=Truncation.fit),
    "klt + fp16": _fixed_bits(HalfCodec.fit, bits=16, front=Klt.fit),
    "klt + int8": _fixed_bits(Int8.fit, bits=8, front=Klt.fit),
    "klt + int4": _fixed_bits(LevelCodec.int4, bits=4, front=Klt.fit),
    "klt + binary": _fixed_bits(LevelCodec.binary, bits=1, front=Klt.fit),
    "klt + bits": _fixed_bits(ClassicCodec.fit, bits=8, front=Truncation.fit),  # the code has a KLT of its own
    "turboquant": _sized(
        turboquant.TurboQuantCodec.fit,
        front=Klt.fit,
        smallest=turboquant.NORM_BYTES + 1,
        largest=lambda width: turboquant.code_bytes(width, bits=turboquant.MOST_BITS),
        extra="",
    ),
    "rabitq": _sized(
        rabitq.RaBitQCodec.fit,
        kind=rabitq.RaBitQ,
        front=Klt.fit,
        smallest=rabitq.code_bytes(1, bits=1),
        largest=lambda width: rabitq.code_bytes(width, bits=rabitq.MOST_BITS),
    ),
    "pq": _sized(FaissCodec.pq, largest=lambda width: width),
    "opq": _sized(FaissCodec.opq, largest=lambda width: width),
    # Larger ones take too long: the time of LSQ grows with the square of the size, three minutes of one core for 16
    # bytes of 14,000 rows of 512 dims, and RQ takes two minutes for 64.
    "lsq": _sized(FaissCodec.lsq, largest=lambda width: 16),
    "rq": _sized(ResidualCodec.fit, largest=lambda width: 64, one_fit=True),
}
"""Every classic baseline, floats first."""
