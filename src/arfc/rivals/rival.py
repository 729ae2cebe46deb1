"""The shape of every learned baseline: fit, compress, as the Compressor has it."""
# N rows, n rows of a block, D feature dims, K dims kept

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import numpy as np
from torch import nn

from arfc.baselines.blocks import compressed_rows
from arfc.config import Config
from arfc.errors import SizeError
from arfc.io import open_features
from arfc.model.steady import by_blocks
from arfc.rivals.fitting import CONFIG, Record, Setup, Stage, most_steps, set_up, start_run, train
from arfc.scores import unit_rows
from arfc.shapes import Array, Float32
from arfc.sizes import resolve_dims

# beartype, which checks annotations in the tests, takes no `typing.Self` here.
One = TypeVar("One", bound="Rival")


class Rival(ABC):
    """A trained net from unit rows to vectors that are compared by cosine."""

    per_size: ClassVar[bool]
    """Whether a fit serves one size, which it must be told, or all of them."""
    usual_steps: ClassVar[int]
    """Most steps of a fit that is given neither steps nor a budget."""

    def __init__(self, net: nn.Module, record: Record, *, width: int, dims: int) -> None:
        self.net = net.eval().requires_grad_(False)
        self.record = record
        """What the fit used and how it went."""
        self.width = width
        """Dims D of the features."""
        self.dims = dims
        """Dims of the vectors the net makes."""

    @classmethod
    @abstractmethod
    def _stage(cls, setup: Setup, *, dims: int, steps: int) -> Stage:
        """Return what is trained."""

    @classmethod
    def _fit(
        cls: type[One],
        x: object,
        pairs: object,
        labels: object,
        *,
        dims: object,
        seed: int,
        steps: int | None,
        budget_s: float | None,
        config: Config | None,
    ) -> One:
        config = config or CONFIG
        start_run(config, budget_s)  # refuses what is no budget before any work
        most = most_steps(steps, budget_s, usual=cls.usual_steps)
        features = open_features(x)
        kept = resolve_dims(features.width, dims=dims) if cls.per_size else features.width
        setup = set_up(features, pairs, labels, config, seed=seed)
        run = start_run(config, budget_s)  # the clock runs for training alone, as in `Compressor.fit`
        stage = cls._stage(setup, dims=kept, steps=most)
        record = train(stage, setup, run)
        return cls(stage.finish(), record, width=setup.width, dims=kept)

    def compress(self, x: object, *, dims: int) -> Float32[Array, "N {dims}"]:
        """Return `dims` coordinates of each row: made from the unit row, then multiplied by the row's length.

        A row's result depends on that row alone.

        Raises: SizeError, ShapeError, and whatever `open_features` and `Features.validate` raise.
        """
        kept = self._checked(dims)
        return compressed_rows(
            x,
            width=self.width,
            out_width=kept,
            dtype=np.float32,
            compress=lambda block: self._vectors(block)[:, :kept],
        )

    def _checked(self, dims: object) -> int:
        return resolve_dims(self.width, dims=dims)

    def _vectors(self, block_nD: Float32[Array, "n D"]) -> Float32[Array, "n K"]:
        norms_n1 = np.linalg.norm(block_nD, axis=1, keepdims=True)
        vectors_nK: Float32[Array, "n K"] = by_blocks(self.net, unit_rows(block_nD)) * norms_n1
        return vectors_nK


class AllSizesRival(Rival):
    """One fit for all sizes: vectors of full width, whose beginnings are the smaller sizes."""

    per_size = False

    @classmethod
    def fit(
        cls: type[One],
        x: object,
        *,
        pairs: object = None,
        labels: object = None,
        seed: int = 0,
        steps: int | None = None,
        budget_s: float | None = None,
        config: Config | None = None,
    ) -> One:
        """Fit on features (N, D), with partners (N, D) or integer labels (N,) where there are any.

        Training ends after `steps`, when `budget_s` seconds are over, or when validation rows no longer improve. With a
        budget alone the clock decides, with neither `usual_steps` do.

        Shapes: x (N, D) float; pairs (N, D) float; labels (N,) integer.
        Raises: ShapeError, DtypeError, RowError, InputError, ConfigError.
        """
        return cls._fit(x, pairs, labels, dims=None, seed=seed, steps=steps, budget_s=budget_s, config=config)


class SizedRival(Rival):
    """One fit per size."""

    per_size = True

    @classmethod
    def fit(
        cls: type[One],
        x: object,
        *,
        dims: int,
        pairs: object = None,
        labels: object = None,
        seed: int = 0,
        steps: int | None = None,
        budget_s: float | None = None,
        config: Config | None = None,
    ) -> One:
        """Fit for vectors of `dims` dims and no others; all else is as in `AllSizesRival.fit`.

        Shapes: x (N, D) float; pairs (N, D) float; labels (N,) integer.
        Raises: SizeError, ShapeError, DtypeError, RowError, InputError, ConfigError.
        """
        return cls._fit(x, pairs, labels, dims=dims, seed=seed, steps=steps, budget_s=budget_s, config=config)

    def _checked(self, dims: object) -> int:
        kept = resolve_dims(self.width, dims=dims)
        if kept != self.dims:
            raise SizeError(
                f"dims must be {self.dims}, the one size this was fitted for, got {kept}; fit another with dims={kept}"
            )
        return kept
