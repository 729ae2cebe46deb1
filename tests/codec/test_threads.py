"""Blocks of rows, by threads: the whole comes back in order, whatever the number of threads."""

import threading

import numpy as np
import pytest

from arfc.codec.threads import by_threads, thread_count


@pytest.mark.parametrize("threads", ["1", "3"])
def test_rows_come_back_in_order_and_blocks_are_no_larger_than_asked(monkeypatch, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    rows = np.arange(50, dtype=np.float32).reshape(25, 2)
    seen = []

    def twice(block):
        seen.append((len(block), threading.current_thread() is threading.main_thread()))
        return 2 * block

    np.testing.assert_array_equal(by_threads(twice, rows, block_rows=4), 2 * rows)
    assert sorted(count for count, _ in seen) == [1, 4, 4, 4, 4, 4, 4]
    assert {in_main for _, in_main in seen} == {threads == "1"}


def test_no_rows_are_one_empty_block():
    assert by_threads(lambda block: block[:, :3], np.empty((0, 5)), block_rows=4).shape == (0, 3)


def test_an_error_in_a_block_reaches_the_caller(monkeypatch):
    monkeypatch.setattr("arfc.codec.threads.thread_count", lambda: 2)

    def refuse(block):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        by_threads(refuse, np.zeros((9, 1)), block_rows=4)


@pytest.mark.parametrize(("wanted", "count"), [("", 4), ("2", 2), ("9", 4), ("0", 4), ("many", 4)])
def test_the_environment_lowers_the_number_of_threads(monkeypatch, wanted, count):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert thread_count() == count
