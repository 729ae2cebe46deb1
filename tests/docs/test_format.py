"""docs/format.md says what is written: its tables are held against a real model, its refusals against damaged ones."""

import copy
import dataclasses
import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from arfc import Compressor
from arfc.config import Config, ModelConfig
from arfc.errors import ModelFileError
from arfc.io.model_folder import REQUIRED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "format.md"
ROW = re.compile(r"^\| (`.*?) \| (.*?) \|(?: (.*?) \|)?", re.MULTILINE)


def table(heading, after=""):
    """Return the rows of the first table below a heading and `after`: the code words of the first cell, the rest."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1]
    text = text.split(after, 1)[1] if after else text
    block = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0]
    return [(re.findall(r"`(.*?)`", row[1]), *row.groups()[1:]) for row in ROW.finditer(block)]


def tensors_by_page(width, config, *, rows, joint_tokens=0, lengths=0):
    """Return name -> (dtype, shape) of every tensor that the page promises."""
    size = {"D": width, "C": config.channels, "S": config.solutions, "N": rows}
    size["W"] = math.ceil(width / min(config.tokens, width))
    size["T"] = math.ceil(width / size["W"])
    size["P"], size["J"], size["G"] = min(width, 256), joint_tokens, lengths
    size["E"], size["M"] = min(width, 12), min(width, 32)
    size["O"] = max(1, math.ceil(min(width // 2, config.rotated_dims) / size["W"]))
    promised = {}
    for (name,), dtype, shape in table("### `model.safetensors`", after="| tensor "):
        if name.startswith("network.mos.") and config.solutions == 1:
            continue
        axes = [eval(axis, {}, size) for axis in shape.strip("()").split(", ")]
        for layer in range(config.layers if "{l}" in name else 1):
            promised[name.replace("{l}", str(layer))] = (dtype, axes)
    return promised


def tensors_in(folder):
    return {
        name: (str(array.dtype), list(array.shape)) for name, array in load_file(folder / "model.safetensors").items()
    }


def rewrite(folder, **changes):
    """Change keys of config.json; None takes one away."""
    facts = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))


def test_tensors_are_those_of_the_page(model_folder):
    facts = json.loads(Path("model/config.json").read_text())
    rows = facts["data"]["fit_rows"] + facts["data"]["validation_rows"]
    assert tensors_in(model_folder / "model") == tensors_by_page(24, ModelConfig(**facts["config"]["model"]), rows=rows)


def test_tensors_are_those_of_the_page_without_mos_and_with_pairs(tmp_path, small_rows, tiny_config):
    config = tiny_config(
        model={"solutions": 1, "tokens": 7, "layers": 3, "rotated_dims": 5}, linear_steps=1, arc_steps=0
    )
    model = Compressor.fit(small_rows[:200, :19], pairs=small_rows[200:400, :19], config=config)
    model.save(tmp_path / "model")
    rows = 2 * (model.facts["data"]["fit_rows"] + model.facts["data"]["validation_rows"])
    assert tensors_in(tmp_path / "model") == tensors_by_page(19, config.model, rows=rows)


def test_keys_are_those_of_the_page(model_folder):
    facts = json.loads(Path("model/config.json").read_text())
    page = {name: kind for (name,), kind, _ in table("### `config.json`")}
    assert set(facts) == set(page)
    kinds = {"string": str, "integer": int, "boolean": bool, "object": dict, "list of numbers": list}
    assert all(type(facts[name]) is kinds[kind] for name, kind in page.items())
    may_be_absent = re.search(r"(`interrupted`.*) may be absent", PAGE.read_text(encoding="utf-8"))[1]
    assert set(page) - set(re.findall(r"`(.*?)`", may_be_absent)) == {*REQUIRED, "format", "format_version"}
    assert set(facts["data"]) == {
        name for names, *_ in table("### `config.json`", after="\n`data`:\n") for name in names
    }
    assert set(facts["curve"]) == {
        name for names, *_ in table("### `config.json`", after="\n`curve`:\n") for name in names
    }
    for row, names in (
        (facts["curve"]["floats"][0], "dims bytes arfc klt truncation"),
        (facts["curve"]["bytes"][0], "bytes arfc klt"),
    ):
        assert set(row) == set(names.split())
    history = facts["history"]
    named = {name for names, *_ in table("### `config.json`", after="\n`history`:\n") for name in names}
    assert set(history) == named - {"fade", "free", "free_share"}  # those come with pairs or labels
    assert history["linear"] and set(history["linear"][0]) == {"step", "score"}
    assert list(history["openings"])[0] == "closed"
    assert set(history["ends"]) == {"linear", "arc", "decoder"}
    words = re.search(r"\nA phase ends with(.*?)\n\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert set(history["ends"].values()) <= set(re.findall(r'`"(.*?)"`', words))
    assert {part: set(values) for part, values in facts["config"].items()} == {
        part.name: {field.name for field in dataclasses.fields(getattr(Config(), part.name))}
        for part in dataclasses.fields(Config)
    }


def test_fingerprints_are_those_of_the_page(fitted_model, small_rows):
    u = small_rows / np.linalg.norm(small_rows, axis=1, keepdims=True)
    planes = np.random.default_rng(0).standard_normal((24, 128), dtype=np.float32)
    found = np.packbits((u - fitted_model.seen.mean) @ planes > 0, axis=1)
    kept = {row.tobytes() for row in fitted_model.seen.bits}
    assert sum(row.tobytes() in kept for row in found) == len(fitted_model.seen.bits)


def test_a_closed_model_is_two_matrix_products(fitted_model, small_rows):
    network = copy.deepcopy(fitted_model.network)
    network.opening.zero_()
    network.refresh()
    model = Compressor(network, fitted_model.codec, fitted_model.seen, fitted_model.facts)
    expected = small_rows @ network.klt.basis.numpy() @ network.linear.weight.numpy()
    np.testing.assert_allclose(model.compress(small_rows, dims=9), expected[:, :9], atol=1e-4)


def test_unknown_keys_are_ignored(model_folder, fitted_model, small_rows):
    rewrite(model_folder / "model", note="from a later release")
    small = Compressor.load("model").compress(small_rows, dims=9)
    assert np.array_equal(small, fitted_model.compress(small_rows, dims=9))


@pytest.mark.parametrize("version", [0, 10, 12, "11", None])
def test_other_versions_are_refused(model_folder, version):
    rewrite(model_folder / "model", format_version=version)
    with pytest.raises(ModelFileError, match="model format version must be 11, got"):
        Compressor.load("model")


@pytest.mark.parametrize("name", [*REQUIRED, "format"])
def test_a_key_that_is_missing_is_refused(model_folder, name):
    rewrite(model_folder / "model", **{name: None})
    with pytest.raises(ModelFileError, match=name):
        Compressor.load("model")


@pytest.mark.parametrize("text", ["", "[]", "{", "\udcff"])
def test_what_is_no_json_object_is_refused(model_folder, text):
    Path("model/config.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ModelFileError, match=r"config\.json must"):
        Compressor.load("model")


@pytest.mark.parametrize("config", [{"model": {"depth": 3}}, {"model": {"layers": 0}}, {"other": {}}])
def test_a_config_that_would_change_the_result_is_refused(model_folder, config):
    rewrite(model_folder / "model", config=config)
    with pytest.raises(ModelFileError):
        Compressor.load("model")


def test_a_folder_without_config_is_refused(model_folder):
    Path("model/config.json").unlink()
    with pytest.raises(ModelFileError, match=r"a model must be a folder with config\.json"):
        Compressor.load("model")


def test_tensors_that_are_missing_cut_or_changed_are_refused(model_folder):
    path = Path("model/model.safetensors")
    raw = path.read_bytes()
    for damaged in (raw[:-1], raw[: len(raw) // 2], b"", raw[:-1] + bytes([raw[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="must (be a whole safetensors file|have the sha256)"):
            Compressor.load("model")
    path.unlink()
    with pytest.raises(ModelFileError, match=r"must hold model\.safetensors"):
        Compressor.load("model")


@pytest.mark.parametrize("name", ["network.arc.head", "network.klt.basis", "codec.narrow_dims", "seen.bits"])
def test_a_tensor_that_is_missing_is_refused(model_folder, name):
    change_tensors(model_folder / "model", lambda arrays: arrays.pop(name))
    with pytest.raises(ModelFileError):
        Compressor.load("model")


@pytest.mark.parametrize("name", ["network.arc.tail", "seen.bytes"])
def test_a_tensor_that_is_unknown_is_refused(model_folder, name):
    change_tensors(model_folder / "model", lambda arrays: arrays.update({name: np.zeros(3, np.float32)}))
    with pytest.raises(ModelFileError):
        Compressor.load("model")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("network.klt.basis", lambda array: array[:-1]),
        ("codec.power", lambda array: array + 1.5),
        ("codec.power", lambda array: array * np.nan),
        ("codec.narrow_scale", lambda array: -array),
        ("codec.narrow_emphasis", lambda array: array[:, 1:]),
        ("codec.narrow_codebooks", lambda array: array * np.nan),
        ("codec.narrow_codebooks", lambda array: array.astype(np.float64)),
        ("codec.narrow_dims", lambda array: np.zeros_like(array)),
    ],
)
def test_tensors_that_do_not_fit_are_refused(model_folder, name, spoil):
    def change(arrays):
        arrays[name] = np.ascontiguousarray(spoil(arrays[name]))

    change_tensors(model_folder / "model", change)
    with pytest.raises(ModelFileError):
        Compressor.load("model")


def change_tensors(folder, change):
    """Rewrite the tensors with a checksum that is right, so that nothing but the change can be refused."""
    path = folder / "model.safetensors"
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path)
    rewrite(folder, tensors_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_checkpoints_hold_what_the_page_says(tmp_path, small_rows, tiny_config):
    config = tiny_config(linear_steps=1, arc_steps=1)
    Compressor.fit(small_rows[:200], config=config, checkpoint=tmp_path / "model.checkpoint")
    forms = {name for names, _, _ in table("## The checkpoint folder") for name in names}
    keys = {name for names, *_ in table("## The checkpoint folder", after="JSON object:") for name in names}
    assert {path.name for path in (tmp_path / "model.checkpoint").iterdir()} == {
        "linear.safetensors",
        "arc.safetensors",
        "decoder.safetensors",
    }
    for path in (tmp_path / "model.checkpoint").iterdir():
        with safe_open(path, framework="np") as file:
            assert {name.split("/")[0] + "/{name}" for name in file.keys()} <= forms  # noqa: SIM118
            assert set(file.metadata()) == {"arfc"}
            assert set(json.loads(file.metadata()["arfc"])) == keys
