"""Pairs and labels raise the score where the KLT buries what belongs together."""

import numpy as np
import pytest

from arfc import Compressor
from arfc.scores import cosine_scores

STEPS = {"linear_steps": 300, "arc_steps": 8, "decoder_steps": 4}
STEPS |= {"linear_rate": 2e-2, "free_rate": 2e-2, "batch_rows": 256, "validate_every": 25}


def buried(meaning, *, seed):
    """(N, 24) rows: what they mean in 6 weak directions, noise of their own in 10 strong ones."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([1.2 * rng.standard_normal((len(meaning), 10)), meaning, np.zeros((len(meaning), 8))], 1)
    x += 0.05 * rng.standard_normal(x.shape)
    return (x @ np.linalg.qr(np.random.default_rng(9).standard_normal((24, 24)))[0]).astype(np.float32)


@pytest.fixture(scope="module")
def pairs():
    """1,600 pairs that share their meaning and nothing else; the last 400 are not for fitting."""
    meaning = np.random.default_rng(1).standard_normal((1600, 6))
    return buried(meaning, seed=2), buried(meaning, seed=3)


@pytest.fixture(scope="module")
def classes():
    """1,600 rows of 20 classes, the last 400 not for fitting."""
    rng = np.random.default_rng(4)
    labels = rng.integers(20, size=1600)
    return buried(rng.standard_normal((20, 6))[labels] + 0.2 * rng.standard_normal((1600, 6)), seed=5), labels


def pair_r1(left, right):
    scores = cosine_scores(left, right)
    own = np.arange(len(left))
    return ((scores.argmax(1) == own).mean() + (scores.argmax(0) == own).mean()) / 2


def class_r1(x, labels):
    scores = cosine_scores(x, x)
    np.fill_diagonal(scores, -2)
    return (labels[scores.argmax(1)] == labels).mean()


def klt(model, x, dims):
    return x @ model.network.klt.basis.numpy()[:, :dims]


def test_pairs(pairs, tiny_config):
    left, right = pairs
    model = Compressor.fit(left[:1200], pairs=right[:1200], config=tiny_config(**STEPS), progress=False)
    assert model.facts["task"] == "pairs" and model.curve["metric"] == "MRR"
    row = model.curve["floats"][0]
    assert row["dims"] == 8 and row["arfc"] > row["klt"] + 0.2
    unseen = left[1200:], right[1200:]
    for dims in (8, 12):
        ours = pair_r1(*(model.compress(x, dims=dims) for x in unseen))
        assert ours > pair_r1(*(klt(model, x, dims) for x in unseen)) + 0.2
    assert pair_r1(*(model.compress(x, dims=24) for x in unseen)) > pair_r1(*unseen)  # more than the originals say
    back = model.decompress(model.compress(unseen[0], ratio=1))
    np.testing.assert_allclose(back, unseen[0], atol=1e-3)


def test_labels(classes, tiny_config):
    x, labels = classes
    model = Compressor.fit(x[:1200], labels=labels[:1200], config=tiny_config(**STEPS), progress=False)
    assert model.facts["task"] == "labels" and model.curve["metric"] == "mAP@R by class"
    row = model.curve["floats"][0]
    assert row["dims"] == 8 and row["arfc"] > row["klt"] + 0.2
    unseen, known = x[1200:], labels[1200:]
    for dims in (4, 8):
        assert class_r1(model.compress(unseen, dims=dims), known) > class_r1(klt(model, unseen, dims), known) + 0.2
    back = model.decompress(model.compress(unseen, ratio=1))
    np.testing.assert_allclose(back, unseen, atol=1e-3)


def test_labels_may_be_text(classes, tiny_config, tmp_path):
    x, labels = classes[0][:300], classes[1][:300] % 3
    (tmp_path / "labels.txt").write_text("".join(f"class {label}\n" for label in labels))
    np.save(tmp_path / "x.npy", x)
    by_file = Compressor.fit(tmp_path / "x.npy", labels=tmp_path / "labels.txt", config=tiny_config(), progress=False)
    by_array = Compressor.fit(x, labels=labels, config=tiny_config(), progress=False)
    assert by_file.facts == by_array.facts


def test_labels_of_few_rows(classes, tiny_config):
    x, labels = classes[0][:300], np.arange(300) % 20
    model = Compressor.fit(x, labels=labels, config=tiny_config(), progress=False)
    assert (model.facts["data"]["validation_rows"], model.facts["data"]["test_rows"]) == (30, 30)


def test_pairs_and_labels_together(pairs, tiny_config):
    left, right = pairs
    labels = np.arange(1200) % 5
    model = Compressor.fit(left[:1200], pairs=right[:1200], labels=labels, config=tiny_config(), progress=False)
    assert model.facts["task"] == "pairs"
    assert model.compress(left[:5], dims=7).shape == (5, 7)
    curve = model.curve
    assert curve["code_answering_rows"] == curve["validation_rows"] < curve["answering_rows"]
