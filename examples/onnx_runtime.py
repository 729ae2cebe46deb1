"""Run a compressor without arfc and torch: export 16 dims of a model of digits to ONNX, and run the file.

Letters: N rows, D feature dims, K dims kept.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits

from arfc import Compressor
from arfc.integrations.onnx import export_onnx

DIMS = 16


def main() -> None:
    pixels_ND = load_digits().data.astype(np.float32)
    model = Compressor.fit(pixels_ND, steps=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "digits.onnx")
        export_onnx(model, path, dims=DIMS)
        runtime = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        print(f"{path.name}, {path.stat().st_size:,} bytes")

    for name, value in sorted(runtime.get_modelmeta().custom_metadata_map.items()):
        print(f"  {name:<17} {value}")
    (small_NK,) = runtime.run(["vectors"], {"features": pixels_ND})
    difference = np.abs(small_NK - model.compress(pixels_ND, dims=DIMS)) / np.linalg.norm(pixels_ND, axis=1)[:, None]
    print(f"\nvectors made with onnxruntime    {small_NK.shape[0]:,} of {small_NK.shape[1]} dims")
    print(f"largest difference to arfc       {difference.max():.1e} for rows of length 1")


if __name__ == "__main__":
    main()
