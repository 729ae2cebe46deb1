"""Checkpoints of a running fit: one safetensors file per phase, replaced whole."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from arfc.errors import ConfigError, ModelFileError
from arfc.io import explain_write_errors

PHASES = ("linear", "free", "arc", "decoder")
"""Phases that leave a checkpoint, in their order."""

STATE = ("step", "elapsed_s", "best_score", "stale", "ended", "history")
"""What a checkpoint keeps of a phase beside its tensors."""


@dataclass(kw_only=True)
class PhaseState:
    """Where a phase stands: its step, its best parameters, and how long ago they were found."""

    step: int = 0
    elapsed_s: float = 0.0
    best_score: float = float("-inf")
    stale: int = 0
    ended: str = ""
    """Why the phase ended, one of the words of docs/format.md; empty while it goes on."""
    history: list[dict[str, int | float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def keep(self, params: dict[str, nn.Parameter]) -> None:
        """Remember these parameters as the best."""
        self.best = {name: p.detach().clone() for name, p in params.items()}

    def judge(self, score: float, params: dict[str, nn.Parameter], *, patience: int, start_patience: int) -> None:
        """Take note of a validation; the phase ends after `patience` of them without a better score.

        As long as none was better than the start, `start_patience` counts instead.
        """
        self.history.append({"step": self.step, "score": score})
        if score > self.best_score:
            self.best_score, self.stale = score, 0
            self.keep(params)
            return
        self.stale += 1
        gained = self.best_score > self.history[0]["score"]
        if self.stale >= (patience if gained else start_patience):
            self.ended = self.ended or ("no better" if gained else "no gain")

    @torch.no_grad()
    def restore(self, params: dict[str, nn.Parameter]) -> None:
        """Put the best parameters back."""
        for name, p in params.items():
            p.copy_(self.best[name])


class Checkpoints:
    """A folder of checkpoints that belong to one fit: same data, config and seed."""

    def __init__(self, folder: Path, *, fit_id: str, resume: bool) -> None:
        self.folder = folder
        self.fit_id = fit_id
        self.resume = resume

    def open(self) -> float:
        """Return the time the fit had used when its newest checkpoint was written; 0 without one.

        A fit that starts afresh removes what an earlier one has left: its later phases must not be taken up.
        """
        files = [path for path in map(self._path, PHASES) if path.exists()]
        if self.resume:
            return max((self._read(path)[1]["fit_elapsed_s"] for path in files), default=0.0)
        for path in files:
            path.unlink()
        return 0.0

    def save(
        self,
        phase: str,
        state: PhaseState,
        params: dict[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        *,
        elapsed_s: float,
    ) -> None:
        """Write parameters, best parameters and optimiser moments; the old file stays until the new one is whole.

        Raises: OutputError when the folder cannot be written or the disk is full.
        """
        tensors: dict[str, Tensor] = {}
        for name, p in params.items():
            tensors[f"now/{name}"] = p.detach().contiguous()
            tensors[f"best/{name}"] = state.best[name].contiguous()
            for key, value in optimizer.state.get(p, {}).items():
                tensors[f"adam.{key}/{name}"] = value.contiguous()
        facts = {k: getattr(state, k) for k in STATE}
        facts |= {"fit_id": self.fit_id, "fit_elapsed_s": elapsed_s}
        header = {"arfc": json.dumps({**facts, "blake2b": digest(tensors, facts)})}
        path = self._path(phase)
        part = path.with_suffix(".part")
        with explain_write_errors(path):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                save_file(tensors, part, metadata=header)
                os.replace(part, path)
            except BaseException:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                    self.folder.rmdir()  # only where it is empty
                raise

    def load(self, phase: str, params: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> PhaseState | None:
        """Restore a phase from its checkpoint; None when there is none or the fit starts afresh.

        Raises: ConfigError when the checkpoint is another fit's; ModelFileError when it is damaged.
        """
        path = self._path(phase)
        if not self.resume or not path.exists():
            return None
        tensors, facts = self._read(path)
        if facts["fit_id"] != self.fit_id:
            raise ConfigError(
                f"a checkpoint can be resumed only with the data, seed and config it was made with, {path} is from "
                "another fit; start afresh (--overwrite in place of --resume), or name another output"
            )
        state = PhaseState(**{k: facts[k] for k in STATE})
        with torch.no_grad():
            for name, p in params.items():
                p.copy_(tensors[f"now/{name}"])
                state.best[name] = tensors[f"best/{name}"].to(p.device)
                moments = {key: tensors.get(f"adam.{key}/{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                if all(value is not None for value in moments.values()):
                    optimizer.state[p] = moments
        return state

    def _path(self, phase: str) -> Path:
        return self.folder / f"{phase}.safetensors"

    @staticmethod
    def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                facts = json.loads(file.metadata()["arfc"])
                written = facts.pop("blake2b")
        except (SafetensorError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ModelFileError(
                f"checkpoint {path} must be a whole safetensors file of arfc, got {error}; remove it"
            ) from error
        if written != digest(tensors, facts):
            raise ModelFileError(
                f"checkpoint {path} must be a whole safetensors file of arfc, got bytes that have changed since it was "
                "written; remove it"
            )
        return tensors, facts


def remove_checkpoints(folder: Path) -> None:
    """Remove what a fit has put there, and the folder once it is empty."""
    with suppress(OSError):
        for path in [folder / f"{phase}{suffix}" for phase in PHASES for suffix in (".safetensors", ".part")]:
            path.unlink(missing_ok=True)
        folder.rmdir()


def digest(tensors: dict[str, Tensor], facts: dict[str, Any]) -> str:
    """Return a hash of everything in a checkpoint: safetensors itself tells a file that is cut, not one that changed.

    BLAKE2b, 64 hexadecimal digits, of the facts as JSON with sorted keys, and of name, dtype, shape and bytes of each
    tensor in the order of names.
    """
    known = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=32)
    for name in sorted(tensors):
        tensor = tensors[name].numpy()
        known.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        known.update(np.ascontiguousarray(tensor).data)
    return known.hexdigest()
