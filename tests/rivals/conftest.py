"""Rows, and fits that take a moment."""

import numpy as np
import pytest

from arfc.rivals import RIVALS, autoencoder, linear, mlp, qformer
from arfc.rivals.fitting import set_up


@pytest.fixture(scope="module", autouse=True)
def small_and_fast():
    """Small nets, and rates at which a few dozen steps get somewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qformer, "CHANNELS", 16)
        for module in (mlp, autoencoder, qformer):
            patch.setattr(module, "HIDDEN", 32)
        for module in (linear, mlp, autoencoder, qformer):
            patch.setattr(module, "RATE", 1e-2)
        yield


@pytest.fixture(scope="session")
def fit_rival(tiny_config):
    """A function that fits a rival by name with few steps; a size is passed on to those that need one."""

    def build(name, x, *, dims=8, steps=8, seed=0, pairs=None, labels=None, **train):
        entry = RIVALS[name]
        size = {"dims": dims} if entry.per_size else {}
        config = tiny_config(**train)
        return entry.fit(x, pairs=pairs, labels=labels, seed=seed, steps=steps, config=config, **size)

    return build


@pytest.fixture(scope="session")
def fitted(fit_rival, small_rows):
    """A function of a rival's name: it, fitted on the small rows for 5 dims. Shared: don't write to it."""
    made = {}

    def build(name):
        if name not in made:
            made[name] = fit_rival(name, small_rows, dims=5)
        return made[name]

    return build


@pytest.fixture
def make_setup(tiny_config, nested):
    """A function that sets up nested rows, with partners or labels on demand."""

    def build(*, rows=600, pairs=False, labels=False, **train):
        x = nested(rows)
        partners = x + 0.05 * x[::-1] if pairs else None
        return set_up(x, partners, np.arange(rows) % 3 if labels else None, tiny_config(**train), seed=0)

    return build
