"""Prefix lengths move from mild to strong; the rate warms up and cools down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arfc.config import TrainConfig
from arfc.training.schedule import learning_rate, sample_dims


def shares(config, progress, *, width=1000, draws=500):
    rng = np.random.default_rng(0)
    return np.mean([sample_dims(rng, config, width=width, progress=progress) for _ in range(draws)]) / width


def test_beta_law_moves_from_mild_to_strong():
    config = TrainConfig(size_beta_mild=(3.0, 1.0), size_beta_strong=(1.0, 4.0))
    means = [shares(config, progress) for progress in np.linspace(0, 1, 5)]
    # The mean of a beta law is a / (a + b); the parameters move on a straight line.
    np.testing.assert_allclose(means, [3 / 4, 2.5 / 4.25, 2 / 4.5, 1.5 / 4.75, 1 / 5], atol=0.02)


def test_default_law_ends_stronger_than_it_begins():
    first, middle, last = (shares(TrainConfig(), progress) for progress in (0.0, 0.5, 1.0))
    assert last < middle < first
    assert (first, last) == (pytest.approx(1 / 3, rel=0.05), pytest.approx(1 / 5, rel=0.1))


def test_uniform_law_does_not_move():
    config = TrainConfig(size_law="uniform")
    assert shares(config, 0.0) == shares(config, 1.0) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("progress", [0.0, 0.7, 1.0])
def test_fixed_law_is_fixed(progress):
    config = TrainConfig(size_law="fixed", fixed_dims=7)
    assert sample_dims(np.random.default_rng(0), config, width=100, progress=progress) == [7]
    assert sample_dims(np.random.default_rng(0), config, width=5, progress=progress) == [5]


@given(
    width=st.integers(1, 2000),
    progress=st.floats(0, 1),
    law=st.sampled_from(["beta", "uniform"]),
    count=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_sizes_are_valid_and_repeat(width, progress, law, count, seed):
    config = TrainConfig(size_law=law, sizes_per_step=count, size_beta_strong=(0.05, 5.0))
    one, other = (sample_dims(np.random.default_rng(seed), config, width=width, progress=progress) for _ in range(2))
    assert one == other
    assert len(one) == count
    assert all(isinstance(dims, int) and 1 <= dims <= width for dims in one)


def test_rate_warms_up_then_cools_to_its_floor():
    rates = [learning_rate(0.01, progress) for progress in np.linspace(0, 1, 201)]
    top = int(np.argmax(rates))
    assert 0 < rates[0] < 0.001
    assert rates[top] == pytest.approx(0.01, rel=1e-3) and top == 4  # at 2 % of the way
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.0001)
