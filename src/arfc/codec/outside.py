"""What other rows have that a sample lacks: energy outside of the span of fewer rows than dims."""
# N rows, M of them whose span is taken, H others, K dims

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arfc.shapes import Array, Float32, Float64

_HELD_OUT_SHARE = 0.2


def energy_outside(unit_NK: Float32[Array, "N K"], rng: np.random.Generator) -> float:
    """Return the mean energy of a row outside of the span of others, N rows against N - N / 5 of them; 0 for one row.

    That is a little more than a new row has outside of the span of all.
    """
    order_N = rng.permutation(len(unit_NK))
    held_out = max(1, int(_HELD_OUT_SHARE * len(order_N)))
    if held_out == len(order_N):
        return 0.0
    span_KM = np.linalg.qr(unit_NK[order_N[held_out:]].T.astype(np.float64)).Q
    held_HK = unit_NK[order_N[:held_out]].astype(np.float64)
    outside: Float64[Array, " H"] = np.square(held_HK).sum(axis=1) - np.square(held_HK @ span_KM).sum(axis=1)
    return max(0.0, float(outside.mean()))


def filled_outside(
    samples: Sequence[Float32[Array, "_ K"]], *, unit_NK: Float32[Array, "N K"], rng: np.random.Generator
) -> tuple[float, list[Float32[Array, "_ K"]]]:
    """Return the mean square of other rows per dim outside of the span of N rows, and the samples with noise for it.

    The basis is that of the rows: they have nothing in the dims after the first N.
    """
    spanned, width = unit_NK.shape
    energy = energy_outside(unit_NK, rng)
    filled = [with_outside(rows, spanned=spanned, energy=energy, rng=rng) for rows in samples]
    return energy / (width - spanned), filled


def with_outside(
    values_NK: Float32[Array, "N K"], *, spanned: int, energy: float, rng: np.random.Generator
) -> Float32[Array, "N K"]:
    """Return the rows with noise of that energy in the dims after the `spanned` first, where they have nothing."""
    filled_NK = values_NK.copy()
    rest_NK = filled_NK[:, spanned:]
    rest_NK += rng.standard_normal(rest_NK.shape, dtype=np.float32) * np.float32(np.sqrt(energy / rest_NK.shape[1]))
    return filled_NK
