"""Exact search by cosine, with faiss: evaluations search the same rows at many sizes."""
# Q queries, N rows, K dims, k neighbours

from __future__ import annotations

from arfc.errors import MissingExtraError, ShapeError, SizeError
from arfc.scores import unit_rows
from arfc.shapes import Array, Float, Int64


def check_engine() -> None:
    """See to it before any work that rows can be searched.

    Raises: MissingExtraError without faiss.
    """
    try:
        import faiss  # noqa: F401
    except ImportError:
        raise MissingExtraError("faiss is not installed; run: pip install 'arfc[evaluate]'") from None


# The widths are compared below, by an error a user can read; hence the "_".
def nearest(
    asked_QK: Float[Array, "Q K"],
    stored_NK: Float[Array, "N _"],
    *,
    k: int,
    own_Q: Int64[Array, " Q"] | None = None,
) -> Int64[Array, "Q {k}"]:
    """Return the row numbers of the `k` stored rows nearest to each query, best first.

    `own_Q` is the row number of each query itself among the stored rows, which is not returned, or -1 where it is none
    of them.

    Raises: ShapeError when the widths differ; SizeError when there are fewer than k other rows; RowError for a row that
    has no direction; MissingExtraError without faiss.
    """
    check_engine()
    import faiss

    if asked_QK.shape[1] != stored_NK.shape[1]:
        raise ShapeError(
            f"queries must have shape (Q, {stored_NK.shape[1]}) like the rows, got {asked_QK.shape}; "
            "were both compressed to the same size"
        )
    wanted = k if own_Q is None or (own_Q < 0).all() else k + 1
    if not 1 <= wanted <= len(stored_NK):
        raise SizeError(f"k must be between 1 and {len(stored_NK)}, the number of rows to find, got {k}; try fewer")
    index = faiss.IndexFlatIP(stored_NK.shape[1])
    index.add(unit_rows(stored_NK))
    found: Int64[Array, "Q _"] = index.search(unit_rows(asked_QK, name="queries"), wanted)[1]
    if wanted == k or own_Q is None:
        return found
    # One too many was found: the query itself, or the last where many equal rows have pushed the query out.
    extra_Qk = found == own_Q[:, None]
    extra_Qk[~extra_Qk.any(axis=1), -1] = True
    others_Qk: Int64[Array, "Q {k}"] = found[~extra_Qk].reshape(len(found), k)
    return others_Qk
