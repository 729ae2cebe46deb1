"""Codes are fitted within the time there is, and say how far they are."""

import numpy as np
import pytest
import torch

from arfc.codec import NestedCodec
from arfc.config import TrainConfig
from arfc.training.codecs import SameRows, fit_codecs
from arfc.training.loop import Run
from arfc.training.rows import Rows
from arfc.training.task import Task


@pytest.fixture
def parts(make_task, clustered):
    """A network, and a task with enough fit rows for joint tokens."""
    small, network = make_task()
    rows = Rows(features=torch.nn.functional.normalize(torch.from_numpy(clustered(2400, 24)), dim=1))
    return network, Task(rows, small.validation, small.config, seed=0)


def test_codes_are_of_the_networks_vectors(parts):
    network, task = parts
    heard = []
    run = Run(config=TrainConfig(), report=heard.append)
    ours, klt = fit_codecs(network, task, seed=0, run=run, budget_s=float("inf"))
    vectors = network.compress(task.fit.features, dims=24).numpy()
    assert np.square(ours.decode(ours.encode(vectors, bytes_per_vector=24)) - vectors).sum(1).mean() < 1e-2
    assert klt.largest_bytes == 24
    steps = [now.step for now in heard]
    assert {now.phase for now in heard} == {"codes"}
    assert steps == sorted(steps)
    assert 0 < steps[0] < steps[-1] == 100


def test_rows_have_the_same_codes_where_their_tokens_are_known(clustered, monkeypatch):
    x = clustered(1600, 64)
    options = {"rounds": 0, "twice": False}
    longest = NestedCodec.fit(x, judge=lambda codec: codec.joint.tokens, **options)
    lengths = NestedCodec.fit(x, judge=lambda codec: (codec.missed.length_bytes, codec.joint.tokens == 8), **options)
    none, other = NestedCodec.fit(x, most_tokens=0), NestedCodec.fit(x, seed=1, **options)
    assert (longest.joint.tokens, lengths.joint.tokens, lengths.missed.length_bytes) == (8, 8, 1)
    rows = SameRows(x[:50])
    for codec in (longest, lengths, none, other, longest):
        for size in (24, 3):
            expected = codec.encode(x[:50], bytes_per_vector=size)
            np.testing.assert_array_equal(rows.encode(codec, bytes_per_vector=size), expected)
    rows.encode(longest, bytes_per_vector=24)
    monkeypatch.setattr(type(longest.joint), "encode", lambda *_, **__: pytest.fail("these tokens are known"))
    rows.encode(lengths, bytes_per_vector=24)


def test_time_that_is_up_ends_them(parts):
    network, task = parts
    heard = []
    run = Run(config=TrainConfig(), report=heard.append)
    ours, _ = fit_codecs(network, task, seed=0, run=run, budget_s=0.0)
    assert (len(heard), ours.joint.tokens) == (0, 0)


def test_ctrl_c_ends_them(parts):
    network, task = parts
    run = Run(config=TrainConfig())
    heard = []

    def press(now):
        heard.append(now.step)
        run.interrupted = now.step >= 80

    run.report = press
    fit_codecs(network, task, seed=0, run=run, budget_s=float("inf"))
    assert [step >= 80 for step in heard] == [False] * (len(heard) - 1) + [True]
    assert heard[-1] < 100


@pytest.mark.parametrize("wanted", [0, 4])
def test_with_labels_the_validation_score_chooses_the_number_of_joint_tokens(make_task, clustered, monkeypatch, wanted):
    small, network = make_task(labels=True)
    rows = Rows(
        features=torch.nn.functional.normalize(torch.from_numpy(clustered(2400, 24)), dim=1),
        labels=torch.arange(2400) % 4,
    )
    task = Task(rows, small.validation, small.config, seed=0)

    def scores(task, vectors, codec, sizes):
        assert [len(unit) for unit in vectors] == [len(unit) for unit in task.scored]
        return dict.fromkeys(sizes, float(codec.joint.tokens == wanted))

    monkeypatch.setattr("arfc.training.codecs.coded_scores", scores)
    ours, _ = fit_codecs(network, task, seed=0, run=Run(config=TrainConfig()), budget_s=float("inf"))
    assert ours.joint.tokens == wanted


@pytest.mark.parametrize("wanted", [0, 4])
def test_without_supervision_the_order_of_validation_rows_chooses_it(parts, monkeypatch, wanted):
    network, task = parts
    asked = []

    class Order:
        """Prefers the codecs that miss least, or most."""

        def __init__(self, unit_NK, *, queries, others_MK):
            asked.append((len(unit_NK), queries, others_MK))
            self.unit_NK = unit_NK

        def kept(self, decoded_NK):
            missed = np.square(self.unit_NK - decoded_NK).sum()
            return -missed if wanted else missed

    monkeypatch.setattr("arfc.training.codecs.Order", Order)
    ours, _ = fit_codecs(network, task, seed=0, run=Run(config=TrainConfig()), budget_s=float("inf"))
    assert ours.joint.tokens == wanted
    assert asked == [(len(task.validation), task.queries, None)]


@pytest.mark.parametrize("known", [False, True])
def test_with_pairs_it_is_the_order_of_rows_on_the_other_side(make_task, monkeypatch, known):
    task, network = make_task(pairs=True, known_partners=known)
    asked = []

    class Order:
        """Notes which rows ask which."""

        def __init__(self, unit_NK, *, queries, others_MK):
            asked.append((others_MK, unit_NK))

        def kept(self, decoded_NK):
            return 0.0

    monkeypatch.setattr("arfc.training.codecs.Order", Order)
    fit_codecs(network, task, seed=0, run=Run(config=TrainConfig()), budget_s=float("inf"))
    left, right = ((rows @ network.klt.basis).numpy() for rows in (task.validation.features, task.scored[1]))
    own = right[: len(left)]
    for (asking, answering), (ask, answer) in zip(
        asked, [(left, right)] if known else [(left, own), (own, left)], strict=True
    ):
        np.testing.assert_allclose(asking, ask, atol=1e-5)
        np.testing.assert_allclose(answering, answer, atol=1e-5)


def test_with_a_budget_codebooks_are_fitted_once(parts, monkeypatch):
    asked = []
    fit = NestedCodec.fit
    monkeypatch.setattr(NestedCodec, "fit", lambda *args, **options: asked.append(options) or fit(*args, **options))
    for budget_s in (float("inf"), 1e6):
        fit_codecs(*parts, seed=0, run=Run(config=TrainConfig()), budget_s=budget_s)
    assert [options["twice"] for options in asked if "twice" in options] == [True, False]


@pytest.mark.parametrize("supervision", ["pairs", "labels"])
@pytest.mark.parametrize("wanted", [1.0, 0.5])
def test_with_supervision_the_validation_score_chooses_how_long_decoded_rows_are(
    make_task, monkeypatch, supervision, wanted
):
    task, network = make_task(**{supervision: True})

    def scores(task, vectors, packed, codec, sizes):
        assert [len(codes) for codes in packed] == [len(unit) for unit in task.scored]
        return dict.fromkeys(sizes, float(codec.frame.power == wanted))

    monkeypatch.setattr("arfc.training.codecs.scores_of_packed", scores)
    run = Run(config=TrainConfig())
    assert fit_codecs(network, task, seed=0, run=run, budget_s=float("inf"))[0].frame.power == wanted
    run.interrupted = True  # no time to ask: they have length 1
    assert fit_codecs(network, task, seed=0, run=run, budget_s=float("inf"))[0].frame.power == 1
