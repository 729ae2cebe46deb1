"""What makes a row's result depend on that row alone: blocks of one height, one thread each, no narrow products."""
# N rows, n rows of a block, K dims in, M dims out

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch.nn import functional

from arfc.shapes import Array, Tensor

BLOCK_ROWS = 256
"""Rows go through a function in blocks of exactly so many, the last one padded: a matrix product rounds by its shape,
and so no row's result depends on how many came with it."""
COLUMNS = 16
"""Columns of a product are a multiple of this: in narrower ones the rounding depends on where a row stands (MKL: 5 to 7
and 9 to 11 columns)."""
_ALONE = threading.Lock()
"""Held while torch's number of threads, which the whole process shares, is set to one."""


def widen(matrix_KM: Tensor) -> Tensor:
    """Return the matrix with columns of zeros up to a multiple of `COLUMNS`, ready for a product that is cut back."""
    return functional.pad(matrix_KM, (0, -matrix_KM.shape[-1] % COLUMNS)).contiguous()


def product(rows_NK: Tensor, matrix_KM: Tensor) -> Tensor:
    """Return rows @ matrix, each row rounded alike wherever it stands."""
    return (rows_NK @ widen(matrix_KM))[..., : matrix_KM.shape[-1]]


def by_blocks(apply: Callable[[Tensor], Tensor], rows_NK: Array, *, block_rows: int = BLOCK_ROWS) -> Array:
    """Apply a function to float32 rows in blocks of `block_rows`, the last one padded with its own last row.

    Each block is computed by one thread, since threads split sums and so change their rounding; as many blocks as torch
    has threads run at the same time.
    """

    def run(start: int) -> Array:
        block_nK = rows_NK[start : start + block_rows]
        padded = np.pad(block_nK, ((0, block_rows - len(block_nK)), (0, 0)), mode="edge")
        with torch.no_grad():  # holds for the thread it is called in
            return apply(torch.from_numpy(padded)).numpy()[: len(block_nK)]

    starts = range(0, len(rows_NK), block_rows)
    with _ALONE:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            workers = min(threads, len(starts))
            if workers <= 1:
                return np.concatenate([run(start) for start in starts])
            with ThreadPoolExecutor(workers) as pool:
                return np.concatenate(list(pool.map(run, starts)))
        finally:
            torch.set_num_threads(threads)
