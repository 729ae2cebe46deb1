"""A sweep tries every combination of settings on validation rows, once, and says what each gains on the defaults."""

import json

import numpy as np
import pytest

import sweep
from arfc.errors import ConfigError


def swept(tmp_path, *words):
    out = tmp_path / "sweep.jsonl"
    sweep.main(["birds", "--budget", "0.5", "--jobs", "1", "--out", str(out), *words])
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_the_defaults_and_every_other_combination():
    combined = list(sweep.combined(["arc_rate=1e-3", "layers=1", "layers=2", "linear_map=free"]))
    assert combined == [{}] + [{"arc_rate": 1e-3, "layers": n, "linear_map": "free"} for n in (1, 2)]
    assert list(sweep.combined([])) == [{}]


def test_settings_reach_the_part_that_has_them():
    config = sweep.with_settings(sweep.Config(), {"layers": 1, "size_beta_mild": [1, 3]})
    assert (config.model.layers, config.train.size_beta_mild) == (1, (1, 3))
    with pytest.raises(ConfigError, match=r"must be fields of ModelConfig or TrainConfig, got \['lairs'\]"):
        sweep.with_settings(sweep.Config(), {"lairs": 1})


def test_fits_are_scored_once_and_compared_with_the_defaults(birds, tmp_path, capsys, monkeypatch):
    first = swept(tmp_path, "--try", "linear_steps=0")
    assert [result["key"]["settings"] for result in first] == [{}, {"linear_steps": 0}]
    assert all(0 < score <= 1 for result in first for unit in ("floats", "bytes") for score in result[unit].values())
    printed = capsys.readouterr().out
    gain = np.mean(list(first[1]["bytes"].values())) - np.mean(list(first[0]["bytes"].values()))
    assert f"linear_steps=0  gain {gain:+.4f}" in printed.splitlines()[-1]
    monkeypatch.setattr(sweep, "scored", lambda key: pytest.fail(f"{key} was fitted before"))
    assert swept(tmp_path, "--try", "linear_steps=0") == first
    again = []
    monkeypatch.setattr(sweep, "scored", lambda key: again.append(key) or {**first[0], "key": key})
    monkeypatch.setitem(sweep.PROVENANCE, "source_tree", "another")
    swept(tmp_path, "--try", "linear_steps=0")
    assert [key["settings"] for key in again] == [{}, {"linear_steps": 0}]


def test_test_rows_are_not_looked_at(birds, tmp_path, monkeypatch):
    data = sweep.load("birds", fold=0)
    monkeypatch.setattr(type(data), "test", property(lambda self: pytest.fail("test rows")), raising=False)
    monkeypatch.setattr(sweep, "load", lambda name, fold: data)
    assert len(swept(tmp_path)) == 1


@pytest.mark.parametrize("word", ["lairs=3", "layers", "layers=-1"])
def test_a_wrong_word_is_refused_before_any_fit(birds, tmp_path, word, capsys):
    with pytest.raises(SystemExit):
        swept(tmp_path, "--try", word)
    assert not (tmp_path / "sweep.jsonl").exists()
    assert "must" in capsys.readouterr().err


def test_sets_that_report_alone_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        sweep.main(["digits", "--out", str(tmp_path / "sweep.jsonl")])
    assert "must have validation rows, digits has none" in capsys.readouterr().err
