"""Score a model on rows its fit has not used, next to the cheap ways to the same size."""
# N rows, M sampled rows, Q queries, D feature dims, E judgements

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arfc.errors import ConfigError, RowError, ShapeError, SizeError
from arfc.evaluate.among import ClassRetrieval, NeighbourFidelity, with_mates
from arfc.evaluate.cross_modal import CrossModal
from arfc.evaluate.measure import measure
from arfc.evaluate.methods import LEAST_SEEN_ROWS, byte_methods, float_methods
from arfc.evaluate.nearest import check_engine
from arfc.evaluate.qrels import open_qrels
from arfc.evaluate.sample import Sample, draw
from arfc.evaluate.task import Task
from arfc.evaluate.text_retrieval import TextRetrieval
from arfc.io import Features, open_labels
from arfc.scores import unit_rows
from arfc.sizes import byte_ladder, float_ladder

if TYPE_CHECKING:
    from arfc.compressor import Compressor


def evaluate(
    model: Compressor,
    x: object,
    *,
    pairs: object = None,
    labels: object = None,
    queries: object = None,
    qrels: object = None,
    ids: object = None,
    query_ids: object = None,
    most_queries: int = 2000,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the scores of arfc and of the cheap ways at a ladder of sizes, ready for JSON: see `arfc.evaluate`.

    Rows that the fit has used, for training or for choosing, and most rows that hardly differ from one of them
    (`arfc.fingerprint`) are left out. Of the others at most `most_queries` ask and at most 20,000 answer, drawn over
    the whole input; no row does both. recall@10, @1 and @100 are held against exact search on the originals; with
    `pairs`, R@1, R@5 and R@10 of the partner among all drawn rows, both ways; with `labels`, R@1 and mAP@R of rows of
    the same class; these come first where the model was fitted with pairs or labels, which change neighbours on
    purpose. Codes are asked by float queries.

    With `queries` and `qrels` (as `open_qrels` takes them, with `query_ids` and `ids`), nDCG@10 and recall@100 of the
    documents, which are all rows of `x`: those that the fit has used, too, as long as it has not used the queries.

    The KLT of floats is the model's own, which has learned from the same rows. The byte baselines are fitted on the
    rows of the input that the fit has used, and left out (None) where these are fewer than 1,000. A score is None too
    where a row is cut to zeros. `report` is called with the number of sizes done and of all sizes.

    Shapes: x and pairs (N, D); labels (N,); queries (Q, D); qrels (E, 3).
    Raises: RowError when fewer than 100 rows are unseen, or no query can be scored; ShapeError, DtypeError, InputError;
    SizeError for `most_queries`; ConfigError when only one of queries and qrels is given; MissingExtraError.
    """
    if isinstance(most_queries, bool) or not isinstance(most_queries, int) or most_queries < 1:
        raise SizeError(f"most_queries must be a whole number of at least 1, got {most_queries!r}; try 2000")
    if (queries is None) != (qrels is None):
        given, missing = ("queries", "qrels") if qrels is None else ("qrels", "queries")
        raise ConfigError(f"queries and qrels must be given together, got {given} alone; give {missing} too")
    if qrels is None and (ids is not None or query_ids is not None):
        raise ConfigError("ids must come with qrels that use them, got ids alone; give queries and qrels too")
    check_engine()
    sides = open_sides(model, x, pairs)
    labels_N = None if labels is None else open_labels(labels, sides[0].rows)
    judged = None
    if queries is not None:
        judged = _judged(model, sides[0], queries, qrels, ids=ids, query_ids=query_ids)
    for side in sides:
        side.validate()
    sample = draw(sides, labels_N, model.seen, queries=most_queries, seed=seed)
    tasks, notes = tasks_of(sample)
    if judged is not None:
        tasks.append(judged[0])
        notes.append(judged[1])
    if model.facts["task"] != "features":
        tasks.append(tasks.pop(0))  # neighbours come last
    ladders = {"dims": float_ladder(model.width), "bytes": byte_ladder(model.width, model.width)}
    methods = {
        "dims": float_methods(model),
        "bytes": byte_methods(model, sample.seen, largest=ladders["bytes"][-1]),
    }
    tables, missing_scores = measure(tasks, methods, ladders, seed=seed, report=report)
    return {
        "rows": sides[0].rows,
        "checked_rows": sample.checked_rows,
        "left_out_rows": sample.left_out_rows,
        "queries": int(sample.asks.sum()),
        "database_rows": int((~sample.asks).sum()),
        "seed": seed,
        "tables": tables,
        "notes": [about_byte_baselines(sample), *notes, *missing_scores],
    }


def open_sides(model: Compressor, x: object, pairs: object) -> list[Features]:
    """Return the features and, where there are any, their partners.

    Raises: ShapeError when these have other rows than the features; as `Compressor.open`.
    """
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


def tasks_of(sample: Sample) -> tuple[list[Task], list[str]]:
    """Return what can be scored on the drawn rows, and notes on what is left out."""
    asks_Q, answers_N = np.flatnonzero(sample.asks), np.flatnonzero(~sample.asks)
    sets, notes = dict(zip(("features", "pairs"), sample.sides, strict=False)), []
    features = {"features": sets["features"]}
    tasks: list[Task] = [NeighbourFidelity(rows=features, asks=asks_Q, answers=answers_N)]
    if sample.labels is not None:
        kept_Q = with_mates(sample.labels, asks_Q, answers_N)
        if len(kept_Q):
            tasks.append(ClassRetrieval(rows=features, groups=sample.labels, asks=kept_Q, answers=answers_N))
        if len(kept_Q) < len(asks_Q):
            alone = len(asks_Q) - len(kept_Q)
            notes.append(f"by class: {alone:,} queries are left out, as no row that answers is of their class")
    if len(sets) == 2:
        each_M = np.arange(len(sample.asks))
        tasks.append(CrossModal(rows=sets, image_of_text=each_M, asking_images=asks_Q, asking_texts=asks_Q))
    return tasks, notes


def _judged(
    model: Compressor, corpus: Features, queries: object, qrels: object, *, ids: object, query_ids: object
) -> tuple[Task, str]:
    """Return the task of finding what was judged relevant, for the queries that the fit has not used, and a note.

    Raises: RowError when no query is left.
    """
    asked = model.open(queries, name="queries")
    asked.validate()
    corpus.validate()
    qrels_E3 = open_qrels(qrels, queries=asked.rows, documents=corpus.rows, ids=ids, query_ids=query_ids)
    rows_QD = asked.read(0, asked.rows)
    answered_Q = np.isin(np.arange(asked.rows), qrels_E3[qrels_E3[:, 2] > 0, 0])
    used_Q = model.seen.contains(unit_rows(rows_QD))
    kept_Q = np.flatnonzero(answered_Q & ~used_Q)
    unanswered, used = int((~answered_Q).sum()), int((answered_Q & used_Q).sum())
    left_out = f"{unanswered:,} without a relevant row, {used:,} that the fit has used"
    if not len(kept_Q):
        raise RowError(f"some queries must be judged and unknown to the fit, got none: {left_out}; give it others")
    qrels_E3 = qrels_E3[np.isin(qrels_E3[:, 0], kept_Q)]
    qrels_E3[:, 0] = np.searchsorted(kept_Q, qrels_E3[:, 0])
    sets = {"queries": rows_QD[kept_Q], "corpus": corpus.read(0, corpus.rows)}
    note = (
        f"nDCG@10 and recall@100: {len(kept_Q):,} queries ask all {corpus.rows:,} rows, also those that the fit has "
        f"used: the queries are what is held out; left out of them: {left_out}"
    )
    return TextRetrieval(rows=sets, qrels=qrels_E3), note


def about_byte_baselines(sample: Sample) -> str:
    """Say what the byte baselines are fitted on, or why there are none."""
    if len(sample.seen) >= LEAST_SEEN_ROWS:
        return f"klt and int8 codes are fitted on {len(sample.seen):,} rows of the input that the fit has used"
    return (
        f"klt and int8 codes are left out: they are fitted on rows of the input that the fit has used, at least "
        f"{LEAST_SEEN_ROWS:,} of them, and there are {len(sample.seen):,}"
    )
