"""Exact search: score every row, in blocks, and keep the best of each query."""
# Q queries, N rows, M rows that are searched, n rows of a block, D dims, K neighbours kept so far

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import numpy as np

from arfc.codec import Codes
from arfc.codec.product import StableProduct
from arfc.codec.threads import by_threads
from arfc.errors import DtypeError, RowError, ShapeError, SizeError
from arfc.io import Features, open_features
from arfc.scores import check_widths, top_k, unit_rows
from arfc.shapes import Array, Float32, Int64

_ROWS_PER_BLOCK = 4096
_QUERIES_PER_BLOCK = 1024
_ROWS_PER_THREAD = 512


def exact_search(
    queries: object, rows: object, *, k: int, only: Int64[Array, " M"] | None = None
) -> tuple[Int64[Array, "Q {k}"], Float32[Array, "Q {k}"]]:
    """Return ids and cosines of the `k` rows nearest to each query, best first, the lower id first among equals.

    `queries` and `rows` are anything `open_features` takes; `rows` may be Codes too, decoded block by block, whose
    products with unit queries estimate the cosines. A score is the same whatever other queries and rows there are.
    Memory is flat in the number of rows. `only` names the rows that are searched, ascending (`chosen_rows`).

    Raises: SizeError when k is not in 1..M; ShapeError when the widths differ; DtypeError, RowError for rows or queries
    that cannot be scored.
    """
    query_features = open_features(queries, name="queries")
    source = rows if isinstance(rows, Codes) else open_features(rows, name="rows")
    check_k(k, rows=row_count(source), only=only)
    query_features.validate()
    if isinstance(source, Features):
        source.validate()
    blocks = [unit_rows(block_QD, name="queries") for _, block_QD in query_features.chunks(_QUERIES_PER_BLOCK)]
    # Whatever stands beside it, a row scores the same for a query: a plain product rounds by the place in its tiles.
    products = [StableProduct(np.ascontiguousarray(block_QD.T)) for block_QD in blocks]
    best = [(np.empty((len(block), 0), np.int64), np.empty((len(block), 0), np.float32)) for block in blocks]
    for ids_n, block_nD in _row_blocks(source, only):
        check_widths(blocks[0], block_nD)
        scored_nD = block_nD if isinstance(source, Codes) else unit_rows(block_nD)
        for place, product in enumerate(products):
            scores_nQ = by_threads(product, scored_nD, block_rows=_ROWS_PER_THREAD)
            best[place] = _better(*best[place], ids_n, scores_nQ.T, k=k)
    return np.concatenate([ids for ids, _ in best]), np.concatenate([scores for _, scores in best])


def _better(
    ids_QK: Int64[Array, "Q K"],
    scores_QK: Float32[Array, "Q K"],
    ids_n: Int64[Array, " n"],
    scores_Qn: Float32[Array, "Q n"],
    *,
    k: int,
) -> tuple[Int64[Array, "Q _"], Float32[Array, "Q _"]]:
    """Return the best `k` of those kept so far, and of the rows of a block, whose ids are higher."""
    if scores_QK.shape[1] == k:  # of equals the lower id stays
        above_n = (scores_Qn > scores_QK[:, -1:]).any(axis=0)
        ids_n, scores_Qn = ids_n[above_n], scores_Qn[:, above_n]
    # Earlier rows stand first, so the lower place that top_k prefers among equals is the lower id.
    candidates = np.concatenate((scores_QK, scores_Qn), axis=1)
    place_QK, kept_QK = top_k(candidates, min(k, candidates.shape[1]))
    of_block = np.broadcast_to(ids_n, scores_Qn.shape)
    return np.take_along_axis(np.concatenate((ids_QK, of_block), axis=1), place_QK, axis=1), kept_QK


def row_count(source: Codes | Features) -> int:
    """Return the number of rows."""
    return len(source) if isinstance(source, Codes) else source.rows


def check_k(k: object, *, rows: int, only: Int64[Array, " M"] | None) -> int:
    """Return the number of rows that are searched.

    Raises: SizeError when k is not a whole number up to that.
    """
    searched = rows if only is None else len(only)
    if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= int(k) <= searched:
        what = "the number of rows" if only is None else f"the rows of {rows} that are searched"
        raise SizeError(f"k must be a whole number between 1 and {searched}, {what}, got {k!r}; try fewer")
    return searched


def chosen_rows(only: object, *, rows: int) -> Int64[Array, " M"]:
    """Return ascending row numbers from distinct ids in any order, or from one bool per row.

    Raises: DtypeError, ShapeError; RowError for ids outside 0..N-1, ids that are named twice, and none at all.
    """
    try:
        given = np.asarray(only)
    except ValueError:
        raise ShapeError("only must be a flat list of ids or bools, got lists of unequal lengths") from None
    if given.ndim != 1 or (given.dtype == bool and len(given) != rows):
        raise ShapeError(f"only must be ids of shape (M,) or bools of shape ({rows},), got {given.dtype} {given.shape}")
    if given.dtype == bool:
        given = np.flatnonzero(given)
    elif not np.issubdtype(given.dtype, np.integer) and len(given):
        raise DtypeError(f"only must hold whole numbers or bools, got {given.dtype}; give row numbers from 0 on")
    if given.dtype.kind == "u":  # the largest would become negative
        given = np.minimum(given, np.iinfo(np.int64).max)
    ids_M = np.unique(given.astype(np.int64))
    if len(ids_M) < len(given):
        raise RowError(f"only must name each row once, got {len(given) - len(ids_M)} ids twice; try np.unique")
    if len(ids_M) == 0 or ids_M[0] < 0 or ids_M[-1] >= rows:
        came = "none" if len(ids_M) == 0 else f"{ids_M[0]} to {ids_M[-1]}"
        raise RowError(f"only must name rows between 0 and {rows - 1}, got {came}; were these ids of another set?")
    return ids_M


def _row_blocks(
    source: Codes | Features, only: Int64[Array, " M"] | None
) -> Iterator[tuple[Int64[Array, " n"], Float32[Array, "n D"]]]:
    if only is None and isinstance(source, Features):
        for start, block_nD in source.chunks(_ROWS_PER_BLOCK):
            yield np.arange(start, start + len(block_nD)), block_nD
        return
    searched = row_count(source) if only is None else len(only)
    for start in range(0, searched, _ROWS_PER_BLOCK):
        stop = min(start + _ROWS_PER_BLOCK, searched)
        ids_n = np.arange(start, stop) if only is None else only[start:stop]
        if isinstance(source, Features):
            yield ids_n, source.take(ids_n)
        else:
            packed_nB = source.packed[start:stop] if only is None else source.packed[ids_n]
            yield ids_n, source.codec.decode(np.asarray(packed_nB))
