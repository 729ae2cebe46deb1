"""Scores equal a slow reference, for arfc and for what stands beside it."""

import json

import numpy as np
import pytest

from arfc import ConfigError, DtypeError, RowError, ShapeError, SizeError
from arfc.baselines import Int8, Klt
from arfc.codec import ClassicCodec, Codes
from arfc.evaluate import evaluate
from arfc.evaluate.sample import draw
from arfc.io import open_features


def best(queries_QK, rows_NK, k, *, as_decoded=False):
    """The nearest rows, one query at a time, by cosine, or by product with codes as decoded."""
    rows_NK = rows_NK if as_decoded else rows_NK / np.linalg.norm(rows_NK, axis=1, keepdims=True)
    return np.stack([np.argsort(-(rows_NK @ query_K), kind="stable")[:k] for query_K in queries_QK])


def recall(found_QK, truth_QK):
    return np.mean([len(set(one) & set(other)) / len(one) for one, other in zip(found_QK, truth_QK, strict=True)])


def table(result, metric="recall@10"):
    return next(table for table in result["tables"] if table["metric"] == metric)


def column(rows, name):
    return [row[name] for row in rows]


def score(cell):
    return cell["score"]


@pytest.fixture(scope="module")
def result(model, x):
    return evaluate(model, x)


@pytest.fixture(scope="module")
def sample(model, x):
    return draw([open_features(x)], None, model.seen, queries=2000, seed=0)


def test_recall_of_vectors_equals_a_slow_reference(model, result, sample):
    rows, asks = sample.sides[0], sample.asks
    truth_QK = best(rows[asks], rows[~asks], 10)
    klt = Klt(basis=model.network.klt.basis.numpy())
    ways = {
        "arfc": lambda dims: model.compress(rows, dims=dims),
        "klt": lambda dims: klt.compress(rows, dims=dims),
        "truncation": lambda dims: rows[:, :dims],
    }
    floats = table(result)["floats"]
    assert column(floats, "dims") == [8, 16, 24]
    assert column(floats, "bytes") == [32, 64, 96]
    for name, compress in ways.items():
        for row in floats:
            small = compress(row["dims"])
            expected = recall(best(small[asks], small[~asks], 10), truth_QK)
            assert score(row[name]) == pytest.approx(expected, abs=1e-3), (name, row)
    assert table(result)["uncompressed"] == {"score": 1.0, "low": 1.0, "high": 1.0}


def test_recall_of_codes_equals_a_slow_reference(model, result, sample):
    rows, asks, seen = sample.sides[0], sample.asks, sample.seen
    truth_QK = best(rows[asks], rows[~asks], 10)
    klt_codec = ClassicCodec.fit(seen)
    int8 = Int8.fit(seen)
    ways = {
        "arfc": (model.compress(rows[asks], dims=24), lambda size: model.compress(rows[~asks], bytes=size)),
        "klt": (rows[asks], lambda size: Codes(klt_codec.encode(rows[~asks], bytes_per_vector=size), klt_codec)),
        "int8": (rows[asks], lambda size: int8.compress(rows[~asks], bytes=size)),
    }
    codes = table(result)["bytes"]
    assert column(codes, "bytes") == [8, 16]
    for name, (queries, compress) in ways.items():
        for row in codes:
            decoded_NK = compress(row["bytes"]).decode()
            expected = recall(best(queries, decoded_NK, 10, as_decoded=name != "int8"), truth_QK)
            assert score(row[name]) == pytest.approx(expected, abs=1e-3), (name, row)


def test_counts(result, x):
    counts = {name: result[name] for name in ("rows", "checked_rows", "left_out_rows", "queries", "database_rows")}
    assert counts == {"rows": 1300, "checked_rows": 1300, "left_out_rows": 1170, "queries": 32, "database_rows": 98}
    assert result["notes"] == ["klt and int8 codes are fitted on 1,170 rows of the input that the fit has used"]


def test_the_result_is_json_and_repeats(model, x, result):
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert evaluate(model, x) == result
    assert evaluate(model, x, seed=1) != result


def test_byte_baselines_are_left_out_without_rows_to_fit_them(model, unseen):
    result = evaluate(model, unseen)
    assert column(table(result)["bytes"], "klt") == column(table(result)["bytes"], "int8") == [None, None]
    assert None not in column(table(result)["bytes"], "arfc") + column(table(result)["floats"], "klt")
    assert result["notes"][0].startswith("klt and int8 codes are left out: they are fitted on rows of the input that")
    assert result["notes"][0].endswith("at least 1,000 of them, and there are 0")


def test_rows_that_truncation_cuts_to_zeros_have_no_score(model, unseen):
    sparse = unseen.copy()
    sparse[7, :20] = 0
    result = evaluate(model, sparse)
    assert column(table(result)["floats"], "truncation")[:2] == [None, None]
    assert score(table(result)["floats"][2]["truncation"]) == 1.0
    assert None not in column(table(result)["floats"], "arfc")
    assert result["notes"][1:] == ["truncation has no score at 8, 16 dims: some rows are zero there"]


def test_labels(model, unseen):
    labels = (unseen[:, 0] > 0).astype(int)
    result = evaluate(model, unseen, labels=labels)
    sample = draw([open_features(unseen)], labels, model.seen, queries=2000, seed=0)
    rows, asks = sample.sides[0], sample.asks
    found_Q = best(rows[asks], rows[~asks], 1)[:, 0]
    expected = np.mean(sample.labels[~asks][found_Q] == sample.labels[asks])
    assert score(table(result, "R@1 by class")["uncompressed"]) == pytest.approx(expected)
    small = model.compress(rows, dims=8)
    found_Q = best(small[asks], small[~asks], 1)[:, 0]
    expected = np.mean(sample.labels[~asks][found_Q] == sample.labels[asks])
    assert score(table(result, "R@1 by class")["floats"][0]["arfc"]) == pytest.approx(expected, abs=1e-2)


def test_neighbours_come_last_where_the_model_was_fitted_to_change_them(model, unseen, monkeypatch):
    labels = np.arange(len(unseen)) % 3
    names = [table["metric"] for table in evaluate(model, unseen, labels=labels)["tables"]]
    assert names[0] == "recall@10"
    monkeypatch.setitem(model.facts, "task", "labels")
    turned = [table["metric"] for table in evaluate(model, unseen, labels=labels)["tables"]]
    first = names.index("R@1 by class")
    assert turned == names[first:] + names[:first]


def test_queries_alone_in_their_class_are_left_out_of_the_scores_by_class(model, unseen):
    labels = np.arange(600)
    labels[:300] = 0
    result = evaluate(model, unseen, labels=labels)
    sample = draw([open_features(unseen)], labels, model.seen, queries=2000, seed=0)
    scored = table(result, "mAP@R by class")["queries"]
    assert scored == (sample.labels[sample.asks] == 0).sum() < table(result)["queries"] == 150
    alone = f"by class: {150 - scored} queries are left out, as no row that answers is of their class"
    assert result["notes"][1:] == [alone]
    assert [one["metric"] for one in evaluate(model, unseen, labels=np.arange(600))["tables"]] == [
        "recall@10", "recall@1", "recall@100",
    ]  # fmt: skip


def test_judged_queries_equal_a_slow_reference(model, x, parts, unseen, rng):
    queries = (x[:40] + 1.1 * rng.standard_normal((40, 24))).astype(np.float32)
    queries[3], queries[8] = x[parts.fit[0]], 2 * x[parts.validation[0]]  # the fit has used these two
    qrels = np.array([(query, query, 1) for query in range(40) if query != 5] + [(5, 9, 0)])
    result = evaluate(model, x, queries=queries, qrels=qrels)
    scores = table(result, "nDCG@10")
    assert scores["queries"] == table(result, "recall@100 of relevant")["queries"] == 37
    assert "left out of them: 1 without a relevant row, 2 that the fit has used" in result["notes"][1]
    kept = np.delete(np.arange(40), [3, 5, 8])
    codes = model.compress(x, bytes=8).decode()
    asked = model.compress(queries, dims=24)
    for cell, found in (
        (scores["uncompressed"], best(queries[kept], x, 10)),
        (scores["bytes"][0]["arfc"], best(asked[kept], codes, 10, as_decoded=True)),
    ):
        places = [np.flatnonzero(row == query) for row, query in zip(found, kept, strict=True)]
        expected = np.mean([1 / np.log2(place[0] + 2) if len(place) else 0 for place in places])
        assert score(cell) == pytest.approx(expected, abs=1e-2)
    assert 0.2 < score(scores["bytes"][0]["arfc"]) < score(scores["uncompressed"]) < 1


def test_pairs_equal_a_slow_reference(model, unseen, rng):
    pairs = unseen + 1.5 * rng.standard_normal(unseen.shape).astype(np.float32)
    result = evaluate(model, unseen, pairs=pairs)
    sample = draw([open_features(unseen), open_features(pairs)], None, model.seen, queries=2000, seed=0)
    asks = np.flatnonzero(sample.asks)
    for way, (asked, answers) in {
        "features to pairs": sample.sides,
        "pairs to features": sample.sides[::-1],
    }.items():
        for places in (1, 5, 10):
            scores = table(result, f"R@{places} {way}")
            found = best(asked[asks], answers, places)
            assert score(scores["uncompressed"]) == pytest.approx((found == asks[:, None]).any(1).mean())
            small = [model.compress(side, dims=16) for side in (asked, answers)]
            found = best(small[0][asks], small[1], places)
            assert score(scores["floats"][1]["arfc"]) == pytest.approx((found == asks[:, None]).any(1).mean(), abs=1e-2)
    assert 0.05 < score(table(result, "R@1 features to pairs")["uncompressed"]) < 0.95


def test_an_equal_partner_is_right_too(model, unseen, rng):
    images = unseen[:300]
    twice = np.concatenate([images, images])  # two captions per image
    captions = np.concatenate([images, images + 0.01]).astype(np.float32)
    result = evaluate(model, captions, pairs=twice)
    assert score(table(result, "R@1 features to pairs")["uncompressed"]) == 1.0
    assert score(table(result, "R@1 pairs to features")["uncompressed"]) == 1.0


def test_progress_is_reported_to_its_end(model, x):
    calls = []
    evaluate(model, x, report=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 15) for done in range(1, 16)]


@pytest.mark.parametrize(
    ("change", "options", "error", "match"),
    [
        (lambda x: x[:, :20], {}, ShapeError, r"features must have shape \(N, 24\), got \(1300, 20\)"),
        (lambda x: x.astype(int), {}, DtypeError, "features must hold float16, float32 or float64"),
        (lambda x: x * np.nan, {}, RowError, "features must be finite and not zero, got NaN or Inf in 1300 rows"),
        (lambda x: x, {"most_queries": 0}, SizeError, "most_queries must be a whole number of at least 1, got 0"),
        (lambda x: x, {"queries": np.ones((2, 24))}, ConfigError, "given together, got queries alone; give qrels too"),
        (lambda x: x, {"qrels": "q.tsv"}, ConfigError, "given together, got qrels alone; give queries too"),
        (lambda x: x, {"query_ids": ["a"]}, ConfigError, "ids must come with qrels that use them, got ids alone"),
        (
            lambda x: x,
            {"queries": np.ones((2, 5)), "qrels": np.ones((1, 3), int)},
            ShapeError,
            r"queries must have shape \(N, 24\), got \(2, 5\)",
        ),
        (
            lambda x: x,
            {"queries": np.ones((2, 24)), "qrels": np.array([[0, 5, 0]])},
            RowError,
            "got none: 2 without a relevant row, 0 that the fit has used; give it others",
        ),
        (lambda x: x, {"labels": np.zeros(5, int)}, ShapeError, r"labels must have shape \(1300,\)"),
        (lambda x: x, {"pairs": np.ones((4, 24))}, ShapeError, "pairs must have 1300 rows like the features, got 4"),
        (lambda x: x, {"pairs": np.zeros((1300, 24))}, RowError, "pairs must be finite and not zero, got only zeros"),
    ],
)
def test_refused(model, x, change, options, error, match):
    with pytest.raises(error, match=match):
        evaluate(model, change(x), **options)
