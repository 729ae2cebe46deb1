"""Exact search: score every row, in blocks, and keep the best of each query."""
# Q queries, N rows, n rows of a block, D dims, K neighbours kept so far

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import numpy as np

from arfc.codec import Codes
from arfc.errors import SizeError
from arfc.io import Features, open_features
from arfc.scores import cosine_scores, top_k
from arfc.shapes import Array, Float32, Int64

_ROWS_PER_BLOCK = 4096
_QUERIES_PER_BLOCK = 1024
_ROW_MULTIPLE = 64  # larger than any tile of a matrix product


def exact_search(queries: object, rows: object, *, k: int) -> tuple[Int64[Array, "Q {k}"], Float32[Array, "Q {k}"]]:
    """Return ids and cosines of the `k` rows nearest to each query, best first, the lower id first among equals.

    `queries` and `rows` are anything `open_features` takes; `rows` may be Codes too, decoded block by block. Memory is
    flat in the number of rows.

    Raises: SizeError when k is not in 1..N; ShapeError when the widths differ; DtypeError, RowError for rows or queries
    that cannot be scored.
    """
    query_features = open_features(queries, name="queries")
    source = rows if isinstance(rows, Codes) else open_features(rows, name="rows")
    n_rows = len(source) if isinstance(source, Codes) else source.rows
    if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k <= n_rows:
        raise SizeError(f"k must be a whole number between 1 and {n_rows}, the number of rows, got {k!r}; try fewer")
    query_features.validate()
    if isinstance(source, Features):
        source.validate()
    blocks = [block_QD for _, block_QD in query_features.chunks(_QUERIES_PER_BLOCK)]
    best = [(np.empty((len(block), 0), np.int64), np.empty((len(block), 0), np.float32)) for block in blocks]
    for start, block_nD in _row_blocks(source):
        count = len(block_nD)
        padded_nD = _same_height(block_nD, whole=n_rows > _ROWS_PER_BLOCK)
        for place, block_QD in enumerate(blocks):
            ids_QK, scores_QK = best[place]
            scores_Qn = cosine_scores(block_QD, padded_nD)[:, :count]
            ids_Qn = np.broadcast_to(np.arange(start, start + count), scores_Qn.shape)
            # Earlier rows stand first, so the lower place that top_k prefers among equals is the lower id.
            candidates = np.concatenate((scores_QK, scores_Qn), axis=1)
            place_QK, kept_QK = top_k(candidates, min(k, candidates.shape[1]))
            best[place] = np.take_along_axis(np.concatenate((ids_QK, ids_Qn), axis=1), place_QK, axis=1), kept_QK
    return np.concatenate([ids for ids, _ in best]), np.concatenate([scores for _, scores in best])


def _row_blocks(source: Codes | Features) -> Iterator[tuple[int, Float32[Array, "n D"]]]:
    if isinstance(source, Features):
        yield from source.chunks(_ROWS_PER_BLOCK)
    else:
        for start in range(0, len(source), _ROWS_PER_BLOCK):
            yield start, source.codec.decode(np.asarray(source.packed[start : start + _ROWS_PER_BLOCK]))


def _same_height(block_nD: Float32[Array, "n D"], *, whole: bool) -> Float32[Array, "_ D"]:
    """Repeat the last row until the block is as tall as all others.

    A matrix product rounds the rows at its edges differently, and then equal rows would not get equal scores.
    """
    height = _ROWS_PER_BLOCK if whole else -(-len(block_nD) // _ROW_MULTIPLE) * _ROW_MULTIPLE
    return np.pad(block_nD, ((0, height - len(block_nD)), (0, 0)), mode="edge")
