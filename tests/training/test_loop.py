"""The loop keeps the best, stops in time, and survives Ctrl-C."""

import os
import signal
import threading
import time

import pytest
import torch
from torch import nn

from arfc.config import TrainConfig
from arfc.training.loop import Run, ctrl_c_ends, run_phase
from arfc.training.schedule import learning_rate


class Slope:
    """Walk one parameter upwards at the learning rate; the score peaks at `peak`."""

    name = "linear"
    weight_decay = 0.0

    def __init__(self, *, steps=100, peak=10.0, rate=0.1, step_s=0.0, start_patience=3):
        self.steps, self.peak, self.rate, self.step_s = steps, peak, rate, step_s
        self.start_patience = start_patience
        self.at = nn.Parameter(torch.zeros(1))
        self.seen = []

    def parameters(self):
        return {"at": self.at}

    def loss(self, step, progress):
        time.sleep(self.step_s)
        self.seen.append((step, progress))
        return -self.at.sum()

    def score(self):
        return -abs(float(self.at.detach()) - self.peak)


def run_of(**config):
    return Run(config=TrainConfig(**({"validate_every": 10, "patience": 3} | config)))


def test_runs_to_its_last_step_and_validates_on_the_way():
    phase, said = Slope(), []
    run = run_of()
    run.report = said.append
    history = run_phase(phase, run, budget_s=float("inf"))
    assert [entry["step"] for entry in history] == list(range(0, 101, 10))
    assert [step for step, _ in phase.seen] == list(range(100))
    assert phase.seen[50][1] == 0.5
    assert [p.step for p in said] == list(range(1, 101)) and {p.steps for p in said} == {100}
    assert said[0].score == pytest.approx(-10) and said[-1].score == max(entry["score"] for entry in history)
    assert not run.interrupted
    # Adam walks at the learning rate, so the schedule decides how far.
    assert float(phase.at.detach()) == pytest.approx(sum(learning_rate(0.1, k / 100) for k in range(100)), rel=1e-3)


def test_the_best_parameters_are_left_in_place():
    phase = Slope(peak=2.0)
    history = run_phase(phase, run_of(patience=99), budget_s=float("inf"))
    best = max(history, key=lambda entry: entry["score"])
    assert 0 < best["step"] < 100 and history[-1]["score"] < best["score"] - 1
    assert phase.score() == pytest.approx(best["score"], abs=1e-6)


def test_patience_ends_a_phase_early():
    phase = Slope(peak=2.0)
    history = run_phase(phase, run_of(), budget_s=float("inf"))
    best = max(range(len(history)), key=lambda i: history[i]["score"])
    assert len(history) == best + 1 + 3
    assert len(phase.seen) == history[-1]["step"] < 100


def test_the_start_is_a_candidate():
    phase = Slope(peak=-5.0)
    run_phase(phase, run_of(), budget_s=float("inf"))
    assert float(phase.at.detach()) == 0


@pytest.mark.parametrize("start_patience", [1, 2])
def test_a_phase_that_is_never_better_than_its_start_ends_sooner(start_patience):
    run, phase = run_of(), Slope(peak=-5.0, start_patience=start_patience)
    history = run_phase(phase, run, budget_s=float("inf"))
    assert [entry["step"] for entry in history] == list(range(0, 10 * start_patience + 1, 10))
    assert run.ends == {"linear": "no gain"}


def test_one_gain_gives_a_phase_all_its_patience():
    """Better once and then worse for good: the gain is kept, and three more validations are waited for."""
    run, phase = run_of(), Slope(peak=0.5, start_patience=1)
    history = run_phase(phase, run, budget_s=float("inf"))
    assert [entry["score"] > history[0]["score"] for entry in history] == [False, True, False, False, False]
    assert run.ends == {"linear": "no better"}


@pytest.mark.parametrize(
    ("phase", "budget_s", "end"),
    [
        (Slope(), float("inf"), "steps"),
        (Slope(steps=0), float("inf"), "steps"),
        (Slope(steps=25, peak=-5.0), float("inf"), "steps"),
        (Slope(steps=100_000, step_s=0.005), 0.1, "budget"),
        (Slope(peak=2.0), float("inf"), "no better"),
        (Slope(peak=-5.0), float("inf"), "no gain"),
    ],
)
def test_a_phase_says_why_it_ended(phase, budget_s, end):
    run = run_of()
    run_phase(phase, run, budget_s=budget_s)
    assert run.ends == {"linear": end}


def test_steps_between_validations_are_judged_at_the_end():
    history = run_phase(Slope(steps=25), run_of(), budget_s=float("inf"))
    assert [entry["step"] for entry in history] == [0, 10, 20, 25]


def test_no_steps():
    phase = Slope(steps=0)
    assert run_phase(phase, run_of(), budget_s=float("inf")) == [{"step": 0, "score": -10.0}]
    assert phase.seen == []


def test_nothing_to_learn_from():
    class Silent(Slope):
        def loss(self, step, progress):
            return torch.zeros(())

    phase, run = Silent(), run_of()
    assert run_phase(phase, run, budget_s=float("inf")) == [{"step": 0, "score": -10.0}]
    assert run.ends == {"linear": "no objective"}
    assert float(phase.at.detach()) == 0


def test_budget_ends_a_phase_in_time_with_its_schedule_run_down():
    phase = Slope(steps=100_000, step_s=0.005)
    started = time.monotonic()
    history = run_phase(phase, run_of(), budget_s=0.5)
    assert 0.4 < time.monotonic() - started < 1.5
    assert 5 < len(phase.seen) < 120
    assert phase.seen[-1][1] > 0.8  # progress follows the clock
    assert history[-1]["step"] == len(phase.seen)


def test_time_left_follows_the_slower_clock():
    said = []
    run = run_of()
    run.report = said.append
    run_phase(Slope(steps=50, step_s=0.004), run, budget_s=float("inf"))
    halfway = said[24]
    assert 0.1 < halfway.left_s < 1.0
    assert said[-1].left_s == pytest.approx(0)
    assert said[-1].elapsed_s >= 0.2


@pytest.mark.parametrize("stop", [1, 9, 10, 37])
def test_ctrl_c_keeps_the_best_so_far(stop):
    phase, run = Slope(peak=2.0), run_of(patience=99)

    def report(progress):
        if progress.step == stop:
            raise KeyboardInterrupt

    run.report = report
    history = run_phase(phase, run, budget_s=float("inf"))
    assert run.interrupted and run.ends == {"linear": "interrupted"}
    assert len(phase.seen) == stop
    assert [entry["step"] for entry in history] == [step for step in (0, 10, 20, 30) if step <= stop]
    assert phase.score() == pytest.approx(max(entry["score"] for entry in history), abs=1e-6)


def test_an_interrupted_run_trains_no_further_phase():
    run = run_of()
    run.interrupted = True
    phase = Slope()
    assert run_phase(phase, run, budget_s=float("inf")) == []
    assert phase.seen == []


def test_an_interruption_of_the_first_score_leaves_the_phase_as_it_was():
    class Interrupted(Slope):
        def score(self):
            raise KeyboardInterrupt

    phase, run = Interrupted(), run_of()
    before = {name: p.detach().clone() for name, p in phase.parameters().items()}
    assert run_phase(phase, run, budget_s=float("inf")) == []
    assert run.interrupted and phase.seen == []
    assert all(torch.equal(before[name], p) for name, p in phase.parameters().items())


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_a_run_and_not_the_program():
    run = run_of()
    run.has_model = True
    with ctrl_c_ends(run):
        assert not run.interrupted
        press()
        assert run.interrupted
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_without_a_model_ends_the_program():
    run = run_of()
    with pytest.raises(KeyboardInterrupt), ctrl_c_ends(run):
        press()
    assert not run.interrupted
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_listens_itself_goes_on_listening():
    run, heard = run_of(), []
    run.has_model = True

    def listen(number, frame):
        heard.append(number)

    signal.signal(signal.SIGINT, listen)
    try:
        with ctrl_c_ends(run):
            press()
        assert signal.getsignal(signal.SIGINT) is listen
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT] and not run.interrupted


def test_another_thread_listens_to_nothing():
    handlers = []

    def work():
        with ctrl_c_ends(run_of()):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


@pytest.mark.parametrize("stop", [0, 20])
def test_ctrl_c_during_a_validation_lets_it_count(stop):
    class Pressed(Slope):
        def score(self):
            if len(self.seen) == stop:
                press()
            return super().score()

    phase, run = Pressed(), run_of()
    run.has_model = True
    with ctrl_c_ends(run):
        history = run_phase(phase, run, budget_s=float("inf"))
    assert [entry["step"] for entry in history] == list(range(0, stop + 1, 10))
    assert len(phase.seen) == stop and run.ends == {"linear": "interrupted"}
    assert Slope.score(phase) == history[-1]["score"]


@pytest.mark.parametrize("first", ["before", "in the phase"])
def test_a_second_ctrl_c_is_not_swallowed(first):
    class Pressed(Slope):
        def loss(self, step, progress):
            press()
            press()

        def score(self):
            return 0.0

    run = run_of()
    run.has_model = True
    with pytest.raises(KeyboardInterrupt), ctrl_c_ends(run):
        if first == "before":
            press()
            press()
        run_phase(Pressed(), run, budget_s=float("inf"))
    assert run.interrupted


def test_other_errors_are_not_swallowed():
    run = run_of()

    def report(progress):
        raise RuntimeError("disk on fire")

    run.report = report
    with pytest.raises(RuntimeError, match="disk on fire"):
        run_phase(Slope(), run, budget_s=float("inf"))


def test_weight_decay_pulls_towards_zero():
    class Decayed(Slope):
        weight_decay = 1.0

    free, decayed = Slope(), Decayed()
    for phase in (free, decayed):
        run_phase(phase, run_of(), budget_s=float("inf"))
    assert float(decayed.at.detach()) < float(free.at.detach()) - 0.5
