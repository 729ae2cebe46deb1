"""The model folder: `config.json` and `model.safetensors`, as docs/format.md specifies them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from arfc.config import Config
from arfc.errors import ModelFileError
from arfc.io.folder import folder_writer
from arfc.io.output import CONFIG_NAME, FORMAT

FORMAT_VERSION = 11
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
             "validation_rows", "test_rows", "duplicate_cosine"),
    "curve": ("metric", "validation_rows", "answering_rows", "uncompressed", "floats", "code_answering_rows",
              "code_uncompressed", "bytes"),
}  # fmt: skip
"""What these must hold: numbers, where `OTHER_KINDS` does not tell another kind."""
OTHER_KINDS: dict[str, Callable[[Any], bool]] = {
    "norm_range": lambda ends: isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends)),
    "metric": lambda name: isinstance(name, str),
    "floats": lambda rows: _are_rows(rows, keys=("dims", "bytes", "arfc", "klt", "truncation")),
    "bytes": lambda rows: _are_rows(rows, keys=("bytes", "arfc", "klt")),
}


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
        facts = json.loads(file.read_text(encoding="utf-8"), parse_constant=_finite, parse_float=_finite)
    except (FileNotFoundError, NotADirectoryError):
        there = os.path.lexists(path)
        cure = "name the folder that arfc fit has written" if there else f"make one with: arfc fit FEATURES -o {path}"
        raise ModelFileError(f"a model must be a folder with {CONFIG_NAME}, got {path}; {cure}") from None
    except PermissionError as error:
        raise ModelFileError(f"{file} must be readable, got {error.strerror}; check its permissions") from error
    except (OSError, ValueError) as error:  # bytes that are no UTF-8, text that is no JSON, a path with a null byte
        raise ModelFileError(f"{file} must be readable JSON, got {error}; copy the model folder again") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ModelFileError(f'{file} must say "format": "{FORMAT}"; is this folder another program\'s model?')
    version = facts.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"model format version must be {FORMAT_VERSION}, got {version!r} in {file}; "
            "install the arfc release that wrote it"
        )
    faults = _faults(facts)
    if faults:
        raise ModelFileError(
            f"{file} must hold {', '.join(REQUIRED)}, missing or of another type {', '.join(faults)}; "
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


def _faults(facts: dict[str, Any]) -> list[str]:
    """Name the keys that are missing, of another type or out of range."""
    faults = [name for name, kind in REQUIRED.items() if not isinstance(facts.get(name), kind)]
    if "width" not in faults and (facts["width"] < 1 or not _is_number(facts["width"])):
        faults.append("width")
    for name, keys in REQUIRED_WITHIN.items():
        if name not in faults:
            faults += [f"{name}.{key}" for key in keys if not OTHER_KINDS.get(key, _is_number)(facts[name].get(key))]
    opening = facts.get("opening", [])
    if not isinstance(opening, list) or not all(map(_is_number, opening)):
        faults.append("opening")
    history = facts.get("history", {})
    faults += [f"history.{fault}" for fault in _history_faults(history)] if isinstance(history, dict) else ["history"]
    return faults if "config" in faults else [*faults, *_config_faults(facts["config"])]


def _config_faults(config: dict[str, Any]) -> list[str]:
    """Name the parts that lack a field: its default may be another one by now."""
    faults = []
    for part, kind in get_type_hints(Config).items():
        given = config.get(part)
        if not isinstance(given, dict) or not {field.name for field in dataclasses.fields(kind)} <= set(given):
            faults.append(f"config.{part}")
    if "config.train" not in faults and not _is_number(config["train"]["duplicate_cosine"]):
        faults.append("config.train")
    return faults


def _history_faults(history: dict[str, Any]) -> list[str]:
    """Name what `arfc info` could not tell."""
    share = "free_share" if history.get("map") == "free" else "linear_share"
    faults = [] if _is_number(history.get(share, None if share == "free_share" else 0)) else [share]
    fade = history.get("fade", {"from": 0, "scale": 1})
    told = isinstance(fade, dict) and all(_is_number(fade.get(key)) for key in ("from", "scale"))
    return faults if told else [*faults, "fade"]


def _finite(text: str) -> float:
    """Read a number of JSON; NaN, Infinity and numbers that no float holds are none."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text}, which is no number")
    return number


def _is_number(value: Any) -> bool:
    """Tell whether this is a number from 0 on that a float can hold; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _are_rows(rows: Any, *, keys: tuple[str, ...]) -> bool:
    """Tell whether this is a list of objects with numbers under these keys; they may have others too."""
    return isinstance(rows, list) and all(
        isinstance(row, dict) and all(_is_number(row.get(key)) for key in keys) for row in rows
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
