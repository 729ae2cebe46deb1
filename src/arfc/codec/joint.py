"""Byte tokens made group after group: the tokens so far predict the vector, the next ones name what they missed."""
# N rows, H held-out rows, n rows of a block, P dims, T tokens, C codewords (256)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from arfc.codec.between import RowsBetween
from arfc.codec.group import Group
from arfc.codec.kmeans import CODEWORDS
from arfc.codec.local_search import MOST_REMEMBERED, learn_codebooks, learn_from_draws, residual_codebooks
from arfc.codec.stored import check_floats, taken
from arfc.codec.threads import by_threads
from arfc.errors import ModelFileError
from arfc.shapes import Array, Float32, UInt8

LEAST_ROWS = 3 * CODEWORDS
"""Fewest rows that codebooks are fitted on."""
GROUP = 8
"""Tokens that are chosen together."""
PATHS = 6
"""Sums of codewords that encoding follows at once: solutions, of which the best is refined and stands."""
ROUNDS = 50
"""Rounds in which the codebooks of the first group are learned together; later ones have half as many (docs/log.md)."""
FIRST_RIDGE = 10.0
"""Ridge of the first group, times the squared ratio of what its start misses of unseen rows and what it does not; at
most as many rows as a codeword has on average (docs/log.md)."""
FEW_ROWS = 10_000
"""With fewer, no draw is remembered: they tell of the same rows again and again. With more, what is learned of the
first group is kept where rows are missed by less, each by the ratio: many that are nearly equal outweigh a few."""
LATER_RIDGE = 4.0
"""Ridge of later groups. What shrinks their codewords lowers the squared error and recall alike (docs/log.md)."""
_BLOCK_ROWS = 512
_ARRAYS = ("codebooks", "emphasis")
_TINY = 1e-20


class Lesson(NamedTuple):
    """What rows that a group was not fitted on tell of it."""

    ridge: float
    """The ridge for learning its codebooks together; 0 where they are better as they start."""
    missed: float
    """Mean square of what is missed of those rows, per dim."""


class _Clock:
    """Tells `pace` how much of the work on all groups is done: the start of a codebook is as much as a round."""

    def __init__(self, rounds: Sequence[int], pace: Callable[[float], float]) -> None:
        self.rounds = rounds
        """Rounds of each group."""
        work = np.cumsum([0, *(GROUP + count for count in rounds)])
        self._bounds = work / max(work[-1], 1)
        self._start = GROUP / max(work[-1], 1)
        self._pace = pace
        self._used = 0.0

    def begins(self, place: int) -> float:
        """Return the share of the time that is used before a group."""
        return self._pace(self._bounds[place])

    def is_made(self, place: int) -> float:
        """Return the share that is used once the group's codebooks are made one after another."""
        self._used = self._pace(self._bounds[place] + self._start)
        return self._used

    def of_rounds(self, place: int) -> Callable[[float], float]:
        """Return the pace of the group's rounds: of the time that is left to them, the share that is used."""
        made, end, used = self._bounds[place] + self._start, self._bounds[place + 1], self._used
        return lambda done: (self._pace(made + done * (end - made)) - used) / max(end - used, _TINY)

    def ends(self, place: int) -> None:
        """Tell that a group is done."""
        self._pace(self._bounds[place + 1])


@dataclass(frozen=True, eq=False, kw_only=True)
class JointTokens:
    """One codebook per token; a vector, centred on its mean, is predicted as the sum of the codewords so far.

    Each token is one byte. Tokens of a group are chosen together, for what the groups before it have missed, whether
    all of them are kept or not. So any number of leading tokens is a valid, shorter code.

    Source: residual and local search quantisation (`learn_codebooks`), beam search (Babenko and Lempitsky, 2014);
    groups, which keep short codes prefixes of long ones, are our choice.
    """

    codebooks: Float32[Array, "T C P"]
    """Codewords of each token."""
    emphasis: Float32[Array, "2 P"]
    """By what errors along each dim are weighed where codewords are chosen, those of the first group and of later
    ones (`arfc.codec.emphasis`)."""
    lessons: Sequence[Lesson] = ()
    """What unseen rows told of each group; empty where there were none."""

    @classmethod
    def fit(
        cls,
        values_NP: Float32[Array, "N P"],
        *,
        tokens: int,
        rng: np.random.Generator,
        rounds: int = ROUNDS,
        unseen_HP: Float32[Array, "H P"] | None = None,
        lessons: Sequence[Lesson] = (),
        emphasis_2P: Float32[Array, "2 P"] | None = None,
        pace: Callable[[float], float] = lambda done: 0.0,
    ) -> JointTokens:
        """Fit the codebooks group after group, each on what the groups before it have missed; strongest dims first.

        Errors along all dims count alike where no emphasis is given. Rows that codebooks were fitted on are missed by
        less than others. With rows that were not, `unseen_HP`, the next group learns from what was missed at their
        length. In their place may stand the `lessons` of an earlier fit, on fewer rows, to as many groups. The first
        group is learned from ever new rows between those given (`RowsBetween`), in `rounds` rounds, later ones in half
        as many; 0 leaves residual quantisation. `pace` is told the share of the work that is done, and returns the
        share of the time that is used: where that is larger, there are fewer rounds, and no further group once all of
        it is used.

        Shapes: values (N, P), N at least `LEAST_ROWS` unless `tokens` is 0.
        """
        starts = range(0, tokens, GROUP)
        clock = _Clock([-(-rounds // 2) if first else rounds for first in starts], pace)
        alike_2P = np.ones((2, values_NP.shape[1]), dtype=np.float32)
        emphasis_2P = alike_2P if emphasis_2P is None else emphasis_2P
        values_NP = values_NP * emphasis_2P[0]
        unseen_HP = None if unseen_HP is None else unseen_HP * emphasis_2P[0]
        codebooks = [np.empty((0, CODEWORDS, values_NP.shape[1]), dtype=np.float32)]
        told: list[Lesson] = []
        for place, first in enumerate(starts):
            if clock.begins(place) >= 1:
                break
            between = RowsBetween(values_NP) if place == 0 else None
            start_NP = between.draw(rng) if between else values_NP
            codebooks_TCP = residual_codebooks(start_NP, tokens=min(GROUP, tokens - first), rng=rng)
            group, ridge = cls(codebooks=codebooks_TCP, emphasis=alike_2P), 0.0
            lesson = lessons[place] if lessons else None
            if clock.is_made(place) < 1 and clock.rounds[place]:
                group, ridge = group._learned(
                    values_NP, unseen_HP, between=between, place=place, lesson=lesson, clock=clock, rng=rng
                )
            codebooks.append(group.codebooks / emphasis_2P[min(place, 1)])
            if lesson is None and unseen_HP is not None:
                unseen_HP = group._missed(unseen_HP)
                lesson = Lesson(ridge=ridge, missed=float(np.square(unseen_HP).mean()))
            if lesson is not None:
                told.append(lesson)
            if first == starts[-1]:
                break
            values_NP = group._missed(values_NP)
            if lesson is not None:
                values_NP *= np.sqrt(lesson.missed / max(np.square(values_NP).mean(), _TINY))
            if place == 0:
                to_later_P = emphasis_2P[1] / emphasis_2P[0]
                values_NP *= to_later_P
                unseen_HP = None if unseen_HP is None else unseen_HP * to_later_P
        return cls(codebooks=np.concatenate(codebooks), emphasis=emphasis_2P, lessons=told)

    def _learned(
        self,
        values_NP: Float32[Array, "N P"],
        unseen_HP: Float32[Array, "H P"] | None,
        *,
        between: RowsBetween | None,
        place: int,
        lesson: Lesson | None,
        clock: _Clock,
        rng: np.random.Generator,
    ) -> tuple[JointTokens, float]:
        """Return this group with codebooks that are learned together, and the ridge; as it is, and 0, where that is
        better for unseen rows or was so in an earlier fit."""
        missed = 0.0
        if lesson is not None:
            ridge = lesson.ridge
        else:
            missed = self._miss_ratio(values_NP, unseen_HP)
            rows = between.drawn if between else len(values_NP)
            ridge = float(np.clip(FIRST_RIDGE * missed**2 if between else LATER_RIDGE, 1, rows / CODEWORDS))
        if not ridge:
            clock.ends(place)
            return self, 0.0
        rounds, pace = clock.rounds[place], clock.of_rounds(place)
        is_many = between is not None and len(values_NP) >= FEW_ROWS
        if between:
            remembered = MOST_REMEMBERED if is_many else 0.0
            draw = partial(between.draw, rng)
            codebooks_TCP = learn_from_draws(
                self.codebooks, draw, rounds=rounds, ridge=ridge, remembered=remembered, pace=pace
            )
        else:
            codebooks_TCP = learn_codebooks(self.codebooks, values_NP, rounds=rounds, ridge=ridge, rng=rng, pace=pace)
        group = replace(self, codebooks=codebooks_TCP)
        if lesson is None:
            judged_NP = values_NP if unseen_HP is None else unseen_HP
            if is_many:
                is_better = group._mean_log_miss(judged_NP) < self._mean_log_miss(judged_NP)
            else:
                is_better = group._miss_ratio(values_NP, unseen_HP) < missed
            if not is_better:
                return self, 0.0
        return group, ridge

    @classmethod
    def none(cls, emphasis_2P: Float32[Array, "2 P"]) -> JointTokens:
        """Return what has no tokens."""
        return cls(codebooks=np.empty((0, CODEWORDS, emphasis_2P.shape[1]), np.float32), emphasis=emphasis_2P)

    @property
    def tokens(self) -> int:
        """Tokens of the longest code."""
        return len(self.codebooks)

    def first(self, tokens: int) -> JointTokens:
        """Return the tokens cut to the first few."""
        return JointTokens(codebooks=self.codebooks[:tokens], emphasis=self.emphasis)

    def encode(self, values_NP: Float32[Array, "N P"], *, tokens: int) -> UInt8[Array, "N {tokens}"]:
        """Return the first `tokens` tokens of each row; rows do not influence each other."""
        return by_threads(lambda block_nP: self._encode(block_nP, tokens), values_NP, block_rows=_BLOCK_ROWS)

    def decode(self, packed_NT: UInt8[Array, "N T"]) -> Float32[Array, "N P"]:
        """Return what the tokens predict."""
        predicted_NP = np.zeros((len(packed_NT), self.codebooks.shape[2]), dtype=np.float32)
        for codebook_CP, token_N in zip(self.codebooks, packed_NT.T, strict=False):
            predicted_NP += codebook_CP[token_N]
        return predicted_NP

    def to_arrays(self) -> dict[str, Array]:
        """Return everything the tokens are made of, ready for safetensors."""
        return dict(zip(_ARRAYS, (self.codebooks, self.emphasis), strict=True))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], *, dims: int) -> JointTokens:
        """Build from `to_arrays`' form.

        Raises: ModelFileError when an array is missing, or they do not fit together.
        """
        codebooks_TCP, emphasis_2P = taken(arrays, _ARRAYS)
        tokens = len(codebooks_TCP) if codebooks_TCP.ndim else 0
        check_floats(codebooks_TCP, name="codebooks", shape=(tokens, CODEWORDS, dims))
        check_floats(emphasis_2P, name="emphasis", shape=(2, dims))
        if (emphasis_2P <= 0).any():
            raise ModelFileError("codec emphasis must be above 0 in every dim, it is not; is the file whole?")
        return cls(codebooks=codebooks_TCP, emphasis=emphasis_2P)

    @cached_property
    def _groups(self) -> list[Group]:
        """Groups of weighed codewords."""
        starts = range(0, self.tokens, GROUP)
        return [Group(self.codebooks[first : first + GROUP] * self.emphasis[min(first, 1)]) for first in starts]

    def _encode(self, values_nP: Float32[Array, "n P"], tokens: int) -> UInt8[Array, "n {tokens}"]:
        """Follow the best paths to the end of each group, and refine the one that ends best."""
        missed_nP = values_nP.copy()
        stand_nT = np.empty((len(values_nP), -(-tokens // GROUP) * GROUP), dtype=np.uint8)
        for first in range(0, tokens, GROUP):
            group = self._groups[first // GROUP]
            alone_nTC = group.alone(missed_nP * self.emphasis[min(first, 1)])
            best_nT = group.choose_anew(alone_nTC, group.best_sum(alone_nTC, paths=PATHS))
            stand_nT[:, first : first + best_nT.shape[1]] = best_nT
            for codebook_CP, token_n in zip(self.codebooks[first:], best_nT.T, strict=False):
                missed_nP -= codebook_CP[token_n]
        return stand_nT[:, :tokens]

    def _missed(self, values_NP: Float32[Array, "N P"]) -> Float32[Array, "N P"]:
        return values_NP - self.decode(self.encode(values_NP, tokens=self.tokens))

    def _miss_ratio(self, values_NP: Float32[Array, "N P"], unseen_HP: Float32[Array, "H P"] | None) -> float:
        """Return the energy that the tokens miss over that which they don't, of unseen rows where there are any."""
        rows_NP = values_NP if unseen_HP is None else unseen_HP
        whole, missed = float(np.square(rows_NP).sum()), float(np.square(self._missed(rows_NP)).sum())
        return missed / max(whole - missed, 1e-3 * whole + _TINY)

    def _mean_log_miss(self, values_NP: Float32[Array, "N P"]) -> float:
        missed_N = np.square(self._missed(values_NP)).sum(axis=1)
        return float(np.log(np.maximum(missed_N, _TINY)).mean())
