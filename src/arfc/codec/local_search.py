"""Codebooks that are learned together: tokens are chosen anew while the others stand, then all codewords are fitted."""
# N rows, D drawn rows, H held-out rows, n rows of a block, P dims, T tokens, C codewords (256)

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from arfc.codec.group import Group
from arfc.codec.kmeans import grow_codebook
from arfc.codec.threads import by_threads
from arfc.shapes import Array, Float32, Int64

PREFIX_WEIGHTS = {1: 0.01, 2: 0.03, 4: 0.1}
"""Weight of the sums of the first codewords beside that of the whole sum, which is 1 (docs/log.md)."""
NOISE = 0.25
"""Spread of the noise on codewords at the start, in units of the rows' own per dim; it falls to 0."""
CALM_ROUNDS = 50
"""With fewer rounds than this there is as much less noise, since they have less time to recover from it."""
MOST_REMEMBERED = 0.9
"""Weight, at the end, of what earlier draws told beside that of the last; it grows with the rounds (docs/log.md)."""
_PASSES = 2
_BLOCK_ROWS = 512


class _Equations(NamedTuple):
    """The least squares of codewords for tokens that stand: what rows tell of them."""

    counts: Float32[Array, "T C 1"]
    """Weights of the rows that name a codeword."""
    sums: Float32[Array, "T C P"]
    """Their weighed sum."""
    both: Float32[Array, "T T C C"]
    """Weights of the rows that name a codeword and another one."""


def learn_codebooks(
    codebooks_TCP: Float32[Array, "T C P"],
    values_NP: Float32[Array, "N P"],
    *,
    rounds: int,
    ridge: float,
    rng: np.random.Generator,
    pace: Callable[[float], float] = lambda done: 0.0,
) -> Float32[Array, "T C P"]:
    """Return codebooks whose sums of one codeword per token are nearer to the rows than those of the codebooks given.

    Rounds of local search make codebooks good together that were made one after another; the weights of shorter sums
    keep these good too. Noise that falls round by round keeps the search from settling at once. Each codeword is fitted
    with `ridge` more rows at zero: what few rows say of it is not believed in full. `pace` is told the share of the
    rounds that is done, and returns the share of the time that is used: where that is larger, there are fewer rounds.

    Source: LSQ++ (Martinez et al., 2018: iterated conditional modes, least squares, stochastic relaxation of the
    codebooks); the weights on shorter sums are ours.
    """
    weights_T = _weights(len(codebooks_TCP))
    picked_NT = best_sums(codebooks_TCP, values_NP)
    spread_P = values_NP.std(axis=0) * np.float32(NOISE * min(1.0, rounds / CALM_ROUNDS) / np.sqrt(len(weights_T)))
    for step in range(1, rounds + 1):
        progress = max(step / rounds, pace(step / rounds))
        picked_NT = _chosen_anew(Group(codebooks_TCP, weights_T), values_NP, picked_NT)
        codebooks_TCP = _fitted(codebooks_TCP, values_NP, picked_NT, weights_T, ridge=ridge)
        if progress >= 1:
            break
        codebooks_TCP += (
            np.float32(np.sqrt(1 - progress)) * spread_P * rng.standard_normal(codebooks_TCP.shape, dtype=np.float32)
        )
    return codebooks_TCP


def learn_from_draws(
    codebooks_TCP: Float32[Array, "T C P"],
    draw: Callable[[], Float32[Array, "D P"]],
    *,
    rounds: int,
    ridge: float,
    remembered: float = MOST_REMEMBERED,
    pace: Callable[[float], float] = lambda done: 0.0,
) -> Float32[Array, "T C P"]:
    """As `learn_codebooks`, where `draw` gives new rows for each round: they are noise enough.

    Codewords are fitted to the rows of the last draw and, by a weight that grows up to `remembered` per round, to those
    of earlier ones: once codebooks change little, more rows have a say than a round can search.

    Source: online learning of a dictionary (Mairal et al., 2009).
    """
    weights_T = _weights(len(codebooks_TCP))
    earlier: _Equations | None = None
    for step in range(1, rounds + 1):
        progress = max(step / rounds, pace(step / rounds))
        group, drawn_DP = Group(codebooks_TCP, weights_T), draw()
        picked_DT = best_sums(codebooks_TCP, drawn_DP)
        for _ in range(_PASSES):
            picked_DT = _chosen_anew(group, drawn_DP, picked_DT)
        told = _equations(codebooks_TCP.shape[1], drawn_DP, picked_DT, weights_T)
        if earlier is not None:
            for new, old in zip(told, earlier, strict=True):
                new += np.float32(remembered * min(progress, 1.0)) * old
        codebooks_TCP = _solved(codebooks_TCP, told, ridge=ridge)
        if progress >= 1:
            break
        earlier = told if remembered else None
    return codebooks_TCP


def residual_codebooks(
    values_NP: Float32[Array, "N P"], *, tokens: int, rng: np.random.Generator
) -> Float32[Array, "T C P"]:
    """Return codebooks made one after another, each for what those before it miss; strongest dims first.

    Source: residual quantisation (Chen et al., 2010).
    """
    codebooks: list[Array] = []
    for _ in range(tokens):
        codebooks.append(grow_codebook(values_NP, rng))
        values_NP = values_NP - codebooks[-1][best_sums(codebooks[-1][None], values_NP)[:, 0]]
    return np.stack(codebooks)


def best_sums(codebooks_TCP: Float32[Array, "T C P"], values_NP: Float32[Array, "N P"]) -> Int64[Array, "N T"]:
    """Return the codeword of each token that is nearest to what those before it miss."""
    group = Group(codebooks_TCP)

    def pick(block_nP: Float32[Array, "n P"]) -> Int64[Array, "n T"]:
        return group.best_sum(group.alone(block_nP), paths=1)

    return by_threads(pick, values_NP, block_rows=_BLOCK_ROWS)


def _weights(tokens: int) -> Float32[Array, " T"]:
    return np.array([PREFIX_WEIGHTS.get(count, 0.0) for count in range(1, tokens)] + [1.0], dtype=np.float32)


def _chosen_anew(group: Group, values_NP: Float32[Array, "N P"], picked_NT: Int64[Array, "N T"]) -> Int64[Array, "N T"]:
    def choose(ids_n: Int64[Array, " n"]) -> Int64[Array, "n T"]:
        return group.choose_anew(group.alone(values_NP[ids_n]), picked_NT[ids_n])

    return by_threads(choose, np.arange(len(values_NP)), block_rows=_BLOCK_ROWS)


def _fitted(
    codebooks_TCP: Float32[Array, "T C P"],
    values_NP: Float32[Array, "N P"],
    picked_NT: Int64[Array, "N T"],
    weights_T: Float32[Array, " T"],
    *,
    ridge: float,
) -> Float32[Array, "T C P"]:
    """Return codewords of less squared error, all sums weighted, for tokens that stand: a step of least squares."""
    return _solved(codebooks_TCP, _equations(codebooks_TCP.shape[1], values_NP, picked_NT, weights_T), ridge=ridge)


def _equations(
    codewords: int, values_NP: Float32[Array, "N P"], picked_NT: Int64[Array, "N T"], weights_T: Float32[Array, " T"]
) -> _Equations:
    tokens = picked_NT.shape[1]
    later_T = np.cumsum(weights_T[::-1])[::-1]
    counts_TC1 = np.zeros((tokens, codewords, 1), dtype=np.float32)
    sums_TCP = np.zeros((tokens, codewords, values_NP.shape[1]), dtype=np.float32)
    both_TTCC = np.zeros((tokens, tokens, codewords, codewords), dtype=np.float32)
    for token, picked_N in enumerate(picked_NT.T):
        order_N = np.argsort(picked_N, kind="stable")
        held, starts, counts = np.unique(picked_N[order_N], return_index=True, return_counts=True)
        counts_TC1[token, held, 0] = later_T[token] * counts
        sums_TCP[token, held] = later_T[token] * np.add.reduceat(values_NP[order_N], starts, axis=0)
        for other in range(token):
            pair_N = picked_N * codewords + picked_NT[:, other]
            counts_CC = np.bincount(pair_N, minlength=codewords**2).reshape(codewords, codewords)
            both_TTCC[token, other] = later_T[token] * counts_CC
            both_TTCC[other, token] = both_TTCC[token, other].T
    return _Equations(counts_TC1, sums_TCP, both_TTCC)


def _solved(codebooks_TCP: Float32[Array, "T C P"], told: _Equations, *, ridge: float) -> Float32[Array, "T C P"]:
    """Return codewords that fit the equations better.

    Codebooks are solved one by one, twice, the others given: a tenth of the cost of solving for all at once, and as
    good (docs/log.md).
    """
    fitted_TCP = codebooks_TCP.copy()
    for _ in range(_PASSES):
        for token in range(len(fitted_TCP)):
            taken_CP = np.zeros_like(fitted_TCP[token])
            for other in range(len(fitted_TCP)):
                if other != token:
                    taken_CP += told.both[token, other] @ fitted_TCP[other]
            fitted_TCP[token] = (told.sums[token] - taken_CP) / (told.counts[token] + ridge)
    return fitted_TCP
