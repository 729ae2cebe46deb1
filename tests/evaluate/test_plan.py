"""A plan finds the smallest size, and other queries than those that chose say what it keeps."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc import ConfigError, RowError, ShapeError, SizeError
from arfc.evaluate import plan as module
from arfc.evaluate.methods import of_floats
from arfc.evaluate.plan import NEIGHBOURS, Search, plan
from arfc.evaluate.plan_text import format_plan
from arfc.evaluate.sample import draw
from arfc.io import open_features


class Curve:
    """Stands for the scores of a method: retention by size, and a lower end a little below."""

    def __init__(self, values, reach=0.05):
        self.values, self.reach, self.cells = values, reach, {}

    def choosing(self, size):
        value = self.values[size - 1]
        self.cells[size] = value and {"score": value, "retention": value, "retention_low": value - self.reach}
        return self.cells[size]


def ladder(count):
    return (*(size for size in (8, 16, 32, 48, 64, 96, 128, 192) if size < count), count)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=300), st.floats(0.05, 1))
def test_of_a_rising_curve_the_smallest_size_is_found_in_few_steps(values, keep):
    curve = Curve(sorted(values))
    search = Search(curve, ladder(len(values)), keep=keep)
    for what in ("retention", "retention_low"):
        reach = 0.05 if what == "retention_low" else 0
        keeping = [size for size, value in enumerate(curve.values, start=1) if value - reach >= keep]
        assert search.smallest(what) == (keeping[0] if keeping else None)
    assert len(curve.cells) <= 2 * (10 + 7 + NEIGHBOURS + 1)


@given(st.lists(st.sampled_from([None, 0.3, 0.6, 0.62, 0.7]), min_size=1, max_size=60))
def test_of_any_curve_a_size_is_found_that_keeps_while_the_sizes_just_below_do_not(values):
    curve = Curve(values)
    search = Search(curve, ladder(len(values)), keep=0.6)
    safe, size = search.smallest("retention_low"), search.smallest("retention")
    for found, least in ((safe, 0.65), (size, 0.6)):
        if found is not None:
            below = values[max(0, found - 1 - NEIGHBOURS) : found - 1]
            assert values[found - 1] >= least
            assert all(value is None or value < least for value in below)
    assert safe is None or size <= safe
    scored = {known: cell["score"] for known, cell in curve.cells.items() if cell}
    best = search.best()
    assert (best is None) == (not scored)
    assert best is None or scored[best] == max(scored.values())


@pytest.fixture(scope="module")
def rows(x, unseen):
    """Seen rows to fit the byte baselines on, and unseen ones to score."""
    return np.concatenate([x, unseen])


@pytest.fixture(scope="module")
def result(model, rows):
    return plan(model, rows, keep=0.8)


def entry(result, form, method="arfc"):
    return next(entry for entry in result["methods"] if (entry["form"], entry["method"]) == (form, method))


def recalls(queries_QK, rows_NK, truth_QK):
    """Recall@10 of each query, one at a time."""
    return np.array(
        [len(set(one) & set(other)) / 10 for one, other in zip(best(queries_QK, rows_NK), truth_QK, strict=True)]
    )


def best(queries_QK, rows_NK):
    rows_NK = rows_NK / np.linalg.norm(rows_NK, axis=1, keepdims=True)
    return np.stack([np.argsort(-(rows_NK @ query_K), kind="stable")[:10] for query_K in queries_QK])


@pytest.mark.parametrize(("form", "keep"), [("bytes", 0.97), ("floats", 0.8), ("floats", 0.9)])
def test_one_half_chooses_and_the_other_reports(model, rows, form, keep):
    result = plan(model, rows, keep=keep)
    sample = draw([open_features(rows)], None, model.seen, queries=2000, seed=0)
    side, asks = sample.sides[0], sample.asks
    truth_QK = best(side[asks], side[~asks])
    full = model.compress(side, dims=24)

    def recall(size):
        if form == "floats":
            return recalls(full[asks, :size], full[~asks, :size], truth_QK)
        return recalls(full[asks], model.compress(side[~asks], bytes=size).decode(), truth_QK)

    order = np.random.default_rng(0).permutation(asks.sum())
    half = len(order) // 2
    assert (result["choosing_queries"], result["reporting_queries"]) == (half, len(order) - half)
    key = "dims" if form == "floats" else "bytes"
    answer = entry(result, form)["smallest"]
    by_size = {size: recall(size) for size in range(1, 25)}
    chosen = [size for size, scores in by_size.items() if scores[order[:half]].mean() >= keep]
    assert answer[key] == chosen[0]
    assert answer["retention"] == pytest.approx(by_size[answer[key]][order[half:]].mean(), abs=5e-3)  # equal codes tie
    assert answer["retention_low"] < answer["retention"] < answer["retention_high"]
    safe = entry(result, form)["safe"]
    assert safe[key] > answer[key]
    assert by_size[safe[key]][order[:half]].mean() > keep


def test_codes_longer_than_the_ladder_are_searched_too(model, rows, result, monkeypatch):
    monkeypatch.setattr(module, "byte_ladder", lambda width, largest: (1,))
    answer = entry(plan(model, rows, keep=0.8), "bytes")["smallest"]
    assert answer == entry(result, "bytes")["smallest"]
    assert answer["bytes"] > 1


def test_bytes_saved_follow_from_the_size(result):
    for one in result["methods"]:
        for answer in (one["smallest"], one["safe"], one["best"]):
            if answer is not None:
                assert answer["bytes"] == (4 * answer["dims"] if one["form"] == "floats" else answer["bytes"])
                assert answer["saved_bytes"] == 96 - answer["bytes"]
                assert answer["saved_bytes_per_million"] == 1_000_000 * answer["saved_bytes"]
                assert answer["ratio"] == pytest.approx(96 / answer["bytes"])


def test_every_method_that_keeps_it_at_no_more_bytes_is_named(result):
    for form, forms in (("bytes", ("bytes", "floats")), ("floats", ("floats",))):
        ours = entry(result, form)["smallest"]["bytes"]
        expected = {
            (one["form"], one["method"])
            for one in result["methods"]
            if one["method"] != "arfc" and one["form"] in forms and one["smallest"] and one["smallest"]["bytes"] <= ours
        }
        assert {(other["form"], other["method"]) for other in result["cheaper"][form]} == expected


def test_a_cheaper_method_is_named(model, rows, monkeypatch):
    """With a front that keeps the weakest directions first, arfc's floats lose to all others."""
    klt = module.float_methods(model)["klt"]

    def weakest_first(rows_MD):
        return klt(rows_MD)(24).stored[:, ::-1].copy()

    monkeypatch.setattr(module, "float_methods", lambda model: {"arfc": of_floats(weakest_first), "klt": klt})
    result = plan(model, rows, keep=0.7)
    assert result["cheaper"]["floats"] == [{"method": "klt", "form": "floats"}]
    answer = entry(result, "floats", "klt")["smallest"]
    lines = format_plan(result).splitlines()
    place = lines.index("  a cheaper method does it:", lines.index(next(one for one in lines if "arfc floats" in one)))
    assert lines[place + 1].startswith(f"    KLT floats: {answer['dims']} dims ({answer['bytes']} bytes) keep ")


def test_the_plan_is_json_and_repeats(model, rows, result):
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert model.plan(rows, keep=0.8) == result
    assert plan(model, rows, keep=0.8, seed=1) != result


def test_labels_and_pairs_have_their_metrics(model, unseen, rng):
    labels = (unseen[:, 0] > 0).astype(int)
    by_class = model.plan(unseen, keep=0.9, metric="R@1 by class", labels=labels)
    assert by_class["metric"] == "R@1 by class"
    assert by_class["uncompressed"]["score"] < 1
    pairs = unseen + 0.5 * rng.standard_normal(unseen.shape).astype(np.float32)
    of_pairs = model.plan(unseen, keep=0.9, metric="R@5 pairs to features", pairs=pairs)
    assert entry(of_pairs, "floats")["smallest"]["dims"] <= 24
    assert [one["method"] for one in of_pairs["methods"] if one["form"] == "bytes"] == ["arfc"]


def test_when_no_code_keeps_it_the_most_there_is_stands_there(model, rows):
    result = plan(model, rows, keep=1)
    codes = entry(result, "bytes")
    assert codes["smallest"] is codes["safe"] is None
    assert 0.9 < codes["best"]["retention"] < 1
    assert entry(result, "floats")["smallest"]["retention"] > 0.99
    text = format_plan(result)
    assert f"arfc codes: at no size tried; the most is {codes['best']['bytes']} bytes keep " in text


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"keep": 0}, ConfigError, "keep must be a share above 0 and at most 1, got 0; try 0.95"),
        ({"keep": 95}, ConfigError, "keep must be a share above 0 and at most 1, got 95"),
        ({"keep": float("nan")}, ConfigError, "keep must be a share above 0 and at most 1, got nan"),
        (
            {"metric": "nDCG@10"},
            ConfigError,
            r"metric must be one of recall@10, recall@1, recall@100, got 'nDCG@10'; pairs and labels add more",
        ),
        ({"labels": np.zeros(5, int)}, ShapeError, r"labels must have shape \(600,\)"),
        (
            {"labels": np.repeat(np.arange(300), 2), "metric": "mAP@R by class"},
            (RowError, ConfigError),
            "a plan needs at least 20 queries for mAP@R by class|the uncompressed score must be above 0",
        ),
    ],
)
def test_refused(model, unseen, options, error, match):
    with pytest.raises(error, match=match):
        plan(model, unseen, **options)


def test_a_share_that_is_out_of_reach_is_refused_with_the_most_there_is(model, rows, monkeypatch):
    rng = np.random.default_rng(0)
    noise = of_floats(lambda rows_MD: rng.standard_normal(rows_MD.shape).astype(np.float32))
    monkeypatch.setattr(module, "float_methods", lambda model: {"arfc": noise})
    monkeypatch.setattr(module, "byte_methods", lambda *_, **__: {"arfc": noise})
    with pytest.raises(SizeError, match=r"keep must be within reach, got 95 % of recall@10; the most there is are \d"):
        plan(model, rows)


def test_a_score_of_zero_has_nothing_to_keep(model, unseen):
    labels = np.zeros(len(unseen), int)
    labels[np.argsort(unseen[:, 0])] = np.arange(len(unseen)) % 290
    with pytest.raises(ConfigError, match="the uncompressed score must be above 0, got 0 for R@1 by class in half of "):
        plan(model, unseen, metric="R@1 by class", labels=labels)
