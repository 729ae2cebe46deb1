"""k-means of rows whose first dims are the strongest, one codebook of 256."""
# N rows, n rows of a block, P dims, k dims used so far, C codewords (256)

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32, Int64

CODEWORDS = 256
"""Codewords of a codebook: as many as a byte can name."""
ROUNDS = 3
"""Rounds of Lloyd's algorithm at each number of dims; with more, the same recall (docs/log.md)."""
FIRST_DIMS = 8
_BLOCK_ROWS = 4096


def grow_codebook(rows_NP: Float32[Array, "N P"], rng: np.random.Generator) -> Float32[Array, "C P"]:
    """Cluster on the first 8 dims, go on from these clusters on 16, then 32, ... dims, and return the means.

    From random rows in all dims at once the algorithm ends in a far worse optimum: 8 codebooks on MUGE, recall@10 .540
    in place of .607 (docs/log.md).

    Raises: ValueError for fewer rows than codewords.
    Source: faiss's progressive-dim clustering, here in an order of dims that is given.
    """
    dims = [FIRST_DIMS]
    while dims[-1] < rows_NP.shape[1]:
        dims.append(2 * dims[-1])
    means_Ck = rows_NP[rng.choice(len(rows_NP), size=CODEWORDS, replace=False), : dims[0]]
    assigned_N: Int64[Array, " N"] | None = None
    for kept in dims:
        rows_Nk = np.ascontiguousarray(rows_NP[:, :kept])
        if assigned_N is not None:
            means_Ck = _means(rows_Nk, assigned_N, rng)
        for _ in range(ROUNDS):
            assigned_N = assign(rows_Nk, means_Ck)
            means_Ck = _means(rows_Nk, assigned_N, rng)
    return means_Ck


def assign(rows_Nk: Float32[Array, "N k"], means_Ck: Float32[Array, "C k"]) -> Int64[Array, " N"]:
    """Return the nearest codeword of each row."""
    half_C = np.square(means_Ck).sum(1) / 2
    blocks = [rows_Nk[start : start + _BLOCK_ROWS] for start in range(0, len(rows_Nk), _BLOCK_ROWS)]
    return np.concatenate([(block_nk @ means_Ck.T - half_C).argmax(1) for block_nk in blocks])


def more_rounds(
    rows_Nk: Float32[Array, "N k"], means_Ck: Float32[Array, "C k"], rng: np.random.Generator, *, rounds: int
) -> Float32[Array, "C k"]:
    """Return the means after further rounds of Lloyd's algorithm in all dims."""
    for _ in range(rounds):
        means_Ck = _means(rows_Nk, assign(rows_Nk, means_Ck), rng)
    return means_Ck


def cluster_sums(
    rows_Nk: Float32[Array, "N k"], assigned_N: Int64[Array, " N"]
) -> tuple[Int64[Array, " C"], Float32[Array, "C k"]]:
    """Return how many rows each cluster has, and their sum."""
    count_C = np.bincount(assigned_N, minlength=CODEWORDS)
    held = np.flatnonzero(count_C)
    first = np.concatenate(([0], np.cumsum(count_C[held])[:-1]))
    sums_Ck = np.zeros((CODEWORDS, rows_Nk.shape[1]), dtype=np.float32)
    sums_Ck[held] = np.add.reduceat(rows_Nk[np.argsort(assigned_N, kind="stable")], first, axis=0)
    return count_C, sums_Ck


def _means(
    rows_Nk: Float32[Array, "N k"], assigned_N: Int64[Array, " N"], rng: np.random.Generator
) -> Float32[Array, "C k"]:
    """Return the mean of each cluster; an empty one takes over a half of a large one, a little beside it."""
    count_C, sums_Ck = cluster_sums(rows_Nk, assigned_N)
    held = np.flatnonzero(count_C)
    means_Ck = np.empty_like(sums_Ck)
    means_Ck[held] = sums_Ck[held] / count_C[held, None]
    empty = np.flatnonzero(count_C == 0)
    if len(empty):
        large = np.argsort(-count_C, kind="stable")[np.arange(len(empty)) % len(held)]
        aside = rng.standard_normal((len(empty), rows_Nk.shape[1]), dtype=np.float32)
        means_Ck[empty] = means_Ck[large] + np.float32(1e-3) * aside * np.abs(means_Ck[large])
    return means_Ck
