"""After training: the byte codes of the vectors that the network makes."""
# N rows, D feature dims

from __future__ import annotations

import torch

from arfc.codec import NestedCodec
from arfc.codec.nested import MOST_TOKENS
from arfc.model.network import Network
from arfc.training.corrections import compress_blocks
from arfc.training.loop import Run
from arfc.training.task import Rows

CODEC_ROWS = 50_000
"""Most fit rows that the codecs see."""
QUICK_CODEC_ROWS = 5_000
"""The same after Ctrl-C, when someone waits; nearly as good (docs/log.md)."""


@torch.no_grad()
def fit_codecs(
    network: Network, fit_rows: Rows, *, seed: int, run: Run, budget_s: float
) -> tuple[NestedCodec, NestedCodec]:
    """Fit codecs on rows of all modalities: the model's own, and KLT + bits to compare it with."""
    entities_ND = fit_rows.entities
    most = QUICK_CODEC_ROWS if run.interrupted else CODEC_ROWS
    chosen_ND = entities_ND[:: -(-len(entities_ND) // most)]
    ours_ND = compress_blocks(network, chosen_ND, dims=network.width)
    klt_ND = chosen_ND @ network.klt.basis
    go_on = run.counter("codes", MOST_TOKENS, budget_s=budget_s)
    return NestedCodec.fit(ours_ND.numpy(), seed=seed, go_on=go_on), NestedCodec.fit(klt_ND.numpy(), most_tokens=0)
