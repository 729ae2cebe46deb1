"""The table both demos print: how many of the true ten neighbours each method finds, at equal bytes.

Letters: N rows, Q queries, M queries and rows, D feature dims.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from arfc.baselines import CATALOGUE, Int8, Klt, Truncation
from arfc.evaluate import NeighbourFidelity, measure
from arfc.evaluate.methods import Method, of_codes, of_floats
from arfc.sizes import byte_ladder, float_ladder


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
    ladders = {"dims": float_ladder(width), "bytes": byte_ladder(width, width)}

    def floats(baseline: Any) -> Method:
        return of_floats(partial(baseline.compress, dims=width))

    def codes(baseline: Any) -> Method:
        return of_codes(baseline.project, partial(baseline.compress, bytes=ladders["bytes"][-1]))

    methods = {
        "dims": {
            "arfc": floats(model),
            "KLT": floats(Klt.fit(fit_ND)),
            "truncation": floats(Truncation.fit(fit_ND)),
        },
        "bytes": {
            "arfc": of_codes(partial(model.compress, dims=width), partial(model.compress, bytes=ladders["bytes"][-1])),
            "KLT": codes(CATALOGUE["klt + bits"].fit(fit_ND, size=width, seed=0)),
            "truncation": codes(Int8.fit(fit_ND)),
        },
    }
    all_MD = np.concatenate([queries_QD, rows_ND])
    asks_Q, answers_N = np.split(np.arange(len(all_MD)), [len(queries_QD)])
    task = NeighbourFidelity(rows={"rows": all_MD}, asks=asks_Q, answers=answers_N)
    table = measure([task], methods, ladders)[0][0]
    return [
        Line(
            size=f"{row['dims']} dims float32" if "dims" in row else f"{row['bytes']} byte code",
            bytes_per_vector=row["bytes"],
            recall={name: row[name]["score"] for name in methods["dims"]},
        )
        for row in [*table["floats"], *table["bytes"]]
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
