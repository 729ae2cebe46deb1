"""The loop all phases run in: steps, schedule, validation, early stopping, budget, interruption, checkpoints."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from arfc.config import TrainConfig
from arfc.training.checkpoint import Checkpoints, PhaseState
from arfc.training.schedule import learning_rate


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a fit says of itself after a step."""

    phase: str
    step: int
    steps: int
    elapsed_s: float
    left_s: float
    loss: float
    score: float
    """Best validation score so far, mean over the size ladder."""


@runtime_checkable
class Phase(Protocol):
    """One stage of a fit: some parameters, a loss for a step, and a validation score."""

    name: str
    steps: int
    rate: float
    weight_decay: float
    start_patience: int
    """Validations that may pass before one is better than the start."""

    def parameters(self) -> dict[str, nn.Parameter]:
        """Name what this phase trains."""

    def loss(self, step: int, progress: float) -> Tensor:
        """Return the loss of this step's batch."""

    def score(self) -> float:
        """Return the validation score of the parameters as they are; larger is better."""


@dataclass(kw_only=True)
class Run:
    """One fit's clock, voice and safety net, shared by its phases."""

    config: TrainConfig
    budget_s: float = float("inf")
    report: Callable[[Progress], None] = lambda progress: None
    checkpoints: Checkpoints | None = None
    started: float = field(default_factory=lambda: time.monotonic())
    earlier_s: float = 0.0
    """Time that the fit had used before it was resumed."""
    has_model: bool = False
    """Whether there is anything yet that Ctrl-C could keep."""
    interrupted: bool = False
    """Whether Ctrl-C was pressed: training is over, and what is left is done the quick way."""
    ends: dict[str, str] = field(default_factory=dict)
    """Why each phase ended, by its name."""

    @property
    def elapsed_s(self) -> float:
        return self.earlier_s + time.monotonic() - self.started

    def pace(self, phase: str, *, budget_s: float) -> Callable[[float], float]:
        """Return what a stage without a loss tells the share of its work that is done, 0 to 1: it reports in percent.

        The answer is the share of `budget_s` that the stage has used, infinite once Ctrl-C came during it.
        """
        began, interrupted, nan, steps = time.monotonic(), self.interrupted, float("nan"), 100

        def used(done: float) -> float:
            taken_s = time.monotonic() - began
            if done:
                left_s = max(0.0, min(taken_s * (1 / done - 1), budget_s - taken_s))
                now = Progress(
                    phase=phase,
                    step=round(steps * done),
                    steps=steps,
                    elapsed_s=self.elapsed_s,
                    left_s=left_s,
                    loss=nan,
                    score=nan,
                )
                self.report(now)
            if self.interrupted != interrupted:
                return float("inf")
            return taken_s / budget_s if budget_s else float("inf")

        return used


def run_phase(phase: Phase, run: Run, *, budget_s: float) -> list[dict[str, int | float]]:
    """Train a phase to its last step, its share of the budget, a plateau or Ctrl-C; leave its best parameters in place.

    Returns the history: one entry of step and score per validation. The start counts as a candidate, so a phase can't
    end worse on validation rows than it began.
    """
    params = phase.parameters()
    optimizer = torch.optim.AdamW(params.values(), lr=phase.rate, weight_decay=phase.weight_decay, betas=(0.9, 0.98))
    state = run.checkpoints.load(phase.name, params, optimizer) if run.checkpoints else None
    if state is None:
        state = PhaseState()
        state.keep(params)
    patience = {"patience": run.config.patience, "start_patience": phase.start_patience}
    began = time.monotonic() - state.elapsed_s
    try:
        if not state.history and not run.interrupted:
            state.judge(phase.score(), params, **patience)
        while not state.ended and not run.interrupted:
            done = state.step / phase.steps if phase.steps else 1.0
            progress = max(done, (time.monotonic() - began) / budget_s)
            if progress >= 1:
                state.ended = "steps" if done >= 1 else "budget"
                break
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(phase.rate, progress)
            optimizer.zero_grad(set_to_none=True)
            loss = phase.loss(state.step, progress)
            if not loss.requires_grad:
                state.ended = "no objective"
                break
            loss.backward()
            nn.utils.clip_grad_norm_(params.values(), 1.0)
            optimizer.step()
            state.step += 1
            state.elapsed_s = time.monotonic() - began
            if state.step % run.config.validate_every == 0:
                state.judge(phase.score(), params, **patience)
                if run.checkpoints:
                    run.checkpoints.save(phase.name, state, params, optimizer, elapsed_s=run.elapsed_s)
            left_s = state.elapsed_s * (1 / max(state.step / phase.steps, state.elapsed_s / budget_s) - 1)
            now = Progress(
                phase=phase.name,
                step=state.step,
                steps=phase.steps,
                elapsed_s=run.elapsed_s,
                left_s=left_s,
                loss=float(loss.detach()),
                score=state.best_score,
            )
            run.report(now)
        if not run.interrupted and state.step > state.history[-1]["step"]:
            state.judge(phase.score(), params, **patience)
    except KeyboardInterrupt:
        if run.interrupted:  # the second one: to end at once is what is asked for
            raise
        run.interrupted = True
    state.restore(params)
    if not run.interrupted and run.checkpoints:
        run.checkpoints.save(phase.name, state, params, optimizer, elapsed_s=run.elapsed_s)
    run.ends[phase.name] = "interrupted" if run.interrupted else state.ended
    return state.history


@contextmanager
def ctrl_c_ends(run: Run) -> Iterator[None]:
    """Let Ctrl-C end a fit, wherever it is, with the best model so far; the second one ends it at once.

    Until there is a model Ctrl-C does what it always does. So it does in other threads than the main one, which can't
    listen, and where the program listens itself; there a KeyboardInterrupt ends the phase it reaches and no more.
    """
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def pressed(number: int, frame: object) -> None:
        if run.interrupted or not run.has_model:
            raise KeyboardInterrupt
        run.interrupted = True

    signal.signal(signal.SIGINT, pressed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
