"""Which validation queries find what they ask for: their true neighbours, their partner, a row of their class."""
# Q queries, N rows, M rows left, D feature dims, K dims kept, k neighbours

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.nn.functional import normalize

from arfc.shapes import Bool, Float, Int, Tensor

SAME_COSINE = 0.99999
"""Rows at least this near are one and the same."""

Places = tuple[Tensor, ...]
"""Row and column numbers of some entries of a matrix."""


def distinct(rows_ND: Float[Tensor, "N D"]) -> Float[Tensor, "M D"]:
    """Return the rows without exact copies of earlier ones, in their order."""
    _, copy_of_N = torch.unique(rows_ND, dim=0, return_inverse=True)
    first_M = np.unique(copy_of_N.numpy(), return_index=True)[1]
    return rows_ND[torch.from_numpy(np.sort(first_M))]


def same_rows(one_QD: Float[Tensor, "Q D"], other_ND: Float[Tensor, "N D"]) -> Places:
    """Return where a row of one side is also a row of the other."""
    return (one_QD @ other_ND.T > SAME_COSINE).nonzero(as_tuple=True)


def prefix_scores(
    queries_QK: Float[Tensor, "Q K"], rows_NK: Float[Tensor, "N K"], sizes: Sequence[int]
) -> Iterator[tuple[int, Float[Tensor, "Q N"]]]:
    """Yield (size, scores) of the first `size` dims, in ascending order of size.

    A score is the cosine times the length of the query, which ranks its answers as the cosine does. Each matrix is the
    caller's to write to.
    """
    for size in sorted(sizes):
        yield size, queries_QK[:, :size] @ normalize(rows_NK[:, :size], dim=1).T


def nearest_others(scores_QN: Float[Tensor, "Q N"], *, k: int) -> Int[Tensor, "Q k"]:
    """Return the k best rows of each query, which is itself the row of its number; overwrites those entries."""
    own = torch.arange(len(scores_QN))
    scores_QN[own, own] = -torch.inf
    return scores_QN.topk(min(k, scores_QN.shape[1] - 1), dim=1).indices


def neighbour_hits(scores_QN: Float[Tensor, "Q N"], truth_Qk: Int[Tensor, "Q k"]) -> Float[Tensor, " Q"]:
    """Return the share of each query's true neighbours among as many rows found; overwrites own entries."""
    found_Qk = nearest_others(scores_QN, k=truth_Qk.shape[1])
    return (truth_Qk[:, :, None] == found_Qk[:, None]).any(2).float().mean(1)


def partners(asked_ND: Float[Tensor, "N D"], answers_ND: Float[Tensor, "N D"], *, queries: int) -> Bool[Tensor, "Q N"]:
    """Return which answers are right: the partner, a copy of it, or the partner of a copy of the asker.

    Query i is row i of `asked`, its partner row i of `answers`.
    """
    right_QN = answers_ND[:queries] @ answers_ND.T > SAME_COSINE
    right_QN |= asked_ND[:queries] @ asked_ND.T > SAME_COSINE
    right_QN[torch.arange(queries), torch.arange(queries)] = True
    return right_QN


def reciprocal_ranks(
    scores_QN: Float[Tensor, "Q N"], right_QN: Bool[Tensor, "Q N"], itself: Places
) -> Float[Tensor, " Q"]:
    """Return for each query 1 / rank of its first right answer; wrong answers of the same score count half.

    `itself` are the places where an answer is the very row that asks; those are no answers, but for its own partner,
    and are overwritten.
    """
    other = itself[0] != itself[1]
    scores_QN[itself[0][other], itself[1][other]] = -torch.inf
    best_Q1 = scores_QN.masked_fill(~right_QN, -torch.inf).amax(1, keepdim=True)
    above_Q = ((scores_QN > best_Q1) & ~right_QN).sum(1)
    level_Q = ((scores_QN == best_Q1) & ~right_QN).sum(1)
    return 1 / (1 + above_Q + level_Q / 2)


def label_precision(
    scores_QN: Float[Tensor, "Q N"], labels_N: Int[Tensor, " N"], copies: Places
) -> Float[Tensor, " Q"]:
    """Return the average precision at R of each row that asks, R the number of its right answers; 0 where R is 0.

    Query i is row i. `copies` of it, itself among them, are no answers, and are overwritten.

    Source: mAP@R of Musgrave et al., 2020, arXiv 2003.08505. R@1 looks at one answer and can't tell maps apart where
    classes are easy or rows are few (docs/log.md).
    """
    scores_QN[copies] = -torch.inf
    right_QN = labels_N[: len(scores_QN), None] == labels_N
    right_QN[copies] = False
    mates_Q = right_QN.sum(1)
    if not int(mates_Q.max()):
        return torch.zeros(len(scores_QN))
    nearest_QR = scores_QN.topk(int(mates_Q.max()), dim=1).indices
    place_R = torch.arange(1, nearest_QR.shape[1] + 1)
    found_QR = right_QN.gather(1, nearest_QR) & (place_R <= mates_Q[:, None])
    return (found_QR * found_QR.cumsum(1) / place_R).sum(1) / mates_Q.clamp_min(1)


def means(hits: dict[int, Tensor]) -> dict[int, float]:
    """Return the score of each size: the mean over its queries."""
    return {size: float(hits_Q.mean()) for size, hits_Q in hits.items()}


def overall(hits: dict[int, Tensor]) -> float:
    """Return the mean score over the sizes."""
    return sum(means(hits).values()) / len(hits)


def clearly_worse(hits: dict[int, Tensor], other: dict[int, Tensor]) -> bool:
    """Return whether the mean over the sizes is more than one standard error below another's, query by query."""
    gain_Q = torch.stack([hits[size] - other[size] for size in other]).double().mean(0)
    return bool(gain_Q.mean() + gain_Q.std(correction=0) / len(gain_Q) ** 0.5 < 0)
