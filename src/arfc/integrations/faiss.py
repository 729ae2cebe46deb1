"""faiss: put compressed vectors or codes into any index, and search it with queries of the original width."""
# N rows, n rows of a block, Q queries, D feature dims, K dims of the stored rows, P dims of the joint tokens,
# B bytes per vector, C rows on the shortlist; of codebooks: C codewords

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from arfc.baselines.faiss_codec import import_faiss
from arfc.codec import Codes, NestedCodec
from arfc.compressor import Compressor
from arfc.errors import ConfigError, DtypeError, ShapeError, SizeError
from arfc.io import Features, open_features
from arfc.scores import top_k, unit_rows
from arfc.search.exact import check_k
from arfc.shapes import Array, Float32, Int64

TRAIN_ROWS = 100_000
"""Most rows that an index is trained on, drawn over all of them; faiss itself takes 256 per list or codeword."""
_ROWS_PER_BLOCK = 8192
_QUERIES_PER_BLOCK = 64  # their candidates, decoded, stay in memory


def build_index(rows: object, *, factory: str = "Flat", ids: object = None) -> Any:
    """Return a faiss index of compressed vectors, or of what Codes stand for, with their ids.

    `rows` are compressed vectors (N, K) of any size, as an array or a file, or Codes, which are decoded to full width,
    block by block. `factory` is any index that faiss builds from a string. Vectors go in at length 1, what Codes stand
    for as it is, and all are compared by inner product: scores are cosines, or what codes say of them. `ids` are whole
    numbers (N,); without them rows are numbered from 0. faiss saves and loads the index itself, with `write_index` and
    `read_index`.

    Raises: ConfigError for a factory string that faiss refuses; DtypeError, ShapeError, RowError, InputError for ids
    or rows that can't be used; MissingExtraError.
    """
    faiss = import_faiss()
    if str(getattr(rows, "dtype", "")).removeprefix("torch.") == "uint8":
        raise DtypeError("rows must be vectors or Codes, got uint8, which are codes; wrap them: model.codes(rows)")
    source = rows if isinstance(rows, Codes) else open_features(rows, name="compressed vectors")
    if isinstance(source, Features):
        source.validate()
        count, width = source.rows, source.width
    else:
        count, width = len(source), source.codec.decode(np.asarray(source.packed[:1])).shape[1]
    ids_N = _checked_ids(ids, count)
    try:
        index = faiss.index_factory(width, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise ConfigError(
            f"factory must be an index that faiss knows, got {factory!r} ({_reason(error)}); try 'Flat'"
        ) from None
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ConfigError(f"factory must be an index that compares by inner product, got {factory!r}; try 'Flat'")
    if not index.is_trained:
        sample_nK = _sample(source, count)
        try:
            index.train(sample_nK)
        except RuntimeError as error:
            raise ConfigError(
                f"factory must be an index that {len(sample_nK):,} rows can train, got {factory!r} ({_reason(error)}); "
                "try 'Flat'"
            ) from None
    named = index if isinstance(index, faiss.IndexIDMap) else faiss.IndexIDMap(index)
    for start, block_nK in _scored_blocks(source):
        named.add_with_ids(block_nK, ids_N[start : start + len(block_nK)])
    return named


def _reason(error: RuntimeError) -> str:
    """Return what faiss says, without the place in its source."""
    return " ".join(str(error).split("Error: ")[-1].split())


def search_index(
    model: Compressor, index: Any, queries: object, *, k: int = 10
) -> tuple[Int64[Array, "Q {k}"], Float32[Array, "Q {k}"]]:
    """Return ids and cosines (Q, k) of the nearest rows that the index finds, best first.

    Queries (Q, D) are of the original width; they are compressed to the size of the index. An index that is not
    exhaustive may find fewer than k rows: faiss fills up with id -1.

    Raises: ConfigError for an index that does not compare by inner product; SizeError when k is not in 1..N; ShapeError
    when the index is wider than the model; DtypeError, RowError.
    """
    faiss = import_faiss()
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ConfigError("an index must compare by inner product, got another metric; build it with build_index")
    if index.d > model.width:
        raise ShapeError(f"an index must have at most {model.width} dims, got {index.d}; was it built by this model?")
    check_k(k, rows=index.ntotal, only=None)
    scores_QK, ids_QK = index.search(unit_rows(np.asarray(model.compress(queries, dims=index.d)), name="queries"), k)
    return ids_QK, scores_QK


def build_token_index(codes: Codes, *, ids: object = None) -> Any:
    """Return a faiss index that holds codes as they are: B bytes per row, and nothing else.

    It is a residual quantiser whose codebooks are the model's. faiss adds codewords and can't stretch the sum, as
    `Codes.decode` does, so what it finds by itself is a shortlist; `search_token_index` scores it as stored.

    Raises: SizeError when the codes are longer than the model's joint tokens; DtypeError, ShapeError for ids;
    MissingExtraError.
    """
    faiss = import_faiss()
    codec = codes.codec
    if not isinstance(codec, NestedCodec):
        raise ConfigError(f"a token index needs the codes of a Compressor, got codes of {type(codec).__name__}")
    size, tokens = codes.bytes_per_vector, codec.joint.tokens
    if size > tokens:
        raise SizeError(
            f"codes in a token index must have at most {tokens} bytes, the joint tokens of this model, got {size}; "
            "truncate them, or decode them with build_index"
        )
    ids_N = _checked_ids(ids, len(codes))
    codebooks_BCP = np.ascontiguousarray(codec.joint.codebooks[:size])
    dims = codebooks_BCP.shape[2]
    sums = faiss.IndexResidualQuantizer(
        dims, size, 8, faiss.METRIC_INNER_PRODUCT, faiss.AdditiveQuantizer.ST_LUT_nonorm
    )
    faiss.copy_array_to_vector(codebooks_BCP.reshape(-1), sums.rq.codebooks)
    sums.rq.is_trained = sums.is_trained = True
    named = faiss.IndexIDMap(sums)
    for start in range(0, len(codes), _ROWS_PER_BLOCK):
        block_nB = np.ascontiguousarray(codes.packed[start : start + _ROWS_PER_BLOCK])
        named.add_sa_codes(block_nB, ids_N[start : start + len(block_nB)])
    turn = faiss.LinearTransform(codec.width, dims)
    faiss.copy_array_to_vector(np.ascontiguousarray(codec.frame.basis[:, :dims].T).reshape(-1), turn.A)
    turn.is_trained = True
    return faiss.IndexPreTransform(turn, named)


def search_token_index(
    model: Compressor, index: Any, queries: object, *, k: int = 10, shortlist: int = 100
) -> tuple[Int64[Array, "Q {k}"], Float32[Array, "Q {k}"]]:
    """Return ids and cosines (Q, k) of the nearest rows of a token index, best first.

    faiss finds `shortlist` rows by the sums of their codewords; these are decoded and scored as `Compressor.search`
    scores them. With every row on the list both give the same result.

    Raises: ConfigError for an index that this model did not build; SizeError when k is not in 1..N, or the shortlist
    is shorter than k; ShapeError, DtypeError, RowError for the queries.
    """
    faiss = import_faiss()
    named, sums = _parts(model.codec, index)
    check_k(k, rows=index.ntotal, only=None)
    if shortlist < k:
        raise SizeError(f"shortlist must be at least k, got {shortlist} for k={k}; try shortlist={10 * k}")
    ids_N = faiss.vector_to_array(named.id_map)
    packed_NB = faiss.rev_swig_ptr(sums.codes.data(), sums.ntotal * sums.code_size).reshape(sums.ntotal, -1)
    queries_QK = unit_rows(np.asarray(model.compress(queries, dims=model.width)), name="queries")
    found = []
    for start in range(0, len(queries_QK), _QUERIES_PER_BLOCK):
        block_QK = queries_QK[start : start + _QUERIES_PER_BLOCK]
        turned_QP = np.ascontiguousarray(block_QK @ model.codec.frame.basis[:, : sums.d])
        rows_QC = np.sort(sums.search(turned_QP, min(shortlist, sums.ntotal))[1], axis=1)  # of equals, the lower row
        distinct_n, place_QC = np.unique(rows_QC, return_inverse=True)
        decoded_nK = model.codec.decode(packed_NB[distinct_n])
        scores_QC = np.einsum("qk,qck->qc", block_QK, decoded_nK[place_QC.reshape(rows_QC.shape)])
        best_Qk, scores_Qk = top_k(scores_QC, k)
        found.append((ids_N[np.take_along_axis(rows_QC, best_Qk, axis=1)], scores_Qk))
    return np.concatenate([ids for ids, _ in found]), np.concatenate([scores for _, scores in found])


def _parts(codec: NestedCodec, index: Any) -> tuple[Any, Any]:
    """Return the id map of a token index and the quantiser in it, once both are known to be this codec's."""
    faiss = import_faiss()
    if isinstance(index, faiss.IndexPreTransform):
        named = faiss.downcast_index(index.index)
        sums = faiss.downcast_index(named.index) if isinstance(named, faiss.IndexIDMap) else None
        if isinstance(sums, faiss.IndexResidualQuantizer):
            own = codec.joint.codebooks[: sums.rq.M].reshape(-1)
            if np.array_equal(faiss.vector_to_array(sums.rq.codebooks), own):
                return named, sums
    raise ConfigError(
        f"a token index must hold the codebooks of this model, got {type(index).__name__} without them; "
        "build it with build_token_index and codes of the same model"
    )


def _checked_ids(ids: object, count: int) -> Int64[Array, " N"]:
    if ids is None:
        return np.arange(count, dtype=np.int64)
    ids_N = np.asarray(ids)
    if ids_N.dtype.kind not in "iu":
        raise DtypeError(f"ids must be whole numbers, got {ids_N.dtype}; keep a list of names, and use their places")
    if ids_N.shape != (count,):
        raise ShapeError(f"ids must have shape ({count},), one per row, got {ids_N.shape}; is it the same data set?")
    if ids_N.min() < 0 or ids_N.max() > np.iinfo(np.int64).max:
        raise SizeError(f"ids must lie in 0..2**63 - 1, got {ids_N.min()} to {ids_N.max()}; faiss uses -1 for no row")
    return ids_N.astype(np.int64)


def _scored_blocks(source: Codes | Features) -> Iterator[tuple[int, Float32[Array, "n K"]]]:
    """Yield (first row, block of rows whose products with unit queries are scores)."""
    if isinstance(source, Features):
        for start, block_nK in source.chunks(_ROWS_PER_BLOCK):
            yield start, unit_rows(block_nK)
    else:
        for start in range(0, len(source), _ROWS_PER_BLOCK):
            yield start, source.codec.decode(np.asarray(source.packed[start : start + _ROWS_PER_BLOCK]))


def _sample(source: Codes | Features, count: int) -> Float32[Array, "n K"]:
    """Return rows to train on, drawn over the whole input: its beginning may be sorted."""
    rows_n = np.sort(np.random.default_rng(0).permutation(count)[:TRAIN_ROWS])
    if isinstance(source, Features):
        return unit_rows(source.take(rows_n))
    return source.codec.decode(np.asarray(source.packed[rows_n]))
