"""Where codes measure rows: coordinates in the eigenbasis of a sample, off its mean."""
# N rows, K dims

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arfc.codec.basis import eigenbasis
from arfc.codec.product import StableProduct
from arfc.codec.rows import check_vectors
from arfc.codec.stored import check_floats, taken
from arfc.codec.stretch import rows_about, stretches
from arfc.errors import ModelFileError, RowError
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, Float64

_ARRAYS = ("basis", "mean", "power")


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """An eigenbasis and a mean; rows that are coded count as if their length were 1."""

    basis: Float32[Array, "K K"]
    """One direction per column, strongest first."""
    mean: Float32[Array, " K"]
    """Mean of unit rows in that basis: what no byte at all predicts."""
    power: float = 1.0
    """How far decoded offsets are stretched: to this power of what would make the row a unit vector."""

    @classmethod
    def fit(cls, vectors_NK: Array) -> tuple[Frame, Float32[Array, "N K"], Float64[Array, " K"]]:
        """Return the frame of a sample, the offsets of its rows, and the mean square of unit rows per direction.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf, zero or no rows).
        """
        vectors_NK = check_vectors(vectors_NK)
        if len(vectors_NK) == 0:
            raise RowError("vectors must have at least 1 row to fit a codec, got 0; give it a sample")
        unit_NK = unit_rows(vectors_NK, name="vectors")
        exact_NK = unit_NK.astype(np.float64)
        moment_KK = exact_NK.T @ exact_NK
        basis_KK = eigenbasis(moment_KK)
        values_NK = unit_NK @ basis_KK
        mean_K = values_NK.mean(axis=0)
        values_NK -= mean_K
        energy_K = np.einsum("JK,JK->K", moment_KK @ basis_KK, basis_KK) / len(values_NK)
        return cls(basis=basis_KK, mean=mean_K), values_NK, energy_K

    @property
    def width(self) -> int:
        """Dims K of the vectors."""
        return len(self.basis)

    def offsets(self, vectors_NK: Array) -> Float32[Array, "N K"]:
        """Return what unit rows have beside the mean; rows do not influence each other.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf or zero rows).
        """
        unit_NK = unit_rows(check_vectors(vectors_NK, width=self.width), name="vectors")
        offsets_NK: Array = self._to_values(unit_NK) - self.mean
        return offsets_NK

    def vectors(self, offsets_NK: Float32[Array, "N K"], *, power: float | None = None) -> Float32[Array, "N K"]:
        """Return the vectors about the mean that decoded offsets stand for: their products with queries are scores.

        `power` may stand for the frame's own.
        """
        return self._to_vectors(rows_about(self.mean, offsets_NK, power=self.power if power is None else power))

    def stretches(self, offsets_NK: Float32[Array, "N K"]) -> Float64[Array, " N"]:
        """Return by how much `vectors` stretches each of them."""
        return stretches(self.mean, offsets_NK, power=self.power)

    def to_arrays(self) -> dict[str, Array]:
        """Return everything the frame is made of, ready for safetensors."""
        return dict(zip(_ARRAYS, (self.basis, self.mean, np.array([self.power], dtype=np.float32)), strict=True))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Frame:
        """Build from `to_arrays`' form.

        Raises: ModelFileError when an array is missing, or they do not fit together.
        """
        basis_KK, mean_K, power_1 = taken(arrays, _ARRAYS)
        width = len(mean_K) if mean_K.ndim else 0
        check_floats(basis_KK, name="basis", shape=(width, width))
        check_floats(mean_K, name="mean", shape=(width,))
        check_floats(power_1, name="power", shape=(1,))
        if not 0 <= power_1[0] <= 1:
            raise ModelFileError(f"codec power must lie in 0..1, got {power_1[0]:g}; is the file whole?")
        return cls(basis=basis_KK, mean=mean_K, power=float(power_1[0]))

    @cached_property
    def _to_values(self) -> StableProduct:
        return StableProduct(self.basis)

    @cached_property
    def _to_vectors(self) -> StableProduct:
        return StableProduct(np.ascontiguousarray(self.basis.T))
