"""The example of the server runs as it stands."""

import re

import serve_embeddings


def test_three_sizes_come_back(capsys, monkeypatch):
    monkeypatch.setattr(serve_embeddings, "TEXTS", 120)
    monkeypatch.setattr(serve_embeddings, "FIT_STEPS", 1)
    serve_embeddings.main()
    out = capsys.readouterr().out
    assert re.findall(r"^(\d+) dims, [\d,]+ bytes as float32$", out, re.MULTILINE) == ["384", "96", "24"]
    assert len(re.findall(r"^  0\.\d\d [\w.]+: ", out, re.MULTILINE)) == 9
