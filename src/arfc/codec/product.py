"""A matrix product whose rows do not depend on their neighbours."""
# N rows, D inner dims, P columns of the matrix, K columns asked for, j tiles of columns, k columns of a tile

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32

_ROWS = 16
_COLUMNS = 32
_INNER = 512


class StableProduct:
    """Products with one matrix, bitwise the same for any batch, number of columns and threads.

    They are made of tiles of one fixed shape, summed in one fixed order: a single large product is rounded in a way
    that depends on its shape, and on the threads that share a long sum. Tiles as small as these are as fast, for BLAS
    has a kernel for them, and no threads of its own, so that callers may use theirs.
    """

    def __init__(self, matrix_DP: Float32[Array, "D P"]) -> None:
        self._columns = matrix_DP.shape[1]
        tiled = np.pad(matrix_DP, ((0, 0), (0, -self._columns % _COLUMNS)))
        self._inner = [slice(first, first + _INNER) for first in range(0, len(tiled), _INNER)]
        self._parts_jDk = [
            np.ascontiguousarray(tiled[part].reshape(-1, tiled.shape[1] // _COLUMNS, _COLUMNS).transpose(1, 0, 2))
            for part in self._inner
        ]

    def __call__(self, rows_ND: Float32[Array, "N D"], *, columns: int | None = None) -> Float32[Array, "N K"]:
        """Return the first `columns` columns of rows @ matrix; all of them when not given."""
        columns = self._columns if columns is None else columns
        tiles, width = -(-len(rows_ND) // _ROWS), -(-columns // _COLUMNS)
        padded_ND = np.ascontiguousarray(rows_ND)
        if len(rows_ND) < tiles * _ROWS:
            padded_ND = np.pad(rows_ND, ((0, tiles * _ROWS - len(rows_ND)), (0, 0)))
        sums_NP = np.empty((len(padded_ND), width * _COLUMNS), dtype=np.float32)
        sums = sums_NP.reshape(tiles, _ROWS, width, _COLUMNS).transpose(0, 2, 1, 3)
        rows = padded_ND.reshape(tiles, 1, _ROWS, padded_ND.shape[1])
        first, *others = zip(self._inner, self._parts_jDk, strict=True)
        np.matmul(rows[..., first[0]], first[1][:width], out=sums)
        for part, tiles_jDk in others:
            sums += np.matmul(rows[..., part], tiles_jDk[:width])
        return sums_NP[: len(rows_ND), :columns]


def stable_product(
    rows_ND: Float32[Array, "N D"], matrix_DP: Float32[Array, "D P"], *, columns: int
) -> Float32[Array, "N {columns}"]:
    """Return the first columns of rows @ matrix, as `StableProduct` does, for a matrix that is used once."""
    return StableProduct(matrix_DP[:, :columns])(rows_ND)
