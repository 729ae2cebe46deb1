"""The model folder: `config.json` and `model.safetensors`, as docs/format.md specifies them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from arfc.errors import ModelFileError
from arfc.io.folder import folder_writer
from arfc.io.output import CONFIG_NAME, FORMAT

FORMAT_VERSION = 5
TENSORS_NAME = "model.safetensors"
REQUIRED: dict[str, type] = {
    "width": int,
    "task": str,
    "seed": int,
    "config": dict,
    "versions": dict,
    "data": dict,
    "curve": dict,
    "tensors_sha256": str,
}
"""What `config.json` must hold, and of which type."""
REQUIRED_WITHIN = {
    "data": ("rows", "sampled_rows", "mean_norm", "norm_spread", "norm_range", "common_direction", "fit_rows",
             "validation_rows", "test_rows"),
    "curve": ("metric", "validation_rows", "answering_rows", "uncompressed", "floats", "code_answering_rows",
              "code_uncompressed", "bytes"),
}  # fmt: skip


def write_model(
    path: str | Path, parts: dict[str, dict[str, np.ndarray]], facts: dict[str, Any], *, overwrite: bool = False
) -> None:
    """Write a model folder; it appears whole or not at all. Array `name` of a part becomes the tensor `part.name`.

    Raises: OutputError.
    """
    with folder_writer(path, overwrite=overwrite) as folder:
        tensors = {
            f"{part}.{name}": np.ascontiguousarray(array)
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }
        (folder / TENSORS_NAME).write_bytes(save(tensors))  # safetensors' own file would be for its owner alone
        facts = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **facts,
            "tensors_sha256": _sha256(folder / TENSORS_NAME),
        }
        (folder / CONFIG_NAME).write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_facts(path: str | Path) -> dict[str, Any]:
    """Return what `config.json` says; reads no tensors and needs no torch.

    Raises: ModelFileError when this is no model folder, or one of another format version.
    """
    file = Path(path) / CONFIG_NAME
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileError(
            f"a model must be a folder with {CONFIG_NAME}, got {path}; make one with: arfc fit FEATURES -o {path}"
        ) from None
    except PermissionError as error:
        raise ModelFileError(f"{file} must be readable, got {error.strerror}; check its permissions") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{file} must be readable JSON, got {error}; copy the model folder again") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ModelFileError(f'{file} must say "format": "{FORMAT}"; is this folder another program\'s model?')
    version = facts.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"model format version must be {FORMAT_VERSION}, got {version!r} in {file}; "
            "install the arfc release that wrote it"
        )
    missing = [name for name, kind in REQUIRED.items() if not isinstance(facts.get(name), kind)]
    missing += [
        f"{name}.{key}"
        for name, keys in REQUIRED_WITHIN.items()
        for key in keys
        if name not in missing and key not in facts[name]
    ]
    if missing:
        raise ModelFileError(
            f"{file} must hold {', '.join(REQUIRED)}, missing or of another type {', '.join(missing)}; "
            "copy the model folder again"
        )
    return facts


def read_model(path: str | Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the arrays of a model's parts, as `write_model` takes them, and its facts.

    Raises: ModelFileError when a file is missing, truncated or changed.
    """
    facts = read_facts(path)
    file = Path(path) / TENSORS_NAME
    try:
        with file.open("rb"):  # safetensors calls a file missing that it may not read
            tensors = load_file(file)
    except FileNotFoundError:
        raise ModelFileError(
            f"model folder {path} must hold {TENSORS_NAME}, which is missing; copy the folder again"
        ) from None
    except PermissionError as error:
        raise ModelFileError(f"{file} must be readable, got {error.strerror}; check its permissions") from error
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{file} must be a whole safetensors file, got {error}; copy the model folder again"
        ) from error
    if _sha256(file) != facts["tensors_sha256"]:
        raise ModelFileError(
            f"{file} must have the sha256 that {CONFIG_NAME} names, got another; copy the model folder again"
        )
    parts: dict[str, dict[str, Any]] = {"network": {}, "codec": {}, "seen": {}}
    for tensor, array in tensors.items():
        part, _, name = tensor.partition(".")
        parts.setdefault(part, {})[name] = array
    return parts, facts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
