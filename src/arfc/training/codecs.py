"""After training: the byte codes of the vectors that the network makes."""
# N rows, D feature dims

from __future__ import annotations

import math

import numpy as np
import torch

from arfc.codec import NestedCodec
from arfc.model.network import Network
from arfc.sizes import byte_ladder
from arfc.training.corrections import compress_blocks
from arfc.training.curve import coded_scores
from arfc.training.loop import Run
from arfc.training.task import Task

CODEC_ROWS = 50_000
"""Most fit rows that the codecs see."""
QUICK_CODEC_ROWS = 5_000
"""The same after Ctrl-C, when someone waits; nearly as good (docs/log.md)."""
QUICK_CODEC_S = 10.0
"""Most seconds that codebooks may then take."""
CODEBOOK_SHARE = 0.5
"""Share of the time for codes that codebooks may use; to choose among them and to measure takes the rest."""
JUDGED_BYTES = 96
"""Largest size by which the number of joint tokens is chosen: longer codes are level with each other."""


@torch.no_grad()
def fit_codecs(
    network: Network, task: Task, *, seed: int, run: Run, budget_s: float
) -> tuple[NestedCodec, NestedCodec]:
    """Fit codecs on fit rows of all modalities: the model's own, and KLT + bits to compare it with.

    The number of joint tokens of the model's own is the one with the best validation score, mean over short sizes. Only
    without a budget are codebooks of few rows fitted twice.
    """
    entities_ND = task.fit.entities
    most = QUICK_CODEC_ROWS if run.interrupted else CODEC_ROWS
    chosen_ND = entities_ND[:: -(-len(entities_ND) // most)]
    ours_ND = compress_blocks(network, chosen_ND, dims=network.width)
    klt_ND = chosen_ND @ network.klt.basis
    codebooks_s = CODEBOOK_SHARE * budget_s
    pace = run.pace("codes", budget_s=min(codebooks_s, QUICK_CODEC_S) if run.interrupted else codebooks_s)
    scored = [compress_blocks(network, unit_ND, dims=network.width) for unit_ND in task.of_codes.scored]
    sizes = [size for size in byte_ladder(network.width, network.width) if size <= JUDGED_BYTES]

    def judge(codec: NestedCodec) -> float:
        return float(np.mean(list(coded_scores(task.of_codes, scored, codec, sizes).values())))

    ours = NestedCodec.fit(
        ours_ND.numpy(),
        seed=seed,
        rounds=task.config.code_rounds,
        twice=math.isinf(codebooks_s) and not run.interrupted,
        pace=pace,
        judge=None if run.interrupted else judge,
    )
    return ours, NestedCodec.fit(klt_ND.numpy(), most_tokens=0)
