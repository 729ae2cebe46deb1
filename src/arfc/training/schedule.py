"""Progressive compression training: which prefix lengths a step scores."""

from __future__ import annotations

import math

import numpy as np

from arfc.config import TrainConfig


def sample_dims(rng: np.random.Generator, config: TrainConfig, *, width: int, progress: float) -> list[int]:
    """Return `sizes_per_step` prefix lengths in 1..width for a step at `progress` (0 first step, 1 last).

    The beta law's parameters move on a straight line from mild to strong, which makes short prefixes likelier.

    Source: arXiv 2602.11494, progressive compression training; the paper sets its beta parameters by hand and ours are
    our choice (docs/log.md).
    """
    if config.size_law == "fixed":
        return [min(config.fixed_dims, width)]
    if config.size_law == "uniform":
        shares = rng.uniform(size=config.sizes_per_step)
    else:
        mild, strong = config.size_beta_mild, config.size_beta_strong
        a, b = ((1 - progress) * m + progress * s for m, s in zip(mild, strong, strict=True))
        shares = rng.beta(a, b, size=config.sizes_per_step)
    return [min(width, max(1, math.ceil(share * width))) for share in shares]


def learning_rate(peak: float, progress: float, *, warmup: float = 0.02, floor: float = 0.01) -> float:
    """Return the rate at `progress`: a short linear warm-up, then half a cosine down to `floor` of the peak."""
    if progress < warmup:
        return peak * (progress + 1e-3) / (warmup + 1e-3)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))))
