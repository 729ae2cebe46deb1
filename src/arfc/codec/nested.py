"""The model's byte code: joint tokens first, then bits where they help most; any prefix is the code of that size."""
# N rows, H held-out rows, K dims, P dims of the joint tokens, B bytes per vector

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from arfc.codec.basis import eigenbasis
from arfc.codec.codes import check_packed
from arfc.codec.emphasis import Emphasis, emphasis
from arfc.codec.joint import GROUP, LEAST_ROWS, ROUNDS, JointTokens
from arfc.codec.kmeans import CODEWORDS
from arfc.codec.levels import Levels
from arfc.codec.offsets import stretches, unit_about, widened
from arfc.codec.product import StableProduct
from arfc.codec.rows import check_vectors, row_norms
from arfc.codec.scalar import ScalarCodec
from arfc.codec.threads import by_threads
from arfc.codec.token_count import TOKEN_CHOICES, Layout, best_layout, layouts, token_choices
from arfc.errors import ModelFileError, RowError
from arfc.shapes import Array, Float32, UInt8
from arfc.sizes import check_bytes

JOINT_DIMS = 256
"""Dims that joint tokens speak of; the weak ones after them are left to the scalar levels."""
LEAST_DIMS_PER_TOKEN = 4
"""At more than two bits per dim scalar levels do as well."""
FIT_ROWS = 30_000
"""Most rows that codebooks are fitted on."""
LEVEL_ROWS = 16_384
"""Most rows that levels of whole rows are fitted on."""
HELD_OUT_SHARE = 0.2
MOST_HELD_OUT_ROWS = 2_000
"""Rows apart from those, on which the levels are fitted: what joint tokens miss of rows they were fitted on is far less
than what they miss of others, and levels of the former spoil every longer code (docs/log.md)."""
TRIAL_SHARE = 0.1
"""Where more than this share of the sample would be kept from the codebooks, their fit is a trial: it chooses and gives
the levels, and the codebooks are fitted anew on all rows."""
TRIAL_ROUNDS = 25
"""Rounds of the first group in a trial."""
ROWS_PER_TOKEN = 100
"""Fewest rows that a token's 256 codewords are fitted on: more tokens would know the rows by heart, not their kind."""
_TINY = 1e-20
_STRETCHED_ROWS = 4096
_ARRAYS = ("basis", "mean", "codebooks", "emphasis", "lengths", "thresholds", "centroids", "order")


@dataclass(frozen=True, eq=False, kw_only=True)
class NestedCodec:
    """Code unit rows in the eigenbasis of a sample: first joint tokens, then levels for what they missed.

    Both halves are one idea: what is stored so far predicts the vector, and the next piece corrects it where that helps
    most. Joint tokens serve short codes, where all dims must share few bits; levels serve long ones.

    Source: our choice; `JointTokens`, `Levels` and `ScalarCodec` name theirs.
    """

    basis: Float32[Array, "K K"]
    """One direction per column, strongest first."""
    mean: Float32[Array, " K"]
    """Mean of unit rows in that basis: what no byte at all predicts."""
    joint: JointTokens
    levels: Levels
    """Fitted on what mean and joint tokens missed."""

    @classmethod
    def fit(
        cls,
        vectors_NK: Array,
        *,
        seed: int = 0,
        most_tokens: int = TOKEN_CHOICES[-1],
        max_bits: int = 8,
        rounds: int = ROUNDS,
        twice: bool = True,
        pace: Callable[[float], float] = lambda done: 0.0,
        judge: Callable[[NestedCodec], float] | None = None,
    ) -> NestedCodec:
        """Fit on a sample of rows, and choose the layout that serves best: how many joint tokens, and a length or none.

        `judge` scores a codec, the more the better. Without one the choice is made on held-out rows of the sample, by
        the order of their own neighbours, mean over short codes. Few rows get no joint tokens: 256 codewords need
        more. `rounds` and `pace` are as in `JointTokens.fit`. `twice` lets a trial choose where rows are few, and fits
        the codebooks again on all of them; with little time, one whole fit is better than two short ones.

        Raises: SizeError unless max_bits lies in 1..8; ShapeError, DtypeError, RowError (NaN, Inf, zero or no rows).
        """
        vectors_NK = check_vectors(vectors_NK)
        if len(vectors_NK) == 0:
            raise RowError("vectors must have at least 1 row to fit a codec, got 0; give it a sample")
        unit_NK = vectors_NK / row_norms(vectors_NK).astype(np.float32)[:, None]
        exact_NK = unit_NK.astype(np.float64)
        moment_KK = exact_NK.T @ exact_NK
        basis_KK = eigenbasis(moment_KK)
        values_NK = unit_NK @ basis_KK
        mean_K = values_NK.mean(axis=0)
        values_NK -= mean_K
        energy_K = np.einsum("JK,JK->K", moment_KK @ basis_KK, basis_KK) / len(values_NK)
        stretch = emphasis(mean_K, energy_K)
        rng = np.random.default_rng([seed, 3])
        order_N = rng.permutation(len(values_NK))
        levelled_NK = values_NK[np.sort(order_N[:LEVEL_ROWS])]
        held_out = min(MOST_HELD_OUT_ROWS, int(HELD_OUT_SHARE * len(order_N)))
        is_trial = twice and held_out > TRIAL_SHARE * len(order_N)
        fit_rows = np.sort(order_N[held_out : held_out + FIT_ROWS])
        room = min(most_tokens, values_NK.shape[1] // LEAST_DIMS_PER_TOKEN, len(fit_rows) // ROWS_PER_TOKEN)
        tokens = token_choices(room)[-1]
        if len(fit_rows) < LEAST_ROWS or tokens == 0:
            return cls._of_levels(basis_KK, mean_K, levelled_NK, stretch, max_bits=max_bits)
        centred_NP = np.ascontiguousarray(values_NK[fit_rows, :JOINT_DIMS])
        held_HK = values_NK[np.sort(order_N[:held_out])]
        held_HP = np.ascontiguousarray(held_HK[:, :JOINT_DIMS])
        first_rounds = min(rounds, TRIAL_ROUNDS) if is_trial else rounds
        share = first_rounds / (first_rounds + rounds) if is_trial and rounds else 1.0
        joint = JointTokens.fit(
            centred_NP,
            emphasis_2P=_of_tokens(stretch),
            tokens=tokens,
            rng=rng,
            rounds=first_rounds,
            unseen_HP=held_HP,
            pace=lambda done: pace(share * done) / share,
        )
        packed_HT = joint.encode(held_HP, tokens=joint.tokens)

        def made(layout: Layout) -> NestedCodec:
            if layout == Layout(0, with_length=False):
                return cls._of_levels(basis_KK, mean_K, levelled_NK, stretch, max_bits=max_bits)
            kept, missed_NK = joint.first(layout.tokens), levelled_NK
            if layout.tokens:
                missed_NK = held_HK - widened(kept.decode(packed_HT[:, : layout.tokens]), held_HK.shape[1])
            levels = Levels.fit(missed_NK, with_length=layout.with_length, max_bits=max_bits, emphasis_K=stretch.levels)
            return cls(basis=basis_KK, mean=mean_K, joint=kept, levels=levels)

        if judge is None:
            chosen = made(best_layout(joint, mean_K, stretch.levels, held_HK, packed_HT))
        else:
            chosen = max(map(made, layouts(joint.tokens)), key=judge)  # the first one if equal
        if not is_trial or not chosen.joint.tokens:
            return chosen
        anew = JointTokens.fit(
            np.ascontiguousarray(values_NK[:, :JOINT_DIMS]),
            emphasis_2P=_of_tokens(stretch),
            tokens=chosen.joint.tokens,
            rng=rng,
            rounds=rounds,
            lessons=joint.lessons,
            pace=lambda done: (pace(share + (1 - share) * done) - share) / max(1 - share, _TINY),
        )
        return replace(chosen, joint=anew) if anew.tokens == chosen.joint.tokens else chosen

    @classmethod
    def _of_levels(
        cls,
        basis_KK: Float32[Array, "K K"],
        mean_K: Float32[Array, " K"],
        values_NK: Float32[Array, "N K"],
        stretch: Emphasis,
        *,
        max_bits: int,
    ) -> NestedCodec:
        """Errors count as they would where tokens stood."""
        early = [(8 * GROUP, stretch.first), (2 * 8 * GROUP, stretch.later)]
        scalar = ScalarCodec.fit_values(values_NK, max_bits=max_bits, emphasis_K=stretch.levels, early=early)
        levels = Levels(lengths=np.empty(0, dtype=np.float32), scalar=scalar)
        emphasis_2P = _of_tokens(stretch)
        none_TCP = np.empty((0, CODEWORDS, emphasis_2P.shape[1]), dtype=np.float32)
        joint = JointTokens(codebooks=none_TCP, emphasis=emphasis_2P)
        return cls(basis=basis_KK, mean=mean_K, joint=joint, levels=levels)

    @property
    def width(self) -> int:
        """Dims K of the vectors."""
        return len(self.basis)

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: all joint tokens, then all of the levels."""
        return self.joint.tokens + self.levels.largest_bytes

    def encode(
        self, vectors_NK: Array, *, bytes_per_vector: int, known_NT: UInt8[Array, "N T"] | None = None
    ) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever its length; rows do not influence each other.

        `known_NT` are at least as many tokens of the rows as the code has, where a codec with the same ones, and maybe
        more after them, has found these before.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf or zero rows), SizeError (bytes outside 1..largest_bytes).
        """
        vectors_NK = check_vectors(vectors_NK, width=self.width)
        size = check_bytes(bytes_per_vector, largest=self.largest_bytes)
        unit_NK = (vectors_NK / row_norms(vectors_NK)[:, None]).astype(np.float32)
        values_NK = self._to_values(unit_NK) - self.mean
        tokens = min(size, self.joint.tokens)
        if known_NT is None:
            known_NT = self.joint.encode(np.ascontiguousarray(values_NK[:, : self._joint_dims]), tokens=tokens)
        packed_NT = known_NT[:, :tokens]
        if size == tokens:
            return packed_NT
        missed_NK = values_NK - widened(self.joint.decode(packed_NT), self.width)
        return np.concatenate([packed_NT, self.levels.encode(missed_NK, bytes_per_vector=size - tokens)], axis=1)

    def decode(self, packed_NB: Array) -> Float32[Array, "N K"]:
        """Return the unit vector each code stands for.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this codec.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        return self._to_vectors(unit_about(self.mean, self._offsets(packed_NB)))

    def stretches(self, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, " N"]:
        """Return by how much decoding stretches what each code says beside the mean, to make the row a unit vector."""
        stretch_N = by_threads(
            lambda block_nB: stretches(self.mean, self._offsets(block_nB)), packed_NB, block_rows=_STRETCHED_ROWS
        )
        return stretch_N.astype(np.float32)

    def to_arrays(self) -> dict[str, Array]:
        """Return everything the codec is made of, ready for safetensors."""
        own = {"basis": self.basis, "mean": self.mean, "codebooks": self.joint.codebooks}
        return own | {"emphasis": self.joint.emphasis} | self.levels.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> NestedCodec:
        """Build from `to_arrays`' form.

        Raises: ModelFileError when an array is missing, or they do not fit together.
        """
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ModelFileError(
                f"codec must hold the arrays {list(_ARRAYS)}, {missing} is missing; is the file whole?"
            )
        levels = Levels.from_arrays(arrays)
        own = {name: np.asarray(arrays[name]) for name in ("basis", "mean", "codebooks", "emphasis")}
        width = levels.scalar.width
        dims = min(width, JOINT_DIMS)
        tokens = len(own["codebooks"]) if own["codebooks"].ndim else 0
        shapes = {
            "basis": (width, width),
            "mean": (width,),
            "codebooks": (tokens, CODEWORDS, dims),
            "emphasis": (2, dims),
        }
        for name, shape in shapes.items():
            array = own[name]
            if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
                raise ModelFileError(
                    f"codec {name} must be finite float32 of shape {shape}, got {array.dtype} of shape {array.shape}; "
                    "is the file whole?"
                )
        if (own["emphasis"] <= 0).any():
            raise ModelFileError("codec emphasis must be above 0 in every dim, it is not; is the file whole?")
        joint = JointTokens(codebooks=own["codebooks"], emphasis=own["emphasis"])
        return cls(basis=own["basis"], mean=own["mean"], joint=joint, levels=levels)

    def _offsets(self, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, "N K"]:
        """Return what codes say beside the mean."""
        tokens = min(packed_NB.shape[1], self.joint.tokens)
        values_NK = widened(self.joint.decode(packed_NB[:, :tokens]), self.width)
        if packed_NB.shape[1] > tokens:
            values_NK += self.levels.decode(packed_NB[:, tokens:])
        return values_NK

    @property
    def _joint_dims(self) -> int:
        return self.joint.codebooks.shape[2]

    @cached_property
    def _to_values(self) -> StableProduct:
        return StableProduct(self.basis)

    @cached_property
    def _to_vectors(self) -> StableProduct:
        return StableProduct(np.ascontiguousarray(self.basis.T))


def _of_tokens(stretch: Emphasis) -> Float32[Array, "2 P"]:
    return np.stack([stretch.first, stretch.later])[:, :JOINT_DIMS]
