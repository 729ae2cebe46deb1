"""Score a model on rows its fit has not used, next to the cheap ways to the same size."""
# N rows, M sampled rows, Q queries, D feature dims

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.errors import RowError, ShapeError, SizeError
from arfc.evaluate.intervals import interval, interval_and_retention
from arfc.evaluate.methods import LEAST_SEEN_ROWS, K, Small, byte_methods, float_methods
from arfc.evaluate.sample import Sample, draw
from arfc.io import Features, open_labels
from arfc.scores import recall_at_k, unit_rows
from arfc.search import exact_search
from arfc.shapes import Array, Bool, Float32, Float64, Int64
from arfc.sizes import byte_ladder, float_ladder

if TYPE_CHECKING:
    from arfc.compressor import Compressor

SAME_COSINE = 0.99999
"""Rows at least this near are one and the same: the right partner of one is right for the other."""
PARTNER_PLACES = (1, 5, 10)


def evaluate(
    model: Compressor,
    x: object,
    *,
    pairs: object = None,
    labels: object = None,
    queries: int = 2000,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the scores of arfc and of the cheap ways at a ladder of sizes, ready for JSON: see `arfc.evaluate`.

    Rows that the fit has used, for training or for choosing, and their near-duplicates are left out. Of the others at
    most `queries` ask and at most 20,000 answer, drawn over the whole input; no row does both. recall@10 is held
    against exact search on the originals; with `pairs`, R@1, R@5 and R@10 of the partner among all drawn rows, both
    ways; with `labels`, the share of queries whose nearest row is of their class. Codes are asked by float queries.

    The KLT is the model's own, which has learned from the same rows. The byte baselines are fitted on the rows of the
    input that the fit has used, and left out (None) where these are fewer than 1,000. A score is None too where a row
    is cut to zeros. `report` is called with the number of sizes done and of all sizes.

    Shapes: x and pairs (N, D); labels (N,).
    Raises: RowError when fewer than 100 rows are unseen; ShapeError, DtypeError, InputError; SizeError for `queries`.
    """
    if isinstance(queries, bool) or not isinstance(queries, int) or queries < 1:
        raise SizeError(f"queries must be a whole number of at least 1, got {queries!r}; try 2000")
    sides = _open_sides(model, x, pairs)
    labels_N = None if labels is None else open_labels(labels, sides[0].rows)
    for side in sides:
        side.validate()
    sample = draw(sides, labels_N, model.seen, queries=queries, seed=seed)
    ladders = {"dims": float_ladder(model.width), "bytes": byte_ladder(model.width, model.codec.largest_bytes)}
    methods = {
        "dims": float_methods(model),
        "bytes": byte_methods(model, sample.seen, largest=ladders["bytes"][-1]),
    }
    truth_QK = exact_search(sample.sides[0][sample.asks], sample.sides[0][~sample.asks], k=K)[0]
    uncompressed = _scores(sample, [Small(asked=side_MD, stored=side_MD) for side_MD in sample.sides], truth_QK)
    cells: dict[tuple[str, str, int], dict[str, dict[str, float | None]]] = {}
    zeroed: dict[tuple[str, str], list[int]] = {}
    total = sum(len(ladders[unit]) * sum(m is not None for m in group.values()) for unit, group in methods.items())
    for unit, name, method in [(u, n, m) for u, group in methods.items() for n, m in group.items() if m is not None]:
        smalls = [method(side_MD) for side_MD in sample.sides]
        for size in ladders[unit]:
            try:
                scores = _scores(sample, [small.at(size) for small in smalls], truth_QK)
                cells[unit, name, size] = {
                    metric: interval_and_retention(scores_Q, uncompressed[metric], seed=seed)
                    for metric, scores_Q in scores.items()
                }
            except RowError:
                cells[unit, name, size] = {}
                zeroed.setdefault((unit, name), []).append(size)
            if report:
                report(len(cells), total)

    def rows(metric: str, unit: str) -> list[dict[str, Any]]:
        sizes = [{"dims": size, "bytes": 4 * size} if unit == "dims" else {"bytes": size} for size in ladders[unit]]
        return [
            row | {name: cells.get((unit, name, row[unit]), {}).get(metric) for name in methods[unit]} for row in sizes
        ]

    return {
        "rows": sides[0].rows,
        "checked_rows": sample.checked_rows,
        "left_out_rows": sample.left_out_rows,
        "queries": int(sample.asks.sum()),
        "database_rows": int((~sample.asks).sum()),
        "seed": seed,
        "tables": [
            {
                "metric": metric,
                "uncompressed": interval(scores_Q, seed=seed),
                "floats": rows(metric, "dims"),
                "bytes": rows(metric, "bytes"),
            }
            for metric, scores_Q in uncompressed.items()
        ],
        "notes": [_about_byte_baselines(sample), *(_about_zeros(*where, sizes) for where, sizes in zeroed.items())],
    }


def _open_sides(model: Compressor, x: object, pairs: object) -> list[Features]:
    features = model.open(x)
    if pairs is None:
        return [features]
    partners = model.open(pairs, name="pairs")
    if partners.rows != features.rows:
        raise ShapeError(
            f"pairs must have {features.rows} rows like the features, got {partners.rows}; "
            "row i of both must belong together"
        )
    return [features, partners]


def _scores(sample: Sample, smalls: list[Small], truth_QK: Int64[Array, "Q 10"]) -> dict[str, Float64[Array, " Q"]]:
    """Return every metric of one method at one size, for each query.

    Raises: RowError when a row is zero.
    """
    asks_M = sample.asks
    found_QK = smalls[0].search(asks_M, smalls[0], ~asks_M)
    scores = {f"recall@{K}": recall_at_k(truth_QK, found_QK)}
    if sample.labels is not None:
        same_Q = sample.labels[~asks_M][found_QK[:, 0]] == sample.labels[asks_M]
        scores["R@1 by class"] = same_Q.astype(np.float64)
    if len(smalls) == 2:
        for asker, way in enumerate(("features to pairs", "pairs to features")):
            found_QK = smalls[asker].search(asks_M, smalls[1 - asker], np.ones_like(asks_M))
            right_QK = _right(found_QK, np.flatnonzero(asks_M), sample.sides)
            for best in PARTNER_PLACES:
                scores[f"R@{best} {way}"] = np.any(right_QK[:, :best], axis=1).astype(np.float64)
    return scores


def _right(
    found_QK: Int64[Array, "Q K"], asks_Q: Int64[Array, " Q"], sides: list[Float32[Array, "M D"]]
) -> Bool[Array, "Q K"]:
    """Say which of the rows found are the partner, equal it, or are the partner of an equal of the asker."""
    right_QK: Bool[Array, "Q K"] = found_QK == asks_Q[:, None]
    for unit_MD in map(unit_rows, sides):
        for place in range(found_QK.shape[1]):
            right_QK[:, place] |= np.einsum("qd,qd->q", unit_MD[found_QK[:, place]], unit_MD[asks_Q]) > SAME_COSINE
    return right_QK


def _about_byte_baselines(sample: Sample) -> str:
    if len(sample.seen) >= LEAST_SEEN_ROWS:
        return f"klt and int8 codes are fitted on {len(sample.seen):,} rows of the input that the fit has used"
    return (
        f"klt and int8 codes are left out: they are fitted on rows of the input that the fit has used, at least "
        f"{LEAST_SEEN_ROWS:,} of them, and there are {len(sample.seen):,}"
    )


def _about_zeros(unit: str, name: str, sizes: list[int]) -> str:
    return f"{name} has no score at {', '.join(map(str, sizes))} {unit}: some rows are zero there"
