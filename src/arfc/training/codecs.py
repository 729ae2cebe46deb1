"""After training: the byte codes of the vectors that the network makes."""
# N rows, D feature dims, K dims of what is coded, T tokens, B bytes per vector

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from arfc.codec import ClassicCodec, NestedCodec
from arfc.codec.stretch import POWERS
from arfc.codec.token_count import Order, judged_sizes
from arfc.model.network import Network
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32, UInt8
from arfc.training.corrections import compress_blocks
from arfc.training.curve import coded_scores, scores_of_packed
from arfc.training.loop import Run
from arfc.training.recall import distinct
from arfc.training.task import Task

CODEC_ROWS = 50_000
"""Most fit rows that the codecs see."""
QUICK_CODEC_ROWS = 5_000
"""The same after Ctrl-C, when someone waits; nearly as good (docs/log.md)."""
QUICK_CODEC_S = 10.0
"""Most seconds that codebooks may then take."""
CODEBOOK_SHARE = 0.5
"""Share of the time for codes that codebooks may use; to choose among them and to measure takes the rest."""

Judge = Callable[[NestedCodec], float]
"""A codec -> how well it does on validation rows, the more the better."""


class SameRows:
    """Rows that codecs of one fit encode, one after another: joint tokens that an earlier one has too are found once.

    Shapes: vectors (N, K).
    """

    def __init__(self, vectors_NK: Float32[Array, "N K"]) -> None:
        self._vectors_NK = vectors_NK
        self._codebooks: Array = np.empty((0, 0, 0), dtype=np.float32)
        self._tokens_NT: UInt8[Array, "N T"] | None = None

    def encode(self, codec: NestedCodec, *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the codes, as `codec.encode`."""
        codebooks = codec.joint.codebooks
        known = np.array_equal(codebooks, self._codebooks[: len(codebooks)])
        packed_NB = codec.encode(
            self._vectors_NK, bytes_per_vector=bytes_per_vector, known_NT=self._tokens_NT if known else None
        )
        if not known:
            self._codebooks = codebooks[: packed_NB.shape[1]]
            self._tokens_NT = packed_NB[:, : len(self._codebooks)]
        return packed_NB


@torch.no_grad()
def fit_codecs(
    network: Network, task: Task, *, seed: int, run: Run, budget_s: float
) -> tuple[NestedCodec, ClassicCodec]:
    """Fit codecs on fit rows of all modalities: the model's own, and KLT + bits to compare it with.

    The number of joint tokens of the model's own is the one that keeps most of the order of near validation rows, with
    pairs of those on the other side, or, with labels alone, has the best validation score, mean over short sizes. With
    either the lengths of decoded rows are those with the best such score. Only without a budget are codebooks of few
    rows fitted twice.
    """
    entities_ND = task.fit.entities
    most = QUICK_CODEC_ROWS if run.interrupted else CODEC_ROWS
    chosen_ND = entities_ND[:: -(-len(entities_ND) // most)]
    ours_ND = compress_blocks(network, chosen_ND, dims=network.width)
    codebooks_s = CODEBOOK_SHARE * budget_s
    pace = run.pace("codes", budget_s=min(codebooks_s, QUICK_CODEC_S) if run.interrupted else codebooks_s)
    by_class = task.fit.labels is not None and task.fit.partners is None
    judge = _score_judge(network, task) if by_class else _order_judge(network, task)
    ours = NestedCodec.fit(
        ours_ND.numpy(),
        seed=seed,
        rounds=task.config.code_rounds,
        twice=math.isinf(codebooks_s) and not run.interrupted,
        pace=pace,
        judge=None if run.interrupted else judge,
    )
    if task.supervised:  # queries then ask for other rows than their nearest
        power = POWERS[0] if run.interrupted else _best_power(network, task, ours)
        ours = replace(ours, frame=replace(ours.frame, power=power))
    return ours, ClassicCodec.fit(chosen_ND.numpy())


def _best_power(network: Network, task: Task, codec: NestedCodec) -> float:
    """Return how far decoded rows should be stretched by the validation score."""
    scored, sizes = _scored(network, task), judged_sizes(network.width)
    packed = [codec.encode(full.numpy(), bytes_per_vector=max(sizes)) for full in scored]

    def score(power: float) -> float:
        stretched = replace(codec, frame=replace(codec.frame, power=power))
        return float(np.mean(list(scores_of_packed(task.of_codes, scored, packed, stretched, sizes).values())))

    return max(POWERS, key=score)


def _score_judge(network: Network, task: Task) -> Judge:
    """Return what gives a codec its validation score."""
    scored, sizes = _scored(network, task), judged_sizes(network.width)
    return lambda codec: float(np.mean(list(coded_scores(task.of_codes, scored, codec, sizes).values())))


def _order_judge(network: Network, task: Task) -> Judge:
    """Return what says how firmly a codec keeps near validation rows in their order.

    With pairs the rows of one side ask those of the other; where partners are known, these are all of them.
    """
    sizes, orders = judged_sizes(network.width), []
    for asking_ND, answering_ND in _ways(task):
        full_ND = _full(network, answering_ND).numpy()
        others_ND = None if asking_ND is None else unit_rows(_full(network, asking_ND).numpy())
        orders.append((SameRows(full_ND), Order(unit_rows(full_ND), queries=task.queries, others_MK=others_ND)))

    def judge(codec: NestedCodec) -> float:
        kept = []
        for rows, order in orders:
            packed = rows.encode(codec, bytes_per_vector=max(sizes))
            kept += [order.kept(codec.decode(packed[:, :size])) for size in sizes]
        return float(np.mean(kept))

    return judge


def _ways(task: Task) -> list[tuple[Tensor | None, Tensor]]:
    """Return rows that ask and rows that answer; where none ask, those that answer ask each other."""
    rows = task.validation
    if rows.partners is None:
        return [(None, task.answering[: task.alone])]
    if task.config.known_partners:
        return [(distinct(rows.features), distinct(task.scored[1]))]
    left, right = distinct(rows.features), distinct(rows.partners)
    return [(left, right), (right, left)]


def _scored(network: Network, task: Task) -> list[Tensor]:
    """Return the rows that codes are scored on, compressed to full width."""
    return [_full(network, unit_ND) for unit_ND in task.of_codes.scored]


def _full(network: Network, unit_ND: Tensor) -> Tensor:
    return compress_blocks(network, unit_ND, dims=network.width)
