"""Made rows for codebooks."""

import numpy as np
import pytest


@pytest.fixture(scope="package")
def sums():
    """(4400, 40) rows, each the sum of one of 40 points from each of three sets, and a little noise.

    The three sets are alike in size, so codebooks that are made one after another cannot find them.
    """
    rng = np.random.default_rng(4)
    parts = rng.standard_normal((3, 40, 40)) * np.geomspace(1, 0.4, 40)
    picked = rng.integers(40, size=(3, 4400))
    noise = 0.1 * rng.standard_normal((4400, 40))
    return (sum(part[one] for part, one in zip(parts, picked, strict=True)) + noise).astype(np.float32)
