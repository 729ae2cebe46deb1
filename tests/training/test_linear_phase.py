"""Phase 1 turns the KLT towards the objectives and keeps what a rotation keeps."""

import numpy as np
import pytest
import torch

from arfc.training import linear_phase
from arfc.training.linear_phase import LinearPhase
from arfc.training.loop import Run


def phase_of(make_task, *, free=False, **train):
    task, network = make_task(**train)
    return LinearPhase(network, task, free=free, steps=task.config.linear_steps), task, network


def trained(make_task, run_to_the_end, *, linear_steps=60, **train):
    phase, task, network = phase_of(make_task, linear_steps=linear_steps, linear_rate=5e-3, free_rate=5e-3, **train)
    run_to_the_end(phase)
    phase.install()
    return phase, task, network


@pytest.mark.parametrize("free", [False, True])
def test_starts_as_the_klt(make_task, free):
    phase, task, network = phase_of(make_task, free=free)
    assert phase.width == (24 if free else 12)
    assert torch.equal(phase.matrix(), torch.eye(phase.width))
    x = task.validation.features
    expected = task.scores(lambda unit, dims: (unit @ network.klt.basis)[:, :dims])
    assert phase.score() == pytest.approx(sum(expected.values()) / len(expected))
    # Nothing is better or worse than the floor yet: one share of each objective. Near D there is little to lose.
    short = phase_of(make_task, free=free, size_law="fixed", fixed_dims=6)[0]
    assert float(short.loss(0, 0.0).detach()) == pytest.approx(1.3, rel=0.02)
    torch.testing.assert_close(network.compress(x, dims=7), (x @ network.klt.basis)[:, :7])


@pytest.mark.parametrize("kind", [{}, {"free": True}, {"free": True, "labels": True}])
def test_training_lowers_the_loss(make_task, run_to_the_end, kind):
    before, after = phase_of(make_task, **kind)[0], trained(make_task, run_to_the_end, linear_steps=200, **kind)[0]
    losses = [[float(phase.loss(step, 1.0).detach()) for step in range(100, 110)] for phase in (before, after)]
    assert np.mean(losses[1]) < np.mean(losses[0]) - 0.02


def test_an_orthogonal_map_stays_a_rotation_of_the_head(make_task, run_to_the_end):
    _, task, network = trained(make_task, run_to_the_end)
    weight = network.linear.weight
    np.testing.assert_allclose(weight.T @ weight, np.eye(24), atol=1e-5)
    assert torch.equal(weight[12:], torch.eye(24)[12:]) and torch.equal(weight[:, 12:], torch.eye(24)[:, 12:])
    assert (weight - torch.eye(24)).abs().max() > 0.05
    # From R dims on every prefix scores as the KLT's does.
    klt = task.scores(lambda unit, dims: (unit @ network.klt.basis)[:, :dims])
    ours = task.scores(lambda unit, dims: network.compress(unit, dims=dims))
    assert ours[16] == pytest.approx(klt[16], abs=1e-3) and ours[24] == pytest.approx(1, abs=1e-3)


def test_a_free_map_may_leave_the_rotations(make_task, run_to_the_end):
    _, task, network = trained(make_task, run_to_the_end, free=True, pairs=True)
    weight = network.linear.weight
    assert (weight.T @ weight - torch.eye(24)).abs().max() > 0.02
    x = task.validation.features
    torch.testing.assert_close(network.decode(network.compress(x, dims=24)), x, atol=1e-4, rtol=0)


def test_install_puts_the_map_into_the_network(make_task):
    phase, task, network = phase_of(make_task)
    with torch.no_grad():
        phase.coefficients.copy_(torch.randn(12, 12, generator=torch.Generator().manual_seed(0)))
    phase.install()
    x = task.validation.features
    expected = x @ network.klt.basis
    expected[:, :12] = expected[:, :12] @ phase.matrix().detach()
    torch.testing.assert_close(network.compress(x, dims=24), expected, atol=1e-6, rtol=0)


def test_a_step_repeats(make_task):
    one, other = (phase_of(make_task)[0].loss(3, 0.4).detach() for _ in range(2))
    assert torch.equal(one, other)


def scripted(monkeypatch, phase, rule):
    """Let every query find what a rule says of the share of the learned map: size -> score."""
    learned = float(phase.coefficients.detach().norm())

    def hits(vectors):
        share = float(phase.coefficients.detach().norm()) / learned
        return {size: torch.full((100,), float(score)) for size, score in rule(share).items()}

    monkeypatch.setattr(phase.task, "hits", hits)


def learned_phase(make_task, **kinds):
    phase, task, network = phase_of(make_task, **kinds)
    with torch.no_grad():
        phase.coefficients.copy_(torch.randn(phase.width, phase.width, generator=torch.Generator().manual_seed(0)))
    return phase, task, network


def test_settle_goes_back_until_no_size_scores_below_the_klt(make_task, monkeypatch):
    """The more of the map, the worse at 8 dims; from 0.65 on the loss is more than is borne."""
    phase, task, network = learned_phase(make_task)
    learned = phase.coefficients.detach().clone()
    scripted(monkeypatch, phase, lambda share: {8: 0.8 - 0.012 * max(0.0, share - 0.4), 16: 0.9 + share / 9, 24: 1})
    assert phase.settle(Run(config=task.config)) == 0.625
    torch.testing.assert_close(phase.coefficients.detach(), 0.625 * learned)
    torch.testing.assert_close(network.linear.weight[:12, :12], phase.matrix().detach())


def test_settle_keeps_a_map_that_loses_nowhere(make_task, monkeypatch):
    phase, task, network = learned_phase(make_task)
    scripted(monkeypatch, phase, lambda share: {8: 0.8, 24: 1})
    assert phase.settle(Run(config=task.config)) == 1.0
    assert (network.linear.weight - torch.eye(24)).abs().max() > 1e-3


def test_settle_drops_a_map_that_loses_at_any_share(make_task, monkeypatch):
    phase, task, network = learned_phase(make_task)
    scripted(monkeypatch, phase, lambda share: {8: 0.8 - 0.01 * (share > 0), 24: 1})
    assert phase.settle(Run(config=task.config)) == 0.0
    assert torch.equal(network.linear.weight, torch.eye(24))


@pytest.mark.parametrize(("bad", "share"), [(2.0, 1.0), (0.9, 0.5), (0.4, 0.0)])
def test_settle_after_ctrl_c_tries_two_shares(make_task, monkeypatch, bad, share):
    """From `bad` on the map loses; whatever is left is valid, if only the KLT."""
    phase, task, network = learned_phase(make_task)
    tried = []
    scripted(monkeypatch, phase, lambda share: tried.append(share) or {8: 0.8 - 0.01 * (share >= bad), 24: 1})
    assert phase.settle(Run(config=task.config, interrupted=True)) == share
    assert tried == pytest.approx([0.0, 1.0, 0.5][: 2 if share == 1 else 3])
    expected = torch.eye(24)
    expected[:12, :12] = phase.matrix().detach()
    torch.testing.assert_close(network.linear.weight, expected)
    assert torch.equal(network.linear.weight, torch.eye(24)) is (share == 0)


def test_a_free_map_goes_on_from_the_rotation(make_task, run_to_the_end):
    """At its start it is the rotation, and none of it kept is the rotation again."""
    rotation, task, network = trained(make_task, run_to_the_end, pairs=True)
    weight = network.linear.weight.clone()
    free = LinearPhase(network, task, free=True, steps=30)
    assert free.name == "free" and torch.equal(free.matrix(), weight)
    assert free.score() == pytest.approx(rotation.score())
    with torch.no_grad():
        free.coefficients.copy_(torch.randn(24, 24, generator=torch.Generator().manual_seed(0)))  # nonsense
    assert free.settle(Run(config=task.config)) < 1
    with torch.no_grad():
        free.coefficients.zero_()
    assert torch.equal(free.matrix(), weight)


def test_a_free_map_can_be_undone(make_task, monkeypatch):
    """What it all but drops is raised to 1/256 of what it is loudest in."""
    task, network = make_task(labels=True)
    phase = LinearPhase(network, task, free=True, steps=1)
    with torch.no_grad():
        phase.coefficients.copy_(torch.diag(torch.linspace(5, -0.9999, 24)))
    assert float(torch.linalg.cond(phase.matrix().detach())) > 5e4
    monkeypatch.setattr(phase, "_hits", lambda: phase.install() or {8: phase.coefficients.detach().amax(0)})
    monkeypatch.setattr(task, "keeps", lambda hits, floor: True)
    assert phase.settle(Run(config=task.config)) == 1.0
    assert float(torch.linalg.cond(network.linear.weight)) == pytest.approx(256, rel=1e-3)


def test_a_faded_map_can_be_undone_too(make_task, monkeypatch):
    """A fade multiplies what a free map left small."""
    task, network = make_task(labels=True, linear_steps=30)

    def settle(phase, run):
        phase.network.linear.set_block(torch.diag(torch.logspace(0, -2.2, 24)))
        phase.network.refresh()
        return 1.0

    def fade(network, task, run):
        network.linear.set_block(network.linear.weight * torch.where(torch.arange(24) < 12, 1.0, 0.2))
        return {"from": 12, "scale": 0.2}

    monkeypatch.setattr(linear_phase, "run_phase", lambda phase, run, *, budget_s: [])
    monkeypatch.setattr(linear_phase, "fade", fade)
    monkeypatch.setattr(LinearPhase, "settle", settle)
    linear_phase.learn_map(network, task, Run(config=task.config), budget_s=100.0)
    assert float(torch.linalg.cond(network.linear.weight)) == pytest.approx(256, rel=1e-3)


@pytest.mark.parametrize("fades", [True, False])
def test_the_fade_told_is_that_of_the_map_that_is_kept(make_task, monkeypatch, fades):
    """Ctrl-C in the free map leaves no time for its own."""
    task, network = make_task(labels=True, linear_steps=30)
    run, scores = Run(config=task.config), iter([0.5, 0.1 if fades else 0.9])

    def run_phase(phase, run, *, budget_s):
        run.interrupted = phase.free
        return []

    monkeypatch.setattr(linear_phase, "run_phase", run_phase)
    monkeypatch.setattr(linear_phase, "map_hits", lambda network, task: {8: torch.tensor([next(scores)])})
    monkeypatch.setattr(LinearPhase, "settle", lambda phase, run: 1.0)
    history = linear_phase.learn_map(network, task, run, budget_s=100.0)
    assert history["map"] == ("orthogonal" if fades else "free")
    assert ("fade" in history) is fades


@pytest.mark.parametrize(
    ("free_score", "noise", "kept"),
    [(0.9, 0.0, "free"), (0.1, 0.0, "orthogonal"), (0.45, 1.0, "free"), (0.3, 1.0, "orthogonal")],
)
def test_the_better_map_is_kept(make_task, monkeypatch, free_score, noise, kept):
    """The free one also where queries can't tell: here a standard error is .1 times the noise."""
    task, network = make_task(labels=True, linear_steps=30)
    made = []

    def run_phase(phase, run, *, budget_s):
        made.append((phase.name, phase.steps, budget_s))
        with torch.no_grad():
            phase.coefficients.copy_(
                0.3 * torch.randn(phase.coefficients.shape, generator=torch.Generator().manual_seed(1))
            )
        return [{"step": phase.steps, "score": 0.5}]

    def settle(phase, run):
        phase.install()
        return 1.0

    weights = []

    def map_hits(network, task):
        weights.append(network.linear.weight.clone())
        chance = noise * torch.tensor([-1.0, 1.0]).repeat(50)
        return {8: 0.5 + 0 * chance if len(weights) == 1 else free_score + chance}

    monkeypatch.setattr(linear_phase, "run_phase", run_phase)
    monkeypatch.setattr(linear_phase, "map_hits", map_hits)
    monkeypatch.setattr(LinearPhase, "settle", settle)
    history = linear_phase.learn_map(network, task, Run(config=task.config), budget_s=100.0)
    assert made == [("linear", 12, pytest.approx(40)), ("free", 18, pytest.approx(60))]
    assert history["map"] == kept
    assert torch.equal(network.linear.weight, weights[kept == "free"]) and not torch.equal(*weights)
    assert history.keys() == {"linear", "linear_share", "fade", "free", "free_share", "map"}


@pytest.mark.parametrize(("pairs", "kept"), [(True, 0.5), (False, 1.0)])
def test_with_supervision_the_share_that_scores_best_is_kept(make_task, monkeypatch, pairs, kept):
    """Else the largest of those that lose nothing."""
    phase, task, _ = phase_of(make_task, pairs=pairs)
    with torch.no_grad():
        phase.coefficients.fill_(1.0)
    better = {0.0: 0.0, 0.25: 0.1, 0.375: 0.15, 0.5: 0.2, 0.625: 0.15, 1.0: 0.05}

    def hits():
        return {8: torch.full((100,), 0.5 + better.get(float(phase.coefficients[0, 0].detach()), 0.01))}

    monkeypatch.setattr(phase, "_hits", hits)
    assert phase.settle(Run(config=task.config)) == kept
    assert float(phase.coefficients[0, 0].detach()) == kept


def test_with_supervision_more_of_the_map_is_kept_where_few_queries_cannot_tell(make_task, monkeypatch):
    phase, task, _ = phase_of(make_task, pairs=True)
    with torch.no_grad():
        phase.coefficients.fill_(1.0)
    noise = torch.linspace(-1, 1, 100)  # a standard error of .058
    lost = {1.0: 0.08, 0.875: 0.05, 0.75: 0.02}

    def hits():
        share = float(phase.coefficients[0, 0].detach())
        return {8: 0.5 + (noise - lost[share] if share in lost else torch.full((100,), 0.1 * share - 0.0625))}

    monkeypatch.setattr(phase, "_hits", hits)
    monkeypatch.setattr(task, "keeps", lambda hits, floor: True)
    assert phase.settle(Run(config=task.config)) == 0.875


def test_a_map_that_is_clearly_worse_than_its_start_is_dropped(make_task, monkeypatch):
    """Though no size loses more than is borne."""
    phase, task, _ = phase_of(make_task, pairs=True)
    with torch.no_grad():
        phase.coefficients.fill_(1.0)
    monkeypatch.setattr(phase, "_hits", lambda: {8: torch.full((100,), 0.5 - 0.005 * bool(phase.coefficients.any()))})
    assert phase.settle(Run(config=task.config)) == 0


def test_a_free_map_must_not_lose_against_the_klt_either(make_task, monkeypatch):
    """Its own start may already be below the KLT, as far as a size may."""
    phase, task, network = phase_of(make_task, free=True, pairs=True)
    klt = task.hits([rows @ network.klt.basis for rows in task.scored])
    better = {size: hits + 0.1 for size, hits in klt.items()}
    monkeypatch.setattr(phase, "_hits", lambda: klt if not phase.coefficients.any() else better)
    monkeypatch.setattr(task, "hits", lambda vectors: {size: hits + 0.5 for size, hits in klt.items()})
    with torch.no_grad():
        phase.coefficients.fill_(1.0)
    monkeypatch.setattr(phase, "install", lambda: None)
    assert phase.settle(Run(config=task.config)) == 0  # better than its start, worse than the KLT
    monkeypatch.setattr(task, "hits", lambda vectors: klt)
    with torch.no_grad():
        phase.coefficients.fill_(1.0)
    assert phase.settle(Run(config=task.config)) == 1
