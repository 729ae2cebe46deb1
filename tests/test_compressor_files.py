"""A model on disk: a round trip, and a refusal for everything that is no whole model of this version."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from arfc import Compressor
from arfc.errors import ModelFileError, OutputError
from arfc.io.model_folder import _sha256


@pytest.fixture
def folder(fitted_model, tmp_path):
    """A saved model."""
    fitted_model.save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, change):
    """Change what `config.json` says."""
    facts = json.loads((folder / "config.json").read_text())
    change(facts)
    (folder / "config.json").write_text(json.dumps(facts))


def rewrite_tensors(folder, change):
    """Change the tensors, and the checksum with them."""
    arrays = load_file(folder / "model.safetensors")
    change(arrays)
    save_file(arrays, folder / "model.safetensors")
    rewrite(folder, lambda facts: facts.update(tensors_sha256=_sha256(folder / "model.safetensors")))


def test_save_and_load_give_the_same_model(opened_model, small_rows, tmp_path):
    opened_model.save(tmp_path / "model")
    loaded = Compressor.load(tmp_path / "model")
    small = opened_model.compress(small_rows, dims=9)
    np.testing.assert_array_equal(loaded.compress(small_rows, dims=9), small)
    np.testing.assert_array_equal(loaded.decompress(small), opened_model.decompress(small))
    full = opened_model.compress(small_rows, dims=24)
    np.testing.assert_array_equal(loaded.decompress(full), opened_model.decompress(full))
    codes = opened_model.compress(small_rows, bytes=11)
    np.testing.assert_array_equal(loaded.compress(small_rows, bytes=11).packed, codes.packed)
    np.testing.assert_array_equal(loaded.decompress(loaded.codes(codes.packed)), opened_model.decompress(codes))
    np.testing.assert_array_equal(loaded.seen.bits, opened_model.seen.bits)
    assert loaded.curve == opened_model.curve
    assert loaded.facts["config"] == json.loads(json.dumps(opened_model.facts["config"]))
    loaded.save(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_save_refuses_what_is_there(fitted_model, folder):
    with pytest.raises(OutputError, match="^an output must not exist yet, got .*model; choose another name"):
        fitted_model.save(folder)
    before = (folder / "model.safetensors").read_bytes()
    fitted_model.save(folder, overwrite=True)
    assert (folder / "model.safetensors").read_bytes() == before
    with pytest.raises(OutputError, match="^the folder of an output must exist"):
        fitted_model.save(folder / "no" / "such")


def test_load_refuses_what_is_no_model(folder, tmp_path):
    with pytest.raises(ModelFileError, match=r"^a model must be a folder with config\.json, got .*none"):
        Compressor.load(tmp_path / "none")
    (folder / "model.safetensors").rename(folder / "away")
    with pytest.raises(ModelFileError, match=r"must hold model\.safetensors, which is missing; copy the folder again"):
        Compressor.load(folder)


def test_all_files_of_a_model_have_the_mode_of_a_new_file(folder):
    (folder / "new").touch()
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_may_not_be_read_is_not_called_missing(folder, monkeypatch, name):
    real = Path.open

    def locked(path, *args, **options):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(ModelFileError, match=rf"{name} must be readable, got Permission denied; check its permissions"):
        Compressor.load(folder)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_load_refuses_truncated_tensors(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match="must be a whole safetensors file"):
        Compressor.load(folder)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.999])
def test_load_refuses_a_changed_byte(folder, at):
    path = folder / "model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[int(at * len(raw))] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match=r"must (have the sha256 that config\.json names|be a whole safetensors)"):
        Compressor.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "\xff"])
def test_load_refuses_a_damaged_config(folder, text):
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelFileError, match=r"config\.json must (be readable JSON|say \"format\": \"arfc\")"):
        Compressor.load(folder)


@pytest.mark.parametrize("version", [0, 10, 12, "11", None])
def test_load_refuses_other_versions(folder, version):
    rewrite(folder, lambda facts: facts.update(format_version=version))
    with pytest.raises(
        ModelFileError, match=f"^model format version must be 11, got {version!r} in .*; install the arfc"
    ):
        Compressor.load(folder)


@pytest.mark.parametrize("name", ["width", "task", "seed", "config", "versions", "data", "curve", "tensors_sha256"])
def test_load_refuses_a_missing_key(folder, name):
    rewrite(folder, lambda facts: facts.pop(name))
    with pytest.raises(ModelFileError, match=f"must hold width, task.*, missing or of another type {name}; copy the"):
        Compressor.load(folder)


@pytest.mark.parametrize(("part", "name"), [("model", "heads"), ("train", "patience")])
def test_load_refuses_a_config_without_a_field(folder, part, name):
    rewrite(folder, lambda facts: facts["config"][part].pop(name))
    with pytest.raises(ModelFileError, match=rf"missing or of another type config\.{part}; copy the"):
        Compressor.load(folder)


@pytest.mark.parametrize(("name", "value"), [("width", "24"), ("config", []), ("data", 3), ("curve", None)])
def test_load_refuses_facts_of_another_type(folder, name, value):
    rewrite(folder, lambda facts: facts.update({name: value}))
    with pytest.raises(ModelFileError, match=f"missing or of another type {name}; copy the model folder again"):
        Compressor.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(width=25),
        lambda facts: facts["config"]["model"].update(channels=32),
        lambda facts: facts["config"]["model"].update(solutions=1),
        lambda facts: facts["config"]["model"].update(tokens=0),
        lambda facts: facts["config"]["model"].update(colour="red"),
        lambda facts: facts["config"]["train"].update(colour="red"),
    ],
)
def test_load_refuses_a_config_of_another_model(folder, change):
    rewrite(folder, change)
    with pytest.raises(ModelFileError, match="must hold the tensors its config names: .*; copy the folder again$"):
        Compressor.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("network.arc.head"),
        lambda arrays: arrays.pop("codec.narrow_dims"),
        lambda arrays: arrays.pop("seen.bits"),
        lambda arrays: arrays.update({"network.more": np.zeros(3)}),
        lambda arrays: arrays.update({"seen.more": np.zeros(3)}),
        lambda arrays: arrays.update({"network.scale": np.ones(23, dtype=np.float32)}),
        lambda arrays: arrays.update({"codec.narrow_dims": arrays["codec.narrow_dims"] * 0}),
        lambda arrays: arrays.update({"network.scale": arrays["network.scale"] * 0}),
        lambda arrays: arrays.update({"network.scale": arrays["network.scale"].astype(np.float16)}),
        lambda arrays: arrays.update({"network.klt.basis": arrays["network.klt.basis"] * np.float32(np.nan)}),
        lambda arrays: arrays.update({"network.opening": arrays["network.opening"] + 2}),
        lambda arrays: arrays.update({"network.decode_steps": arrays["network.decode_steps"] + 10**9}),
        lambda arrays: arrays.update({"seen.mean": arrays["seen.mean"][1:]}),
        lambda arrays: arrays.update({"seen.bits": arrays["seen.bits"][:, 1:]}),
        lambda arrays: arrays.update({"seen.bits": arrays["seen.bits"].astype(np.float32)}),
    ],
)
def test_load_refuses_tensors_of_another_model(folder, change):
    rewrite_tensors(folder, change)
    with pytest.raises(ModelFileError, match="must hold the tensors its config names"):
        Compressor.load(folder)


def test_load_bears_keys_it_does_not_know(folder):
    rewrite(folder, lambda facts: facts.update(colour="red"))
    assert Compressor.load(folder).facts["colour"] == "red"
