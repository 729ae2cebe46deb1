"""What the tests of byte codes share."""

import numpy as np
import pytest

from arfc.scores import recall_at_k
from arfc.search import exact_search


@pytest.fixture(scope="session")
def unit():
    """A function of rows: they, divided by their lengths in float64."""
    return lambda x: x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)


@pytest.fixture(scope="session")
def recall():
    """A function of what queries ask with, what is stored, and the originals of both: recall@10."""

    def measure(asked, stored, queries, rows):
        truth, _ = exact_search(queries, rows, k=10)
        found, _ = exact_search(asked, stored, k=10)
        return recall_at_k(truth, found).mean()

    return measure


@pytest.fixture(scope="session")
def split(clustered):
    """A function of width: 2,000 rows to fit on, 100 queries and 900 rows to search, of one clustered set."""

    def build(width):
        x = clustered(3000, width, centres=300, spread=0.5)
        return x[:2000], x[2000:2100], x[2100:]

    return build
