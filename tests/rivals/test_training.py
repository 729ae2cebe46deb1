"""Training does what each rival is trained for, and supervision changes what it should."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from arfc.rivals import RIVALS
from arfc.rivals.fitting import score_all_sizes, score_one_size, set_up, start_run, train
from arfc.sizes import float_ladder

DIMS = 6


def stage_of(name, setup, *, steps=40):
    return RIVALS[name]._stage(setup, dims=DIMS, steps=steps)


def to_the_end(stage, setup, config):
    """Train and keep the last parameters, whatever validation says of them."""
    better = itertools.count()
    stage.score = lambda: float(next(better))
    train(stage, setup, start_run(config, None))
    del stage.score
    return stage


def wide_rows():
    """(300, 64) rows around a common direction, no other stronger than the rest."""
    return np.random.default_rng(0).normal(0.7, 1, (300, 64)).astype(np.float32)


@pytest.mark.parametrize("name", RIVALS)
def test_starts_at_the_klt(name, make_setup):
    setup = make_setup()
    unit = setup.task.validation.features
    made = stage_of(name, setup).finish()(unit)[:, :DIMS]
    torch.testing.assert_close(made, (unit @ setup.klt.basis)[:, :DIMS], atol=1e-5, rtol=0)


@pytest.mark.parametrize("supervision", ["none", "pairs", "labels"])
@pytest.mark.parametrize("name", RIVALS)
def test_training_lowers_the_loss(name, supervision, make_setup, tiny_config):
    if supervision == "none":  # rows whose cosines a prefix of the KLT is far from keeping
        setup = set_up(wide_rows(), None, None, tiny_config(), seed=0)
    else:
        setup = make_setup(pairs=supervision == "pairs", labels=supervision == "labels")
    before, after = stage_of(name, setup), stage_of(name, setup)
    after.rate = 2e-3  # a start that is near the best one is lost at high rates
    to_the_end(after, setup, tiny_config())
    losses = [[float(stage.loss(step, 0.5).detach()) for step in range(20)] for stage in (before, after)]
    assert np.mean(losses[1]) < 0.995 * np.mean(losses[0])


@pytest.mark.parametrize("name", ["learned-linear", "learned-mlp", "q-former", "autoencoder"])
def test_training_beats_its_start_on_validation_rows(name, fit_rival, nested):
    """Neighbours lie along weaker directions than those the KLT keeps at this size."""
    model = fit_rival(name, nested(1200), dims=8, steps=60, validate_every=20)
    scores = [entry["score"] for entry in model.record.history]
    assert max(scores) > scores[0] + 0.01


@pytest.mark.parametrize("name", RIVALS)
def test_pairs_raise_how_often_the_partner_is_found(name, fit_rival):
    """Two modalities share all but their four strongest directions, which are each side's own noise."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((600, 20))
    left, right = (
        np.concatenate([1.5 * rng.standard_normal((600, 4)), shared], 1).astype(np.float32) for _ in range(2)
    )

    def hits(model):
        asked, stored = (model.compress(x[400:], dims=8) for x in (left, right))
        asked, stored = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (asked, stored))
        return ((asked @ stored.T).argmax(1) == np.arange(200)).mean()

    steps = {"steps": 40, "validate_every": 20, "batch_rows": 128, "arc_batch_rows": 128}
    with_pairs = fit_rival(name, left[:400], pairs=right[:400], **steps)
    without = fit_rival(name, left[:400], **steps)
    assert hits(with_pairs) > hits(without) + 0.1


def test_one_size_is_scored_as_task_scores_scores_it(make_setup):
    for supervision in ({}, {"pairs": True}, {"labels": True}):
        setup = make_setup(**supervision)
        basis = setup.klt.basis
        expected = setup.task.scores(lambda unit, dims, basis=basis: unit @ basis)
        assert float_ladder(24) == (8, 16, 24)
        for dims, score in expected.items():
            code = score_one_size(setup.task, lambda unit, basis=basis, k=dims: unit @ basis[:, :k])
            assert code == pytest.approx(score)


def test_sizes_above_half_the_width_do_not_choose(make_setup):
    task = make_setup().task
    scores = task.scores(lambda unit, dims: unit)
    assert score_all_sizes(task, lambda unit, dims: unit) == pytest.approx(scores[8])
    assert scores[24] == 1 > scores[8]


def test_the_q_formers_gradient_reaches_its_queries_and_tokens(make_setup):
    setup = make_setup()
    stage = stage_of("q-former", setup)
    with torch.no_grad():
        stage.net.head.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
    stage.loss(0, 0.0).backward()
    for name, parameter in stage.parameters().items():
        last_layer = name.endswith(("mlp.up.weight", "mlp.up.bias"))  # behind a layer that is zero at the start
        assert last_layer or float(parameter.grad.abs().max()) > 0, name


def test_every_query_gives_its_own_dims(make_setup):
    setup = make_setup()
    net = stage_of("q-former", setup).net
    unit = setup.task.validation.features[:9]
    start = net(unit)
    torch.testing.assert_close(start, (unit @ setup.klt.basis)[:, :DIMS])
    with torch.no_grad():
        net.head[1].fill_(0.1)
    moved = (net(unit) - start).abs().max(0).values > 0
    assert len(net.queries) == 4 and moved.tolist() == [False, False, True, True, False, False]


def test_an_autoencoder_decodes_better_than_the_klt_on_rows_it_has_not_seen(make_setup, tiny_config):
    setup = make_setup(rows=1200)
    stage = to_the_end(stage_of("autoencoder", setup, steps=200), setup, tiny_config())
    unit = setup.task.validation.features
    directions = setup.klt.basis[:, :DIMS]

    def lost(decoded):
        return float((unit - decoded).square().sum(1).mean())

    with torch.no_grad():
        assert lost(stage.net.decoder(stage.net(unit))) < 0.9 * lost(unit @ directions @ directions.T)


@pytest.mark.parametrize("supervision", ["none", "pairs", "labels"])
def test_the_decoder_of_the_q_former_bends_its_queries_without_supervision_alone(supervision, make_setup):
    """So it is with ours: a code that must be decoded hardly learns from pairs or labels."""
    setup = make_setup(pairs=supervision == "pairs", labels=supervision == "labels")
    stage = stage_of("q-former", setup)
    with torch.no_grad():
        stage.net.head.normal_(0, 0.1)
    gradients = {}
    for weight in (0.0, 5.0):
        setup.task.config = dataclasses.replace(setup.task.config, reconstruction_weight=weight)
        stage.net.zero_grad()
        stage.loss(0, 0.5).backward()
        gradients[weight] = stage.net.skip.grad.clone()
        assert bool(next(stage.net.decoder.parameters()).grad.any()) is bool(weight)
    assert torch.equal(gradients[0.0], gradients[5.0]) is (supervision != "none")
