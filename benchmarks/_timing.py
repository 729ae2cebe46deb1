"""Time contestants in turns, so that a busy moment strikes all of them; and the bare cost of their matrix products."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = ("aten.mm.default", "aten.addmm.default", "aten.bmm.default")


class Timing(NamedTuple):
    """Seconds of one call: the median of the repeats, and their range."""

    median_s: float
    least_s: float
    most_s: float


def in_turns(contestants: Mapping[str, Callable[[], Any]], *, repeats: int = 5) -> dict[str, Timing]:
    """Run each once unmeasured, then all of them in turn, `repeats` times."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    for _ in range(repeats):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - started)
    return {name: Timing(float(np.median(t)), min(t), max(t)) for name, t in taken.items()}


def rate(timing: Timing, rows: int) -> dict[str, float]:
    """Return rows per second, median and range."""
    return {
        "per_s": round(rows / timing.median_s),
        "least": round(rows / timing.most_s),
        "most": round(rows / timing.least_s),
    }


class _Shapes(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.products: Counter[tuple[torch.Size, torch.Size, torch.dtype]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) in PRODUCTS:
            first, second = args[-2:]
            self.products[first.shape, second.shape, first.dtype] += 1
        return func(*args, **(kwargs or {}))


def bare_products(run: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that does the matrix products of `run`, of the same shapes and types, and nothing else."""
    with torch.no_grad(), _Shapes() as seen:
        run()
    ready = [
        (torch.ones(first, dtype=dtype), torch.ones(second, dtype=dtype), count)
        for (first, second, dtype), count in seen.products.items()
    ]

    def products() -> None:
        with torch.no_grad():
            for first, second, count in ready:
                for _ in range(count):
                    first @ second

    return products


def fitted_exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return b of time = a * size ** b, by least squares of the logarithms."""
    return round(float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]), 2)
