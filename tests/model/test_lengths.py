"""Lengths told by prefixes."""

import numpy as np
import pytest

from arfc.model.lengths import likely_lengths

ENERGY = np.linspace(1, 0.1, 24) ** 2


def prefixes(rng, *, spread, rows=20_000):
    unit = rng.standard_normal((rows, 24)) * ENERGY**0.5 / ENERGY.sum() ** 0.5
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    lengths = 3 * np.exp(spread * rng.standard_normal((rows, 1)))
    return (unit * lengths).astype(np.float32), lengths, np.square(unit).mean(0)


def test_rows_of_one_length_have_it_whatever_their_prefix(rng):
    x, _, energy = prefixes(rng, spread=0)
    for dims in (1, 7, 24):
        np.testing.assert_allclose(likely_lengths(x[:, :dims], energy, mean=3.0, spread=0.0), 3, rtol=1e-6)


def test_lengths_that_vary_a_lot_are_those_of_the_prefix(rng):
    x, _, energy = prefixes(rng, spread=1)
    found = likely_lengths(x[:, :12], energy, mean=5.0, spread=9.0)
    expected = np.linalg.norm(x[:, :12], axis=1, keepdims=True) / energy[:12].sum() ** 0.5
    np.testing.assert_allclose(found, expected, rtol=2e-2)


@pytest.mark.parametrize("spread", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("dims", [2, 8, 16])
def test_neither_guess_alone_is_better(rng, spread, dims):
    x, lengths, energy = prefixes(rng, spread=spread)
    mean = float(lengths.mean())

    def error(guess):
        return float(np.square(np.log(guess / lengths)).mean())

    both = error(likely_lengths(x[:, :dims], energy, mean=mean, spread=spread))
    assert both < 1.02 * error(np.full_like(lengths, mean))
    assert both < 1.02 * error(np.linalg.norm(x[:, :dims], axis=1, keepdims=True) / energy[:dims].sum() ** 0.5)


def test_a_prefix_of_zeros_has_a_length(rng):
    found = likely_lengths(np.zeros((2, 3), np.float32), ENERGY, mean=3.0, spread=0.5)
    assert np.isfinite(found).all() and (found >= 0).all()


@pytest.mark.parametrize("dims", [1, 5, 24])
def test_a_rows_length_depends_on_that_row_alone(rng, dims):
    x, _, energy = prefixes(rng, spread=1, rows=333)
    together = likely_lengths(x[:, :dims], energy, mean=3.0, spread=0.7)
    for place in (0, 100, 332):
        alone = likely_lengths(np.ascontiguousarray(x[place : place + 1, :dims]), energy, mean=3.0, spread=0.7)
        np.testing.assert_array_equal(alone, together[place : place + 1])
