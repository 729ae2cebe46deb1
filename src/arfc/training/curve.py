"""The quality curve: the validation score at a ladder of sizes, next to the cheap ways to get there."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from arfc.codec import ClassicCodec, NestedCodec
from arfc.model.network import Network
from arfc.scores import of_one_length
from arfc.shapes import Array
from arfc.sizes import byte_ladder, float_ladder
from arfc.training.corrections import compress_blocks
from arfc.training.recall import means
from arfc.training.task import Task

METRICS = {"features": "recall@10", "pairs": "MRR", "labels": "mAP@R by class"}


@torch.no_grad()
def measure_curve(network: Network, codec: NestedCodec, task: Task, *, klt_codec: ClassicCodec) -> dict[str, Any]:
    """Return the score of arfc, KLT and truncation per size, all on the same validation rows.

    Metric by what the model was fitted for: recall@10 of the original's nearest rows or MRR of the partner both ways,
    one way where partners are known (validation rows ask, all of them and some fit rows answer), or mAP@R by class.
    Byte rows compare float queries with decoded codes, of rows whose codes are new (`Task.of_codes`); KLT + bits
    is `klt_codec`, trained on the same rows. Rows are transformed and coded once, at full length: a short vector
    or code is the beginning of the long one.
    """
    width, rows = network.width, task.validation
    methods = {
        "arfc": [compress_blocks(network, unit, dims=width) for unit in task.scored],
        "klt": [unit @ network.klt.basis for unit in task.scored],
        "truncation": task.scored,
    }
    floats = {name: means(task.hits(vectors, sizes=float_ladder(width))) for name, vectors in methods.items()}
    new, sizes = task.of_codes, byte_ladder(width, width)
    ours = [compress_blocks(network, unit, dims=width) for unit in new.scored]
    coded = {"arfc": coded_scores(new, ours, codec, sizes), "klt": coded_scores(new, new.scored, klt_codec, sizes)}
    kind = "pairs" if rows.partners is not None else "labels" if rows.labels is not None else "features"
    return {
        "metric": METRICS[kind],
        "validation_rows": len(rows),
        "answering_rows": len(task.scored[0]),
        "uncompressed": floats["truncation"][width],
        "floats": [
            {"dims": dims, "bytes": 4 * dims, **{name: floats[name][dims] for name in methods}}
            for dims in float_ladder(width)
        ],
        "code_answering_rows": len(new.scored[0]),
        "code_uncompressed": means(new.hits(new.scored, sizes=(width,)))[width],
        "bytes": [{"bytes": size, **{name: scores[size] for name, scores in coded.items()}} for size in sizes],
    }


def coded_scores(
    task: Task, vectors: list[Tensor], codec: NestedCodec | ClassicCodec, sizes: Sequence[int]
) -> dict[int, float]:
    """Return the score per number of bytes: the vectors of `task.scored`, whole, ask for their decoded codes."""
    packed = [codec.encode(full.numpy(), bytes_per_vector=max(sizes)) for full in vectors]
    return scores_of_packed(task, vectors, packed, codec, sizes)


def scores_of_packed(
    task: Task, vectors: list[Tensor], packed: list[Array], codec: NestedCodec | ClassicCodec, sizes: Sequence[int]
) -> dict[int, float]:
    """Return the same for codes that were made before."""
    asked, width = [functional.pad(full, (0, 1)) for full in vectors], task.width + 1
    scores = {}
    for size in sizes:
        decoded = [torch.from_numpy(of_one_length(codec.decode(codes[:, :size]))) for codes in packed]
        scores[size] = means(task.hits(asked, decoded, sizes=(width,)))[width]
    return scores
