"""Search in two passes over the same codes: look-up tables for a shortlist, the full decoder for the rest."""
# Q queries, q queries of a group, N rows, M rows that are searched, n rows of a block, K dims, B bytes read,
# C byte values (256), H bytes or pairs of them, P values of each (256 or 65,536), S rows of the shortlist,
# k rows asked for

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from weakref import WeakKeyDictionary

import numpy as np

from arfc.codec import Codec, Codes, NestedCodec
from arfc.codec.product import StableProduct
from arfc.codec.tables import byte_tables
from arfc.codec.threads import thread_count
from arfc.errors import SizeError
from arfc.scores import top_k, unit_rows
from arfc.search.exact import check_k
from arfc.shapes import Array, Float32, Int64, Shaped, UInt8, UInt16

TABLE_BYTES = 32
"""Bytes that the first pass reads: further ones tell rows apart that are both in the shortlist anyway."""
_BLOCK_ROWS = 1 << 17
_PAIR_ROWS = 1 << 18
"""From so many rows on two bytes are looked up at once: the tables of pairs take as long as a scan of some 100,000."""
_KNOWN: WeakKeyDictionary[Codes, Float32[Array, "2 N"]] = WeakKeyDictionary()
"""Factors of all rows of codes that were searched, by their first `TABLE_BYTES` bytes; whoever writes to the bytes of
codes after a search makes new codes of them."""
_GROUP = 8
"""Queries whose tables are held at once; of each, a pair of bytes has 256 KB."""


def shortlist_search(
    queries_QK: Float32[Array, "Q K"],
    codes: Codes,
    *,
    k: int,
    shortlist: int,
    only: Int64[Array, " M"] | None = None,
) -> tuple[Int64[Array, "Q {k}"], Float32[Array, "Q {k}"]]:
    """Return ids and cosines of the best `k` of the `shortlist` rows that the tables rank first.

    The cosines are those of the exact search, but a row outside the shortlist is not found. `only` names the rows that
    are searched, ascending; a shortlist longer than that is all of them.

    Shapes: queries (Q, K), compressed to full width.
    Raises: SizeError when k is not in 1..M, or the shortlist is no whole number of at least k; RowError.
    """
    codec = codes.codec
    assert isinstance(codec, NestedCodec), "only the model's own codes have tables"
    searched = check_k(k, rows=len(codes), only=only)
    if isinstance(shortlist, bool) or not isinstance(shortlist, Integral) or int(shortlist) < k:
        raise SizeError(f"shortlist must be a whole number of at least k = {k}, got {shortlist!r}; try {20 * k}")
    unit_QK = unit_rows(queries_QK, name="queries")
    tables_QBC = byte_tables(codec, unit_QK, bytes_per_vector=min(codes.bytes_per_vector, TABLE_BYTES))
    factors_FM = _factors(codes, bytes_per_vector=tables_QBC.shape[1], only=only)
    keep = min(int(shortlist), searched)
    found_QS = scan(codes.packed, tables_QBC, factors_FM, tokens=codec.joint.tokens, keep=keep, only=only)
    ids_Qk, scores_Qk = np.empty((len(unit_QK), k), np.int64), np.empty((len(unit_QK), k), np.float32)
    for query, ids_S in enumerate(np.sort(found_QS, axis=1)):
        rows_SK = codec.decode(np.asarray(codes.packed[ids_S]))
        scores_S1 = StableProduct(np.ascontiguousarray(unit_QK[query : query + 1].T))(rows_SK)
        place_1k, scores_Qk[query : query + 1] = top_k(scores_S1.T, k)
        ids_Qk[query] = ids_S[place_1k[0]]
    return ids_Qk, scores_Qk


def _factors(codes: Codes, *, bytes_per_vector: int, only: Int64[Array, " M"] | None) -> Float32[Array, "2 M"]:
    """Return by what the tables of joint tokens and of narrow ones are multiplied for each of the searched rows.

    Those of all rows, by the bytes that are read, are computed once.
    """
    known_FN = _KNOWN.get(codes)
    if known_FN is None and only is not None:
        return _row_factors(codes.codec, np.asarray(codes.packed[only, :bytes_per_vector]))
    if known_FN is None:
        known_FN = _KNOWN[codes] = _row_factors(codes.codec, codes.packed[:, :bytes_per_vector])
    return known_FN if only is None else known_FN[:, only]


def _row_factors(codec: Codec, packed_NB: UInt8[Array, "N B"]) -> Float32[Array, "2 N"]:
    assert isinstance(codec, NestedCodec)
    stretch_N, tokens = codec.stretches(packed_NB), codec.joint.tokens
    length_N = codec.missed.factors(packed_NB[:, tokens:]) if packed_NB.shape[1] > tokens else np.float32(1)
    return np.stack([stretch_N, stretch_N * length_N])


def scan(
    packed_NB: UInt8[Array, "N _"],
    tables_QBC: Float32[Array, "Q B C"],
    factors_FM: Float32[Array, "2 M"],
    *,
    tokens: int,
    keep: int,
    only: Int64[Array, " M"] | None = None,
) -> Int64[Array, "Q {keep}"]:
    """Return the `keep` rows of each query with the largest sums of table entries times their factors, in no order.

    The first factor of a row is for its first `tokens` bytes, the second for the others. With `only`, only these rows
    are searched; the factors are then theirs, in that order. Where the mean is long or rows lie in clusters, the
    stretch tells neighbours apart: without it a shortlist of 200 keeps .78 of ten (docs/log.md).
    Among many rows two bytes of one factor are looked up at once, in tables of 65,536 sums that stay in the second
    cache. Blocks of rows run by threads.
    """
    size, searched = tables_QBC.shape[1], len(packed_NB) if only is None else len(only)
    starts, by_pairs = range(0, searched, _BLOCK_ROWS), searched >= _PAIR_ROWS and tokens % 2 == 0
    border = tokens // 2 if by_pairs else tokens
    found = []
    for first in range(0, len(tables_QBC), _GROUP):
        tables_qHP = tables_QBC[first : first + _GROUP]
        if by_pairs:
            tables_qHP = _pair_tables(tables_qHP)

        def best(start: int, tables_qHP: Float32[Array, "q H P"] = tables_qHP) -> tuple[Array, Array]:
            rows_n = slice(start, start + _BLOCK_ROWS) if only is None else only[start : start + _BLOCK_ROWS]
            block_nB = np.asarray(packed_NB[rows_n, :size])
            places_Hn = _pairs(block_nB) if by_pairs else np.ascontiguousarray(block_nB.T)
            sums_qn = np.zeros((len(tables_qHP), len(block_nB)), dtype=np.float32)
            for part, factor_M in zip((slice(border), slice(border, None)), factors_FM, strict=True):
                if len(places_Hn[part]):
                    part_qn = _sums(places_Hn[part], tables_qHP[:, part])
                    part_qn *= factor_M[start : start + len(block_nB)]
                    sums_qn += part_qn
            place_qS = _largest(sums_qn, min(keep, len(block_nB)))
            ids_qS = start + place_qS if only is None else only[start + place_qS]
            return ids_qS, np.take_along_axis(sums_qn, place_qS, axis=1)

        with ThreadPoolExecutor(thread_count()) as pool:
            blocks = list(pool.map(best, starts))
        ids, sums = (np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True))
        found.append(np.take_along_axis(ids, _largest(sums, keep), axis=1))
    return np.concatenate(found)


def _sums(places_Hn: Shaped[Array, "H n"], tables_qHP: Float32[Array, "q H P"]) -> Float32[Array, "q n"]:
    sums_qn = np.zeros((len(tables_qHP), places_Hn.shape[1]), dtype=np.float32)
    taken_n = np.empty(places_Hn.shape[1], dtype=np.float32)
    for tables_HP, sums_n in zip(tables_qHP, sums_qn, strict=True):
        for table_P, place_n in zip(tables_HP, places_Hn, strict=True):
            sums_n += np.take(table_P, place_n, out=taken_n, mode="clip")
    return sums_qn


def _pairs(block_nB: UInt8[Array, "n B"]) -> UInt16[Array, "H n"]:
    """Return each two bytes as one number, pair after pair; an odd last byte is paired with zero."""
    even_nB = np.ascontiguousarray(np.pad(block_nB, ((0, 0), (0, block_nB.shape[1] % 2))))
    return np.ascontiguousarray(even_nB.view(np.uint16).T)


def _pair_tables(tables_qBC: Float32[Array, "q B C"]) -> Float32[Array, "q H P"]:
    """Return the sums of two neighbouring bytes' entries, at the number that `_pairs` makes of the two."""
    even = np.pad(tables_qBC, ((0, 0), (0, tables_qBC.shape[1] % 2), (0, 0)))
    first, second = even[:, ::2, :, None], even[:, 1::2, None, :]
    sums = first + second if sys.byteorder == "big" else first.swapaxes(2, 3) + second.swapaxes(2, 3)
    return np.ascontiguousarray(sums).reshape(len(even), even.shape[1] // 2, -1)


def _largest(sums_qn: Float32[Array, "q n"], keep: int) -> Int64[Array, "q {keep}"]:
    return np.argpartition(-sums_qn, keep - 1, axis=1)[:, :keep].astype(np.int64)
