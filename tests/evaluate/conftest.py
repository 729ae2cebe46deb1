"""One small fitted model, and rows it has and has not seen."""

import numpy as np
import pytest
import torch

from arfc import Compressor
from arfc.config import Config, ModelConfig
from arfc.scores import unit_rows
from arfc.training.fit import split
from arfc.training.rows import Rows

ROWS = 1300
CONFIG = Config(model=ModelConfig(tokens=4, channels=16, layers=1, heads=2))


def clustered(rng, rows):
    """(rows, 24) around 40 centres, which are the same ones for every seed."""
    centres = np.random.default_rng(0).standard_normal((40, 24))
    x = centres[rng.integers(40, size=rows)] + 0.5 * rng.standard_normal((rows, 24))
    return (x * np.linspace(2, 0.2, 24)).astype(np.float32)


@pytest.fixture(scope="session")
def x():
    """What the model was fitted on, its held-out rows included."""
    return clustered(np.random.default_rng(1), ROWS)


@pytest.fixture(scope="session")
def unseen():
    """More rows of the same kind."""
    return clustered(np.random.default_rng(2), 600)


@pytest.fixture(scope="session")
def parts(x):
    """How the fit of the model has split its rows."""
    return split(Rows(features=torch.from_numpy(unit_rows(x))), CONFIG, seed=0)


@pytest.fixture(scope="session")
def model(x):
    return Compressor.fit(x, steps=30, config=CONFIG)
