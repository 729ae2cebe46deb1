"""One dim's embedded quantiser: a binary tree of cells, so that the first b bits of an index are the b-bit index."""
# N rows, M max_bits, T thresholds (2**M - 1), C cells of all depths (2**(M + 1) - 1), L cells of one depth (2**depth),
# E = L + 1 their edges, S = N + 1 running sums

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from arfc.shapes import Array, Float, Int


class Tree(NamedTuple):
    """A grown tree; a value belongs right of every threshold it is not below."""

    thresholds: Float[Array, " T"]
    """Ascending float32; those of depth b are every 2**(max_bits - b)-th (`depth_thresholds`)."""
    centroids: Float[Array, " C"]
    """Float32 conditional means, depth after depth, left to right (`depth_cells`)."""
    gains: Float[Array, " M"]
    """Float64 drop of the mean squared error that each further bit brings on the sample."""


def depth_thresholds(depth: int, *, max_bits: int) -> slice:
    """Return where the thresholds of the tree cut at this depth stand in `Tree.thresholds`."""
    step = 1 << (max_bits - depth)
    return slice(step - 1, None, step)


def depth_cells(depth: int) -> slice:
    """Return where the cells of this depth stand in `Tree.centroids`."""
    return slice((1 << depth) - 1, (2 << depth) - 1)


def grow_tree(values_N: Float[Array, " N"], *, max_bits: int) -> Tree:
    """Split every cell at its best threshold, depth after depth (nested Lloyd-Max).

    The best threshold of a cell is found exactly, over all positions between two distinct sample values. A cell that
    holds one distinct value keeps it: its right half is empty and takes over its centroid.

    Source: embedded quantisation, Equitz and Cover, "Successive refinement of information" (1991); the tree is grown
    greedily as in Riskin and Gray (1991).
    """
    sorted_N = np.sort(values_N).astype(np.float64)
    centre = float(sorted_N.mean())
    sums = np.concatenate(([0.0], np.cumsum(sorted_N - centre)))  # centred, so that narrow cells keep their digits
    thresholds_T = np.empty((1 << max_bits) - 1, dtype=np.float32)
    centroids_C = np.empty((2 << max_bits) - 1, dtype=np.float32)
    gains_M = np.zeros(max_bits, dtype=np.float64)
    edges = np.array([0, len(sorted_N)])
    tops = np.array([np.inf], dtype=np.float32)  # upper bound of each cell
    means = np.array([0.0])
    centroids_C[0] = centre
    for depth in range(max_bits):
        middles, gains_M[depth] = _best_splits(sorted_N, sums, edges)
        cuts = _cut_values(sorted_N, middles, edges[1:], tops)
        edges = _interleave(edges, middles)
        tops = _interleave(cuts, tops)
        thresholds_T[(1 << (max_bits - depth - 1)) - 1 :: 1 << (max_bits - depth)] = cuts
        counts_L = np.diff(edges)
        means = np.where(counts_L > 0, np.diff(sums[edges]) / np.maximum(counts_L, 1), np.repeat(means, 2))
        centroids_C[depth_cells(depth + 1)] = centre + means
    gains_M /= len(sorted_N)
    return Tree(thresholds_T, centroids_C, gains_M)


def _best_splits(
    sorted_N: Float[Array, " N"], sums: Float[Array, " S"], edges: Int[Array, " E"]
) -> tuple[Int[Array, " L"], float]:
    """Return the row where each cell's right half begins (its end: no split) and the total drop of squared error."""
    counts_L = np.diff(edges)
    cell_N = np.repeat(np.arange(len(counts_L)), counts_L)
    row_N = np.arange(len(sorted_N))
    left_N = row_N - edges[:-1][cell_N]
    right_N = edges[1:][cell_N] - row_N
    left_sum_N = sums[:-1] - sums[edges[:-1]][cell_N]
    right_sum_N = sums[edges[1:]][cell_N] - sums[:-1]
    splittable_N = left_N > 0
    splittable_N[1:] &= sorted_N[1:] > sorted_N[:-1]
    gap_N = left_sum_N / np.maximum(left_N, 1) - right_sum_N / right_N
    drop_N = np.where(splittable_N, gap_N * gap_N * left_N * right_N / (left_N + right_N), -1.0)
    middles_L = edges[1:].copy()
    held = np.flatnonzero(counts_L)
    best = np.maximum.reduceat(drop_N, edges[:-1][held])
    first = np.flatnonzero(drop_N == np.repeat(best, counts_L[held]))
    cells, position = np.unique(cell_N[first], return_index=True)  # the lowest of equally good splits
    split = best > 0
    middles_L[cells[split]] = first[position[split]]
    return middles_L, float(best[split].sum())


def _cut_values(
    sorted_N: Float[Array, " N"], middles: Int[Array, " L"], ends: Int[Array, " L"], tops: Float[Array, " L"]
) -> Float[Array, " L"]:
    """Return each cell's threshold: halfway between its halves, or its upper bound where it is not split."""
    split = middles < ends
    cuts = tops.copy()
    below, above = sorted_N[middles[split] - 1], sorted_N[middles[split]]
    halfway = ((below + above) / 2).astype(np.float32)
    cuts[split] = np.where(halfway > below, halfway, above)  # neighbouring floats have nothing between them
    return cuts


def _interleave(first: Array, second: Array) -> Array:
    """Return first[0], second[0], first[1], ..."""
    woven = np.empty(len(first) + len(second), dtype=first.dtype)
    woven[::2], woven[1::2] = first, second
    return woven
