"""A random rotation keeps cosines whole, and on average when cut."""

import numpy as np

from arfc.baselines import RandomRotation


def test_full_width_keeps_all_products(vectors):
    small = RandomRotation.fit(vectors).compress(vectors, dims=24)
    np.testing.assert_allclose(small @ small.T, vectors @ vectors.T, atol=1e-3)


def test_every_dim_keeps_its_share_of_the_length(clustered):
    x = clustered(4, 37)
    kept = [
        np.square(RandomRotation.fit(x, seed=seed).compress(x, dims=10)).sum(axis=1) / np.square(x).sum(axis=1)
        for seed in range(300)
    ]
    np.testing.assert_allclose(np.mean(kept, axis=0), 10 / 37, atol=0.02)


def test_the_seed_is_the_rotation(vectors):
    first, again, other = (RandomRotation.fit(vectors, seed=seed).basis for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
