"""Errors along a strong mean count more, which keeps neighbours of rows in a cone; without a mean all count alike."""

import numpy as np

from arfc.codec import NestedCodec, nested
from arfc.codec.emphasis import emphasis

WIDTH = 64


def cone(rows, *, seed):
    """Unit rows about a mean that has most of their energy, as image vectors of CLIP are; lengths of offsets differ."""
    rng = np.random.default_rng(seed)
    offsets = rng.standard_normal((rows, WIDTH)) * np.linspace(1.5, 0.3, WIDTH) * rng.uniform(0.7, 1.3, (rows, 1))
    offsets[:, 0] = 0
    offsets *= 0.5 / np.linalg.norm(offsets, axis=1, keepdims=True).mean()
    rows = offsets + np.sqrt(0.75) * np.eye(WIDTH)[0]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def neighbours_kept(codec, rows, *, size):
    decoded = codec.decode(codec.encode(rows, bytes_per_vector=size))
    exact, coded = rows @ rows.T, rows @ decoded.T
    for scores in (exact, coded):
        np.fill_diagonal(scores, -9)
    pairs = zip(np.argsort(-exact)[:, :10], np.argsort(-coded)[:, :10], strict=True)
    return np.mean([len(set(true) & set(found)) / 10 for true, found in pairs])


def test_without_a_mean_all_dims_count_alike():
    np.testing.assert_array_equal(emphasis(np.zeros(5, np.float32)), 1)


def test_the_mean_counts_more_the_more_energy_it_has():
    weak, strong = (emphasis(np.float32([0, mean, 0, 0])) for mean in (0.3, 0.9))
    assert weak[0] == strong[0] == 1
    assert 1 < weak[1] < strong[1]


def test_rows_that_are_all_alike_leave_it_finite():
    assert np.isfinite(emphasis(np.float32([1, 0, 0]))).all()


def test_rows_in_a_cone_keep_more_neighbours(monkeypatch):
    fit, rows = cone(3000, seed=1), cone(1500, seed=2)
    kept = {}
    for name, way in {"with": emphasis, "without": np.ones_like}.items():
        monkeypatch.setattr(nested, "emphasis", way)
        for tokens in (0, 8):
            codec = NestedCodec.fit(fit, most_tokens=tokens, judge=lambda codec: codec.joint.tokens, rounds=10)
            kept[name, tokens] = [neighbours_kept(codec, rows, size=size) for size in (8, 12)]
    for tokens in (0, 8):
        gains = np.subtract(kept["with", tokens], kept["without", tokens])
        assert (gains > 0.03).all(), (tokens, kept)
