"""What waits goes together, nobody is mixed up or held up, and what is too much is refused."""

import asyncio
import threading

import numpy as np
import pytest

from arfc.serve.batching import Batcher
from arfc.serve.errors import ApiError


def rows(inputs, dims):
    """Input i is the row i, i + 1, i + 2, ..."""
    return np.array([[one + place for place in range(dims)] for one in inputs], dtype=np.float32)


class Held:
    """Applies `rows` once it is let go, and remembers the batches."""

    def __init__(self):
        self.batches = []
        self.let_go = threading.Event()

    def __call__(self, inputs, dims):
        self.batches.append((list(inputs), dims))
        assert self.let_go.wait(10)
        return rows(inputs, dims)


def with_batcher(apply, use, **limits):
    """Run `use(batcher)` in a loop of its own."""

    async def main():
        batcher = Batcher(apply, **({"batch_inputs": 4, "max_waiting": 100} | limits))
        await batcher.start()
        try:
            return await use(batcher)
        finally:
            await batcher.close()

    return asyncio.run(main())


async def under_way(batcher, held, *jobs):
    """Submit jobs one after another, the first of which is in a batch before the others come."""
    tasks = []
    for inputs, dims in jobs:
        tasks.append(asyncio.create_task(batcher.submit(inputs, dims=dims)))
        while not held.batches:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
    return tasks


def test_what_waits_goes_together_at_the_largest_size_asked_for():
    held = Held()

    async def use(batcher):
        tasks = await under_way(batcher, held, ([0], 2), ([10, 20], 3), ([30], 5))
        assert batcher.waiting == 3
        held.let_go.set()
        return await asyncio.gather(*tasks)

    first, second, third = with_batcher(held, use)
    assert held.batches == [([0], 2), ([10, 20, 30], 5)]
    np.testing.assert_array_equal(first, rows([0], 2))
    np.testing.assert_array_equal(second, rows([10, 20], 3))
    np.testing.assert_array_equal(third, rows([30], 5))


def test_a_large_request_lets_small_ones_in_between():
    held = Held()

    async def use(batcher):
        tasks = await under_way(batcher, held, (range(10), 1), ([100], 1), ([200], 1))
        held.let_go.set()
        return await asyncio.gather(*tasks)

    large, *small = with_batcher(held, use)
    assert [inputs for inputs, _ in held.batches] == [[0, 1, 2, 3], [100, 200, 4, 5], [6, 7, 8, 9]]
    np.testing.assert_array_equal(large, rows(range(10), 1))
    assert [one.item() for one in small] == [100, 200]


def test_more_than_may_wait_is_refused_with_a_time_to_come_back():
    held = Held()

    async def use(batcher):
        tasks = await under_way(batcher, held, ([0], 1), ([1, 2], 1))
        with pytest.raises(ApiError) as refused:
            await batcher.submit([3, 4], dims=1)
        tasks += await under_way(batcher, held, ([5], 1))
        held.let_go.set()
        await asyncio.gather(*tasks)
        assert batcher.waiting == 0
        return refused.value

    error = with_batcher(held, use, max_waiting=3)
    assert (error.status, error.code, error.headers) == (429, "rate_limit_exceeded", {"Retry-After": "1"})


def test_the_time_to_come_back_follows_the_speed():
    async def use(batcher):
        batcher._input_s = 0.5
        held.let_go.clear()
        tasks = await under_way(batcher, held, ([0], 1), (range(9), 1))
        with pytest.raises(ApiError, match="try again in 5 s"):
            await batcher.submit([3, 4], dims=1)
        held.let_go.set()
        await asyncio.gather(*tasks)

    held = Held()
    with_batcher(held, use, max_waiting=10)


def test_one_that_is_larger_than_the_queue_is_taken_when_nothing_waits():
    result = with_batcher(rows, lambda batcher: batcher.submit(range(9), dims=2), max_waiting=5)
    np.testing.assert_array_equal(result, rows(range(9), 2))


def test_a_failure_stays_with_the_one_who_caused_it():
    held = Held()

    def apply(inputs, dims):
        held(inputs, dims)
        if 13 in inputs:
            raise ValueError("thirteen")
        return rows(inputs, dims)

    async def use(batcher):
        tasks = await under_way(batcher, held, ([0], 1), ([1], 1), ([13, 14, 15, 16, 17], 1), ([2], 1))
        held.let_go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, bad, last = with_batcher(apply, use)
    assert (first.item(), second.item(), last.item()) == (0, 1, 2)
    assert isinstance(bad, ValueError)


def test_who_has_given_up_is_not_computed():
    held = Held()

    async def use(batcher):
        tasks = await under_way(batcher, held, ([0], 1), ([1], 1), ([2], 1))
        tasks[1].cancel()
        held.let_go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert batcher.waiting == 0

    with_batcher(held, use)
    assert [inputs for inputs, _ in held.batches] == [[0], [2]]


def test_closing_gives_up_who_still_waits():
    held = Held()

    async def main():
        batcher = Batcher(held, batch_inputs=1, max_waiting=10)
        await batcher.start()
        tasks = await under_way(batcher, held, ([0], 1), ([1], 1))
        held.let_go.set()
        await batcher.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(main())
    np.testing.assert_array_equal(found[0], rows([0], 1))
    assert isinstance(found[1], asyncio.CancelledError)
    assert len(held.batches) == 1


def test_batches_are_watched():
    seen = []
    with_batcher(rows, lambda batcher: batcher.submit(range(6), dims=1), watch=lambda *what: seen.append(what))
    assert [inputs for inputs, _ in seen] == [4, 2]
    assert all(seconds > 0 for _, seconds in seen)
