"""The quality curve says what an independent measurement says."""

import numpy as np
import pytest
import torch

from arfc.codec import ClassicCodec, NestedCodec
from arfc.sizes import byte_ladder, float_ladder
from arfc.training.curve import measure_curve
from arfc.training.rows import Rows


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def recall_at_10(truth_of, asked, stored, queries=100):
    """The first rows ask all the others; the share of the ten nearest by `truth_of` that are found."""
    ranks = []
    for scores in (unit(truth_of) @ unit(truth_of).T, unit(asked) @ unit(stored).T):
        np.fill_diagonal(scores, -2)
        ranks.append(np.argsort(-scores[:queries], axis=1)[:, :10])
    return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*ranks, strict=True)])


def reciprocal_rank(asked, stored, queries=100):
    """MRR of the first rows against rows; row i is right for query i."""
    scores = unit(asked)[:queries] @ unit(stored).T
    return np.mean([1 / (1 + (row > row[i]).sum()) for i, row in enumerate(scores)])


def measured(make_task, open_up, **kinds):
    task, network = make_task(**kinds)
    open_up(network, std=0.3)
    rows = (
        task.validation
        if task.validation.labels is not None
        else Rows(features=task.scored[0], partners=task.scored[-1])
    )
    with torch.no_grad():
        ours = network.compress(rows.features, dims=24).numpy().astype(np.float64)
        codec = NestedCodec.fit(network.compress(task.fit.features, dims=24).numpy(), rounds=3)
        klt_codec = ClassicCodec.fit(task.fit.features.numpy())
    return measure_curve(network, codec, task, klt_codec=klt_codec), rows, network, codec, ours


def test_features(make_task, open_up):
    curve, rows, network, codec, ours = measured(make_task, open_up)
    x = rows.features.double().numpy()
    klt = x @ network.klt.basis.double().numpy()
    assert (curve["metric"], curve["validation_rows"], curve["uncompressed"]) == ("recall@10", 100, 1.0)
    assert curve["answering_rows"] == len(x) == 400  # 100 validation rows ask, and 300 fit rows answer too
    assert [row["dims"] for row in curve["floats"]] == list(float_ladder(24))
    for row in curve["floats"]:
        dims = row["dims"]
        assert row["bytes"] == 4 * dims
        for name, vectors in (("arfc", ours), ("klt", klt), ("truncation", x)):
            assert row[name] == pytest.approx(recall_at_10(x, vectors[:, :dims], vectors[:, :dims]), abs=2e-3)
    assert curve["floats"][0]["arfc"] < curve["floats"][0]["klt"]  # random corrections do harm, and the curve says so
    assert curve["floats"][-1]["klt"] == 1
    assert (curve["code_answering_rows"], curve["code_uncompressed"]) == (100, 1.0)
    assert [row["bytes"] for row in curve["bytes"]] == list(byte_ladder(24, 24))
    for row in curve["bytes"]:  # the validation rows come first
        coded = codec.decode(codec.encode(ours[:100], bytes_per_vector=row["bytes"])).astype(np.float64)
        assert row["arfc"] == pytest.approx(recall_at_10(x[:100], ours[:100], coded), abs=5e-3)


def test_labels(make_task, open_up):
    curve, rows, network, _, ours = measured(make_task, open_up, labels=True)
    labels = rows.labels.numpy()
    assert curve["metric"] == "mAP@R by class"
    for row in curve["floats"]:
        scores = unit(ours[:, : row["dims"]]) @ unit(ours[:, : row["dims"]]).T
        np.fill_diagonal(scores, -2)
        expected = []
        for label, nearest in zip(labels, np.argsort(-scores, axis=1), strict=True):
            mates = int((labels == label).sum()) - 1
            right = labels[nearest[:mates]] == label
            expected.append(float((right * np.cumsum(right) / np.arange(1, mates + 1)).sum()) / max(1, mates))
        assert row["arfc"] == pytest.approx(np.mean(expected), abs=1e-5)


def test_pairs(make_task, open_up):
    curve, rows, network, codec, left = measured(make_task, open_up, pairs=True)
    with torch.no_grad():
        right = network.compress(rows.partners, dims=24).numpy().astype(np.float64)
    assert curve["metric"] == "MRR"  # 100 validation rows ask, and partners of fit rows answer too
    for row in curve["floats"]:
        kept = [v[:, : row["dims"]] for v in (left, right)]
        expected = (reciprocal_rank(kept[0], kept[1]) + reciprocal_rank(kept[1], kept[0])) / 2
        assert row["arfc"] == pytest.approx(expected, abs=1e-3)
    left, right = left[:100], right[:100]
    for row in curve["bytes"]:  # validation rows alone
        coded = [codec.decode(codec.encode(v, bytes_per_vector=row["bytes"])).astype(np.float64) for v in (left, right)]
        expected = (reciprocal_rank(left, coded[1]) + reciprocal_rank(right, coded[0])) / 2
        assert row["arfc"] == pytest.approx(expected, abs=0.011)  # one near tie may fall the other way
