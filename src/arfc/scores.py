"""Scores between vectors, and the quality of a search: a score is larger when nearer, everywhere.

Letters: Q queries, N rows, D dims, K neighbours kept.
"""

import numpy as np

from arfc.errors import RowError, ShapeError, SizeError, count_rows
from arfc.shapes import Array, Float, Float32, Float64, Int, Int64


def unit_rows(x_ND: Float[Array, "N D"], *, name: str = "rows") -> Float32[Array, "N D"]:
    """Divide every row by its length.

    Raises: RowError for rows of length zero and rows that hold NaN or Inf.
    """
    # Lengths in float64: the square of a large or tiny float32 leaves its range.
    length_N = np.sqrt(np.einsum("nd,nd->n", x_ND, x_ND, dtype=np.float64))
    bad_N = np.flatnonzero(~(np.isfinite(length_N) & (length_N > 0)))
    if bad_N.size:
        found = count_rows(bad_N[:5].tolist(), bad_N.size)
        raise RowError(f"{name} must be finite and not all zero, got {found} without a direction; remove them first")
    unit_ND: Float32[Array, "N D"] = np.empty(x_ND.shape, dtype=np.float32)
    return np.divide(x_ND, length_N[:, None], out=unit_ND, casting="same_kind")  # in float64, rounded once


def of_one_length(rows_NK: Float[Array, "N K"]) -> Float32[Array, "N _"]:
    """Return the rows with one more coordinate, (N, K + 1), that makes all as long as the longest.

    Cosines with queries that have a zero there rank the rows as inner products do: so decoded codes, whose lengths
    count, can go where rows are compared by cosine.

    Source: Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
    spaces" (2014).
    """
    square_N = np.square(rows_NK, dtype=np.float64).sum(axis=1)
    rest_N = np.sqrt(square_N.max(initial=0.0) - square_N)
    rows: Float32[Array, "N _"] = np.concatenate([rows_NK, rest_N[:, None]], axis=1, dtype=np.float32)
    return rows


# The widths of both sides are checked below, by an error a user can read; hence the "_".
def cosine_scores(queries_QD: Float[Array, "Q D"], rows_ND: Float[Array, "N _"]) -> Float32[Array, "Q N"]:
    """Score every row for every query by the cosine of their angle.

    Raises: ShapeError when the widths differ; RowError for a row that has no direction.
    """
    check_widths(queries_QD, rows_ND)
    scores_QN: Float32[Array, "Q N"] = unit_rows(queries_QD, name="queries") @ unit_rows(rows_ND).T
    return scores_QN


def check_widths(queries_QD: Float[Array, "Q D"], rows_ND: Float[Array, "N _"]) -> None:
    """Raise ShapeError when the widths differ."""
    if queries_QD.shape[1] != rows_ND.shape[1]:
        raise ShapeError(
            f"queries must have shape (Q, {rows_ND.shape[1]}) like the rows, got {queries_QD.shape}; "
            "were both compressed to the same size"
        )


def top_k(scores_QN: Float[Array, "Q N"], k: int) -> tuple[Int64[Array, "Q {k}"], Float[Array, "Q {k}"]]:
    """Return ids and scores of the `k` best rows of each query, best first; of equal scores the lower id comes first.

    Raises: SizeError when k is not in 1..N; RowError when a score is NaN.
    """
    n_rows = scores_QN.shape[1]
    if not 1 <= k <= n_rows:
        raise SizeError(f"k must be between 1 and {n_rows}, the number of rows, got {k}; try k={max(1, n_rows)}")
    nan_Q = np.flatnonzero(np.isnan(scores_QN).any(axis=1))
    if nan_Q.size:
        found = count_rows(nan_Q[:5].tolist(), nan_Q.size)
        raise RowError(f"scores must not be NaN, got NaN in {found}; check the vectors for NaN and Inf")
    ids_QK = np.argpartition(-scores_QN, k - 1, axis=1)[:, :k]
    kept_QK = np.take_along_axis(scores_QN, ids_QK, axis=1)
    # The partition picks any of the rows that tie for the last place; where it had a choice, sort the whole row.
    last_Q1 = kept_QK.min(axis=1, keepdims=True)
    tied_Q = (scores_QN == last_Q1).sum(axis=1) > (kept_QK == last_Q1).sum(axis=1)
    for query in np.flatnonzero(tied_Q):
        ids_QK[query] = np.argsort(-scores_QN[query], kind="stable")[:k]
    ids_QK = np.sort(ids_QK, axis=1)
    kept_QK = np.take_along_axis(scores_QN, ids_QK, axis=1)
    order_QK = np.argsort(-kept_QK, axis=1, kind="stable")
    return np.take_along_axis(ids_QK, order_QK, axis=1).astype(np.int64), np.take_along_axis(kept_QK, order_QK, axis=1)


def recall_at_k(truth_ids_QK: Int[Array, "Q K"], found_ids_QK: Int[Array, "..."]) -> Float64[Array, " Q"]:
    """Return, per query, the share of its K true neighbours that are among the K found; ids are distinct within a row.

    Raises: ShapeError when the two differ in shape.
    """
    if truth_ids_QK.shape != found_ids_QK.shape:
        raise ShapeError(
            f"found ids must have shape {truth_ids_QK.shape} like the true ids, got {found_ids_QK.shape}; "
            "was the same k asked of both"
        )
    hits_Q = np.zeros(truth_ids_QK.shape[0], dtype=np.int64)
    for place in range(truth_ids_QK.shape[1]):
        hits_Q += (found_ids_QK == truth_ids_QK[:, place : place + 1]).any(axis=1)
    share_Q: Float64[Array, " Q"] = hits_Q / truth_ids_QK.shape[1]
    return share_Q
