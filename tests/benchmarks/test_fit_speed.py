"""Two fits of the same rows are compared size by size."""

import json

import numpy as np
import pytest

import fit_speed


def test_the_share_is_taken_per_size():
    short = [{"dims": 8, "bytes": 32, "arfc": 1}, {"dims": 16, "bytes": 64, "arfc": 3}]
    whole = [{"dims": 8, "bytes": 32, "arfc": 2}, {"dims": 16, "bytes": 64, "arfc": 4}]
    assert fit_speed.kept(short, whole) == {8: 0.5, 16: 0.75}
    assert fit_speed.kept([{"bytes": 8, "arfc": 0.3}], [{"bytes": 8, "arfc": 0.4}]) == {8: pytest.approx(0.75)}


def test_a_record_has_both_fits(rng, tmp_path, capsys):
    path, out = tmp_path / "rows.npy", tmp_path / "fit.jsonl"
    np.save(path, rng.standard_normal((400, 24), dtype=np.float32))
    fit_speed.main([str(path), "--steps", "2", "--budget", "60s", "--out", str(out)])
    record = json.loads(out.read_text())
    assert record["rows"] == [400, 24] and list(record["kept"]["floats"])[-1] == "24"
    assert all(share > 0.5 for sizes in record["kept"].values() for share in sizes.values())
    assert record["short"]["seconds"] < 60 and "budget 60s" in capsys.readouterr().out
