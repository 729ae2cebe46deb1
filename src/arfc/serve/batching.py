"""Requests that wait go through the encoder together, and none is kept waiting by a large one."""
# n inputs of a batch, K dims

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arfc.serve.errors import busy
from arfc.shapes import Array

MOST_RETRY_AFTER_S = 60
COMPUTE_THREAD = "arfc-compute"


def compute_thread() -> ThreadPoolExecutor:
    """Return the one thread in which a server loads its models and computes.

    Wherever torch computes in two threads of a process, each has a team of helpers, and these slow each other down: a
    text that takes 11 ms took 17 because the model had been loaded in another thread (docs/log.md).
    """
    return ThreadPoolExecutor(1, thread_name_prefix=COMPUTE_THREAD)


@dataclass(kw_only=True)
class _Job:
    """What one caller waits for."""

    inputs: Sequence[Any]
    dims: int
    done: asyncio.Future[Array]
    taken: int = 0
    """Inputs that are in a batch already."""
    blocks: list[Array] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """The part of a job that is in one batch."""

    job: _Job
    inputs: Sequence[Any]


class Batcher:
    """Apply a function of (inputs, dims) to what several callers wait for, one batch at a time, in one thread.

    A batch is whatever waits when the one before ends, so nobody waits for a batch to fill. It is made at the largest
    size that it holds, and each caller gets the beginning of its rows: a small vector is the beginning of a large one.
    A batch takes what it can of one caller before the next; the last one's rest goes to the end of the queue.
    """

    def __init__(
        self,
        apply: Callable[[list[Any], int], Array],
        *,
        batch_inputs: int,
        max_waiting: int,
        thread: ThreadPoolExecutor | None = None,
        watch: Callable[[int, float], None] | None = None,
    ) -> None:
        self._apply = apply
        self._batch_inputs = batch_inputs
        self._max_waiting = max_waiting
        self._watch = watch or (lambda inputs, seconds: None)
        self._jobs: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._input_s = 0.0
        self.thread = thread or compute_thread()
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0
        """Inputs that are in no batch yet."""

    async def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop after the batch that is under way; callers that still wait are given up."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        for job in self._jobs:
            job.done.cancel()
        self.thread.shutdown()

    async def submit(self, inputs: Sequence[Any], *, dims: int) -> Array:
        """Return the rows of some inputs, (n, dims).

        Raises: ApiError (429) when too many wait; what the function raises.
        """
        if self.waiting and self.waiting + len(inputs) > self._max_waiting:
            raise busy(min(MOST_RETRY_AFTER_S, max(1, math.ceil(self.waiting * self._input_s))))
        job = _Job(inputs=inputs, dims=dims, done=asyncio.get_running_loop().create_future())
        self.waiting += len(inputs)
        self._jobs.append(job)
        self._wake.set()
        return await job.done

    async def _run(self) -> None:
        while not self._closing:
            pieces = self._take()
            if pieces:
                await self._batch(pieces)
                last = pieces[-1].job
                if last.taken < len(last.inputs):  # behind those that came meanwhile
                    self._jobs.append(last)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _take(self) -> list[_Piece]:
        """Take the next batch out of the queue."""
        pieces, room = [], self._batch_inputs
        while room and self._jobs:
            job = self._jobs.popleft()
            rest = len(job.inputs) - job.taken
            if job.done.done():  # given up, or failed in an earlier batch
                self.waiting -= rest
                continue
            count = min(room, rest)
            pieces.append(_Piece(job=job, inputs=job.inputs[job.taken : job.taken + count]))
            job.taken += count
            self.waiting -= count
            room -= count
        return pieces

    async def _batch(self, pieces: list[_Piece]) -> None:
        inputs = [one for piece in pieces for one in piece.inputs]
        dims = max(piece.job.dims for piece in pieces)
        started = time.perf_counter()
        try:
            rows_nK = await asyncio.get_running_loop().run_in_executor(self.thread, self._apply, inputs, dims)
        except Exception as error:
            if len(pieces) > 1:  # one that fails must not take its neighbours along
                for piece in pieces:
                    await self._batch([piece])
            elif not pieces[0].job.done.done():
                pieces[0].job.done.set_exception(error)
            return
        seconds = time.perf_counter() - started
        self._input_s = seconds / len(inputs)
        self._watch(len(inputs), seconds)
        start = 0
        for piece in pieces:
            self._hand_over(piece.job, rows_nK[start : start + len(piece.inputs)])
            start += len(piece.inputs)

    def _hand_over(self, job: _Job, rows_nK: Array) -> None:
        job.blocks.append(rows_nK[:, : job.dims])
        if sum(map(len, job.blocks)) == len(job.inputs) and not job.done.done():
            job.done.set_result(np.concatenate(job.blocks))
