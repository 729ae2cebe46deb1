"""A row's result depends on that row alone."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arfc.model import steady
from arfc.model.steady import BLOCK_ROWS, by_blocks, product


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40)
@given(rows=st.integers(1, 300), inner=st.integers(1, 400), columns=st.integers(1, 70))
def test_product_is_the_product(rows, inner, columns):
    a, b = drawn(rows, inner), drawn(inner, columns, seed=1)
    result = product(a, b)
    assert result.shape == (rows, columns)
    np.testing.assert_allclose(result, a.double() @ b.double(), atol=1e-4)


@settings(max_examples=60)
@given(inner=st.integers(1, 400), columns=st.integers(1, 70), first=st.integers(0, 9), seed=st.integers(0, 9))
def test_a_product_rounds_a_row_alike_wherever_it_stands(inner, columns, first, seed):
    wide = drawn(inner, columns + 9, seed=1)
    matrix = wide[:, first : first + columns]  # a piece of a larger matrix, as a token's columns are
    x = drawn(BLOCK_ROWS, inner).numpy()
    order = np.random.default_rng(seed).permutation(BLOCK_ROWS)
    one, other = (by_blocks(lambda rows: product(rows, matrix), v) for v in (x, x[order]))
    np.testing.assert_array_equal(one[order], other)


def test_gradients_pass_a_product():
    a, b = drawn(4, 5).requires_grad_(), drawn(5, 7).requires_grad_()
    product(a, b).sum().backward()
    np.testing.assert_allclose(b.grad, a.detach().sum(0)[:, None].expand(5, 7), rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 700])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_blocks_come_back_in_order_and_without_their_padding(rows, threads):
    torch.set_num_threads(threads)
    heights = []

    def apply(block):
        heights.append(len(block))
        assert torch.get_num_threads() == 1 and not torch.is_grad_enabled()
        return 2 * block[:, :3]

    x = drawn(rows, 4).numpy()
    np.testing.assert_array_equal(by_blocks(apply, x), 2 * x[:, :3])
    assert heights == [BLOCK_ROWS] * -(-rows // BLOCK_ROWS)
    assert torch.get_num_threads() == threads


def test_threads_are_given_back_after_an_error():
    torch.set_num_threads(3)

    def fails(block):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        by_blocks(fails, drawn(600, 4).numpy())
    assert torch.get_num_threads() == 3
    assert not steady._ALONE.locked()


def test_callers_at_the_same_time_wait_for_each_other():
    torch.set_num_threads(2)
    inside, most, results = [], [], {}

    def work(name):
        def apply(block):
            inside.append(name)
            most.append(len(set(inside)))
            total = block.sum(1, keepdim=True)
            inside.remove(name)
            return total

        results[name] = by_blocks(apply, drawn(2000, 8, seed=name).numpy())

    workers = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert max(most) == 1
    assert torch.get_num_threads() == 2
    for name in range(4):
        np.testing.assert_allclose(results[name], drawn(2000, 8, seed=name).sum(1, keepdim=True), atol=1e-4)
