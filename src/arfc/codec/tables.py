"""What each byte of a code adds to the product with a query: what no row needs to be decoded for."""
# Q queries, K dims, P dims of the joint tokens, B bytes per vector, T joint tokens, C byte values (256), W dims of a
# narrow token

from __future__ import annotations

import numpy as np

from arfc.codec.kmeans import CODEWORDS
from arfc.codec.nested import NestedCodec
from arfc.shapes import Array, Float32


def byte_tables(
    codec: NestedCodec, queries_QK: Float32[Array, "Q K"], *, bytes_per_vector: int
) -> Float32[Array, "Q B C"]:
    """Return, per byte and value, its share of the product of a query with what a code says beside the mean.

    A token has the product with its codeword, exactly. The mean, which all rows share, is left out, and so are two
    factors by which `scan` multiplies: the stretch of a decoded row (`NestedCodec.stretches`) for all its bytes, and
    the length of what its joint tokens have missed (`Missed.factors`) for those after them. The byte that names this
    length adds nothing.

    Source: look-up tables of additive quantisers (Babenko and Lempitsky, 2014).
    """
    values_QK = queries_QK @ codec.frame.basis
    tokens = min(bytes_per_vector, codec.joint.tokens)
    codebooks_TCP = codec.joint.codebooks[:tokens]
    tables_QBC = np.empty((len(queries_QK), bytes_per_vector, CODEWORDS), dtype=np.float32)
    tables_QBC[:, :tokens] = np.einsum(
        "qp,tcp->qtc", values_QK[:, : codebooks_TCP.shape[2]], codebooks_TCP, optimize=True
    )
    first = min(bytes_per_vector, tokens + codec.missed.length_bytes)
    tables_QBC[:, tokens:first] = 0
    narrow = codec.missed.narrow
    for token in range(bytes_per_vector - first):
        tables_QBC[:, first + token] = values_QK[:, narrow.dims[token]] @ narrow.words(token).T
    return tables_QBC
