"""`arfc fit`: what it makes, says and refuses."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from arfc import Compressor
from arfc.cli import app


def test_fit_writes_a_model_and_one_line_for_people(fitted):
    model = fitted.load()
    assert model.width == 24
    assert not model.facts["interrupted"]
    line = fitted.stderr.strip()
    assert line.startswith(f"{fitted.model}: fitted on 960 of 1,200 rows x 24 dims in ")
    assert line.endswith(f"; all sizes: arfc info {fitted.model}")
    assert "\n" not in line  # no bar in a pipe
    assert sorted(path.name for path in fitted.model.parent.iterdir()) == ["features.npy", "model"]


def test_fit_json_is_for_programs(fitted):
    facts = json.loads(fitted.stdout)
    model = fitted.load()
    assert facts["model"] == str(fitted.model)
    assert facts["seconds"] > 0
    assert facts["curve"] == model.curve
    assert facts["data"] == model.facts["data"]


def test_fit_from_parquet_with_pairs_labels_and_seed(arfc, fitted, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    x = fitted.x[:300]
    parquet.write_table(pyarrow.table({"id": range(300), "vector": list(x)}), tmp_path / "x.parquet")
    np.save(tmp_path / "y.npy", x + 0.1)
    (tmp_path / "labels.txt").write_text("cat\ndog\n" * 150)
    result = arfc(
        "fit", "x.parquet", "-o", "m", "--steps", "2", "--pairs", "y.npy", "--labels", "labels.txt", "--seed", "3"
    )
    assert result.stdout == ""
    facts = Compressor.load("m").facts
    assert (facts["task"], facts["seed"], facts["data"]["rows"]) == ("pairs", 3, 300)


def test_known_partners_are_told_to_the_fit(arfc, refused, fitted, tmp_path):
    np.save(tmp_path / "y.npy", fitted.x + 0.1)
    arfc("fit", fitted.features, "-o", "m", "--steps", "2", "--pairs", "y.npy", "--known-partners")
    assert Compressor.load("m").facts["config"]["train"]["known_partners"]
    refused("fit", fitted.features, "-o", "n", "--known-partners", match="--known-partners says something of pairs")


def bad_rows(x, *, nan=(), inf=(), zero=()):
    x = x.copy()
    x[list(nan), 3] = np.nan
    x[list(inf), 0] = -np.inf
    x[list(zero)] = 0
    return x


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda x: x[0], r"features must have shape \(N, D\) with D >= 1, got \(24,\)"),
        (lambda x: x[None], r"features must have shape \(N, D\) with D >= 1, got \(1, 1200, 24\)"),
        (lambda x: (9 * x).astype(np.int64), "features must hold float16, float32 or float64 values, got int64"),
        (lambda x: x.astype(object), "features must hold numbers, got Python objects"),
        (lambda x: x.astype(complex), "features must hold float16, float32 or float64 values, got complex128"),
        (
            lambda x: bad_rows(x, nan=(5, 700), inf=(1000,)),
            r"features must be finite and not zero, got NaN or Inf in 3 rows \(rows 5, 700, 1000\)",
        ),
        (lambda x: bad_rows(x, zero=(0, 1199)), r"got only zeros in 2 rows \(rows 0, 1199\)"),
        (lambda x: bad_rows(x, nan=range(20)), r"got NaN or Inf in 20 rows \(rows 0, 1, 2, 3, 4, ...\)"),
        (lambda x: x[:99], "features must have at least 100 rows, got 99"),
        (lambda x: x[:0], "features must have at least 1 row, got 0"),
    ],
)
def test_bad_features(refused, fitted, tmp_path, change, match):
    np.save(tmp_path / "x.npy", change(fitted.x))
    refused("fit", "x.npy", "-o", "m", match=match)


def test_bad_feature_files(refused, tmp_path, fitted):
    refused("fit", "none.npy", "-o", "m", match=r"features must be an existing file, got none\.npy")
    (tmp_path / "text.npy").write_text("no array")
    refused("fit", "text.npy", "-o", "m", match=r"features must be an array saved by numpy\.save, got something else")
    (tmp_path / "text.parquet").write_text("no table")
    refused("fit", "text.parquet", "-o", "m", match="features must be a whole parquet file")
    (tmp_path / "x.csv").write_text("1,2,3")
    refused("fit", "x.csv", "-o", "m", match=r"features must be a \.npy or \.parquet file, got x\.csv")
    (tmp_path / "short.npy").write_bytes(fitted.features.read_bytes()[:-4])
    refused("fit", "short.npy", "-o", "m", match=r"features must be a whole \.npy file, got 115324 bytes")


def test_bad_pairs_and_labels(refused, fitted, tmp_path):
    np.save(tmp_path / "few.npy", fitted.x[1:])
    refused("fit", fitted.features, "-o", "m", "--pairs", "few.npy", match=r"pairs must have the features' shape")
    np.save(tmp_path / "nan.npy", bad_rows(fitted.x, nan=(7,)))
    refused("fit", fitted.features, "-o", "m", "--pairs", "nan.npy", match=r"pairs must be finite.* 1 row \(row 7\)")
    np.save(tmp_path / "labels.npy", np.zeros(1200))
    refused(
        "fit", fitted.features, "-o", "m", "--labels", "labels.npy", match="labels must be integers or text, got fl"
    )
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    refused("fit", fitted.features, "-o", "m", "--labels", "labels.txt", match=r"labels must have shape \(1200,\)")
    np.save(tmp_path / "labels.npy", np.ones(1200, int))
    refused("fit", fitted.features, "-o", "m", "--labels", "labels.npy", match="labels must name at least 2 classes")
    np.save(tmp_path / "labels.npy", np.arange(1200))
    refused(
        "fit", fitted.features, "-o", "m", "--labels", "labels.npy", match="got 1200 classes in 1200 rows; are these"
    )


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        (["--budget", "0s"], "a duration must be finite and above zero, got '0s'"),
        (["--budget", "soon"], "a duration must look like 90s, 5m or 1h30m, got 'soon'"),
        (["--steps", "0"], "steps must be a whole number of at least 1, got 0"),
        (["--budget", "5m", "--steps", "9"], "at most one of --budget and --steps must be given, got both"),
    ],
)
def test_bad_lengths_of_a_fit(refused, fitted, flags, match):
    refused("fit", fitted.features, "-o", "m", *flags, match=match)


def test_bad_outputs(refused, fitted, tmp_path):
    refused("fit", fitted.features, "-o", fitted.model, match="an output must not exist yet, got .*overwrite")
    refused("fit", fitted.features, "-o", "none/m", match="the folder of an output must exist, got .*none for m")
    (tmp_path / "letter.txt").write_text("dear")
    refused("fit", fitted.features, "-o", "letter.txt", "--overwrite", match="an output must be a folder, got the file")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    refused(
        "fit", fitted.features, "-o", "home", "--overwrite", match="only a folder whose .* is overwritten, got home;"
    )


def test_an_encoder_is_not_overwritten(refused, fitted, tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text('{"architectures": ["BertModel"]}')
    (tmp_path / "encoder" / "weights.bin").write_text("weights")
    refused("fit", fitted.features, "-o", "encoder", "--overwrite", match="is overwritten, got encoder; choose another")
    assert (tmp_path / "encoder" / "weights.bin").read_text() == "weights"


def test_outputs_are_refused_before_any_work(refused, tmp_path):
    (tmp_path / "m").mkdir()
    refused("fit", "not looked at.npy", "-o", "m", match="an output must not exist yet, got m")


def test_overwrite_replaces_the_model(arfc, fitted, tmp_path):
    shutil.copytree(fitted.model, tmp_path / "m")
    arfc("fit", fitted.features, "-o", "m", "--steps", "1", "--overwrite")
    assert Compressor.load("m").facts["config"]["train"]["linear_steps"] <= 1
    assert os.listdir(tmp_path) == ["m"]


def test_a_checkpoint_is_not_lost_by_mistake(refused, fitted, tmp_path):
    (tmp_path / "m.checkpoint").mkdir()
    (tmp_path / "m.checkpoint" / "linear.safetensors").write_text("precious")
    refused(
        "fit", fitted.features, "-o", "m", match=r"got its checkpoint m\.checkpoint; add --resume .* or --overwrite"
    )


@pytest.mark.parametrize(
    "wrong", [("--labels", "none.npy"), ("--pairs", "none.npy"), ("--steps", "0"), ("--labels", "short.txt")]
)
def test_a_slip_of_the_pen_costs_no_checkpoint(refused, fitted, tmp_path, wrong):
    (tmp_path / "m.checkpoint").mkdir()
    (tmp_path / "short.txt").write_text("one\n")
    (tmp_path / "m.checkpoint" / "linear.safetensors").write_text("precious")
    refused("fit", fitted.features, "-o", "m", "--overwrite", *wrong, match="must")
    assert (tmp_path / "m.checkpoint" / "linear.safetensors").read_text() == "precious"


def test_a_fit_removes_its_own_checkpoints_alone(arfc, fitted, tmp_path):
    folder = tmp_path / "m.checkpoint"
    folder.mkdir()
    for name in ("linear.safetensors", "arc.part", "bert.safetensors"):
        (folder / name).write_text(name)
    arfc("fit", fitted.features, "-o", "m", "--steps", "1", "--overwrite")
    assert os.listdir(folder) == ["bert.safetensors"]


def test_resume_does_not_replace_a_complete_model(refused, fitted):
    refused("fit", fitted.features, "-o", fitted.model, "--resume", match="an output must not exist yet")


def test_resume_replaces_an_interrupted_model_only_beside_its_checkpoint(refused, arfc, fitted, tmp_path, monkeypatch):
    shutil.copytree(fitted.model, tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "config.json").read_text()) | {"interrupted": True}
    (tmp_path / "m" / "config.json").write_text(json.dumps(facts))
    refused("fit", fitted.features, "-o", "m", "--resume", match=r"an output must not exist yet, got m; .*--overwrite")
    (tmp_path / "m.checkpoint").mkdir()
    refused("fit", fitted.features, "-o", "m", "--resume", match="an output must not exist yet, got m; ")
    (tmp_path / "m.checkpoint" / "linear.safetensors").write_text("taken up by fit")
    monkeypatch.setattr(Compressor, "fit", lambda x, **options: fitted.load())
    arfc("fit", fitted.features, "-o", "m", "--resume")
    assert not Compressor.load("m").facts["interrupted"]


@pytest.mark.parametrize(("out", "at"), [(".", "m"), ("../m/", "m"), ("..", "."), ("../other", "other")])
def test_the_checkpoint_stands_beside_the_model(fitted, tmp_path, monkeypatch, out, at):
    found = []
    monkeypatch.setattr(Compressor, "fit", lambda x, **options: found.append(options["checkpoint"]) or fitted.load())
    monkeypatch.setattr(Compressor, "save", lambda *args, **options: None)
    (tmp_path / "m").mkdir()
    (tmp_path / "config.json").write_text('{"format": "arfc"}')  # ".." is replaced where it is a model
    monkeypatch.chdir(tmp_path / "m")
    result = CliRunner().invoke(app, ["fit", str(fitted.features), "-o", out, "--overwrite"])
    assert result.exit_code == 0, result.output
    whole = (tmp_path / at).resolve()
    assert found[0].resolve() == whole.parent / f"{whole.name}.checkpoint"
    assert result.stderr.startswith(f"{Path(out)}: fitted on")


def test_a_file_in_the_place_of_the_checkpoint(refused, fitted, tmp_path):
    (tmp_path / "m.checkpoint").write_text("a letter")
    for flags in ([], ["--resume"], ["--overwrite"]):
        refused(
            "fit", "not looked at.npy", "-o", "m", *flags, match=r"must have a folder, got the file m\.checkpoint; move"
        )


def test_resume_refuses_a_damaged_checkpoint(refused, fitted, tmp_path):
    (tmp_path / "m.checkpoint").mkdir()
    (tmp_path / "m.checkpoint" / "linear.safetensors").write_text("no tensors")
    refused("fit", fitted.features, "-o", "m", "--resume", match="checkpoint m.* must be a whole safetensors file")


def test_a_second_ctrl_c_saves_nothing_and_leaves_the_checkpoint(fitted, tmp_path, monkeypatch):
    """`fit` raises KeyboardInterrupt only then, or before there is anything to save."""

    def pressed_twice(x, *, checkpoint, **options):
        checkpoint.mkdir()
        (checkpoint / "linear.safetensors").write_text("precious")
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Compressor, "fit", pressed_twice)
    result = CliRunner().invoke(app, ["fit", str(fitted.features), "-o", "m"])
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (130, "", "arfc: error: interrupted")
    assert os.listdir(tmp_path) == ["m.checkpoint"]
    assert (tmp_path / "m.checkpoint" / "linear.safetensors").read_text() == "precious"


def test_a_failed_save_keeps_the_training(refused, fitted, tmp_path, monkeypatch):
    from arfc import OutputError

    def full_disk(self, path, *, overwrite):
        raise OutputError("m could not be written, got 'no space left on device'; make room")

    (tmp_path / "m.checkpoint").mkdir()
    (tmp_path / "m.checkpoint" / "kept").write_text("")
    monkeypatch.setattr(Compressor, "fit", lambda x, **options: fitted.load())
    monkeypatch.setattr(Compressor, "save", full_disk)
    refused("fit", fitted.features, "-o", "m", "--resume", match="make room; then repeat the command with --resume")
