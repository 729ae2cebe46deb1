"""Tasks within one set equal slow references."""

import numpy as np
import pytest

from arfc import RowError, ShapeError
from arfc.baselines import Int8
from arfc.evaluate import ClassRetrieval, NeighbourFidelity, SiblingRetrieval, uncompressed_scores
from arfc.evaluate import among as module
from arfc.evaluate.among import with_mates


def ranked(asked, stored, query, answers):
    """Row numbers that answer one query, best first, without the query itself."""
    cosines = stored @ asked[query] / np.linalg.norm(stored, axis=1)
    return [row for row in np.argsort(-cosines, kind="stable") if row in set(answers.tolist()) and row != query]


@pytest.fixture(params=["all", "some"])
def who(request, rng):
    """Rows that ask and rows that answer; some do both."""
    if request.param == "all":
        return {}
    return {"asks": rng.choice(200, 40, replace=False), "answers": rng.choice(200, 120, replace=False)}


def numbers(who):
    return who.get("asks", np.arange(200)), who.get("answers", np.arange(200))


def test_fidelity_is_the_share_of_true_neighbours_found(vectors, who):
    asks, answers = numbers(who)
    task = NeighbourFidelity(rows={"x": vectors}, **who)
    stored = vectors[:, :9]
    scores = task.scores({"x": stored}, {"x": stored})
    assert list(scores) == ["recall@10", "recall@1", "recall@100"]
    for k in (1, 10, 100):
        expected = [
            len(set(ranked(vectors, vectors, q, answers)[:k]) & set(ranked(stored, stored, q, answers)[:k])) / k
            for q in asks
        ]
        np.testing.assert_allclose(scores[f"recall@{k}"], expected)
    assert 0.1 < scores["recall@10"].mean() < 0.9


def test_the_original_has_all_of_its_neighbours(vectors, who):
    task = NeighbourFidelity(rows={"x": vectors}, **who)
    assert all((scores_Q == 1).all() for scores_Q in uncompressed_scores(task).values())
    # The same directions, at other lengths: scores are cosines.
    longer = {"x": vectors * np.linspace(0.5, 2, 200, dtype=np.float32)[:, None]}
    assert all(scores_Q.mean() > 0.999 for scores_Q in task.scores(longer, longer).values())


def test_codes_are_scored_as_they_decode(vectors):
    int8 = Int8.fit(vectors)
    task = NeighbourFidelity(rows={"x": vectors})
    recalls = []
    for size in (4, 12, 24):
        decoded = int8.compress(vectors, bytes=size).decode()
        scores = task.scores({"x": vectors}, {"x": decoded})["recall@10"]
        for query in range(0, 200, 7):
            truth, found = (ranked(vectors, rows, query, np.arange(200))[:10] for rows in (vectors, decoded))
            assert scores[query] == pytest.approx(len(set(truth) & set(found)) / 10)
        recalls.append(scores.mean())
    assert recalls == sorted(recalls)
    assert recalls[0] < 0.7 < 0.95 < recalls[2]


def test_recalls_with_more_places_than_rows_are_left_out(vectors):
    assert list(NeighbourFidelity(rows={"x": vectors[:100]}).scores({"x": vectors[:100]}, {"x": vectors[:100]})) == [
        "recall@10",
        "recall@1",
    ]
    assert "recall@100" in uncompressed_scores(NeighbourFidelity(rows={"x": vectors[:101]}))


def test_siblings_are_found_among_the_first(vectors, who, rng):
    groups = rng.integers(60, size=200)
    asks, answers = numbers(who)
    asks = with_mates(groups, asks, answers)
    task = SiblingRetrieval(rows={"x": vectors}, groups=groups, asks=asks, answers=answers)
    scores = uncompressed_scores(task)
    for k in (1, 5, 10):
        expected = [groups[q] in groups[ranked(vectors, vectors, q, answers)[:k]] for q in asks]
        np.testing.assert_array_equal(scores[f"R@{k}"], expected)
    assert 0 < scores["R@1"].mean() < scores["R@10"].mean() < 1


def average_precision(right):
    """AP at R of one query, by its definition: right holds the first R places."""
    return sum(np.mean(right[: place + 1]) for place, hit in enumerate(right) if hit) / len(right)


def test_class_retrieval_equals_its_definition(vectors, who, rng):
    groups = (vectors[:, 0] > 0) + 2 * (vectors[:, 1] > 0)
    asks, answers = numbers(who)
    task = ClassRetrieval(rows={"x": vectors}, groups=groups, **who)
    scores = uncompressed_scores(task)
    for row, query in enumerate(asks):
        right = groups[ranked(vectors, vectors, query, answers)] == groups[query]
        assert scores["mAP@R by class"][row] == pytest.approx(average_precision(right[: right.sum()]))
        assert scores["R@1 by class"][row] == right[0]
    assert 0.3 < scores["mAP@R by class"].mean() < 0.95


def test_no_more_places_are_looked_at_than_said(vectors, monkeypatch):
    monkeypatch.setattr(module, "MOST_RELEVANT", 7)
    groups = (vectors[:, 0] > 0).astype(int)
    scores = uncompressed_scores(ClassRetrieval(rows={"x": vectors}, groups=groups))["mAP@R by class"]
    right = groups[ranked(vectors, vectors, 3, np.arange(200))] == groups[3]
    assert scores[3] == pytest.approx(average_precision(right[:7]))


def test_who_has_others_of_its_group():
    groups = np.array([5, 5, 7, 9, 9])
    np.testing.assert_array_equal(with_mates(groups, np.array([0, 2, 3]), np.arange(5)), [0, 3])
    np.testing.assert_array_equal(with_mates(groups, np.array([0, 2, 3]), np.array([0, 1, 2, 3])), [0])


def test_refused(vectors):
    with pytest.raises(RowError, match="rows that ask must have others of their group to find, got 3 without; leave"):
        SiblingRetrieval(rows={"x": vectors[:5]}, groups=np.array([0, 0, 1, 2, 3]))
    with pytest.raises(ShapeError, match=r"groups must have shape \(5,\), one per row, got \(4,\)"):
        SiblingRetrieval(rows={"x": vectors[:5]}, groups=np.zeros(4, int))
    with pytest.raises(ShapeError, match=r"must have 1 sets of rows of one width, got x \(5, 24\), y \(5, 24\)"):
        NeighbourFidelity(rows={"x": vectors[:5], "y": vectors[:5]})
    with pytest.raises(RowError, match=r"answers must be row numbers within 0\.\.4, got 0\.\.5; were rows left out"):
        NeighbourFidelity(rows={"x": vectors[:5]}, answers=np.array([0, 5]))
