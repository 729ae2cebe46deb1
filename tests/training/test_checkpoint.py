"""A checkpoint brings back everything a phase needs, and only to its own fit."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from arfc.errors import ConfigError, ModelFileError
from arfc.training.checkpoint import Checkpoints, PhaseState


def params_of(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: nn.Parameter(torch.randn(3, 2, generator=generator)) for name in ("a", "b")}


def trained(params, steps=3):
    optimizer = torch.optim.AdamW(params.values(), lr=0.1)
    step(params, optimizer, steps)
    return optimizer


def step(params, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        sum(p.pow(2).sum() for p in params.values()).backward()
        optimizer.step()


def saved(folder, *, phase="linear", fit_id="x", elapsed_s=4.5):
    params = params_of()
    optimizer = trained(params)
    state = PhaseState(step=7, elapsed_s=1.5, best_score=0.25, stale=2, history=[{"step": 0, "score": 0.25}])
    state.best = {name: p.detach() * 2 for name, p in params.items()}
    Checkpoints(folder, fit_id=fit_id, resume=False).save(phase, state, params, optimizer, elapsed_s=elapsed_s)
    return params, optimizer, state


def test_a_checkpoint_brings_everything_back(tmp_path):
    params, optimizer, state = saved(tmp_path / "deep" / "folder")
    again = params_of(seed=1)
    fresh = torch.optim.AdamW(again.values(), lr=0.1)
    loaded = Checkpoints(tmp_path / "deep" / "folder", fit_id="x", resume=True).load("linear", again, fresh)
    for name in params:
        assert torch.equal(again[name], params[name])
        assert torch.equal(loaded.best[name], state.best[name])
    for name in ("step", "elapsed_s", "best_score", "stale", "ended", "history"):
        assert getattr(loaded, name) == getattr(state, name)
    step(params, optimizer, 2)
    step(again, fresh, 2)
    assert all(torch.equal(again[name], params[name]) for name in params)  # Adam's moments are back as well


def test_only_the_file_itself_is_left(tmp_path):
    saved(tmp_path)
    saved(tmp_path)  # replaces the first
    assert [path.name for path in tmp_path.iterdir()] == ["linear.safetensors"]
    with safe_open(tmp_path / "linear.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["arfc"])["fit_id"] == "x"


def load(folder, *, fit_id="x", resume=True, phase="linear"):
    params = params_of(seed=1)
    before = {name: p.detach().clone() for name, p in params.items()}
    loaded = Checkpoints(folder, fit_id=fit_id, resume=resume).load(phase, params, torch.optim.AdamW(params.values()))
    assert loaded is not None or all(torch.equal(params[name], before[name]) for name in params)
    return loaded


def test_nothing_to_load(tmp_path):
    assert load(tmp_path) is None
    saved(tmp_path)
    assert load(tmp_path, phase="arc") is None
    assert load(tmp_path, resume=False) is None


def test_another_fits_checkpoint_is_refused(tmp_path):
    saved(tmp_path)
    with pytest.raises(ConfigError, match=r"^a checkpoint can be resumed only with the data, seed and config .*linear"):
        load(tmp_path, fit_id="y")


def test_a_truncated_checkpoint_is_refused(tmp_path):
    saved(tmp_path)
    path = tmp_path / "linear.safetensors"
    whole = path.read_bytes()
    for size in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelFileError, match=r"^checkpoint .*linear\.safetensors must be a whole safetensors file"):
            load(tmp_path)
        with pytest.raises(ModelFileError, match="remove it$"):
            Checkpoints(tmp_path, fit_id="x", resume=True).open()


def test_any_flipped_bit_is_refused(tmp_path):
    """In the tensors, their names and shapes, the facts, the lengths: wherever it is, nothing is restored."""
    saved(tmp_path)
    path = tmp_path / "linear.safetensors"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        with pytest.raises(ModelFileError, match=r"^checkpoint .*linear\.safetensors must be .*; remove it$"):
            load(tmp_path)
    path.write_bytes(whole)
    assert load(tmp_path).step == 7


def test_a_safetensors_file_of_another_program_is_refused(tmp_path):
    for metadata in (None, {"format": "pt"}, {"arfc": "{"}, {"arfc": "[]"}, {"arfc": "{}"}):
        save_file({"a": torch.zeros(2)}, tmp_path / "linear.safetensors", metadata=metadata)
        with pytest.raises(ModelFileError, match="must be a whole safetensors file of arfc"):
            load(tmp_path)


def test_open_gives_the_time_used_before(tmp_path):
    assert Checkpoints(tmp_path / "none", fit_id="x", resume=True).open() == 0
    saved(tmp_path, elapsed_s=4.5)
    saved(tmp_path, phase="arc", elapsed_s=9.5)
    assert Checkpoints(tmp_path, fit_id="x", resume=True).open() == 9.5


def test_a_fresh_start_drops_old_checkpoints_and_nothing_else(tmp_path):
    saved(tmp_path)
    saved(tmp_path, phase="arc")
    (tmp_path / "model.safetensors").write_text("precious")
    assert Checkpoints(tmp_path, fit_id="x", resume=False).open() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_judge_keeps_the_best_and_counts_what_is_not_better():
    params = params_of()
    state = PhaseState()
    for score, scale in ((0.5, 1.0), (0.4, 2.0), (0.6, 3.0), (0.6, 4.0), (0.1, 5.0)):
        with torch.no_grad():
            params["a"].fill_(scale)
        assert not state.ended
        state.judge(score, params, patience=2, start_patience=2)
    assert state.ended == "no better" and state.best_score == 0.6 and state.stale == 2
    assert [entry["score"] for entry in state.history] == [0.5, 0.4, 0.6, 0.6, 0.1]
    state.restore(params)
    assert (params["a"] == 3).all()


@pytest.mark.parametrize(
    ("scores", "end"), [((0.5, 0.4), ""), ((0.5, 0.4, 0.5), "no gain"), ((0.5, 0.6, 0.4, 0.3), "")]
)
def test_judge_waits_less_long_for_the_first_gain(scores, end):
    state = PhaseState()
    for score in scores:
        state.judge(score, params_of(), patience=3, start_patience=2)
    assert state.ended == end


def test_judge_does_not_change_why_a_phase_has_ended():
    state = PhaseState(ended="steps")
    for _ in range(3):
        state.judge(0.5, params_of(), patience=1, start_patience=1)
    assert state.ended == "steps"
