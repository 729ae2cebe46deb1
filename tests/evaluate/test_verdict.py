"""The words say what the numbers say, also where others are as good or better."""

import pytest

from arfc.evaluate.series import series_of
from arfc.evaluate.verdict import verdict


def cell(score, *, top=1.0, reach=0.01):
    ends = {"": score, "_low": score - reach, "_high": score + reach}
    cell = {"score": score, "low": score - reach, "high": score + reach}
    return cell | {f"retention{end}": value / top for end, value in ends.items()}


def table(*, codes, floats=None, top=1.0):
    """A table of a 64-dim set; `codes` and `floats` are {method: {size: score}}."""
    floats = floats or {"arfc": {8: 0.5 * top, 64: top}, "klt": {8: 0.4 * top, 64: top}}
    rows = {
        form: [
            ({"dims": size, "bytes": 4 * size} if form == "floats" else {"bytes": size})
            | {name: cell(scores[size], top=top) if size in scores else None for name, scores in methods.items()}
            for size in sorted({size for scores in methods.values() for size in scores})
        ]
        for form, methods in (("floats", floats), ("bytes", codes))
    }
    return {"metric": "recall@10", "uncompressed": cell(top, top=top), **rows}


def groups(said):
    return {title.split(" keep")[0]: sentences for title, sentences in said.groups}


def test_it_names_the_first_size_that_keeps_enough_and_who_else_does():
    said = verdict(
        table(
            codes={
                "arfc": {8: 0.6, 16: 0.951, 32: 0.99},
                "klt": {8: 0.5, 16: 0.95, 32: 0.98},
                "int8": {8: 0.1, 16: 0.2, 32: 0.4, 64: 0.97},
                "opq": {8: 0.3, 16: 0.5},
            }
        )
    )
    assert said.head == (
        "16 bytes keep 95.1 % (94.1-96.1) of recall@10, 16 times smaller than float32. "
        "With KLT + bits, the same 16 bytes do it, too."
    )
    assert groups(said) == {
        "Others that": [
            "KLT + bits: the same 16 bytes, 95.0 % (94.0-96.0).",
            "int8, first dims: 64 bytes, 97.0 % (96.0-98.0).",
            "KLT floats: 64 dims (256 bytes), 100.0 % (99.0-101.0).",
            "At no size measured: opq.",
        ],
        "As floats": [
            "64 dims (256 bytes) keep 100.0 % (99.0-101.0) of recall@10.",
            "KLT floats: the same 64 dims (256 bytes), 100.0 % (99.0-101.0).",
        ],
    }


def test_what_is_kept_is_a_share_of_the_uncompressed_score():
    said = verdict(table(codes={"arfc": {8: 0.4, 16: 0.48}}, top=0.5))
    assert said.head == "16 bytes keep 96.0 % (94.0-98.0) of recall@10, 16 times smaller than float32."


def test_a_method_that_is_smaller_comes_first():
    said = verdict(table(codes={"arfc": {8: 0.5, 16: 0.96}, "klt": {8: 0.96, 16: 0.97}}))
    assert said.head.endswith("With KLT + bits, only 8 bytes do it, too.")
    assert groups(said)["Others that"][0] == "KLT + bits: 8 bytes, 96.0 % (95.0-97.0)."


def test_it_says_when_no_size_keeps_enough():
    said = verdict(table(codes={"arfc": {8: 0.6, 16: 0.9}, "klt": {8: 0.95, 16: 0.5}}))
    assert said.head == (
        "No size measured keeps 95 % of recall@10 with arfc codes; 16 bytes keep the most, 90.0 % (89.0-91.0)."
    )
    assert groups(said)["Others that"][0] == "KLT + bits: 8 bytes, 95.0 % (94.0-96.0)."


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({8: 0.4, 16: 0.5, 32: 0.6}, None),
        ({8: 0.5, 16: 0.61, 32: 0.7}, "KLT + bits: at 8 and 16 bytes; the intervals overlap."),
        ({8: 0.6, 16: 0.7, 32: 0.71}, "KLT + bits: at 8, 16 and 32 bytes; the intervals part at 8 and 16."),
    ],
)
def test_it_names_every_size_where_arfc_is_no_better(theirs, expected):
    said = verdict(table(codes={"arfc": {8: 0.5, 16: 0.6, 32: 0.7001}, "klt": theirs}))
    assert groups(said).get("Where arfc is no better") == (expected and [expected])


def test_floats_that_are_equal_at_full_width_are_no_loss_but_worse_ones_are():
    codes = {"arfc": {8: 0.5}}
    equal = verdict(table(codes=codes, floats={"arfc": {8: 0.5, 64: 1.0}, "klt": {8: 0.4, 64: 1.0}}))
    assert "Where arfc is no better" not in groups(equal)
    worse = verdict(table(codes=codes, floats={"arfc": {8: 0.5, 64: 0.99}, "klt": {8: 0.5, 64: 1.0}}))
    assert groups(worse)["Where arfc is no better"] == ["KLT floats: at 8 and 64 dims; the intervals overlap."]


def test_without_a_retention_nothing_is_said_to_be_kept():
    made = table(codes={"arfc": {8: 0.0}})
    for row in made["bytes"] + made["floats"]:
        for value in row.values():
            if isinstance(value, dict):
                value.update(dict.fromkeys(("retention", "retention_low", "retention_high")))
    assert verdict(made).head == "No size measured keeps 95 % of recall@10 with arfc codes."


def test_methods_without_a_score_and_unknown_ones_are_handled():
    made = table(codes={"arfc": {8: 0.5}, "klt": {}, "new thing": {8: 0.7}})
    assert [(one.label, len(one.rows)) for one in series_of(made)] == [
        ("arfc codes", 1),
        ("new thing", 1),
        ("arfc floats", 2),
        ("KLT floats", 2),
    ]
