"""`arfc export`: a file that runs without arfc, whole or not at all."""

import json

import numpy as np
import onnxruntime


def test_export_equals_compress(arfc, fitted, tmp_path):
    (tmp_path / "m.onnx").write_text("old")
    result = arfc("export", "-m", fitted.model, "--onnx", "m.onnx", "--dims", "9", "--overwrite", "--json")
    facts = json.loads(result.stdout)
    assert facts | {"seconds": 0} == {
        "output": "m.onnx",
        "width": 24,
        "dims": 9,
        "bytes": (tmp_path / "m.onnx").stat().st_size,
        "seconds": 0,
    }
    assert result.stderr.startswith("m.onnx: 24 dims to 9, ") and result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    runtime = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    (vectors,) = runtime.run(None, {"features": fitted.x[:50]})
    np.testing.assert_allclose(vectors, fitted.load().compress(fitted.x[:50], dims=9), atol=1e-4)


def test_mistakes(refused, fitted, tmp_path):
    (tmp_path / "old.onnx").write_text("old")

    def refuse(*args, match):
        refused("export", "-m", fitted.model, *args, match=match)

    refuse("--onnx", "m.onnx", "--dims", "25", match="dims must be between 1 and 24, got 25; try dims=24 or fewer")
    refuse("--onnx", "m.onnx", "--dims", "0", match="dims must be between 1 and 24, got 0")
    refuse("--onnx", "m.onnx", match="missing option '--dims'; see arfc export --help")
    refuse("--dims", "5", match="missing option '--onnx'; see arfc export --help")
    refuse("--onnx", "old.onnx", "--dims", "5", match=r"an output must not exist yet, got old\.onnx; .*--overwrite")
    refuse("--onnx", "none/m.onnx", "--dims", "5", match="the folder of an output must exist")
    refused("export", "-m", "none", "--onnx", "m.onnx", "--dims", "5", match="a model must be a folder")
    refused("export", "-m", "none", "--onnx", "old.onnx", "--dims", "5", match="an output must not exist yet")
