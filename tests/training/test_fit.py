"""A fit repeats bitwise, goes on where it stopped, and keeps copies out of validation."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from arfc.errors import ConfigError, ModelFileError
from arfc.training import linear_phase
from arfc.training.checkpoint import Checkpoints
from arfc.training.fit import LINEAR_SHARE, fit_id, fit_network, split
from arfc.training.loop import Run
from arfc.training.rows import read_rows


@pytest.fixture
def learning(tiny_config):
    """A config whose linear map leaves the KLT."""
    return tiny_config(linear_steps=40, arc_steps=20, validate_every=10, linear_rate=5e-3, patience=99, arc_patience=99)


def fit(x, config, *, pairs=None, labels=None, seed=0, folder=None, resume=False, stop=None, budget_s=float("inf")):
    """Fit as `Compressor.fit` does; `stop` is a phase and a step at which Ctrl-C is pressed."""
    rows, _ = read_rows(x, pairs, labels, config.train, seed=seed)

    def report(now):
        if (now.phase, now.step) == stop:
            raise KeyboardInterrupt

    run = Run(config=config.train, report=report, budget_s=budget_s)
    if folder is not None:
        run.checkpoints = Checkpoints(folder, fit_id=fit_id(rows, config, seed=seed), resume=resume)
        run.earlier_s = run.checkpoints.open()
    fitted = fit_network(rows, split(rows, config, seed=seed), config, seed=seed, run=run)
    assert run.interrupted is (stop is not None)
    return fitted


def same(one, other):
    tensors, others = one.network.state_dict(), other.network.state_dict()
    return tensors.keys() == others.keys() and all(torch.equal(value, others[name]) for name, value in tensors.items())


def test_a_fit_repeats_bitwise_under_its_seed(small_rows, learning):
    one, again = fit(small_rows, learning), fit(small_rows, learning)
    assert same(one, again)
    assert one.history == again.history
    assert (one.network.linear.weight - torch.eye(24)).abs().max() > 0.01  # it has learned something
    assert [entry["step"] for entry in one.history["arc"]] == [0, 10, 20]


def test_another_seed_gives_another_model(small_rows, learning):
    one, other = fit(small_rows, learning), fit(small_rows, learning, seed=1)
    assert not torch.equal(one.network.linear.weight, other.network.linear.weight)
    assert not torch.equal(one.network.arc.start, other.network.arc.start)
    assert not np.array_equal(one.split.validation, other.split.validation)


@pytest.mark.parametrize("stop", [("linear", 20), ("linear", 33), ("arc", 3), ("arc", 19)])
def test_a_resumed_fit_equals_an_uninterrupted_one_bitwise(small_rows, learning, tmp_path, stop):
    whole = fit(small_rows, learning, folder=tmp_path / "whole")
    fit(small_rows, learning, folder=tmp_path / "halves", stop=stop)
    halves = fit(small_rows, learning, folder=tmp_path / "halves", resume=True)
    assert same(whole, halves)
    assert whole.history == halves.history
    for phase in ("linear", "arc"):  # to the last parameter and moment of the optimiser, not the best ones alone
        one, other = (load_file(tmp_path / name / f"{phase}.safetensors") for name in ("whole", "halves"))
        assert one.keys() == other.keys() and any(name.startswith("adam.exp_avg_sq") for name in one)
        assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("stop", [("free", 12), ("arc", 13), ("arc", 19)])
def test_a_resumed_fit_with_labels_goes_on_as_an_uninterrupted_one(small_rows, learning, tmp_path, stop):
    """Also where a part, MoS, has not begun to learn."""
    labels = np.arange(600) % 3
    whole = fit(small_rows, learning, labels=labels)
    fit(small_rows, learning, labels=labels, folder=tmp_path, stop=stop)
    assert (tmp_path / f"{stop[0]}.safetensors").exists()
    resumed = fit(small_rows, learning, labels=labels, folder=tmp_path, resume=True)
    assert same(whole, resumed) and whole.history == resumed.history
    assert {"from", "scale"} == whole.history["fade"].keys()


def test_an_interrupted_fit_keeps_the_best_so_far(small_rows, learning):
    stopped = fit(small_rows, learning, stop=("linear", 33))
    history = stopped.history["linear"]
    assert [entry["step"] for entry in history] == [0, 10, 20, 30]
    assert stopped.history["arc"] == []  # nothing of the second phase
    best = max(entry["score"] for entry in history)
    assert best > history[0]["score"]
    closed = stopped.history["openings"]["closed"]
    assert sum(closed.values()) / len(closed) == pytest.approx(best)


def test_a_finished_fit_resumes_to_itself(small_rows, learning, tmp_path):
    whole = fit(small_rows, learning, folder=tmp_path)
    assert same(whole, fit(small_rows, learning, folder=tmp_path, resume=True))


def test_checkpoints_of_other_data_config_or_seed_are_refused(small_rows, learning, tmp_path):
    fit(small_rows, learning, folder=tmp_path, stop=("linear", 33))
    changed = small_rows.copy()
    changed[5, 5] += 1e-3
    other_config = dataclasses.replace(learning, train=dataclasses.replace(learning.train, temperature=0.06))
    for x, config, seed in ((changed, learning, 0), (small_rows, other_config, 0), (small_rows, learning, 1)):
        with pytest.raises(ConfigError, match="^a checkpoint can be resumed only with the data, seed and config"):
            fit(x, config, seed=seed, folder=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(small_rows, learning, tmp_path):
    fit(small_rows, learning, folder=tmp_path, stop=("linear", 33))
    path = tmp_path / "linear.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelFileError, match="must be a whole safetensors file"):
        fit(small_rows, learning, folder=tmp_path, resume=True)


def test_a_fresh_fit_does_not_take_up_an_old_second_phase(small_rows, learning, tmp_path):
    """The old fit had another linear map; its second phase must not be mixed with the new one's first."""
    whole = fit(small_rows, learning)
    old = fit(small_rows, learning, folder=tmp_path, budget_s=0.2)
    assert (tmp_path / "arc.safetensors").exists() and not same(whole, old)
    fit(small_rows, learning, folder=tmp_path, stop=("linear", 33))
    assert same(whole, fit(small_rows, learning, folder=tmp_path, resume=True))


def test_fit_id_names_everything_that_decides(small_rows, learning):
    def of(x, labels=None, config=learning, seed=0):
        return fit_id(read_rows(x, None, labels, config.train, seed=seed)[0], config, seed=seed)

    labels = np.arange(600) % 3
    known = {of(small_rows), of(small_rows + 1e-4), of(small_rows, labels), of(small_rows, labels + (labels == 2))}
    known.add(of(small_rows, seed=1))
    assert len(known) == 5
    assert of(small_rows) == of(small_rows.copy())


@pytest.mark.parametrize("copies", [2, 10])
def test_rows_that_come_several_times_stay_in_one_part(clustered, tiny_config, copies):
    x = np.repeat(clustered(300, 24), copies, axis=0)[np.random.default_rng(0).permutation(300 * copies)]
    fitted = fit(x, tiny_config(linear_steps=2, arc_steps=2))
    parts = [
        {x[row].tobytes() for row in part} for part in (fitted.split.fit, fitted.split.validation, fitted.split.test)
    ]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert min(len(fitted.split.validation), len(fitted.split.test)) >= 0.06 * len(x)


@pytest.mark.parametrize(("width", "spread", "cosine"), [(2, 0, 0.99999), (32, 0.02, 0.99999), (32, 1e-4, 1.0)])
def test_rows_that_all_hang_together_are_split_by_nearer_duplicates(tiny_config, width, spread, cosine):
    rng = np.random.default_rng(0)
    rows = 400
    x = rng.standard_normal((6 if spread else rows, width))[np.arange(rows) % (6 if spread else rows)]
    x += spread * rng.standard_normal(x.shape)
    x = np.concatenate([x, x[:9]])
    config = tiny_config()
    taken, _ = read_rows(x.astype(np.float32), None, None, config.train, seed=0)
    parts = split(taken, config, seed=0)
    assert parts.duplicate_cosine == cosine
    assert min(len(parts.validation), len(parts.test)) >= 0.09 * rows
    copies = [set(map(bytes, taken.features.numpy()[part])) for part in (parts.fit, parts.validation, parts.test)]
    assert not (copies[0] & copies[1] or copies[0] & copies[2] or copies[1] & copies[2])


@pytest.mark.parametrize("known", [False, True])
def test_a_partner_of_several_rows_ties_them_unless_partners_are_known(clustered, tiny_config, known):
    config = tiny_config(known_partners=known)
    partners = clustered(100, 24)[np.arange(600) % 100]
    rows, _ = read_rows(clustered(700, 24)[100:], partners, None, config.train, seed=0)
    parts = split(rows, config, seed=0)
    shared = set(parts.validation % 100) & set(parts.fit % 100)
    assert bool(shared) is known
    assert not set(parts.validation) & set(parts.fit) and len(parts.validation) >= 20


def test_rows_that_come_twice_stay_in_one_part_where_partners_are_known(clustered, tiny_config):
    config = tiny_config(known_partners=True)
    x, y = clustered(300, 24), clustered(900, 24)[300:]
    rows, _ = read_rows(np.concatenate([x, x]), y, None, config.train, seed=0)
    parts = split(rows, config, seed=0)
    assert not set(parts.validation % 300) & set(parts.fit % 300)


@pytest.mark.parametrize("test_share", [0.1, 0.0])
def test_small_classes_are_kept_whole(clustered, tiny_config, test_share):
    labels = np.arange(600) // 5
    config = tiny_config(test_share=test_share)
    rows, _ = read_rows(clustered(600, 24), None, labels, config.train, seed=0)
    parts = split(rows, config, seed=0)
    in_fit, in_validation = set(labels[parts.fit]), set(labels[parts.validation])
    assert in_validation and not in_fit & in_validation


def test_the_klt_is_that_of_the_fit_rows_of_both_modalities(clustered, tiny_config):
    x, y = clustered(300, 24), clustered(300, 24, seed=1)[:, ::-1].copy()
    fitted = fit(x, tiny_config(linear_steps=0, arc_steps=0), pairs=y)
    at = fitted.split.fit
    rows = np.concatenate([v[at] / np.linalg.norm(v[at], axis=1, keepdims=True) for v in (x, y)]).astype(np.float64)
    np.testing.assert_allclose(
        fitted.network.klt.energy, np.linalg.eigvalsh(rows.T @ rows / len(rows))[::-1], atol=1e-6
    )


@pytest.mark.parametrize("told", [False, True])
def test_the_linear_maps_share_their_part_of_the_time(small_rows, tiny_config, monkeypatch, told):
    given = {}

    def record(phase, run, *, budget_s):
        given[phase.name] = budget_s
        return []

    monkeypatch.setattr(linear_phase, "run_phase", record)
    fit(small_rows, tiny_config(), labels=np.arange(len(small_rows)) % 5 if told else None, budget_s=1000)
    assert sum(given.get(name, 0) for name in ("linear", "free")) == pytest.approx(LINEAR_SHARE * 1000, rel=0.05)


def test_a_budget_is_shared_by_both_phases(small_rows, tiny_config):
    endless = tiny_config(linear_steps=100_000, arc_steps=100_000, validate_every=50, patience=1000, arc_patience=1000)
    ends = {}

    def report(now):
        ends[now.phase] = now

    rows, _ = read_rows(small_rows, None, None, endless.train, seed=0)
    run = Run(config=endless.train, report=report, budget_s=2.0)
    fit_network(rows, split(rows, endless, seed=0), endless, seed=0, run=run)
    assert 0.5 * LINEAR_SHARE * 2 < ends["linear"].elapsed_s < 1.4
    assert 1.5 < ends["arc"].elapsed_s < 3.5
    assert ends["linear"].step > 5 and ends["arc"].step > 5
    assert ends["arc"].left_s < 0.5
