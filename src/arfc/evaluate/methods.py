"""arfc and the cheap ways to the same size, in one shape."""
# M sampled rows, Q queries, S seen rows, D feature dims

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arfc.baselines import Int8, Klt, KltCodec, Truncation
from arfc.codec import Codes, ScalarCodec
from arfc.scores import unit_rows
from arfc.search import exact_search
from arfc.shapes import Array, Bool, Float32, Int64

if TYPE_CHECKING:
    from arfc.compressor import Compressor

K = 10
LEAST_SEEN_ROWS = 1_000
"""Seen rows that the byte baselines are fitted on, at least; with fewer they would look worse than they are."""


@dataclass(frozen=True, kw_only=True)
class Small:
    """Rows as a method makes them, at its largest size; they can be cut to any smaller one."""

    asked: Float32[Array, "M D"]
    """As they ask."""
    stored: Float32[Array, "M D"] | Codes
    """As they are stored."""

    def at(self, size: int) -> Small:
        """Return the rows at `size` dims; or at `size` bytes, which queries in full ask."""
        if isinstance(self.stored, Codes):
            return Small(asked=self.asked, stored=self.stored.truncate(bytes=size))
        return Small(asked=self.asked[:, :size], stored=self.stored[:, :size])

    def search(self, asks_M: Bool[Array, " M"], answers: Small, answers_M: Bool[Array, " M"]) -> Int64[Array, "Q 10"]:
        """Return the nearest rows to those that ask, as places among those that answer.

        Raises: RowError when a row is zero.
        """
        stored = answers.stored
        rows = Codes(stored.packed[answers_M], stored.codec) if isinstance(stored, Codes) else stored[answers_M]
        return exact_search(self.asked[asks_M], rows, k=K)[0]


Method = Callable[[Float32[Array, "M D"]], Small]


def float_methods(model: Compressor) -> dict[str, Method | None]:
    """Return how each method makes vectors of full width, whose prefixes are the smaller sizes."""

    def whole(compress: Callable[[Array], Array]) -> Method:
        def apply(side_MD: Array) -> Small:
            small_MD = compress(side_MD)
            return Small(asked=small_MD, stored=small_MD)

        return apply

    klt, truncation = _own_klt(model), Truncation(width=model.width)
    return {
        "arfc": whole(lambda side_MD: _coordinates(model, side_MD)),
        "klt": whole(lambda side_MD: klt.compress(side_MD, dims=model.width)),
        "truncation": whole(lambda side_MD: truncation.compress(side_MD, dims=model.width)),
    }


def byte_methods(model: Compressor, seen_SD: Float32[Array, "S D"], *, largest: int) -> dict[str, Method | None]:
    """Return how each method makes codes of `largest` bytes; None for those that lack rows to be fitted on."""

    def ours(side_MD: Array) -> Small:
        codes = model.compress(side_MD, bytes=largest)
        return Small(asked=_coordinates(model, side_MD), stored=codes)

    def cheap(method: KltCodec | Int8) -> Method:
        return lambda side_MD: Small(asked=method.project(side_MD), stored=method.compress(side_MD, bytes=largest))

    if len(seen_SD) < LEAST_SEEN_ROWS:
        return {"arfc": ours, "klt": None, "int8": None}
    klt = _own_klt(model)
    rotated_SD = klt.rotate(unit_rows(seen_SD), dims=model.width)
    klt_codec = KltCodec(klt=klt, codec=ScalarCodec.fit(rotated_SD))
    return {"arfc": ours, "klt": cheap(klt_codec), "int8": cheap(Int8.fit(seen_SD))}


def _coordinates(model: Compressor, side_MD: Array) -> Float32[Array, "M D"]:
    small_MD = model.compress(side_MD, dims=model.width)
    assert not isinstance(small_MD, Codes)
    return small_MD


def _own_klt(model: Compressor) -> Klt:
    """Return the KLT the model starts from: it has learned from the same rows."""
    return Klt(basis=model.network.klt.basis.numpy())
