"""One door to the two ways of searching: exactly, or by a shortlist."""
# Q queries, K dims, k rows asked for

from __future__ import annotations

from collections.abc import Callable

from arfc.codec import Codes
from arfc.errors import ShapeError, SizeError
from arfc.io import Features
from arfc.search.exact import chosen_rows, exact_search, row_count
from arfc.search.shortlist import shortlist_search
from arfc.shapes import Array, Float32, Int64


def search(
    queries: Callable[[int], Float32[Array, "Q _"]],
    stored: Codes | Features,
    *,
    width: int,
    k: int,
    shortlist: int | None,
    only: object,
) -> tuple[Int64[Array, "Q {k}"], Float32[Array, "Q {k}"]]:
    """Return ids and cosines of the nearest rows, best first.

    `queries` gives the queries at a number of dims, `width` for Codes, that of the rows for vectors.

    Raises: ShapeError for rows wider than `width`; SizeError for a k or shortlist that can't be; DtypeError, RowError.
    """
    rows = None if only is None else chosen_rows(only, rows=row_count(stored))
    if isinstance(stored, Codes):
        if shortlist is None:
            return exact_search(queries(width), stored, k=k, only=rows)
        return shortlist_search(queries(width), stored, k=k, shortlist=shortlist, only=rows)
    if shortlist is not None:
        raise SizeError("shortlist must be left out for vectors, which need no decoding; give Codes, or drop it")
    if stored.width > width:
        raise ShapeError(
            f"compressed vectors must have at most {width} dims, got {stored.width}; were they made by this model?"
        )
    return exact_search(queries(stored.width), stored, k=k, only=rows)
