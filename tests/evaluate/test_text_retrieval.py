"""nDCG@10 and recall@100 equal their definitions."""

import sys

import numpy as np
import pytest

from arfc import RowError
from arfc.errors import MissingExtraError
from arfc.evaluate import TextRetrieval, uncompressed_scores
from arfc.evaluate.nearest import nearest


@pytest.fixture
def judged(rng):
    """Ten queries, 300 documents, and judgements with grades 0 to 2."""
    corpus = rng.standard_normal((300, 8)).astype(np.float32)
    relevant = rng.integers(300, size=10)
    queries = (corpus[relevant] + 0.7 * rng.standard_normal((10, 8))).astype(np.float32)
    qrels = [(query, relevant[query], 2) for query in range(10)]
    qrels += [(q, d, g) for q in range(10) for d, g in ((relevant[q] - 1, 1), (relevant[q] - 7, 0)) if d >= 0]
    return queries, corpus, np.array(qrels)


def test_measures_equal_their_definitions(judged):
    queries, corpus, qrels = judged
    scores = uncompressed_scores(TextRetrieval(rows={"queries": queries, "corpus": corpus}, qrels=qrels))
    assert list(scores) == ["nDCG@10", "recall@100 of relevant"]
    unit = corpus / np.linalg.norm(corpus, axis=1, keepdims=True)
    for query in range(10):
        grades = {document: grade for one, document, grade in qrels if one == query}
        found = np.argsort(-unit @ queries[query], kind="stable")
        gains = [grades.get(document, 0) / np.log2(place + 2) for place, document in enumerate(found[:10])]
        ideal = [grade / np.log2(place + 2) for place, grade in enumerate(sorted(grades.values(), reverse=True))]
        assert scores["nDCG@10"][query] == pytest.approx(sum(gains) / sum(ideal))
        relevant = {document for document, grade in grades.items() if grade > 0}
        assert scores["recall@100 of relevant"][query] == pytest.approx(
            len(relevant & set(found[:100])) / len(relevant)
        )
    assert 0.2 < scores["nDCG@10"].mean() < 1
    assert 0.2 < scores["recall@100 of relevant"].mean() < 1


def test_the_order_of_the_search_counts_where_cosines_are_equal():
    corpus = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    found = nearest(corpus[:1], corpus, k=15)[0].tolist()
    for relevant in range(5):
        task = TextRetrieval(rows={"queries": corpus[:1], "corpus": corpus}, qrels=np.array([[0, relevant, 1]]))
        expected = 1 / np.log2(found.index(relevant) + 2)
        assert uncompressed_scores(task)["nDCG@10"][0] == pytest.approx(expected)


def test_refused(judged, monkeypatch):
    queries, corpus, qrels = judged
    rows = {"queries": queries, "corpus": corpus}
    with pytest.raises(RowError, match=r"documents of the qrels must be row numbers within 0\.\.9, got"):
        TextRetrieval(rows={"queries": queries, "corpus": corpus[:10]}, qrels=qrels)
    with pytest.raises(RowError, match="queries must have relevant documents, got 9 without; leave them out"):
        TextRetrieval(rows=rows, qrels=np.array([[3, 5, 1], [4, 5, 0]]))
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match=r"ir-measures is not installed; run: pip install 'arfc\[evaluate\]'"):
        uncompressed_scores(TextRetrieval(rows=rows, qrels=qrels))
