"""Classic nested code: bits go where they help most, so any prefix of a code is the best short code."""
# N rows, n rows of a block, K dims, M max_bits, T thresholds per dim, C cells per dim (L at one depth),
# P bits of the stream, U dims that have bits, B bytes per vector

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from arfc.codec.tree import depth_cells, depth_thresholds, grow_tree
from arfc.errors import SizeError
from arfc.shapes import Array, Float, Int, UInt8

_BLOCK_ROWS = 2048  # a block of wide rows stays in the cache


class _Prefix(NamedTuple):
    """Where each bit of a prefix of the stream comes from."""

    dims: Int[Array, " U"]
    bits: Int[Array, " U"]
    slot: Int[Array, " P"]
    """Position in `dims` of the dim each bit belongs to."""
    shift: UInt8[Array, " P"]
    """Place of each bit in its dim's index, 0 for the lowest."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ScalarCodec:
    """One embedded scalar quantiser per dim and one order of all their bits.

    Source: transform coding; bits by greedy marginal analysis (Fox, 1966), levels by Lloyd (1982) and Max (1960),
    nested so that one stream serves every length. Bits are packed from the highest bit of the first byte on; bits after
    the last one are zero.
    """

    thresholds: Float[Array, "K T"]
    """Ascending cell borders at full depth, T = 2**max_bits - 1; a value equal to a border lies above it."""
    centroids: Float[Array, "K C"]
    """Conditional means of the cells of every depth, from the single cell of depth 0 on, C = 2**(max_bits + 1) - 1."""
    order: Int[Array, " P"]
    """The dim each bit of the stream belongs to; every dim stands here max_bits times, its highest bit first."""

    @classmethod
    def fit(
        cls,
        values_NK: Float[Array, "N K"],
        *,
        max_bits: int = 8,
        emphasis_K: Float[Array, " K"] | None = None,
        early: Sequence[tuple[int, Float[Array, " K"]]] = (),
    ) -> ScalarCodec:
        """Train on values as they are.

        Where `emphasis_K` is given, an error along a dim counts as if it were that many times as long. Another emphasis
        can stand for the first bits: `early` has numbers of bits, ascending, and what counts until there.

        Raises: SizeError unless max_bits lies in 1..8.
        """
        if not 1 <= max_bits <= 8:
            raise SizeError(f"max_bits must lie in 1..8, got {max_bits}; try 8")
        trees = [grow_tree(column_N, max_bits=max_bits) for column_N in values_NK.T]
        gains_KM = np.stack([tree.gains for tree in trees])
        last_K = np.ones(len(gains_KM)) if emphasis_K is None else emphasis_K
        stages = (*early, (gains_KM.size, last_K))
        return cls(
            thresholds=np.stack([tree.thresholds for tree in trees]),
            centroids=np.stack([tree.centroids for tree in trees]),
            order=order_bits([(bits, gains_KM * np.square(stage_K)[:, None]) for bits, stage_K in stages]),
        )

    @property
    def width(self) -> int:
        """Dims K of the vectors."""
        return len(self.thresholds)

    @property
    def max_bits(self) -> int:
        """Bits of one dim in the longest code."""
        return int(self.thresholds.shape[1]).bit_length()

    @property
    def largest_bytes(self) -> int:
        """Bytes per vector of the longest code: every bit of every dim."""
        return -(-len(self.order) // 8)

    def encode(self, values_NK: Float[Array, "N K"], *, bytes_per_vector: int) -> UInt8[Array, "N B"]:
        """Return the code of each row of values; rows do not influence each other."""
        prefix = self._prefix(bytes_per_vector)
        borders = [
            self._borders(dim, bits) for dim, bits in zip(prefix.dims.tolist(), prefix.bits.tolist(), strict=True)
        ]
        packed_NB = np.empty((len(values_NK), bytes_per_vector), dtype=np.uint8)
        for rows in _blocks(len(values_NK)):
            values_Un = np.ascontiguousarray(values_NK[rows][:, prefix.dims].T)
            index_Un = np.empty(values_Un.shape, dtype=np.uint8)
            for slot, borders_T in enumerate(borders):
                index_Un[slot] = np.searchsorted(borders_T, values_Un[slot], side="right")
            bits_Pn = (index_Un[prefix.slot] >> prefix.shift[:, None]) & 1
            packed_NB[rows] = np.packbits(bits_Pn, axis=0).T
        return packed_NB

    def decode(self, packed_NB: UInt8[Array, "N B"]) -> Float[Array, "N K"]:
        """Return the values that codes stand for; a dim without bits is at its mean."""
        prefix = self._prefix(packed_NB.shape[1])
        by_slot_P = np.argsort(prefix.slot, kind="stable")
        shift_P = prefix.shift[by_slot_P, None]
        first_U = np.searchsorted(prefix.slot[by_slot_P], np.arange(len(prefix.dims)))
        cells = [self._cells(dim, bits) for dim, bits in zip(prefix.dims.tolist(), prefix.bits.tolist(), strict=True)]
        vectors_NK = np.empty((len(packed_NB), self.width), dtype=np.float32)
        for rows in _blocks(len(packed_NB)):
            bits_Pn = np.unpackbits(packed_NB[rows].T, axis=0)[by_slot_P]
            index_Un = np.bitwise_or.reduceat(bits_Pn << shift_P, first_U, axis=0)
            block_Kn = np.repeat(self.centroids[:, :1], index_Un.shape[1], axis=1)
            for dim, cells_L, index_n in zip(prefix.dims, cells, index_Un, strict=True):
                block_Kn[dim] = cells_L[index_n]
            vectors_NK[rows] = block_Kn.T
        return vectors_NK

    def _borders(self, dim: int, bits: int) -> Float[Array, " T"]:
        return np.ascontiguousarray(self.thresholds[dim, depth_thresholds(bits, max_bits=self.max_bits)])

    def _cells(self, dim: int, bits: int) -> Float[Array, " L"]:
        return self.centroids[dim, depth_cells(bits)]

    @cached_property
    def depth(self) -> Int[Array, " P"]:
        """How many bits of the same dim come earlier in the stream."""
        depth_P = np.empty(len(self.order), dtype=np.int64)
        by_dim_P = np.argsort(self.order, kind="stable")
        depth_P[by_dim_P] = np.arange(len(self.order)) % self.max_bits
        return depth_P

    def _prefix(self, size: int) -> _Prefix:
        """Return the layout of the first `size` bytes."""
        dims_U, slot_P, bits_U = np.unique(self.order[: 8 * size], return_inverse=True, return_counts=True)
        shift_P = bits_U[slot_P] - 1 - self.depth[: 8 * size]
        return _Prefix(dims_U, bits_U, slot_P, shift_P.astype(np.uint8))


def order_bits(stages: Sequence[tuple[int, Float[Array, "K M"]]]) -> Int[Array, " P"]:
    """Return the dim of each bit: always the bit that lowers the total squared error most, the lower dim if equal.

    A dim's bits can only come one after another, so each dim offers its next bit. `stages` says until how many bits
    gains count; the last ones until there are no more.
    """
    dims, max_bits = stages[-1][1].shape
    taken_K = [0] * dims
    order_P = np.empty(dims * max_bits, dtype=np.int32)
    position = 0
    for bits, gains_KM in stages:
        gains = gains_KM.tolist()
        offers = [(-gains[dim][taken], dim) for dim, taken in enumerate(taken_K) if taken < max_bits]
        heapq.heapify(offers)
        while position < min(bits, len(order_P)):
            dim = offers[0][1]
            order_P[position] = dim
            position += 1
            taken_K[dim] += 1
            if taken_K[dim] < max_bits:
                heapq.heapreplace(offers, (-gains[dim][taken_K[dim]], dim))
            else:
                heapq.heappop(offers)
    return order_P


def _blocks(rows: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK_ROWS, rows)) for start in range(0, rows, _BLOCK_ROWS)]
