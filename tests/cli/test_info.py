"""`arfc info`: what a model says of itself, from its config alone."""

import json
import os
import shutil

import pytest


def test_info_tells_data_versions_and_the_curve(arfc, fitted):
    text = arfc("info", fitted.model).stdout
    curve = fitted.load().curve
    assert "features    1,200 rows x 24 dims\n" in text
    assert "rows used   960 to fit, 120 to choose; 120 not at all\n" in text
    assert "fit         for features, seed 0, complete\n" in text
    assert "versions    format 11, arfc " in text
    assert (
        "\nrecall@10 of 120 validation rows among 1,080 (uncompressed 1.000);\n"
        "codes among 120 that no codebook has seen (uncompressed 1.000)\n"
    ) in text
    rows = [line.split() for line in text.splitlines()]
    for row in curve["floats"]:
        scores = [f"{row[name]:.3f}" for name in ("arfc", "klt", "truncation")]
        assert [str(row["dims"]), str(row["bytes"]), *scores] in rows
    for row in curve["bytes"]:
        assert any(line[:2] == [str(row["bytes"]), f"{row['arfc']:.3f}"] for line in rows)


def test_info_says_where_klt_is_as_good(arfc, fitted, tmp_path):
    shutil.copytree(fitted.model, tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "config.json").read_text())
    for row, (arfc_score, klt_score) in zip(
        facts["curve"]["floats"], [(0.5, 0.6), (0.7, 0.7), (0.9, 0.8)], strict=True
    ):
        row |= {"arfc": arfc_score, "klt": klt_score, "truncation": 0.1}
    facts["interrupted"] = True
    (tmp_path / "m" / "config.json").write_text(json.dumps(facts))
    text = arfc("info", "m").stdout
    assert "  arfc is no better than klt at 8, 16 dims\n" in text
    assert "no better than truncation" not in text
    assert "seed 0, interrupted before its end\n" in text


def test_info_tells_what_became_of_the_linear_map(arfc, fitted, tmp_path):
    assert "linear map  rotation kept by " in arfc("info", fitted.model).stdout
    shutil.copytree(fitted.model, tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "config.json").read_text())
    faded = {"map": "orthogonal", "linear_share": 0.75, "fade": {"from": 6, "scale": 0.7}, "free_share": 0.5}
    for history, expected in (
        (faded, "linear map  rotation kept by 0.75 (1 is all), dims from 6 on times 0.7\n"),
        (faded | {"map": "free"}, "linear map  free, kept by 0.5 (1 is all), dims from 6 on times 0.7\n"),
    ):
        (tmp_path / "m" / "config.json").write_text(json.dumps(facts | {"history": facts["history"] | history}))
        assert expected in arfc("info", "m").stdout


def test_info_json_is_the_config(arfc, fitted):
    assert json.loads(arfc("info", fitted.model, "--json").stdout) == json.loads(
        (fitted.model / "config.json").read_text()
    )


def test_info_needs_neither_tensors_nor_torch(start, fitted, tmp_path):
    os.mkdir(tmp_path / "m")
    shutil.copy(fitted.model / "config.json", tmp_path / "m")
    before = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules))"
    process = start("info", "m", before=before)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("features ")
    assert out.endswith("\nFalse\n")


def changed(text, **facts):
    return json.dumps(json.loads(text) | facts)


@pytest.mark.parametrize("gone", ["history", "opening", "interrupted"])
def test_some_facts_may_be_absent(arfc, fitted, tmp_path, gone):
    (tmp_path / "m").mkdir()
    facts = json.loads((fitted.model / "config.json").read_text())
    del facts[gone]
    (tmp_path / "m" / "config.json").write_text(json.dumps(facts))
    out = arfc("info", "m").stdout
    assert ("linear map  not told" in out) is (gone == "history") and "versions    format 11" in out


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda text: text.replace('"format_version": 11', '"format_version": 2'),
            "version must be 11, got 2 in .*config",
        ),
        (lambda text: text.replace('"arfc"', '"other"', 1), 'must say "format": "arfc"'),
        (lambda text: text[:-3], "must be readable JSON, got .*; copy the model folder again"),
        (lambda text: "[]", 'must say "format": "arfc"'),
        (lambda text: text.replace('"curve"', '"curves"'), "must hold .*, missing or of another type curve; copy the"),
        (lambda text: text.replace('"mean_norm"', '"norm"'), r"missing or of another type data\.mean_norm; copy the"),
        (
            lambda text: changed(text, curve=None, versions=[], width="8"),
            "of another type width, versions, curve; copy",
        ),
    ],
)
def test_bad_configs(refused, fitted, tmp_path, change, match):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text(change((fitted.model / "config.json").read_text()))
    refused("info", "m", match=match)


@pytest.mark.parametrize(
    ("part", "damage", "named"),
    [
        ("data", {"norm_range": 5}, r"data\.norm_range"),
        ("data", {"norm_range": [1, "2"]}, r"data\.norm_range"),
        ("data", {"mean_norm": "x"}, r"data\.mean_norm"),
        ("curve", {"floats": [{}]}, r"curve\.floats"),
        ("curve", {"bytes": [{"bytes": 8, "arfc": True, "klt": 0.5}]}, r"curve\.bytes"),
        ("history", {"map": "free"}, r"history\.free_share"),
        ("history", {"linear_share": "a"}, r"history\.linear_share"),
        ("history", {"fade": {"from": 8}}, r"history\.fade"),
        ("history", {"fade": None}, r"history\.fade"),
        (None, {"opening": None}, "opening"),
        (None, {"opening": ["a"]}, "opening"),
        (None, {"width": 0}, "width"),
        (None, {"width": -1}, "width"),
        (None, {"width": True}, "width"),
        (None, {"history": []}, "history"),
        ("config", {"train": 5}, r"config\.train"),
        ("config", {"train": {"duplicate_cosine": "x"}}, r"config\.train"),
    ],
)
def test_facts_out_of_range_or_of_another_type(refused, fitted, tmp_path, part, damage, named):
    (tmp_path / "m").mkdir()
    facts = json.loads((fitted.model / "config.json").read_text())
    (facts if part is None else facts[part]).update(damage)
    (tmp_path / "m" / "config.json").write_text(json.dumps(facts))
    refused("info", "m", match=f"missing or of another type {named}; copy the model folder again")


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400"])
def test_numbers_that_are_none(refused, fitted, tmp_path, number):
    (tmp_path / "m").mkdir()
    text = (fitted.model / "config.json").read_text()
    facts = json.loads(text)
    told = text.replace(f'"mean_norm": {facts["data"]["mean_norm"]}', f'"mean_norm": {number}')
    assert told != text
    (tmp_path / "m" / "config.json").write_text(told)
    refused("info", "m", match=f"must be readable JSON, got {number}, which is no number; copy the model folder again")


def test_keys_that_it_does_not_know_are_ignored(arfc, fitted, tmp_path):
    (tmp_path / "m").mkdir()
    facts = json.loads((fitted.model / "config.json").read_text())
    for row in facts["curve"]["floats"] + facts["curve"]["bytes"]:
        row |= {"seconds": 3.5, "note": "new", "among": {"rows": 3}}
    (tmp_path / "m" / "config.json").write_text(json.dumps(facts))
    assert arfc("info", "m").stdout == arfc("info", fitted.model).stdout


def test_a_file_is_not_advised_to_be_fitted_over(refused, fitted, tmp_path):
    for there in (fitted.features, tmp_path):
        refused("info", there, match=rf"got {there}; name the folder that arfc fit has written\n$")


def test_missing_model(refused):
    refused("info", "none", match=r"a model must be a folder with config\.json, got none; make one with: arfc fit")
