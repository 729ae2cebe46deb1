"""The driver writes one record per piece, once, in the form that the results page is made from."""

import inspect
import json
import time

import pytest

import _methods
import quality
from _records import read, studies
from arfc.codec import NestedCodec
from arfc.config import TrainConfig
from arfc.training.loop import Run

METHODS = ["truncation", "klt", "klt + bits"]


def measured(out, *words):
    quality.main(["--sets", "birds", "--seeds", "0", "--out", str(out), *words])
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_piece_is_measured_once(birds, tmp_path, capsys):
    out = tmp_path / "records" / "quality.jsonl"
    first = measured(out, "--methods", *METHODS)
    assert [(r["set"], r["variant"], r["method"], r["seed"], r["fold"]) for r in first] == [
        ("birds", "none", name, 0, 0) for name in METHODS
    ]
    assert measured(out, "--methods", *METHODS, "int8")[:3] == first  # those on record are left as they are
    assert "int8" in capsys.readouterr().out.splitlines()[-1]


def test_a_record_has_scores_and_where_they_come_from(birds, tmp_path):
    record = measured(tmp_path / "quality.jsonl", "--methods", "klt + bits")[0]  # a fifth of 400 rows is held out
    assert record["kind"] == "classic" and record["rows"] == {"fit": 320} and record["fit_s"] >= 0
    table = record["tables"][0]
    assert [row["bytes"] for row in table["bytes"]] == [4, 8, 16, 32] and table["floats"] == []
    assert all(0 <= row["klt + bits"]["score"] <= 1 for row in table["bytes"])
    assert {"commit", "source_tree", "data_sha256", "date", "versions", "hardware", "settings"} <= record.keys()


@pytest.mark.parametrize(
    ("name", "seed", "coded"),
    [
        ("autoencoder", _methods.CODED_SEED, True),
        ("autoencoder", _methods.CODED_SEED + 1, False),
        ("learned-linear", _methods.CODED_SEED, False),
    ],
)
def test_vectors_of_per_size_rivals_are_coded_under_one_seed(birds, name, seed, coded):
    table = quality.run(quality.Piece("birds", "none", name, seed, 0), most_s=1.0)["tables"][0]
    assert {row["dims"] for row in table["floats"]} >= {1, 2, 4, 8, 16}
    assert bool(table["bytes"]) == coded


def test_a_fit_by_formula_has_one_seed(birds, tmp_path):
    records = measured(tmp_path / "quality.jsonl", "--methods", "klt", "random rotation", "--seeds", "0", "1")
    assert [(record["method"], record["seed"]) for record in records] == [
        ("random rotation", 0), ("klt", 0), ("random rotation", 1)
    ]  # fmt: skip


def test_one_model_per_size_has_a_model_for_each_ratio(birds):
    piece = quality.Piece("birds", "labels", _methods.ONE_PER_SIZE, 0, 0)
    record = quality.run(piece, most_s=1.0)
    table = record["tables"][0]
    assert [row["dims"] for row in table["floats"]] == [1, 2, 4, 8, 16] and table["bytes"] == []
    assert {config["train"]["fixed_dims"] for config in record["settings"]["configs"]} == {1, 2, 4, 8, 16}


def test_the_page_reads_what_the_driver_writes(birds, tmp_path):
    out = tmp_path / "quality.jsonl"
    measured(out, "--methods", *METHODS)
    (study,) = studies(read(out))
    assert (study.set, study.variant) == ("birds", "none")


def test_budgets_count_processor_time_from_the_start_of_a_fit():
    with _methods.processor_clock():
        run = Run(config=TrainConfig())
        began = time.process_time()
        while time.process_time() - began < 0.2:
            pass
        time.sleep(0.3)
        assert 0.2 <= run.elapsed_s < 0.5


def test_codes_of_ours_and_of_rivals_are_fitted_alike(birds, tmp_path, monkeypatch):
    """A budget is for training: neither has fewer rounds for it, nor one fit of few rows in place of two."""
    asked = []
    fit = NestedCodec.fit.__func__

    def told(cls, vectors, **options):
        given = inspect.signature(fit).bind(cls, vectors, **options)
        given.apply_defaults()
        names = ("most_tokens", "rounds", "twice")
        asked.append({"rows": len(vectors), **{name: given.arguments[name] for name in names}})
        return fit(cls, vectors, **options)

    monkeypatch.setattr(NestedCodec, "fit", classmethod(told))
    monkeypatch.setattr(_methods, "budget_s", lambda rows: 1.0)
    measured(tmp_path / "quality.jsonl", "--methods", "arfc", "autoencoder", "--variants", "none")
    assert len(asked) > 1 and asked == [asked[0]] * len(asked) and asked[0]["twice"]


def test_every_named_method_is_of_one_kind():
    named = {variant: _methods.names(variant) for variant in ("none", "pairs", "labels")}
    assert named["none"][0] == "arfc" and not set(named["none"]) & set(_methods.ABLATIONS)
    assert not {name for name in named["pairs"] if _methods.kind(name) == "classic"}
    assert {_methods.kind(name) for name in named["labels"]} == {"ours", "learned", "ablation"}


def test_sizes_are_those_of_the_ratios():
    assert _methods.float_sizes(384) == [8, 12, 24, 48, 96, 192, 384]
    assert _methods.byte_sizes(384) == [8, 16, 32, 48, 64, 96, 192, 384, 768]
