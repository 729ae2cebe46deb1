"""What tells one fitted model from another, in files and results that were made with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from arfc.compressor import Compressor
from arfc.io.model_folder import read_facts


def fingerprint(model: Compressor) -> str:
    """Return the SHA-256 of the model's tensors, as the `config.json` of its folder has it."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        return str(read_facts(Path(folder, "model"))["tensors_sha256"])
