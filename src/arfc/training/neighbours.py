"""Exact nearest neighbours among the fit rows, and groups of near-duplicates."""
# N rows, D feature dims, E dims with one more, k neighbours, M crowded rows, m rows of a block

from __future__ import annotations

import torch
from torch.nn import functional

from arfc.shapes import Float, Int, Tensor
from arfc.training import precision

BFLOAT16_ERROR = 0.008
"""More than what a cosine near 1 can lose in `nearest`."""
NOISE_SHARE = 0.1
"""Rows whose squared distance from the mean row is below this share of the spread have no direction from it to speak
of. At a threshold of 0.995, rows at the mean are duplicates up to a squared distance of 0.001 of the spread, which is a
raw cosine of 0.9995 where the other rows are far away."""


@torch.no_grad()
def nearest(
    unit_ND: Float[Tensor, "N D"], *, k: int, block_rows: int = 2048
) -> tuple[Int[Tensor, "N k"], Float[Tensor, "N k"]]:
    """Return ids and cosines of the k nearest other rows, best first.

    Products run in bfloat16 with float32 sums where the CPU is fast at it: neighbours guide training and mark
    duplicates, and errors of 0.3 % do not matter to either.
    """
    bank = unit_ND.bfloat16() if precision.fast_bfloat16() else unit_ND
    ids, cosines = [], []
    for start in range(0, len(bank), block_rows):
        scores = bank[start : start + block_rows] @ bank.T
        own = torch.arange(len(scores), device=scores.device)
        scores[own, own + start] = -2
        best = scores.topk(k, dim=1)
        ids.append(best.indices)
        cosines.append(best.values.float())
    return torch.cat(ids), torch.cat(cosines)


@torch.no_grad()
def duplicate_groups(unit_ND: Float[Tensor, "N D"], *, cosine: float, k: int = 8) -> Int[Tensor, " N"]:
    """Return a group number per row: exact and near-duplicates, and whatever hangs together through them, share one.

    Near means a cosine of at least `cosine` once the mean row is taken away: with a strong common direction every raw
    cosine is high. Where most rows are near-copies of one, the mean is that row, and what is left of its copies is
    noise that points anywhere; so all rows are given one more coordinate, equal for all, that is small against the
    spread and large against such noise. Exact duplicates are found without the neighbour search, however many copies
    there are.
    """
    distinct_ND, copy_of_N = torch.unique(unit_ND, dim=0, return_inverse=True)
    if len(distinct_ND) == 1:
        return torch.zeros(len(unit_ND), dtype=torch.long)
    centred_ND = _from_mean(distinct_ND, unit_ND.mean(0))
    ids_Nk, cosines_Nk = nearest(centred_ND, k=min(k, len(distinct_ND) - 1))
    near_Nk = _cosines(centred_ND, ids_Nk) >= cosine
    rows, columns = near_Nk.nonzero(as_tuple=True)
    group_N = _components(len(distinct_ND), rows.tolist(), ids_Nk[rows, columns].tolist())
    # A row whose k nearest are all near may have more of them: such rows are held against each other, all of them.
    crowded = (cosines_Nk[:, -1] >= cosine - BFLOAT16_ERROR).nonzero()[:, 0]
    return _join_near(group_N, centred_ND[crowded], crowded, cosine=cosine)[copy_of_N]


def _from_mean(rows_ND: Float[Tensor, "N D"], mean_D: Float[Tensor, " D"]) -> Float[Tensor, "N E"]:
    """Return unit rows, E = D + 1: directions from the mean, that of the last coordinate for rows at the mean itself.

    The spread is the mean squared distance from the mean, weighted by itself: near-copies at the mean, however many,
    leave it to the others. At most 1, the squared length of a row.
    """
    centred_ND = rows_ND - mean_D
    square_N = centred_ND.square().sum(1)
    spread = (square_N.square().sum() / square_N.sum()).clamp_max(1)
    height_N1 = (NOISE_SHARE * spread).sqrt().expand(len(rows_ND), 1)
    return functional.normalize(torch.cat([centred_ND, height_N1], 1), dim=1)


def _join_near(
    group_N: Int[Tensor, " N"],
    unit_MD: Float[Tensor, "M D"],
    at_M: Int[Tensor, " M"],
    *,
    cosine: float,
    block_rows: int = 1024,
) -> Int[Tensor, " N"]:
    """Join the groups of those rows of `unit_MD` that are near each other; row i of it is row at_M[i] of all."""
    group_M = group_N[at_M]
    joined: list[Tensor] = []
    for group_m, unit_mD in zip(group_M.split(block_rows), unit_MD.split(block_rows), strict=True):
        near_mM = (unit_mD @ unit_MD.T >= cosine) & (group_m[:, None] != group_M)
        rows, columns = near_mM.nonzero(as_tuple=True)
        joined.append(torch.stack([group_m[rows], group_M[columns]]).unique(dim=1))
    if not joined:
        return group_N
    ends, other_ends = torch.cat(joined, 1).tolist()
    return _components(len(group_N), ends, other_ends)[group_N]


def join_groups(one_N: Int[Tensor, " N"], other_N: Int[Tensor, " N"]) -> Int[Tensor, " N"]:
    """Return groups in which row i's two numbers hang together; both come from one numbering."""
    count = int(torch.maximum(one_N.max(), other_N.max())) + 1
    return _components(count, one_N.tolist(), other_N.tolist())[one_N]


def _components(count: int, ends: list[int], other_ends: list[int]) -> Int[Tensor, " N"]:
    """Return for each of `count` nodes the root of its connected component (union-find with path halving)."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for end, other in zip(ends, other_ends, strict=True):
        parent[root(end)] = root(other)
    return torch.tensor([root(node) for node in range(count)])


def _cosines(unit_ND: Tensor, ids_Nk: Tensor, *, block_rows: int = 4096) -> Float[Tensor, "N k"]:
    """Recompute in float32 the cosines that the search, in bfloat16 on some CPUs, only ranked."""
    blocks = zip(unit_ND.split(block_rows), ids_Nk.split(block_rows), strict=True)
    return torch.cat([torch.einsum("nd,nkd->nk", rows, unit_ND[ids]) for rows, ids in blocks])
