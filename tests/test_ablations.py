"""Every part can be switched off by config, and switching it off changes what it should."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from arfc import Compressor
from arfc.config import TrainConfig
from arfc.model.network import Network
from arfc.sizes import float_ladder
from arfc.training.arc_phase import ArcPhase
from arfc.training.ergc import cosine_edges, ergc_loss
from arfc.training.linear_phase import LinearPhase
from arfc.training.loop import Run, run_phase
from arfc.training.objectives import neighbour_loss
from arfc.training.rows import Rows
from arfc.training.task import Task

LINEAR_ONLY = {"arc_steps": 0, "decoder_steps": 0, "linear_steps": 60, "linear_rate": 1e-2, "validate_every": 20}


@pytest.fixture(scope="module")
def rows(nested):
    return nested(1200)


@pytest.fixture(scope="module")
def fit(rows, tiny_config):
    """A function that fits the same rows under another config; equal configs are fitted once."""
    made = {}

    def build(*, labels=False, pairs=False, **config):
        key = repr((labels, pairs, sorted(config.items(), key=str)))
        if key not in made:
            made[key] = Compressor.fit(
                rows,
                labels=np.arange(1200) % 3 if labels else None,
                pairs=rows + 0.05 * rows[::-1] if pairs else None,
                config=tiny_config(**config),
                progress=False,
            )
        return made[key]

    return build


@pytest.fixture(scope="module")
def set_up(rows, tiny_config):
    """A function that gives a task on the rows, and a network that is their KLT."""

    def build(**config):
        config = tiny_config(**config)
        unit = torch.nn.functional.normalize(torch.from_numpy(rows), dim=1)
        torch.manual_seed(0)
        network = Network(24, config.model)
        network.klt.fit([unit])
        network.refresh()
        network.set_scale()
        return Task(Rows(features=unit), Rows(features=unit[:100]), config.train, seed=0), network

    return build


@pytest.fixture(scope="module")
def trained_map(set_up):
    """A function that trains the linear map to its last step, whatever validation says, and gives KLT and map."""

    def build(*, free=False, **config):
        task, network = set_up(**({"linear_steps": 100, "linear_rate": 1e-2, "batch_rows": 256} | config))
        phase, better = LinearPhase(network, task, free=free, steps=task.config.linear_steps), itertools.count()
        phase.score = lambda: float(next(better))
        run_phase(phase, Run(config=task.config), budget_s=float("inf"))
        phase.install()
        return network.klt.basis @ network.linear.weight

    return build


def weight(model):
    return model.network.linear.weight


@pytest.fixture(scope="module")
def losses(set_up):
    """A function that gives ERGC and neighbour loss of a map's prefix on batches that training never dealt."""
    task, _ = set_up()
    batches = [task.batch(step, phase=1, rows=256) for step in range(10_000, 10_008)]

    def measure(projection, *, dims):
        found = []
        for batch in batches:
            kept = cosine_edges(batch.entities @ projection[:, :dims], rows=len(batch.edges))
            found.append([ergc_loss(batch.edges, kept), neighbour_loss(batch.edges, kept, temperature=0.05)])
        return np.mean(found, axis=0)

    return measure


def test_one_solution_has_no_mos(fit, rows):
    with_mos, without = fit(), fit(model={"solutions": 1})
    names = set(with_mos.network.state_dict())
    assert {name for name in names if name.startswith("mos.")} == names - set(without.network.state_dict()) != set()
    assert without.network.arc.start.shape == (1, 16) and with_mos.network.arc.start.shape == (2, 16)
    assert fit(model={"solutions": 3}).network.arc.start.shape == (3, 16)
    assert without.compress(rows, dims=7).shape == (1200, 7)


def test_one_solution_saves_and_loads(fit, rows, tmp_path):
    fit(model={"solutions": 1}).save(tmp_path / "model")
    loaded = Compressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.compress(rows, dims=7), fit(model={"solutions": 1}).compress(rows, dims=7))


def test_without_ergc_the_graph_is_kept_worse(trained_map, losses):
    both, neighbours_only, ergc_only = (trained_map(**off) for off in ({}, {"ergc_weight": 0}, {"neighbour_weight": 0}))
    assert not torch.equal(both, neighbours_only) and not torch.equal(both, ergc_only)
    without, alone = losses(neighbours_only, dims=8), losses(ergc_only, dims=8)
    assert without[0] > 1.05 * alone[0]  # ERGC is lower where it is trained
    assert alone[1] > 1.05 * without[1]  # and so are neighbours


def test_without_objectives_the_model_stays_the_klt(fit):
    off = fit(ergc_weight=0, neighbour_weight=0, reconstruction_weight=0, linear_steps=12)
    assert torch.equal(weight(off), torch.eye(24))
    assert not off.network.corrects and off.network.open_tokens == 0
    assert off.curve["floats"][0]["arfc"] == pytest.approx(off.curve["floats"][0]["klt"], abs=1e-3)


def arc_gradients(task, network):
    """The gradient of one ARC step."""
    ArcPhase(network, task).loss(0, 0.0).backward()
    return {name: 0.0 if p.grad is None else float(p.grad.abs().max()) for name, p in network.named_parameters()}


def test_without_reconstruction_phase_2_leaves_the_decoder(set_up):
    with_it, without = (arc_gradients(*set_up(reconstruction_weight=weight)) for weight in (0.1, 0))
    assert with_it["decoder.down.weight"] > 0 and without["decoder.down.weight"] == 0
    assert without["arc.head"] > 0


@pytest.mark.parametrize(("kind", "name"), [("pairs", "pairs_weight"), ("labels", "labels_weight")])
def test_supervision_can_be_switched_off(fit, kind, name):
    on, off = fit(**{kind: True}, **LINEAR_ONLY), fit(**{kind: True, name: 0}, **LINEAR_ONLY)
    assert on.facts["task"] == off.facts["task"] == kind
    stronger = fit(**{kind: True, name: 5}, **LINEAR_ONLY)
    for other in (off, stronger):
        histories = [[model.facts["history"][phase] for phase in ("linear", "free")] for model in (on, other)]
        assert not torch.equal(weight(on), weight(other)) or histories[0] != histories[1]


@pytest.mark.parametrize("kind", ["pairs", "labels"])
def test_input_noise_can_be_switched_off(fit, kind):
    on, off = (fit(**{kind: True, "input_noise": noise}, **LINEAR_ONLY) for noise in (0.6, 0))
    histories = [[model.facts["history"][phase] for phase in ("linear", "free")] for model in (on, off)]
    assert not torch.equal(weight(on), weight(off)) or histories[0] != histories[1]


def test_linear_map_may_be_a_rotation_or_free(trained_map, losses):
    rotation, free = trained_map(), trained_map(free=True)
    assert (rotation.T @ rotation - torch.eye(24)).abs().max() < 1e-5
    assert (free.T @ free - torch.eye(24)).abs().max() > 1e-2
    assert losses(rotation, dims=24)[0] < 1e-10 < 1e-6 < losses(free, dims=24)[0]


def test_linear_map_auto_is_a_rotation_and_with_supervision_the_better_of_both(fit, monkeypatch):
    kinds = []
    init = LinearPhase.__init__

    def noting(self, network, task, *, free, steps):
        kinds.append((free, steps))
        init(self, network, task, free=free, steps=steps)

    monkeypatch.setattr(LinearPhase, "__init__", noting)
    steps = dict.fromkeys(("linear_steps", "arc_steps", "decoder_steps"), 3)
    for supervision in ({}, {"pairs": True}, {"labels": True}):
        fit(temperature=0.051, **supervision, **steps)
    assert kinds == [(False, 3), (False, 1), (True, 2), (False, 1), (True, 2)]


def test_rotated_dims_bound_the_rotation(set_up, trained_map):
    few, klt = trained_map(model={"rotated_dims": 5}), set_up()[1].klt.basis
    assert torch.equal(few[:, 5:], klt[:, 5:])
    assert (few[:, :5] - klt[:, :5]).abs().max() > 0.05
    assert len(set_up(model={"rotated_dims": 5})[1].opening) == 1  # tokens of 6 dims: the first one covers them


def test_the_size_law_decides_which_sizes_gain(trained_map, losses):
    """Trained for 3 dims alone, the map serves 3 dims best."""
    short, long = (trained_map(size_law="fixed", fixed_dims=dims) for dims in (3, 9))
    beta, uniform = trained_map(), trained_map(size_law="uniform")
    maps = (short, long, beta, uniform)
    assert all(not torch.equal(one, other) for i, one in enumerate(maps) for other in maps[:i])
    assert losses(short, dims=3)[1] < 0.9 * losses(long, dims=3)[1]
    assert losses(long, dims=9)[1] < 0.9 * losses(short, dims=9)[1]


def test_one_fixed_size_is_the_one_that_chooses(set_up):
    task, network = set_up(size_law="fixed", fixed_dims=5)
    assert list(task.hits([network.compress(unit, dims=24) for unit in task.scored])) == [5]
    assert list(task.scores(lambda unit, dims: unit[:, :dims])) == list(float_ladder(24))  # the curve has all of them


def test_strong_betas_serve_short_sizes(trained_map, losses):
    short = trained_map(size_beta_mild=(1.0, 12.0), size_beta_strong=(1.0, 12.0))
    long = trained_map(size_beta_mild=(12.0, 4.0), size_beta_strong=(12.0, 4.0))
    assert losses(short, dims=2)[1] < 0.9 * losses(long, dims=2)[1]
    assert losses(long, dims=9)[1] < 0.9 * losses(short, dims=9)[1]


PHASES = {"linear_steps": "linear.", "arc_steps": ("arc.", "mos."), "decoder_steps": "decoder."}


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_without_steps_is_left_out(rows, tiny_config, name):
    heard = []
    steps = dict.fromkeys(PHASES, 2) | {name: 0}
    model = Compressor.fit(rows, config=tiny_config(**steps), progress=heard.append)
    phase = name.removesuffix("_steps")
    assert {now.phase for now in heard} == {"linear", "arc", "decoder", "codes"} - {phase}
    assert [entry["step"] for entry in model.facts["history"][phase]] == [0]


def test_phases_without_steps_leave_their_part_as_it_was(fit):
    start, linear = fit(**dict.fromkeys(PHASES, 0)), fit(**LINEAR_ONLY)
    assert not torch.equal(weight(linear), weight(start))
    others = linear.network.state_dict()
    for name, value in start.network.state_dict().items():
        if name.startswith(("arc.", "mos.", "decoder.", "klt.")):
            assert torch.equal(value, others[name]), name


def test_no_step_at_all_gives_the_klt(fit, rows):
    model = fit(**dict.fromkeys(PHASES, 0))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = unit @ model.network.klt.basis.numpy()[:, :7] * np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(model.compress(rows, dims=7), expected, atol=1e-5)
    for row in model.curve["floats"]:
        assert row["arfc"] == pytest.approx(row["klt"], abs=1e-3)


def test_every_weight_and_law_is_written_down(fit):
    train = fit(ergc_weight=0, size_law="uniform", **LINEAR_ONLY).facts["config"]["train"]
    assert train["ergc_weight"] == 0 and train["size_law"] == "uniform" and train["arc_steps"] == 0
    assert set(train) == {field.name for field in dataclasses.fields(TrainConfig)}
