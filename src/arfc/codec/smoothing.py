"""More rows from few, for what would else know them by heart."""
# N rows, K dims

from __future__ import annotations

import numpy as np

from arfc.shapes import Array, Float32

ROWS = 2_000
"""Rows that levels need: of up to 256 cells per dim, narrow ones know just the rows that they were cut between."""


def filled_up(values_NK: Float32[Array, "N K"], *, rows: int = ROWS) -> Float32[Array, "_ K"]:
    """Return the rows as they are or, where they are fewer than `rows`, several copies of each with Gaussian noise.

    The noise is the same whenever the rows are.

    Source: smoothed bootstrap (Efron, 1979); the width sigma n^(-1/5) is that of Silverman (1986) without his factor.
    """
    copies = -(-rows // len(values_NK))
    if copies == 1:
        return values_NK
    noise = np.random.default_rng(0).standard_normal((copies, *values_NK.shape), dtype=np.float32)
    width_K = values_NK.std(axis=0) * np.float32(len(values_NK) ** -0.2)
    filled: Array = (values_NK + width_K * noise).reshape(-1, values_NK.shape[1])
    return filled
