"""Timings are taken in turns; bare products repeat those that a call made."""

import numpy as np
import pytest
import torch

from _timing import Timing, bare_products, fitted_exponent, in_turns, rate


def test_contestants_take_turns_after_one_run_each():
    heard = []
    timings = in_turns({name: lambda name=name: heard.append(name) for name in "ab"}, repeats=3)
    assert "".join(heard) == "ab" + 3 * "ab"
    assert all(0 <= t.least_s <= t.median_s <= t.most_s for t in timings.values())


def test_a_rate_is_rows_by_seconds():
    assert rate(Timing(0.5, 0.25, 1.0), 100) == {"per_s": 200, "least": 100, "most": 400}


def test_bare_products_are_those_of_the_call(monkeypatch):
    layer, x = torch.nn.Linear(5, 7), torch.ones(3, 5)
    bare = bare_products(lambda: (layer(x), x @ torch.ones(5, 2), torch.ones(4, 3, 5) @ torch.ones(4, 5, 6)))
    made = []
    multiply = torch.Tensor.__matmul__
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: made.append((*a.shape, *b.shape)) or multiply(a, b))
    bare()
    assert sorted(made) == [(3, 5, 5, 2), (3, 5, 5, 7), (4, 3, 5, 4, 5, 6)]


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_an_exponent_is_found_again(exponent):
    sizes = [1, 2, 4, 8]
    assert fitted_exponent(sizes, (3 * np.array(sizes) ** exponent).tolist()) == pytest.approx(exponent, abs=0.01)
