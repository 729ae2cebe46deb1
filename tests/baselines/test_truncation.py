"""Truncation keeps the first dims as they are."""

import numpy as np
import pytest

from arfc.baselines import Truncation
from arfc.errors import ShapeError


@pytest.mark.parametrize("width", [24, 30, 37])
def test_truncation_keeps_the_first_dims(width, clustered):
    x = clustered(20, width)
    model = Truncation.fit(x)
    np.testing.assert_array_equal(model.compress(x, dims=5), x[:, :5])
    np.testing.assert_array_equal(model.rotate(x, dims=5), x[:, :5])
    back = model.decompress(x[:, :5])
    np.testing.assert_array_equal(back[:, :5], x[:, :5])
    np.testing.assert_array_equal(back[:, 5:], 0)


def test_wider_vectors_do_not_decompress(vectors):
    with pytest.raises(ShapeError, match=r"shape \(N, 1..24\), got \(200, 48\)"):
        Truncation.fit(vectors).decompress(np.tile(vectors, 2))
