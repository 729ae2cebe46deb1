"""PCA agrees with scikit-learn's on unit rows."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from arfc.baselines import Klt, Pca


@pytest.mark.parametrize("width", [24, 30, 37])
def test_pca_is_that_of_scikit_learn(width, clustered, unit):
    x = clustered(300, width)
    model, theirs = Pca.fit(x), PCA(svd_solver="full").fit(unit(x))
    small = model.compress(x, dims=9)
    np.testing.assert_allclose(model.mean, theirs.mean_, atol=1e-6)
    np.testing.assert_allclose(np.abs(small), np.abs(theirs.transform(unit(x))[:, :9]), atol=1e-4)
    nearest = PCA(9, svd_solver="full").fit(unit(x))
    np.testing.assert_allclose(
        model.decompress(small), nearest.inverse_transform(nearest.transform(unit(x))), atol=1e-4
    )


def test_pca_forgets_the_mean_and_the_klt_does_not(vectors, unit):
    x = (unit(vectors) + 3 * np.eye(24)[0]).astype(np.float32)
    small = Pca.fit(x).compress(x, dims=24)
    np.testing.assert_allclose(small.mean(axis=0), 0, atol=1e-5)
    assert np.linalg.norm(Klt.fit(x).compress(x, dims=24).mean(axis=0)) > 2
