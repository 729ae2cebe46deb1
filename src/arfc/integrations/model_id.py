"""What tells one fitted model from another, in files and results that were made with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from arfc.compressor import Compressor
from arfc.errors import OutputError
from arfc.io.model_folder import read_facts


def fingerprint(model: Compressor) -> str:
    """Return the SHA-256 of the model's tensors, as the `config.json` of its folder has it.

    Raises: OutputError when a copy of the model does not fit into the temporary folder.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder, "model"))
            return str(read_facts(Path(folder, "model"))["tensors_sha256"])
    except OSError as error:
        where, reason = tempfile.tempdir or "a temporary folder", getattr(error.__cause__, "strerror", error)
        raise OutputError(f"a copy of the model must fit into {where}, got {reason}; set TMPDIR") from error
