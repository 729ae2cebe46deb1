"""A matrix product whose rows do not depend on their neighbours."""
# N rows, D inner dims, P columns of the matrix, K columns asked for

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32

_ROWS = 512
_COLUMNS = 128
_INNER = 128


class StableProduct:
    """Products with one matrix, bitwise the same for any batch, number of columns and threads.

    They are made of tiles of one fixed shape, summed in one fixed order: a single large product is rounded in a way
    that depends on its shape, and on the threads that share a long sum.
    """

    def __init__(self, matrix_DP: Float32[Array, "D P"]) -> None:
        self._inner = range(0, len(matrix_DP), _INNER)
        self._tiles = [
            [_tile(matrix_DP[start : start + _INNER, first : first + _COLUMNS]) for start in self._inner]
            for first in range(0, matrix_DP.shape[1], _COLUMNS)
        ]
        self._columns = matrix_DP.shape[1]

    def __call__(self, rows_ND: Float32[Array, "N D"], *, columns: int | None = None) -> Float32[Array, "N K"]:
        """Return the first `columns` columns of rows @ matrix; all of them when not given."""
        columns = self._columns if columns is None else columns
        product_NK = np.empty((len(rows_ND), columns), dtype=np.float32)
        padded_nD = np.zeros((_ROWS, rows_ND.shape[1]), dtype=np.float32)
        for start in range(0, len(rows_ND), _ROWS):
            count = min(_ROWS, len(rows_ND) - start)
            padded_nD[:count] = rows_ND[start : start + count]
            parts = [np.ascontiguousarray(padded_nD[:, first : first + _INNER]) for first in self._inner]
            for place in range(-(-columns // _COLUMNS)):
                target = product_NK[start : start + count, place * _COLUMNS : (place + 1) * _COLUMNS]
                tile_sum = parts[0] @ self._tiles[place][0]
                for part, tile in zip(parts[1:], self._tiles[place][1:], strict=True):
                    tile_sum += part @ tile
                target[:] = tile_sum[:count, : target.shape[1]]
        return product_NK


def stable_product(
    rows_ND: Float32[Array, "N D"], matrix_DP: Float32[Array, "D P"], *, columns: int
) -> Float32[Array, "N {columns}"]:
    """Return the first columns of rows @ matrix, as `StableProduct` does, for a matrix that is used once."""
    return StableProduct(matrix_DP[:, :columns])(rows_ND)


def _tile(columns_Dk: Float32[Array, "D k"]) -> Float32[Array, "_ _"]:
    """Pad to whole columns; the inner dim is as long as the rows' part, whose last one is shorter."""
    return np.ascontiguousarray(np.pad(columns_Dk, ((0, 0), (0, _COLUMNS - columns_Dk.shape[1]))))
