"""Unit rows, whatever else is in the batch; and work that is too small to be handed over."""

import asyncio
import threading

import numpy as np
import pytest

from arfc.serve.encoder import SMALL, aside, unit
from arfc.serve.errors import ApiError


def test_rows_have_length_one_and_depend_on_nothing_else(vectors):
    for dims in (1, 7, 24):
        rows = unit(vectors[:, :dims])
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
        assert np.array_equal(rows[3:5], unit(vectors[3:5, :dims]))


def test_a_row_without_direction_is_refused():
    rows = np.ones((3, 4), dtype=np.float32)
    rows[1] = 0
    with pytest.raises(ApiError, match="the vector of input 1 is zero in its first 4 dims; ask for more") as refused:
        unit(rows)
    assert (refused.value.status, refused.value.code) == (500, "zero_vector")


def test_what_would_hold_up_the_event_loop_runs_beside_it():
    async def main():
        return [await aside(threading.current_thread, cost=cost) for cost in (SMALL - 1, SMALL)]

    here, elsewhere = asyncio.run(main())
    assert here is threading.main_thread()
    assert elsewhere is not here
