"""The model's byte code: joint tokens first, then narrow ones; any prefix is the code of that size."""
# N rows, M of them that narrow tokens are fitted on, H held-out rows, K dims, P dims of the joint tokens,
# T joint tokens, B bytes per vector

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from arfc.codec.codes import check_packed
from arfc.codec.emphasis import Emphasis, emphasis
from arfc.codec.frame import Frame
from arfc.codec.joint import LEAST_ROWS, ROUNDS, JointTokens
from arfc.codec.missed import Missed
from arfc.codec.narrow import ROWS as NARROW_ROWS
from arfc.codec.outside import filled_outside
from arfc.codec.rows import check_vectors, widened
from arfc.codec.stretch import best_power
from arfc.codec.threads import by_threads
from arfc.codec.token_count import (
    JUDGED_BYTES,
    TOKEN_CHOICES,
    Layout,
    Order,
    judged_sizes,
    layouts,
    token_choices,
)
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8
from arfc.sizes import check_bytes

JOINT_DIMS = 256
"""Dims that joint tokens cover; the weak ones after them are left to the narrow tokens."""
LEAST_DIMS_PER_TOKEN = 4
"""At more than two bits per dim narrow tokens do as well."""
FIT_ROWS = 30_000
"""Most rows that joint codebooks are fitted on."""
HELD_OUT_SHARE = 0.2
MOST_HELD_OUT_ROWS = 2_000
"""Rows apart from those, which tell narrow tokens what is missed: what joint tokens miss of rows they were fitted on is
far less than what they miss of others, and spoils every longer code (docs/log.md)."""
LEAST_HELD_OUT_ROWS = 32
"""Fewer tell nothing; then the rows that codebooks are fitted on do."""
TRIAL_SHARE = 0.1
"""Where more than this share of the sample would be kept from the codebooks, their fit is a trial: it chooses and gives
the narrow tokens, and the joint ones are fitted anew on all rows."""
TRIAL_ROUNDS = 13
"""Rounds of the first group in a trial."""
ROWS_PER_TOKEN = 100
"""Fewest rows that a token's 256 codewords are fitted on: more tokens would know the rows by heart, not their kind."""
_TINY = 1e-20
_DECODED_ROWS = 512  # a block of wide rows stays in the cache


@dataclass(frozen=True, eq=False, kw_only=True)
class NestedCodec:
    """Code unit rows in the eigenbasis of a sample: first joint tokens, then narrow tokens for what they missed.

    Both halves are one idea: what is stored so far predicts the vector, and the next byte names a codeword for what
    the prediction missed. Joint tokens cover all strong dims and are chosen together: they serve short codes, where
    many dims must share few bits. Narrow tokens cover a dozen dims each, where most is missed; they cost little to
    choose, and serve codes of any length.

    Source: our choice; `JointTokens`, `Missed` and `NarrowTokens` name theirs.
    """

    frame: Frame
    """Eigenbasis, mean, and how far what codes say beside it is stretched."""
    joint: JointTokens
    missed: Missed
    """Fitted on what mean and joint tokens missed."""

    @classmethod
    def fit(
        cls,
        vectors_NK: Array,
        *,
        seed: int = 0,
        most_tokens: int = TOKEN_CHOICES[-1],
        rounds: int = ROUNDS,
        twice: bool = True,
        pace: Callable[[float], float] = lambda done: 0.0,
        judge: Callable[[NestedCodec], float] | None = None,
    ) -> NestedCodec:
        """Fit on a sample of rows, and choose the layout that serves best: how many joint tokens, and a length or none.

        `judge` scores a codec, the more the better. Without one the choice is made on held-out rows of the sample, by
        the order of their own neighbours, mean over short codes. Few rows get no joint tokens: 256 codewords need
        more. How far decoded rows are stretched is chosen by held-out rows in any case. `rounds` and `pace` are as in
        `JointTokens.fit`. `twice` lets a trial choose where rows are few, and fits the codebooks again on all of them;
        with little time, one whole fit is better than two short ones.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf, zero or no rows).
        """
        frame, values_NK, energy_K = Frame.fit(vectors_NK)
        rng = np.random.default_rng([seed, 3])
        order_N = rng.permutation(len(values_NK))
        held_out = min(MOST_HELD_OUT_ROWS, int(HELD_OUT_SHARE * len(order_N)))
        held_out = held_out if held_out >= LEAST_HELD_OUT_ROWS else 0
        fit_rows = np.sort(order_N[held_out : held_out + FIT_ROWS])
        held_rows = order_N[:held_out] if held_out else fit_rows  # in no order, for some of them are asked
        fit_MK = values_NK[np.sort(order_N[held_out : held_out + NARROW_ROWS])]
        held_HK = values_NK[held_rows]
        if len(values_NK) < frame.width:
            energy_K[len(values_NK) :], (fit_MK, held_HK) = filled_outside(
                (fit_MK, held_HK), unit_NK=values_NK + frame.mean, rng=np.random.default_rng([seed, 6])
            )
        weights = emphasis(frame.mean, energy_K)
        is_trial = twice and held_out > TRIAL_SHARE * len(order_N)
        room = min(most_tokens, values_NK.shape[1] // LEAST_DIMS_PER_TOKEN, len(fit_rows) // ROWS_PER_TOKEN)
        tokens = token_choices(room)[-1] if len(fit_rows) >= LEAST_ROWS else 0
        first_rounds = min(rounds, TRIAL_ROUNDS) if is_trial else rounds
        share = first_rounds / (first_rounds + rounds) if is_trial and rounds else 1.0
        emphasis_2P = np.stack([weights.first, weights.later])[:, :JOINT_DIMS]
        joint = JointTokens.none(emphasis_2P)
        if tokens:
            joint = JointTokens.fit(
                _strong(values_NK[fit_rows]),
                emphasis_2P=emphasis_2P,
                tokens=tokens,
                rng=rng,
                rounds=first_rounds,
                unseen_HP=_strong(held_HK),
                pace=lambda done: pace(share * done) / share,
            )
        made = _Made(frame, joint, weights, fit_MK, held_HK, seed)
        if joint.tokens == 0:
            codec = made.codec(Layout(0, with_length=False))
            return made.with_best_power(codec) if held_out else codec
        if judge is None:
            held_out_HK = check_vectors(vectors_NK)[held_rows]
            chosen = max(layouts(joint.tokens), key=made.judge_of_halves(held_out_HK))
        else:
            chosen = max(layouts(joint.tokens), key=lambda layout: judge(made.codec(layout, longest=JUDGED_BYTES)))
        codec = made.with_best_power(made.codec(chosen))
        if not is_trial or not codec.joint.tokens:
            return codec
        anew = JointTokens.fit(
            _strong(values_NK),
            emphasis_2P=emphasis_2P,
            tokens=codec.joint.tokens,
            rng=rng,
            rounds=rounds,
            lessons=joint.lessons,
            pace=lambda done: (pace(share + (1 - share) * done) - share) / max(1 - share, _TINY),
        )
        return replace(codec, joint=anew) if anew.tokens == codec.joint.tokens else codec

    @property
    def width(self) -> int:
        """Dims K of the vectors."""
        return self.frame.width

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: all joint tokens, the length, and a narrow token for each dim."""
        return self.joint.tokens + self.missed.largest_bytes

    def encode(
        self, vectors_NK: Array, *, bytes_per_vector: int, known_NT: UInt8[Array, "N T"] | None = None
    ) -> UInt8[Array, "N B"]:
        """Return the code of each row, whatever its length; rows do not influence each other.

        `known_NT` are at least as many tokens of the rows as the code has, where a codec with the same ones, and maybe
        more after them, has found these before.

        Raises: ShapeError, DtypeError, RowError (NaN, Inf or zero rows), SizeError (bytes outside 1..largest_bytes).
        """
        size = check_bytes(bytes_per_vector, largest=self.largest_bytes)
        return self._encoded(self.frame.offsets(vectors_NK), size, known_NT)

    def _encoded(
        self, values_NK: Float32[Array, "N K"], size: int, known_NT: UInt8[Array, "N T"] | None
    ) -> UInt8[Array, "N B"]:
        tokens = min(size, self.joint.tokens)
        if known_NT is None:
            known_NT = self.joint.encode(_strong(values_NK), tokens=tokens)
        packed_NT = known_NT[:, :tokens]
        if size == tokens:
            return packed_NT
        missed_NK = values_NK - widened(self.joint.decode(packed_NT), self.width)
        return np.concatenate([packed_NT, self.missed.encode(missed_NK, bytes_per_vector=size - tokens)], axis=1)

    def decode(self, packed_NB: Array) -> Float32[Array, "N K"]:
        """Return the vector each code stands for; its product with a unit query estimates their cosine.

        Raises: DtypeError, ShapeError, SizeError when these are no codes of this codec.
        """
        check_packed(packed_NB, largest_bytes=self.largest_bytes)
        return by_threads(
            lambda block_nB: self.frame.vectors(self._offsets(block_nB)), packed_NB, block_rows=_DECODED_ROWS
        )

    def stretches(self, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, " N"]:
        """Return by how much decoding stretches what each code says beside the mean."""
        stretch_N = by_threads(
            lambda block_nB: self.frame.stretches(self._offsets(block_nB)), packed_NB, block_rows=_DECODED_ROWS
        )
        return stretch_N.astype(np.float32)

    def to_arrays(self) -> dict[str, Array]:
        """Return everything the codec is made of, ready for safetensors."""
        return self.frame.to_arrays() | self.joint.to_arrays() | self.missed.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> NestedCodec:
        """Build from `to_arrays`' form.

        Raises: ModelFileError when an array is missing, or they do not fit together.
        """
        frame = Frame.from_arrays(arrays)
        joint = JointTokens.from_arrays(arrays, dims=min(frame.width, JOINT_DIMS))
        return cls(frame=frame, joint=joint, missed=Missed.from_arrays(arrays, width=frame.width))

    def _offsets(self, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, "N K"]:
        """Return what codes say beside the mean."""
        tokens = min(packed_NB.shape[1], self.joint.tokens)
        values_NK = widened(self.joint.decode(packed_NB[:, :tokens]), self.width)
        if packed_NB.shape[1] > tokens:
            values_NK += self.missed.decode(packed_NB[:, tokens:])
        return values_NK


class _Made:
    """Codecs of one sample, whose joint tokens are found once."""

    def __init__(
        self,
        frame: Frame,
        joint: JointTokens,
        weights: Emphasis,
        fit_MK: Float32[Array, "M K"],
        held_HK: Float32[Array, "H K"],
        seed: int,
    ) -> None:
        self._frame, self._joint, self._weights, self._seed = frame, joint, weights, seed
        self._fit_MK, self._held_HK = fit_MK, held_HK
        self._fit_MT, self._held_HT = (joint.encode(_strong(rows), tokens=joint.tokens) for rows in (fit_MK, held_HK))

    def codec(self, layout: Layout, *, longest: int | None = None, held: int | None = None) -> NestedCodec:
        """Return the codec of a layout, maybe with up to `longest` narrow tokens alone, or of the first `held` rows."""
        joint, width = self._joint.first(layout.tokens), self._frame.width

        def missed(rows_NK: Float32[Array, "N K"], packed_NT: UInt8[Array, "N T"]) -> Float32[Array, "N K"]:
            return rows_NK - widened(joint.decode(packed_NT[:, : layout.tokens]), width)

        narrow = width if longest is None else min(width, longest)
        rest = Missed.fit(
            missed(self._fit_MK, self._fit_MT),
            unseen_HK=missed(self._held_HK[:held], self._held_HT[:held]),
            with_length=layout.with_length,
            emphasis=[self._weights.at(layout.tokens + token) for token in range(narrow)],
            rng=np.random.default_rng([self._seed, 5]),
        )
        return NestedCodec(frame=self._frame, joint=joint, missed=rest)

    def with_best_power(self, codec: NestedCodec) -> NestedCodec:
        """Return the codec with the lengths of decoded rows that serve the held-out rows best."""
        sizes = judged_sizes(codec.width)
        packed_HB = codec._encoded(self._held_HK, max(sizes), self._held_HT)
        power = best_power(codec.frame.mean, self._held_HK, (codec._offsets(packed_HB[:, :size]) for size in sizes))
        return replace(codec, frame=replace(codec.frame, power=power))

    def judge_of_halves(self, vectors_HK: Float32[Array, "H K"]) -> Callable[[Layout], float]:
        """Return what scores a layout by the held-out rows: half of them are for the fit, the others ask and answer."""
        half = len(vectors_HK) // 2
        asked_HK, sizes = vectors_HK[half:], judged_sizes(self._frame.width)
        order = Order(unit_rows(asked_HK), queries=len(asked_HK))

        def kept(layout: Layout) -> float:
            codec = self.codec(layout, longest=JUDGED_BYTES, held=half)
            packed_HB = codec.encode(asked_HK, bytes_per_vector=max(sizes), known_NT=self._held_HT[half:])
            return float(np.mean([order.kept(codec.decode(packed_HB[:, :size])) for size in sizes]))

        return kept


def _strong(values_NK: Float32[Array, "N K"]) -> Float32[Array, "N P"]:
    """Return the dims that joint tokens cover."""
    return np.ascontiguousarray(values_NK[:, :JOINT_DIMS])
