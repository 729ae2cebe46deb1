"""The progress bar of a fit: phase, time left, loss, validation score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Never

from tqdm import tqdm

from arfc.training.loop import Progress

PHASES = {
    "linear": "1/4 linear map",
    "free": "1/4 free map  ",
    "arc": "2/4 ARC + MoS ",
    "decoder": "3/4 decoder   ",
    "codes": "4/4 byte codes",
}


@contextmanager
def reporter(progress: bool | Callable[[Progress], None] | None) -> Iterator[Callable[[Progress], None]]:
    """Give the function a fit reports to: the caller's own, a bar on standard error, or silence.

    None shows the bar on a terminal and is quiet in a pipe.
    """
    if callable(progress):
        yield progress
        return
    bars: dict[str, tqdm[Never]] = {}

    def show(now: Progress) -> None:
        if now.phase not in bars:
            for bar in bars.values():
                bar.close()
            bars[now.phase] = tqdm(
                total=now.steps,
                initial=now.step - 1,
                desc=PHASES.get(now.phase, now.phase),
                unit="step",
                disable=None if progress is None else not progress,
                bar_format="{desc} {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt}{postfix}",
            )
        bar = bars[now.phase]
        left = tqdm.format_interval(now.left_s)
        loss = "" if math.isnan(now.loss) else f", loss {now.loss:.3f}, validation {now.score:.4f}"
        bar.set_postfix_str(f"{left} left{loss}", refresh=False)
        bar.update(now.step - bar.n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()
