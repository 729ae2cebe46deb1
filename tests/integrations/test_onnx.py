"""An ONNX file computes what the model computes, for any number of rows, and says what it was made from."""

import copy
import os
import re
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import pytest

import arfc
from arfc import Compressor
from arfc.errors import MissingExtraError, OutputError, SizeError
from arfc.integrations.model_id import fingerprint
from arfc.integrations.onnx import export_onnx
from arfc.io.model_folder import read_facts
from arfc.model.network import Network


@pytest.fixture(scope="module")
def closed_model(fitted_model):
    network = copy.deepcopy(fitted_model.network)
    network.opening.zero_()
    network.refresh()
    return Compressor(network, fitted_model.codec, fitted_model.seen, fitted_model.facts)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, closed_model, opened_model):
    """A function of model and dims that exports once and returns the path."""
    folder, models = tmp_path_factory.mktemp("onnx"), {"closed": closed_model, "opened": opened_model}

    def path_of(name, dims):
        path = folder / f"{name}-{dims}.onnx"
        if not path.exists():
            export_onnx(models[name], path, dims=dims)
        return models[name], path

    return path_of


def run(path, x):
    runtime = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (vectors,) = runtime.run(["vectors"], {"features": x})
    return vectors


# Of the 4 tokens of the opened model two are made step by step and refined by MoS, and two are linear.
@pytest.mark.parametrize(
    ("name", "dims"), [("closed", 7), ("closed", 24), pytest.param("opened", 24, marks=pytest.mark.slow)]
)
def test_outputs_equal_those_of_torch(exported, small_rows, name, dims):
    model, path = exported(name, dims)
    for rows in (1, 2, 7, 600):
        x = small_rows[:rows] * np.linspace(0.1, 50, rows, dtype=np.float32)[:, None]
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        vectors = run(path, x)
        assert vectors.shape == (rows, dims) and vectors.dtype == np.float32
        np.testing.assert_allclose(vectors / lengths, model.compress(x, dims=dims) / lengths, atol=1e-5)


@pytest.mark.slow
def test_the_open_model_is_another_than_the_linear_one(exported, small_rows):
    far = np.abs(run(exported("opened", 24)[1], small_rows) - run(exported("closed", 24)[1], small_rows))
    assert far[:, :12].max() > 1e-2 and far[:, 12:].max() < 1e-4


@pytest.mark.parametrize("solutions", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_part_of_the_only_open_token(solutions, fitted_model, small_rows, tiny_config, open_up, tmp_path):
    config = tiny_config(model={"tokens": 2, "channels": 8, "solutions": solutions}).model
    network = Network(24, config)
    network.klt.fit([fitted_model.network.klt.basis])
    model = Compressor(open_up(network), fitted_model.codec, fitted_model.seen, fitted_model.facts)
    export_onnx(model, tmp_path / "m.onnx", dims=9)
    unit = small_rows / np.linalg.norm(small_rows, axis=1, keepdims=True)
    np.testing.assert_allclose(run(tmp_path / "m.onnx", unit), model.compress(unit, dims=9), atol=1e-5)


def test_the_file_is_valid_and_says_what_it_is(exported, tmp_path):
    model, path = exported("closed", 7)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    model.save(tmp_path / "model")
    assert {entry.key: entry.value for entry in proto.metadata_props} == {
        "arfc.version": arfc.__version__,
        "arfc.fingerprint": read_facts(tmp_path / "model")["tensors_sha256"],
        "arfc.width": "24",
        "arfc.dims": "7",
    }
    assert fingerprint(Compressor.load(tmp_path / "model")) == fingerprint(model)


def test_the_file_names_nothing_of_the_machine_and_repeats(exported, tmp_path):
    raw = exported("closed", 7)[1].read_bytes()
    for word in (b".py", b"stack_trace", b"site-packages", os.getcwd().encode()):
        assert word not in raw, word
    export_onnx(exported("closed", 7)[0], tmp_path / "again.onnx", dims=7)
    assert (tmp_path / "again.onnx").read_bytes() == exported("closed", 7)[1].read_bytes()


def test_a_file_holds_the_size_it_was_made_for_and_no_more(exported):
    sizes = [exported("closed", dims)[1].stat().st_size for dims in (7, 24)]
    assert sizes[0] < 0.7 * sizes[1]


def test_no_room_for_the_copy_that_is_hashed(closed_model, tmp_path, monkeypatch):
    def full_disk(self, path):
        raise OutputError(f"{path} could not be written; make room") from OSError(28, "No space left on device")

    monkeypatch.setattr(Compressor, "save", full_disk)
    folder = re.escape(tempfile.gettempdir())
    message = rf"^a copy of the model must fit into {folder}, got No space left on device; set TMPDIR$"
    with pytest.raises(OutputError, match=message):
        fingerprint(closed_model)


def test_nothing_is_written_on_a_mistake(closed_model, tmp_path, monkeypatch):
    for dims in (0, 25):
        with pytest.raises(SizeError, match=f"dims must be between 1 and 24, got {dims}"):
            export_onnx(closed_model, tmp_path / "m.onnx", dims=dims)
    (tmp_path / "old.onnx").write_text("old")
    with pytest.raises(OutputError, match="an output must not exist yet, got .*old.onnx"):
        export_onnx(closed_model, tmp_path / "old.onnx", dims=3)
    with pytest.raises(OutputError, match="the folder of an output must exist"):
        export_onnx(closed_model, tmp_path / "none" / "m.onnx", dims=3)
    for name in ("onnx", "onnxscript"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(MissingExtraError, match=rf"{name} is not installed; run: pip install 'arfc\[onnx\]'"):
                export_onnx(closed_model, tmp_path / "m.onnx", dims=3)
    assert (tmp_path / "old.onnx").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]
