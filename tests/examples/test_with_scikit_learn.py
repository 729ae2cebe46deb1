"""The example for scikit-learn, with a fit that hardly trains."""

import re

import pytest

from arfc.config import Config, TrainConfig


def test_example_runs(monkeypatch, capsys):
    pytest.importorskip("sklearn", reason="needs the extra sklearn")
    import with_scikit_learn as example

    config = Config(train=TrainConfig(linear_steps=1, arc_steps=0, decoder_steps=0, code_rounds=1, batch_rows=128))
    monkeypatch.setattr(example, "CONFIG", config)
    monkeypatch.setattr(example, "DIMS", (2, 4, 8, 9, 32))
    monkeypatch.setattr(example, "FOLDS", 2)
    example.main()
    out = capsys.readouterr().out
    found = dict(re.findall(r"^(.*): \d+ dims chosen, (0\.\d+) of the 450", out, re.MULTILINE))
    assert set(found) == {"arfc, with classes", "LDA, with classes", "TruncatedSVD"}
    assert all(float(share) > 0.9 for share in found.values())
