"""The quality curve: the validation score at a ladder of sizes, next to the cheap ways to get there."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from arfc.codec import ScalarCodec
from arfc.model.network import Network
from arfc.sizes import byte_ladder, float_ladder
from arfc.training.arc_phase import compress_blocks
from arfc.training.task import Task, label_recall, nearest_by, neighbour_recall, pair_recall

METRICS = {"features": "recall@10", "pairs": "R@1", "labels": "R@1 by class"}


@torch.no_grad()
def measure_curve(network: Network, codec: ScalarCodec, task: Task, *, klt_codec: ScalarCodec) -> dict[str, Any]:
    """Return the score of arfc, KLT and truncation per size, all on the same validation rows.

    Metric by what the model was fitted for: recall@10 of the original's nearest rows (validation rows ask, all of
    them and some fit rows answer), R@1 of the partner both ways, or R@1 by class. Byte rows compare float queries with
    decoded codes; the KLT's are coded by `klt_codec`, trained on the same rows.
    """
    width = network.width

    def ours(unit: Tensor) -> Tensor:
        return compress_blocks(network, unit, dims=width)

    def klt(unit: Tensor) -> Tensor:
        return unit @ network.klt.basis

    def full_score(transform: Callable[[Tensor], Tensor], dims: int) -> float:
        return _score(task, lambda unit: transform(unit)[:, :dims])

    floats = [
        {
            "dims": dims,
            "bytes": 4 * dims,
            "arfc": full_score(ours, dims),
            "klt": full_score(klt, dims),
            "truncation": full_score(lambda unit: unit, dims),
        }
        for dims in float_ladder(width)
    ]

    def coded(transform: Callable[[Tensor], Tensor], coder: ScalarCodec, size: int) -> float:
        def stored(unit: Tensor) -> Tensor:
            return torch.from_numpy(coder.decode(coder.encode(transform(unit).numpy(), bytes_per_vector=size)))

        return _score(task, transform, stored)

    bytes_rows = [
        {"bytes": size, "arfc": coded(ours, codec, size), "klt": coded(klt, klt_codec, size)}
        for size in byte_ladder(width, codec.largest_bytes)
    ]
    rows = task.validation
    kind = "pairs" if rows.partners is not None else "labels" if rows.labels is not None else "features"
    return {
        "metric": METRICS[kind],
        "validation_rows": len(rows),
        "answering_rows": len(rows) if task.supervised else len(task.answering),
        "uncompressed": _score(task, lambda unit: unit),
        "floats": floats,
        "bytes": bytes_rows,
    }


def _score(task: Task, query: Callable[[Tensor], Tensor], stored: Callable[[Tensor], Tensor] | None = None) -> float:
    """Score queries against rows that may be stored in another form."""
    rows = task.validation
    stored = stored or query
    if rows.partners is not None:
        one = pair_recall(query(rows.features), stored(rows.partners), rows)[0]
        other = pair_recall(stored(rows.features), query(rows.partners), rows)[1]
        return (one + other) / 2
    if rows.labels is not None:
        return label_recall(query(rows.features), rows.labels, stored(rows.features))
    truth = nearest_by(task.answering, task.queries)
    return neighbour_recall(query(task.answering), truth, stored(task.answering))
