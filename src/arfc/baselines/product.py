"""A matrix product whose rows do not depend on their neighbours."""
# N rows, n rows of a block, D inner dims, P columns of the matrix, K columns asked for

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32

_ROWS = 512
_COLUMNS = 128
_INNER = 128


def stable_product(
    rows_ND: Float32[Array, "N D"], matrix_DP: Float32[Array, "D P"], *, columns: int
) -> Float32[Array, "N {columns}"]:
    """Return the first columns of rows @ matrix, bitwise the same for any batch, number of columns and threads.

    The product is made of tiles of one fixed shape, summed in one fixed order: a single large product is rounded in a
    way that depends on its shape, and on the threads that share a long sum.
    """
    inner = range(0, len(matrix_DP), _INNER)
    tiles = [
        [_tile(matrix_DP[start : start + _INNER, first : first + _COLUMNS]) for start in inner]
        for first in range(0, columns, _COLUMNS)
    ]
    product_NK = np.empty((len(rows_ND), columns), dtype=np.float32)
    padded_nD = np.zeros((_ROWS, rows_ND.shape[1]), dtype=np.float32)
    for start in range(0, len(rows_ND), _ROWS):
        count = min(_ROWS, len(rows_ND) - start)
        padded_nD[:count] = rows_ND[start : start + count]
        parts = [np.ascontiguousarray(padded_nD[:, first : first + _INNER]) for first in inner]
        for place, column_tiles in enumerate(tiles):
            target = product_NK[start : start + count, place * _COLUMNS : (place + 1) * _COLUMNS]
            tile_sum = parts[0] @ column_tiles[0]
            for part, tile in zip(parts[1:], column_tiles[1:], strict=True):
                tile_sum += part @ tile
            target[:] = tile_sum[:count, : target.shape[1]]
    return product_NK


def _tile(columns_Dk: Float32[Array, "D k"]) -> Float32[Array, "D _"]:
    return np.ascontiguousarray(np.pad(columns_Dk, ((0, 0), (0, _COLUMNS - columns_Dk.shape[1]))))
