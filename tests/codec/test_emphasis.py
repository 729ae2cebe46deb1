"""Errors along directions that rows have much of count more: the mean at once, the others the finer the code is."""

import numpy as np

from arfc.codec import NestedCodec, nested
from arfc.codec.emphasis import Emphasis, emphasis

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


def test_rows_without_a_mean_and_with_alike_dims_count_alike_at_every_stage():
    for stage in emphasis(np.zeros(5, np.float32), np.full(5, 0.2)):
        np.testing.assert_allclose(stage, 1, rtol=1e-6)


def test_the_first_tokens_are_told_of_the_mean_alone_the_more_the_more_energy_it_has():
    weak, strong = (emphasis(np.float32([0, mean, 0, 0]), np.float64([0.9, 0.1, 0, 0])).first for mean in (0.3, 0.9))
    assert weak[0] == strong[0] == 1
    assert 1 < weak[1] < strong[1]


def test_strong_dims_count_more_the_finer_the_code():
    """Squared errors weigh by energy to the power 0, 1/4 and 1/2."""
    stages = emphasis(np.zeros(2, np.float32), np.float64([0.8, 0.2]))
    np.testing.assert_allclose([stage[0] / stage[1] for stage in stages], np.sqrt([1, 2**0.5, 2]), rtol=1e-6)


def test_rows_that_are_all_alike_leave_it_finite_and_above_0():
    for stage in emphasis(np.float32([1, 0, 0]), np.float64([1, 0, 0])):
        assert np.isfinite(stage).all()
        assert (stage > 0).all()


def kept_by(fit, rows, *, tokens, sizes):
    codec = NestedCodec.fit(fit, most_tokens=tokens, judge=lambda codec: codec.joint.tokens, rounds=5)
    return np.array([neighbours_kept(codec, rows, size=size) for size in sizes])


def test_tokens_that_weigh_strong_dims_keep_more_neighbours(monkeypatch):
    rng = np.random.default_rng(3)
    fit, rows = (rng.standard_normal((count, WIDTH)) * np.linspace(2, 0.2, WIDTH) for count in (3000, 1500))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weighed = kept_by(fit, rows, tokens=0, sizes=(16, 24, 32))
    monkeypatch.setattr(nested, "emphasis", lambda mean_K, energy_K: Emphasis(*np.ones((3, WIDTH), np.float32)))
    assert (weighed > kept_by(fit, rows, tokens=0, sizes=(16, 24, 32)) + 0.005).all()


def test_rows_in_a_cone_keep_more_neighbours(monkeypatch):
    fit, rows = cone(3000, seed=1), cone(1500, seed=2)
    kept = {}
    alike = Emphasis(*np.ones((3, WIDTH), np.float32))
    for name, way in {"with": emphasis, "without": lambda mean_K, energy_K: alike}.items():
        monkeypatch.setattr(nested, "emphasis", way)
        for tokens in (0, 8):
            kept[name, tokens] = kept_by(fit, rows, tokens=tokens, sizes=(8, 12))
    for tokens in (0, 8):
        gains = np.subtract(kept["with", tokens], kept["without", tokens])
        assert (gains > 0.03).all(), (tokens, kept)


def test_bytes_of_a_code_without_joint_tokens_weigh_as_these_would():
    stages = emphasis(np.zeros(2, np.float32), np.float64([0.8, 0.2]))
    assert [stages.at(byte) is stages.first for byte in (0, 7, 8)] == [True, True, False]
    assert [stages.at(byte) is stages.later for byte in (8, 15, 16)] == [True, True, False]
    assert stages.at(16) is stages.at(900) is stages.fine
