"""Blocks of rows, several at once: numpy leaves Python's lock while it computes."""
# N rows, n rows of a block

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from arfc.shapes import Array


def by_threads(apply: Callable[[Array], Array], rows_ND: Array, *, block_rows: int) -> Array:
    """Return what `apply` makes of blocks of rows, one after another; each block is computed by one thread."""
    starts = range(0, max(1, len(rows_ND)), block_rows)
    blocks = [rows_ND[start : start + block_rows] for start in starts]
    workers = min(thread_count(), len(blocks))
    if workers == 1:
        return np.concatenate([apply(block_nD) for block_nD in blocks])
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(apply, blocks)))


def thread_count() -> int:
    """Return the cores this process may use, or OMP_NUM_THREADS where that is set to fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else cores
