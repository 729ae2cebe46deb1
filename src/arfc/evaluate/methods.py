"""arfc and the cheap ways to the same size, in one shape."""
# M rows of a set, S seen rows, D feature dims, K dims

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from arfc.baselines import Int8, Klt, Quantised, Truncation
from arfc.codec import ClassicCodec, Codes, NestedCodec
from arfc.scores import of_one_length
from arfc.shapes import Array, Float, Float32

if TYPE_CHECKING:
    from arfc.compressor import Compressor

LEAST_SEEN_ROWS = 1_000
"""Seen rows that the byte baselines are fitted on, at least; with fewer they would look worse than they are."""


@dataclass(frozen=True, kw_only=True)
class Small:
    """The rows of a set as a method makes them at one size."""

    asked: Float[Array, "M K"]
    """As they ask."""
    stored: Float[Array, "M K"]
    """As they are stored; codes decoded."""


Method = Callable[[Float32[Array, "M D"]], Callable[[int], Small]]
"""Takes a set of rows, and returns what makes them of any size of its ladder; the work for all sizes is done once."""


def of_floats(compress: Callable[[Array], Array]) -> Method:
    """Return the method that keeps the first dims of what `compress` makes."""

    def apply(rows_MD: Array) -> Callable[[int], Small]:
        small_MD = compress(rows_MD)
        return lambda dims: Small(asked=small_MD[:, :dims], stored=small_MD[:, :dims])

    return apply


def small_of_codes(asked_MK: Float[Array, "M K"], codes: Codes) -> Small:
    """Return floats that ask for decoded codes, in a form in which the cosines of the two rank as scores do.

    Scores of our own codecs are inner products, for they know how long a decoded row should be. What others decode has
    lengths that mean nothing.
    """
    if not isinstance(codes.codec, NestedCodec | ClassicCodec):
        return Small(asked=asked_MK, stored=codes.decode())
    return Small(asked=np.pad(asked_MK, ((0, 0), (0, 1))), stored=of_one_length(codes.decode()))


def of_codes(project: Callable[[Array], Array], compress: Callable[[Array], Codes]) -> Method:
    """Return the method that keeps the first bytes of what `compress` makes; queries are floats, from `project`."""

    def apply(rows_MD: Array) -> Callable[[int], Small]:
        asked_MK, codes = project(rows_MD), compress(rows_MD)
        return lambda size: small_of_codes(asked_MK, codes.truncate(bytes=size))

    return apply


def float_methods(model: Compressor) -> dict[str, Method | None]:
    """Return how each method makes vectors."""
    klt, truncation = _own_klt(model), Truncation(width=model.width)
    return {
        "arfc": of_floats(lambda rows_MD: _coordinates(model, rows_MD)),
        "klt": of_floats(lambda rows_MD: klt.compress(rows_MD, dims=model.width)),
        "truncation": of_floats(lambda rows_MD: truncation.compress(rows_MD, dims=model.width)),
    }


def byte_methods(model: Compressor, seen_SD: Float32[Array, "S D"], *, largest: int) -> dict[str, Method | None]:
    """Return how each method makes codes of up to `largest` bytes; None for those that lack rows to be fitted on."""

    def ours(rows_MD: Array) -> Codes:
        codes = model.compress(rows_MD, bytes=largest)
        assert isinstance(codes, Codes)
        return codes

    methods: dict[str, Method | None] = {"arfc": of_codes(lambda rows_MD: _coordinates(model, rows_MD), ours)}
    if len(seen_SD) < LEAST_SEEN_ROWS:
        return methods | {"klt": None, "int8": None}
    klt_bits = Quantised(front=Truncation(width=model.width), codec=ClassicCodec.fit(seen_SD))
    cheap: dict[str, Quantised | Int8] = {"klt": klt_bits, "int8": Int8.fit(seen_SD)}
    for name, baseline in cheap.items():
        methods[name] = of_codes(baseline.project, partial(baseline.compress, bytes=largest))
    return methods


def _coordinates(model: Compressor, rows_MD: Array) -> Float32[Array, "M D"]:
    small_MD = model.compress(rows_MD, dims=model.width)
    assert not isinstance(small_MD, Codes)
    return small_MD


def _own_klt(model: Compressor) -> Klt:
    """Return the KLT the model starts from: it has learned from the same rows."""
    return Klt(basis=model.network.klt.basis.numpy())
