"""The whole network: KLT, linear map, ARC, MoS and decoder joined."""
# N rows, B batch, D feature dims, K dims kept, T tokens, W token width, S solutions, O open tokens

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arfc.codec.product import StableProduct
from arfc.codec.threads import by_threads
from arfc.config import ModelConfig
from arfc.model.arc import Arc
from arfc.model.decoder import Decoder, linear_estimator
from arfc.model.klt import Klt
from arfc.model.lengths import likely_lengths
from arfc.model.linear import LinearMap, rotated_dims
from arfc.model.mos import Mos
from arfc.model.steady import by_blocks, product, widen
from arfc.shapes import Array, Float, Float32, Tensor

OPEN_BLOCK_ROWS = 64
"""Rows that go through ARC at once. Blocks of 256 make a fifth more rows a second, and one row takes four times as long
(docs/log.md)."""
LINEAR_BLOCK_ROWS = 4096
MOST_DECODE_STEPS = 64
"""Fixed-point steps in which validation rows must be decoded; other rows have twice as many."""
PACE = 0.5
"""How far a step of full-width decoding goes. Corrections that draw classes apart have slopes above 1, where whole
steps overshoot (docs/log.md)."""


class Network(nn.Module):
    """Compress unit rows to coordinates whose every prefix stands for the row, and back.

    Token t of the result is `linear token + opening[t] * units * (ARC's correction, refined by MoS)`. The first O
    tokens can be open; the rest are linear, and so are tokens whose opening validation set to 0: they cost one matrix
    product. Units are `scale` times the length of the linear coordinates, so that corrections grow with what they
    correct: a row of any length decodes by its coordinates alone.
    """

    opening: Tensor
    """(O,) how much of each token's correction is used, 0 to 1; chosen on validation rows."""
    scale: Tensor
    """(D,) root mean square of each linear coordinate over the fit rows; the unit the network sees."""
    decode_steps: Tensor
    """(1,) fixed-point steps that full-width decoding takes, measured on validation rows."""

    def __init__(self, width: int, config: ModelConfig) -> None:
        super().__init__()
        self.width = width
        self.tokens = min(config.tokens, width)
        self.token_width = math.ceil(width / self.tokens)
        self.tokens = math.ceil(width / self.token_width)  # D = 10 in 8 tokens of 2 needs 5
        self.rotated_dims = rotated_dims(width, config.rotated_dims)
        open_tokens = max(1, math.ceil(self.rotated_dims / self.token_width))
        sizes = {"open_tokens": open_tokens, "token_width": self.token_width, "channels": config.channels}
        self.klt = Klt(width)
        self.linear = LinearMap(width)
        self.arc = Arc(
            tokens=self.tokens, layers=config.layers, heads=config.heads, solutions=config.solutions, **sizes
        )
        self.mos = Mos(heads=config.heads, **sizes) if config.solutions > 1 else None
        self.decoder = Decoder(width, config.channels)
        self.register_buffer("opening", torch.zeros(open_tokens))
        self.register_buffer("scale", torch.full((width,), width**-0.5))
        self.register_buffer("decode_steps", torch.zeros(1, dtype=torch.int64))
        self.refresh()

    def take_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Take all weights and buffers from stored arrays of their names.

        Raises: RuntimeError for missing, unknown or misshapen ones; ValueError for what no fit can have left.
        """
        self.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        for name, array in arrays.items():
            wanted = "int64" if name == "decode_steps" else "float32"
            if array.dtype != wanted or not np.isfinite(array).all():
                raise ValueError(f"network.{name} must be finite {wanted}, got {array.dtype}, NaN or Inf")
        if not ((self.opening >= 0) & (self.opening <= 1)).all() or not (self.scale > 0).all():
            raise ValueError("network.opening must lie in 0..1, and network.scale above 0")
        if not 0 <= int(self.decode_steps) <= 2 * MOST_DECODE_STEPS:
            raise ValueError(
                f"network.decode_steps must lie in 0..{2 * MOST_DECODE_STEPS}, got {int(self.decode_steps)}"
            )

    @torch.no_grad()
    def refresh(self) -> None:
        """Recompute what follows from the buffers; call after any of them changes.

        What decoding alone needs, an inverse and a covariance, waits until it is asked for: training refreshes at each
        validation, and at 3,072 dims these are most of it.
        """
        self._projection = self.linear.after(self.klt.basis, rows=self.rotated_dims).float()
        self._token_maps = [widen(columns) for columns in self._projection.split(self.token_width, 1)]
        for name in ("_inverse", "_covariance"):
            self.__dict__.pop(name, None)
        self._estimators: dict[int, Tensor] = {}
        self._steady_projection: StableProduct | None = None
        self._solutions = self.useful_solutions
        used = torch.nonzero(self.opening > 0)
        self._open = int(used.max()) + 1 if len(used) else 0

    @cached_property
    @torch.no_grad()
    def _inverse(self) -> Tensor:
        return torch.linalg.inv(self.linear.after(self.klt.basis, rows=self.rotated_dims)).float()

    @cached_property
    @torch.no_grad()
    def _covariance(self) -> Tensor:
        weight = self.linear.weight.double()
        return (weight.T * self.klt.energy.double()) @ weight

    @torch.no_grad()
    def set_scale(self) -> None:
        """Set each coordinate's unit to its root mean square over the fit rows, no less than 1/1000 of the largest."""
        size_D = self._covariance.diagonal().float().clamp_min(0).sqrt()
        self.scale.copy_(size_D.clamp_min(1e-3 * float(size_D.max())))

    @property
    def open_tokens(self) -> int:
        """Leading tokens for which ARC runs at all; 0 for a purely linear model."""
        return self._open

    @property
    def corrects(self) -> bool:
        """Whether ARC or MoS has learned any correction at all; both start at none."""
        return bool(self.arc.head.any()) or self.useful_solutions > 1

    @property
    def useful_solutions(self) -> int:
        """Solutions that MoS has learned to make more of than the first alone; 1 where it has learned nothing."""
        return self.arc.solutions if self.mos is not None and bool(self.mos.head.any()) else 1

    def compress(self, unit_BD: Float[Tensor, "B D"], *, dims: int) -> Float[Tensor, "B K"]:
        """Generate just the tokens that `dims` needs and return their first `dims` coordinates."""
        needed = math.ceil(dims / self.token_width)
        open_needed = min(needed, self._open)
        made = [self._linear_token(unit_BD, t) for t in range(self.tokens if open_needed else needed)]
        if open_needed:
            context = functional.pad(torch.cat(made, 1), (0, self.tokens * self.token_width - self.width))
            linear_BTW = context.unflatten(1, (self.tokens, self.token_width))
            refined = self._opened(linear_BTW, self.corrected(linear_BTW, tokens=open_needed)[0])
            made = [*refined.unbind(1), *made[open_needed:needed]]
        return torch.cat(made, 1)[:, :dims]

    def compress_rows(self, rows_ND: Float32[Array, "N D"], *, dims: int) -> Float32[Array, "N K"]:
        """Return `compress` of any number of rows of any length, each times its length; none depends on the others.

        A linear model is one product, in tiles, which serves one row as well as many, and lengths pass through it.
        """
        if self._open:
            norms_N1 = np.linalg.norm(rows_ND, axis=1, keepdims=True)
            apply = partial(self.compress, dims=dims)
            compressed_NK: Array = by_blocks(apply, rows_ND / norms_N1, block_rows=OPEN_BLOCK_ROWS) * norms_N1
            return compressed_NK
        if self._steady_projection is None:
            self._steady_projection = StableProduct(self._projection.numpy())
        return by_threads(partial(self._steady_projection, columns=dims), rows_ND, block_rows=LINEAR_BLOCK_ROWS)

    def corrected(
        self, linear_BTW: Float[Tensor, "B T W"], *, tokens: int, solutions: int | None = None
    ) -> tuple[Float[Tensor, "B n W"], Float[Tensor, "B S n W"]]:
        """Generate: the refined tokens and the solutions they came from, openings not applied.

        As many solutions as asked for; unless told, those that were useful when `refresh` was last called.
        """
        units_BTW = self._units(linear_BTW)
        made, states = self.arc.generate(linear_BTW / units_BTW, tokens=tokens, solutions=solutions or self._solutions)
        return self._refine(made, states, units_BTW[:, :tokens])

    def corrected_parallel(
        self, linear_BTW: Float[Tensor, "B T W"], fed_BSnW: Float[Tensor, "B S n W"]
    ) -> tuple[Float[Tensor, "B n W"], Float[Tensor, "B S n W"]]:
        """Return what `corrected` returns, in one pass, the solutions' earlier tokens given."""
        units_BTW = self._units(linear_BTW)
        units_BnW = units_BTW[:, : fed_BSnW.shape[2]]
        solutions, states = self.arc.parallel(linear_BTW / units_BTW, fed_BSnW / units_BnW[:, None])
        return self._refine(solutions, states, units_BnW)

    def decode(self, prefix_BK: Float[Tensor, "B K"]) -> Float[Tensor, "B D"]:
        """Return features from the first K coordinates of unit rows; exact up to rounding at K = D."""
        kept = prefix_BK.shape[1]
        if kept == self.width:
            return product(self.invert(prefix_BK), self._inverse)
        return product(self.decoder(self.estimate(prefix_BK), prefix_BK, self.scale), self._inverse)

    def prepare_decoding(self) -> None:
        """Compute what decoding needs with all threads of torch; blocks of rows are decoded with one each."""
        _ = self._inverse, self._covariance

    def decode_rows(
        self, prefix_NK: Float32[Array, "N K"], *, mean: float, spread: float
    ) -> Float32[Array, "N {self.width}"]:
        """Return `decode` of prefixes of rows of any length, at the length that each tells; none depends on the others.

        A prefix of zeros, which tells nothing, becomes a row of zeros.
        `mean` and `spread` are what `likely_lengths` takes.
        """
        self.prepare_decoding()
        energy_D: Array = self._covariance.diagonal().clamp_min(0).numpy()
        length_N1 = likely_lengths(prefix_NK, energy_D, mean=mean, spread=spread)
        decoded_ND: Array = by_blocks(self.decode, prefix_NK / length_N1) * length_N1
        decoded_ND[~prefix_NK.any(axis=1)] = 0
        return decoded_ND

    def decode_inexact(self, full_BD: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return features from all D coordinates when they are only near the true ones, as decoded bytes are."""
        return product(full_BD, self._inverse)

    def estimate(self, prefix_BK: Float[Tensor, "B K"]) -> Float[Tensor, "B D"]:
        """Return the best linear estimate of all coordinates from the first K."""
        kept = prefix_BK.shape[1]
        if kept not in self._estimators:
            self._estimators[kept] = linear_estimator(self._covariance, kept)
        return product(prefix_BK, self._estimators[kept])

    def invert(self, full_BD: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return the linear coordinates whose compression is `full_BD`: x <- x + PACE (z - correction(x) - x).

        `decode_steps` times. Converges where the correction's slope lies between -1 and 2 / PACE - 1; `fit` measures
        that on validation rows and opens no token for which it fails.
        """
        linear_BD = full_BD
        for _ in range(int(self.decode_steps) if self._open else 0):
            linear_BD = linear_BD + PACE * (full_BD - self._correction(linear_BD) - linear_BD)
        return linear_BD

    def linear_tokens(self, unit_BD: Float[Tensor, "B D"]) -> Float[Tensor, "B T W"]:
        """Return the linear coordinates cut into T tokens, the last one padded with zeros."""
        return self._cut(unit_BD @ self._projection)

    @property
    def scale_TW(self) -> Float[Tensor, "T W"]:
        """`scale` cut into tokens; padding dims have scale 1."""
        padded = functional.pad(self.scale, (0, self.tokens * self.token_width - self.width), value=1.0)
        return padded.unflatten(0, (self.tokens, self.token_width))

    def _correction(self, linear_BD: Tensor) -> Float[Tensor, "B D"]:
        linear_BTW = self._cut(linear_BD)
        opened = self._opened(linear_BTW, self.corrected(linear_BTW, tokens=self._open)[0])
        correction = (opened - linear_BTW[:, : self._open]).flatten(1)[:, : self.width]
        return functional.pad(correction, (0, self.width - correction.shape[1]))

    def _opened(self, linear_BTW: Tensor, refined_BnW: Tensor) -> Float[Tensor, "B n W"]:
        """Move from the linear tokens towards the refined ones as far as the openings say."""
        tokens = refined_BnW.shape[1]
        linear_BnW = linear_BTW[:, :tokens]
        return linear_BnW + self.opening[:tokens, None] * (refined_BnW - linear_BnW)

    def _units(self, linear_BTW: Tensor) -> Float[Tensor, "B T W"]:
        """What the network counts in: 1 is the usual size of a coordinate in a row of this length."""
        length_B11 = linear_BTW.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None]
        return self.scale_TW * (length_B11 / self.scale.norm())

    def _refine(
        self, solutions_BSnW: Tensor, states_BSnC: Tensor, units_BnW: Tensor
    ) -> tuple[Float[Tensor, "B n W"], Float[Tensor, "B S n W"]]:
        refined = solutions_BSnW[:, 0]
        if self.mos is not None and solutions_BSnW.shape[1] > 1:
            refined = self.mos.refine(solutions_BSnW, states_BSnC)
        return refined * units_BnW, solutions_BSnW * units_BnW[:, None]

    def _linear_token(self, unit_BD: Tensor, token: int) -> Float[Tensor, "B W"]:
        """One matrix product per token: all who ask for a token run the same shapes, so prefixes are bitwise equal."""
        width = min(self.token_width, self.width - token * self.token_width)
        return (unit_BD @ self._token_maps[token])[:, :width]

    def _cut(self, coordinates_BD: Tensor) -> Float[Tensor, "B T W"]:
        padded = functional.pad(coordinates_BD, (0, self.tokens * self.token_width - self.width))
        return padded.unflatten(1, (self.tokens, self.token_width))
