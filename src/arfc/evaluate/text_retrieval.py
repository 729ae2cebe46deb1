"""Retrieval of documents that people have judged."""
# Q queries, N documents, E judgements

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from arfc.errors import MissingExtraError, RowError
from arfc.evaluate.nearest import nearest
from arfc.evaluate.task import Scores, Sets, check_numbers, check_sets
from arfc.shapes import Array, Int64

DEPTH = 100
METRICS = ("nDCG@10", "recall@100 of relevant")
"""The second is not that of neighbours, which has the shorter name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextRetrieval:
    """nDCG@10 and recall@100 of the documents judged relevant to each query.

    Source: the measures of trec_eval, which BEIR uses too, by way of ir-measures.
    """

    rows: Sets
    """Queries first, then the corpus, under their names."""
    qrels: Int64[Array, "E 3"]
    """Query row, document row, grade; above 0 is relevant. Every query has a relevant document."""

    def __post_init__(self) -> None:
        queries, documents = (len(self.rows[name]) for name in check_sets(self.rows, names=2))
        check_numbers(self.qrels[:, 0], name="queries of the qrels", below=queries)
        check_numbers(self.qrels[:, 1], name="documents of the qrels", below=documents)
        judged = len(np.unique(self.qrels[self.qrels[:, 2] > 0, 0]))
        if judged < queries:
            raise RowError(f"queries must have relevant documents, got {queries - judged} without; leave them out")

    def scores(self, asked: Sets, stored: Sets) -> Scores:
        """Return both measures; as `Task.scores`."""
        queries, corpus = self.rows
        found_QK = nearest(asked[queries], stored[corpus], k=min(DEPTH, len(stored[corpus])))
        # Places instead of cosines: the judge would order equal cosines by the names of their documents.
        run = {
            str(query): {str(document): float(-place) for place, document in enumerate(found_K)}
            for query, found_K in enumerate(found_QK.tolist())
        }
        judge, names = self._judge
        scores = {name: np.zeros(len(found_QK)) for name in METRICS}
        for one in judge.iter_calc(run):
            scores[names[one.measure]][int(one.query_id)] = one.value
        return scores

    @cached_property
    def _judge(self) -> tuple[Any, dict[Any, str]]:
        try:
            import ir_measures
        except ImportError:
            raise MissingExtraError("ir-measures is not installed; run: pip install 'arfc[evaluate]'") from None
        qrels: dict[str, dict[str, int]] = {}
        for query, document, grade in self.qrels.tolist():
            qrels.setdefault(str(query), {})[str(document)] = grade
        names = dict(zip((ir_measures.nDCG @ 10, ir_measures.R @ DEPTH), METRICS, strict=True))
        return ir_measures.evaluator(list(names), qrels), names
