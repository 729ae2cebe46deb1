"""Byte tokens that cover a few dims each: those where most is missed by the tokens before."""
# N rows, M rows and copies of them, H held-out rows, n rows of a block, K dims, T tokens, W dims of a token,
# S codebooks, C codewords (256)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from arfc.codec.kmeans import CODEWORDS, assign, cluster_sums, grow_codebook, more_rounds
from arfc.codec.product import StableProduct
from arfc.codec.stored import taken
from arfc.codec.threads import by_threads
from arfc.errors import ModelFileError
from arfc.shapes import Array, Float32, Int, Int32, UInt8

DIMS = 12
"""Dims of a token; with 8 or 24 about as good, with 4 worse (docs/log.md)."""
ROWS = 16_384
"""Rows that codebooks are fitted on: so many of the sample, or at least as many made of fewer by turning signs over."""
LEARNED = 32
"""Tokens that have a codebook of their own; later ones use the last of these in units of their own, and do as well."""
FIRST_ROUNDS = 10
"""Rounds of k-means of the first codebook. Each later one starts as the one before it and has one round."""
PRIOR_ROWS = 30.0
"""As many rows as the codeword before it counts for where a codeword is learned."""
_TINY = 1e-20
_BLOCK_ROWS = 512
_ARRAYS = ("narrow_dims", "narrow_scale", "narrow_emphasis", "narrow_codebooks")


class _Step(NamedTuple):
    """What the choice of a token needs."""

    dims: Int[Array, " W"]
    emphasis: Float32[Array, " W"]
    cost: StableProduct
    """From weighed values and a 1 to what each codeword costs: half a squared error, less what all share."""
    words: Float32[Array, "C W"]


@dataclass(frozen=True, eq=False, kw_only=True)
class NarrowTokens:
    """One byte per token: the codeword that is nearest to what the tokens before it have missed along its dims.

    A token takes the dims where most is missed, of rows that nothing was fitted on. So strong dims are covered first
    and often, weak ones late, and any number of leading tokens is a valid code. In units of what is missed, all tokens
    ask nearly the same of their codewords: a few codebooks serve hundreds of bytes, and few rows can teach them.

    Source: residual quantisation (Chen et al., 2010) of subvectors, as in product quantisation (Jegou et al., 2011);
    dims by what is missed, and one codebook in units of it, are our choice.
    """

    width: int
    """Dims K of the rows."""
    dims: Int32[Array, "T W"]
    """The dims that each token covers."""
    scale: Float32[Array, "T W"]
    """The unit of its codewords along each of them."""
    emphasis: Float32[Array, "T W"]
    """By what errors along them are weighed where the codeword is chosen (`arfc.codec.emphasis`)."""
    codebooks: Float32[Array, "S C W"]
    """Codewords of the first S tokens; the last ones are also those of the tokens after them."""

    @classmethod
    def fit(
        cls,
        values_NK: Float32[Array, "N K"],
        *,
        unseen_HK: Float32[Array, "H K"],
        emphasis: Sequence[Float32[Array, " K"]],
        rng: np.random.Generator,
    ) -> NarrowTokens:
        """Learn codebooks from rows, and what is missed from rows apart from these, `unseen_HK`.

        There are as many tokens as there are entries of `emphasis`: by what errors along each dim are weighed.

        Shapes: values (N, K) and unseen (H, K), N and H at least 1.
        """
        learner = _Learner(values_NK, rng)
        unseen_KH = np.array(unseen_HK.T, dtype=np.float32, order="C")
        square_K = np.square(unseen_KH, dtype=np.float64).mean(axis=1)
        dims, scale, weights, codebooks = [], [], [], []
        for token, emphasis_K in enumerate(emphasis):
            dims_W = np.argsort(-square_K * np.square(emphasis_K, dtype=np.float64), kind="stable")[:DIMS]
            scale_W, emphasis_W = np.sqrt(square_K[dims_W]).astype(np.float32), emphasis_K[dims_W]
            if token < LEARNED:
                codebooks.append(learner.codebook(dims_W, scale_W * emphasis_W))
            words_CW = codebooks[-1] * scale_W
            rows_HW = np.ascontiguousarray(unseen_KH[dims_W].T)
            rows_HW -= words_CW[assign(rows_HW * emphasis_W, words_CW * emphasis_W)]
            unseen_KH[dims_W] = rows_HW.T
            square_K[dims_W] = np.square(rows_HW, dtype=np.float64).mean(axis=0)
            dims.append(dims_W)
            scale.append(scale_W)
            weights.append(emphasis_W)
        return cls(
            width=len(square_K),
            dims=np.stack(dims).astype(np.int32),
            scale=np.stack(scale),
            emphasis=np.stack(weights),
            codebooks=np.stack(codebooks),
        )

    @property
    def tokens(self) -> int:
        """Tokens of the longest code."""
        return len(self.dims)

    def words(self, token: int) -> Float32[Array, "C W"]:
        """Return the codewords of a token, along its dims."""
        return self.codebooks[min(token, len(self.codebooks) - 1)] * self.scale[token]

    def encode(self, values_NK: Float32[Array, "N K"], *, tokens: int) -> UInt8[Array, "N {tokens}"]:
        """Return the first `tokens` tokens of each row; rows do not influence each other."""
        return by_threads(lambda block_nK: self._encode(block_nK, tokens), values_NK, block_rows=_BLOCK_ROWS)

    def decode(self, packed_NT: UInt8[Array, "N T"]) -> Float32[Array, "N K"]:
        """Return the values that the tokens stand for."""
        values_KN = np.zeros((self.width, len(packed_NT)), dtype=np.float32)
        for token, byte_N in enumerate(packed_NT.T):
            values_KN[self.dims[token]] += self.words(token).T[:, byte_N]
        return np.ascontiguousarray(values_KN.T)

    def to_arrays(self) -> dict[str, Array]:
        """Return everything the tokens are made of, ready for safetensors."""
        return dict(zip(_ARRAYS, (self.dims, self.scale, self.emphasis, self.codebooks), strict=True))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], *, width: int) -> NarrowTokens:
        """Build from `to_arrays`' form.

        Raises: ModelFileError when an array is missing, or they do not fit together.
        """
        dims_TW, scale_TW, emphasis_TW, codebooks_SCW = taken(arrays, _ARRAYS)
        _check_arrays(dims_TW, scale_TW, emphasis_TW, codebooks_SCW, width=width)
        return cls(width=width, dims=dims_TW, scale=scale_TW, emphasis=emphasis_TW, codebooks=codebooks_SCW)

    @cached_property
    def _steps(self) -> dict[int, _Step]:
        """Steps that were needed so far; long codes of wide rows have thousands."""
        return {}

    def _step(self, token: int) -> _Step:
        step = self._steps.get(token)
        if step is None:  # threads may make one twice; they are alike
            words_CW = self.words(token)
            weighed_CW = words_CW * self.emphasis[token]
            half_1C = np.square(weighed_CW).sum(axis=1, keepdims=True).T / 2
            cost = StableProduct(np.concatenate([-weighed_CW.T, half_1C]))
            step = self._steps[token] = _Step(self.dims[token], self.emphasis[token], cost, words_CW)
        return step

    def _encode(self, values_nK: Float32[Array, "n K"], tokens: int) -> UInt8[Array, "n {tokens}"]:
        missed_nK = values_nK.copy()
        packed_nT = np.empty((len(values_nK), tokens), dtype=np.uint8)
        with_one = np.ones((len(values_nK), self.dims.shape[1] + 1), dtype=np.float32)
        for token in range(tokens):
            step = self._step(token)
            rows_nW = missed_nK[:, step.dims]
            np.multiply(rows_nW, step.emphasis, out=with_one[:, :-1])
            packed_nT[:, token] = step.cost(with_one).argmin(axis=1)
            missed_nK[:, step.dims] = rows_nW - step.words[packed_nT[:, token]]
        return packed_nT


class _Learner:
    """Codebooks in units of what is missed, each made from the one before it."""

    def __init__(self, values_NK: Float32[Array, "N K"], rng: np.random.Generator) -> None:
        self._rng = rng
        self._copies = -(-ROWS // len(values_NK))
        self._missed_KN = np.array(values_NK[:ROWS].T, dtype=np.float32, order="C")
        self._words_CW: Float32[Array, "C W"] | None = None

    def codebook(self, dims_W: Int[Array, " W"], emphasis_W: Float32[Array, " W"]) -> Float32[Array, "C W"]:
        """Return codewords for rows of unit size along each dim, where errors are weighed; and take them away."""
        rows_NW = np.ascontiguousarray(self._missed_KN[dims_W].T)
        own_W = np.sqrt(np.maximum(np.square(rows_NW, dtype=np.float64).mean(axis=0), _TINY)).astype(np.float32)
        rows_NW /= own_W
        made_MW = self._filled_up(rows_NW) * emphasis_W
        if self._words_CW is None:
            first_CW = more_rounds(made_MW, grow_codebook(made_MW, self._rng), self._rng, rounds=FIRST_ROUNDS)
            self._words_CW = first_CW / np.maximum(emphasis_W, np.float32(_TINY))
        else:
            before_CW = self._words_CW * emphasis_W
            count_C, sums_CW = cluster_sums(made_MW, assign(made_MW, before_CW))
            learned_CW = (sums_CW + PRIOR_ROWS * before_CW) / (count_C[:, None] + PRIOR_ROWS)
            self._words_CW = (learned_CW / np.maximum(emphasis_W, np.float32(_TINY))).astype(np.float32)
        chosen_N = assign(rows_NW * emphasis_W, self._words_CW * emphasis_W)
        self._missed_KN[dims_W] = ((rows_NW - self._words_CW[chosen_N]) * own_W).T
        return self._words_CW

    def _filled_up(self, rows_NW: Float32[Array, "N W"]) -> Float32[Array, "M W"]:
        """Return the rows or, where they are few, copies of each with random signs along every dim.

        What is missed has no sign that it prefers: its mean was taken away, and its dims hardly know of each other.
        """
        if self._copies == 1:
            return rows_NW
        signs = self._rng.integers(2, size=(self._copies, *rows_NW.shape), dtype=np.int8) * 2 - 1
        made: Array = (rows_NW * signs).reshape(-1, rows_NW.shape[1])
        return made


def _check_arrays(dims_TW: Array, scale_TW: Array, emphasis_TW: Array, codebooks_SCW: Array, *, width: int) -> None:
    shapes = f"{dims_TW.shape}, {scale_TW.shape}, {emphasis_TW.shape} and {codebooks_SCW.shape}"
    per_token = min(DIMS, width)
    fit = dims_TW.shape == (width, per_token) and width > 0 and scale_TW.shape == emphasis_TW.shape == dims_TW.shape
    fit = fit and codebooks_SCW.ndim == 3 and codebooks_SCW.shape[1:] == (CODEWORDS, per_token)
    if not fit or not 1 <= len(codebooks_SCW) <= width:
        raise ModelFileError(
            f"codec {', '.join(_ARRAYS)} must have shapes ({width}, {per_token}) three times and (S, {CODEWORDS}, "
            f"{per_token}) with S in 1..{width}, got {shapes}; is the file whole?"
        )
    dtypes = [array.dtype.name for array in (dims_TW, scale_TW, emphasis_TW, codebooks_SCW)]
    if dtypes != ["int32", "float32", "float32", "float32"]:
        raise ModelFileError(f"codec {', '.join(_ARRAYS)} must be int32 and then float32, got {', '.join(dtypes)}")
    ordered_TW = np.sort(dims_TW, axis=1)
    if ordered_TW.min() < 0 or ordered_TW.max() >= width or (np.diff(ordered_TW, axis=1) == 0).any():
        raise ModelFileError(f"codec narrow_dims must name {per_token} different dims of {width} for every token")
    if not np.isfinite(scale_TW).all() or (scale_TW < 0).any():
        raise ModelFileError("codec narrow_scale must be finite and not below 0, it is not; is the file whole?")
    if not np.isfinite(emphasis_TW).all() or (emphasis_TW <= 0).any():
        raise ModelFileError("codec narrow_emphasis must be finite and above 0, it is not; is the file whole?")
    if not np.isfinite(codebooks_SCW).all():
        raise ModelFileError("codec narrow_codebooks must be finite, got NaN or Inf; is the file whole?")
