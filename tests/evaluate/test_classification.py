"""Three ways to tell a class, each against a slow or a trusted one."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from arfc import ShapeError
from arfc.errors import MissingExtraError
from arfc.evaluate import Classification, uncompressed_scores
from arfc.evaluate.classification import probe
from arfc.scores import unit_rows


@pytest.fixture
def classes(rng):
    """300 train and 100 test rows of four classes that overlap, and a vector per class."""
    centres = rng.standard_normal((4, 16))
    labels = rng.integers(4, size=400)
    x = (centres[labels] + 1.1 * rng.standard_normal((400, 16))).astype(np.float32)
    rows = {"train": x[:300], "test": x[300:], "classes": centres.astype(np.float32)}
    return rows, labels[:300], labels[300:]


def logistic(strength):
    return LogisticRegression(C=strength, tol=1e-3, max_iter=300)


def task_of(classes, *names):
    rows, train_labels, test_labels = classes
    return Classification(rows={n: rows[n] for n in names}, train_labels=train_labels, test_labels=test_labels)


def test_neighbours_vote_and_the_nearer_decides(classes):
    rows, train_labels, test_labels = classes
    scores = uncompressed_scores(task_of(classes, "train", "test"))
    assert list(scores) == ["linear probe accuracy", "10-NN accuracy"]
    train, test = unit_rows(rows["train"]), unit_rows(rows["test"])
    ties = 0
    for row, correct in enumerate(scores["10-NN accuracy"]):
        near = train_labels[np.argsort(-train @ test[row], kind="stable")[:10]].tolist()
        most = max(near.count(label) for label in near)
        ties += sum(near.count(label) == most for label in set(near)) > 1
        told = next(label for label in near if near.count(label) == most)
        assert correct == (told == test_labels[row])
    assert ties >= 3
    assert 0.5 < scores["10-NN accuracy"].mean() < 1


def test_the_probe_is_a_logistic_regression_on_unit_rows(classes):
    rows, train_labels, test_labels = classes
    scores = uncompressed_scores(task_of(classes, "train", "test"))["linear probe accuracy"]
    train, test = unit_rows(rows["train"]), unit_rows(rows["test"])
    possible = [logistic(c).fit(train, train_labels).predict(test) for c in (1, 10, 100)]
    assert any(np.array_equal(scores, told == test_labels) for told in possible)


@pytest.mark.parametrize(("noise", "best"), [(0.0, 100), (0.3, 1)])
def test_the_probe_chooses_on_train_rows(rng, noise, best):
    x = unit_rows(rng.standard_normal((2040, 8)))
    labels = ((x[:, :2] @ [3, 1] > 0) ^ (rng.random(2040) < noise)).astype(int)
    train, test = x[:2000], x[2000:]
    order = np.random.default_rng(0).permutation(2000)
    held, kept = order[:400], order[400:]
    right = {c: logistic(c).fit(train[kept], labels[kept]).score(train[held], labels[held]) for c in (1, 10, 100)}
    assert max(right, key=right.get) == best
    told = probe(train, labels[:2000], test)
    np.testing.assert_array_equal(told, logistic(best).fit(train[order], labels[order]).predict(test))
    np.testing.assert_array_equal(probe(train, labels[:2000], test[:7]), told[:7])


def test_the_nearest_class_vector_tells_the_class(classes):
    rows, _, test_labels = classes
    scores = uncompressed_scores(task_of(classes, "train", "test", "classes"))["zero-shot accuracy"]
    told = (unit_rows(rows["test"]) @ unit_rows(rows["classes"]).T).argmax(1)
    np.testing.assert_array_equal(scores, told == test_labels)
    assert 0.5 < scores.mean() < 1


def test_test_rows_are_compressed_for_the_probe_and_zero_shot_but_ask_in_full_for_neighbours(classes):
    task = task_of(classes, "train", "test", "classes")
    noise = np.random.default_rng(5).standard_normal((100, 16)).astype(np.float32)
    whole = uncompressed_scores(task)
    stored = task.scores(task.rows, {**task.rows, "test": noise})
    asked = task.scores({**task.rows, "test": noise}, task.rows)
    for metric in ("linear probe accuracy", "zero-shot accuracy"):
        assert stored[metric].mean() < 0.45 < asked[metric].mean() == whole[metric].mean()
    assert asked["10-NN accuracy"].mean() < 0.45 < stored["10-NN accuracy"].mean() == whole["10-NN accuracy"].mean()


def test_class_numbers_need_not_be_consecutive(classes):
    rows, train_labels, test_labels = classes
    two = {name: rows[name] for name in ("train", "test")}
    spread = Classification(rows=two, train_labels=7 * train_labels - 3, test_labels=7 * test_labels - 3)
    expected = uncompressed_scores(task_of(classes, "train", "test"))
    for metric, scores in uncompressed_scores(spread).items():
        np.testing.assert_array_equal(scores, expected[metric])


def test_refused(classes, monkeypatch):
    rows, train_labels, test_labels = classes
    two = {name: rows[name] for name in ("train", "test")}
    with pytest.raises(ShapeError, match=r"labels of test must have shape \(100,\), got \(99,\)"):
        Classification(rows=two, train_labels=train_labels, test_labels=test_labels[:-1])
    with pytest.raises(ShapeError, match="train labels must name at least 2 classes, got 1"):
        Classification(rows=two, train_labels=0 * train_labels, test_labels=test_labels)
    with pytest.raises(ShapeError, match=r"test labels must be rows of classes, 0\.\.3, got 1\.\.4; number"):
        Classification(rows=rows, train_labels=train_labels, test_labels=test_labels + 1)
    with pytest.raises(ShapeError, match=r"must have 2 sets of rows of one width, got train"):
        Classification(rows={**two, "test": two["test"][:, :3]}, train_labels=train_labels, test_labels=test_labels)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"scikit-learn is not installed; run: pip install 'arfc\[evaluate\]'"):
        uncompressed_scores(task_of(classes, "train", "test"))
