"""The table both demos print: how many of the true ten neighbours each method finds, at equal bytes.

Letters: N rows, Q queries, D feature dims, K neighbours.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from arfc.baselines import Int8, Klt, KltCodec, Truncation
from arfc.scores import recall_at_k
from arfc.search import exact_search
from arfc.sizes import byte_ladder, float_ladder

K = 10
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Line:
    """Recall of every method at one size."""

    size: str
    bytes_per_vector: int
    recall: dict[str, float]
    """Mean recall@10 of arfc first, then of each baseline."""

    @property
    def gain(self) -> float:
        """Points of recall that arfc is ahead of the best baseline; negative when it is behind."""
        ours, *others = self.recall.values()
        return 100 * (ours - max(others))


def compare(model: Any, *, fit_ND: np.ndarray, queries_QD: np.ndarray, rows_ND: np.ndarray) -> list[Line]:
    """Score arfc, KLT and truncation, as float32 and as byte codes, against exact search on the originals.

    `model` is a Compressor fitted on `fit_ND`, and so are the baselines; nothing was fitted on queries and rows.
    """
    width = fit_ND.shape[1]
    truth_QK, _ = exact_search(queries_QD, rows_ND, k=K)

    def floats(method: Any) -> Callable[[int], np.ndarray]:
        return lambda dims: exact_search(
            method.compress(queries_QD, dims=dims), method.compress(rows_ND, dims=dims), k=K
        )[0]

    def codes(method: Any) -> Callable[[int], np.ndarray]:
        projected = method.project(queries_QD)
        return lambda size: exact_search(projected, method.compress(rows_ND, bytes=size), k=K)[0]

    def lines(
        searches: dict[str, Callable[[int], np.ndarray]], sizes: tuple[int, ...], unit: str, unit_bytes: int
    ) -> list[Line]:
        return [
            Line(
                size=f"{size} {unit}",
                bytes_per_vector=size * unit_bytes,
                recall={name: float(recall_at_k(truth_QK, search(size)).mean()) for name, search in searches.items()},
            )
            for size in sizes
        ]

    by_dims = {
        "arfc": floats(model),
        "KLT": floats(Klt.fit(fit_ND)),
        "truncation": floats(Truncation.fit(fit_ND)),
    }
    by_bytes = {
        "arfc": lambda size: model.search(queries_QD, model.compress(rows_ND, bytes=size), k=K)[0],
        "KLT": codes(KltCodec.fit(fit_ND)),
        "truncation": codes(Int8.fit(fit_ND)),
    }
    return [
        *lines(by_dims, float_ladder(width), "dims float32", FLOAT_BYTES),
        *lines(by_bytes, byte_ladder(width, width), "byte code", 1),
    ]


def format_lines(lines: list[Line]) -> str:
    """Lay the lines out as a table, one size per line, with the gain over the best baseline in points."""
    names = list(lines[0].recall)
    rows = [f"{'size':>17} {'bytes':>7} " + "".join(f"{name:>12}" for name in names) + f"{'gain':>9}"]
    rows.append("-" * len(rows[0]))
    for line in lines:
        recalls = "".join(f"{value:>12.3f}" for value in line.recall.values())
        rows.append(f"{line.size:>17} {line.bytes_per_vector:>7,} {recalls}{line.gain:>+9.1f}")
    return "\n".join(rows)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what begins, and how long it took when it ends."""
    print(f"\n{what} ...", flush=True)
    started = time.perf_counter()
    yield
    print(f"    {time.perf_counter() - started:.1f} s", flush=True)
