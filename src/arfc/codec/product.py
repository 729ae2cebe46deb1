"""A matrix product whose rows do not depend on their neighbours."""
# N rows, D inner dims, P columns of the matrix, K columns asked for, j tiles of columns, k columns of a tile

from __future__ import annotations

from functools import cache

import numpy as np

from arfc.shapes import Array, Float32

_ROWS = (16, 8, 4, 1)
"""Rows of a tile: the first number for which the kernels of this machine round all rows alike, as one row does."""
_COLUMNS = 32
_INNER = 512


class StableProduct:
    """Products with one matrix, bitwise the same for any batch, number of columns and threads.

    They are made of tiles of one fixed shape, summed in one fixed order: a single large product is rounded in a way
    that depends on its shape, and on the threads that share a long sum. Tiles as small as these are as fast, for BLAS
    has a kernel for them, and no threads of its own, so that callers may use theirs. Some kernels round the last rows
    of a tile in another way than the first; there tiles have fewer rows.
    """

    def __init__(self, matrix_DP: Float32[Array, "D P"]) -> None:
        self._columns = matrix_DP.shape[1]
        tiled = np.pad(matrix_DP, ((0, 0), (0, -self._columns % _COLUMNS)))
        self._inner = [slice(first, min(first + _INNER, len(tiled))) for first in range(0, len(tiled), _INNER)]
        self._parts_jDk = [
            np.ascontiguousarray(tiled[part].reshape(-1, tiled.shape[1] // _COLUMNS, _COLUMNS).transpose(1, 0, 2))
            for part in self._inner
        ]
        self._rows = min(_steady_rows(part.stop - part.start) for part in self._inner)

    def __call__(self, rows_ND: Float32[Array, "N D"], *, columns: int | None = None) -> Float32[Array, "N K"]:
        """Return the first `columns` columns of rows @ matrix; all of them when not given."""
        columns = self._columns if columns is None else columns
        tiles, width = -(-len(rows_ND) // self._rows), -(-columns // _COLUMNS)
        padded_ND = np.ascontiguousarray(rows_ND)
        if len(rows_ND) < tiles * self._rows:
            padded_ND = np.pad(rows_ND, ((0, tiles * self._rows - len(rows_ND)), (0, 0)))
        sums_NP = np.empty((len(padded_ND), width * _COLUMNS), dtype=np.float32)
        sums = sums_NP.reshape(tiles, self._rows, width, _COLUMNS).transpose(0, 2, 1, 3)
        rows = padded_ND.reshape(tiles, 1, self._rows, padded_ND.shape[1])
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


@cache
def _steady_rows(inner: int) -> int:
    """Return how many rows a tile may have: most, so that a row's product is the same in every place."""
    rng = np.random.default_rng(0)
    rows_ND = rng.standard_normal((_ROWS[0], inner), dtype=np.float32)
    tile_Dk = rng.standard_normal((inner, _COLUMNS), dtype=np.float32)
    for rows in _ROWS[:-1]:
        copies = np.matmul(np.repeat(rows_ND, rows, axis=0).reshape(-1, rows, inner), tile_Dk)
        if (copies == copies[:, :1]).all():
            return rows
    return _ROWS[-1]
