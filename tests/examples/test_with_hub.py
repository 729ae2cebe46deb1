"""The example for the Hub, with a fit that hardly trains, against the fixture's server."""

import pytest

from arfc import Compressor


def test_example_runs(monkeypatch, capsys, local_hub):
    pytest.importorskip("sklearn", reason="needs scikit-learn's digits")
    import with_hub as example

    monkeypatch.setattr(example, "BUDGET", "0.1s")
    example.push_and_load(local_hub)
    out = capsys.readouterr().out
    assert "pushed to https://<the hub>/me/digits-64/commit/" in out
    assert "loaded from me/digits-64: the same vectors" in out
    assert "    license: mit" in out
    assert Compressor.from_pretrained("me/digits-64").width == 64
