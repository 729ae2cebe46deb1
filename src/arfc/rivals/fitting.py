"""What the fits of all rivals share: the rows, the KLT, the loop, and the score that chooses."""
# N rows, D feature dims, K dims kept

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from arfc.config import Config, TrainConfig
from arfc.errors import ConfigError
from arfc.model.klt import Klt
from arfc.shapes import Array, Float, Int64, Tensor
from arfc.sizes import float_ladder, parse_duration
from arfc.training.fit import split
from arfc.training.loop import Phase, Run, run_phase
from arfc.training.objectives import reconstruction_loss
from arfc.training.recall import means
from arfc.training.rows import read_rows
from arfc.training.split import Split
from arfc.training.task import Compress, Task

CONFIG = Config(train=TrainConfig(patience=8))
"""What rivals are fitted with: our own defaults with twice the patience, since validation falls before it rises."""
SCORED_BLOCK_ROWS = 1024
"""Rows that go through a net at once when it is scored; blocks of this size stay in cache."""
NO_STEP_LIMIT = 10**9
"""Steps of a fit that the clock alone ends."""

Net = TypeVar("Net", bound=nn.Module)


@runtime_checkable
class Stage(Phase, Protocol):
    """A phase that gives a net in the end."""

    @abstractmethod
    def finish(self) -> nn.Module:
        """Return the net from unit rows (N, D) to vectors (N, K), as it is now."""


class NetStage(Generic[Net]):
    """What the stages that train all of a net have in common."""

    name = "rival"
    start_patience = CONFIG.train.patience

    def __init__(self, net: Net, *, steps: int, rate: float, weight_decay: float) -> None:
        self.net = net
        self.steps = steps
        self.rate = rate
        self.weight_decay = weight_decay

    def parameters(self) -> dict[str, nn.Parameter]:
        """Name every weight of the net."""
        return dict(self.net.named_parameters())

    def finish(self) -> Net:
        """Return the net."""
        return self.net


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What training starts from: the same rows, split and KLT as `Compressor.fit` has under the same seed."""

    task: Task
    klt: Klt
    parts: Split

    @property
    def width(self) -> int:
        """Dims D of the features."""
        return self.task.width


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a fit used and how it went."""

    fit_ids: Int64[Array, " N"]
    """The rows that it trained on, by their place among those that were sampled."""
    validation_rows: int
    history: list[dict[str, int | float]]
    """One entry of step and validation score per validation, the start first; the best of them was kept."""


def set_up(x: object, pairs: object, labels: object, config: Config, *, seed: int) -> Setup:
    """Read, check and split the rows as `Compressor.fit` does, fit the KLT, and seed what follows.

    Shapes: x and pairs (N, D); labels (N,).
    Raises: ShapeError, DtypeError, RowError, InputError.
    """
    rows, _ = read_rows(x, pairs, labels, config.train, seed=seed)
    parts = split(rows, config, seed=seed)
    fit_rows = rows.take(parts.fit)
    torch.manual_seed(seed)
    klt = Klt(rows.features.shape[1])
    klt.fit(fit_rows.entities.split(8192))
    return Setup(task=Task(fit_rows, rows.take(parts.validation), config.train, seed=seed), klt=klt, parts=parts)


def most_steps(steps: int | None, budget_s: float | None, *, usual: int) -> int:
    """Return the most steps of a fit: `steps`, else the usual ones, else (with a budget) what the clock allows.

    Raises: ConfigError unless steps is a whole number of at least 1.
    """
    if steps is None:
        return usual if budget_s is None else NO_STEP_LIMIT
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ConfigError(f"steps must be a whole number of at least 1, got {steps!r}; try {usual}")
    return steps


def start_run(config: Config, budget_s: float | None) -> Run:
    """Start a fit's clock.

    Raises: ConfigError when the budget is no length of time.
    """
    return Run(config=config.train, budget_s=float("inf") if budget_s is None else parse_duration(budget_s))


def train(stage: Stage, setup: Setup, run: Run) -> Record:
    """Train on what the budget has left, keep the best parameters, and say how it went."""
    history = run_phase(stage, run, budget_s=max(1e-3, run.budget_s - run.elapsed_s))
    return Record(
        fit_ids=setup.parts.fit,
        validation_rows=len(setup.parts.validation),
        history=history,
    )


@torch.no_grad()
def score_all_sizes(task: Task, compress: Compress) -> float:
    """Return the mean validation score over the ladder's sizes up to D / 2.

    Longer ones are left out: the KLT scores 1 at full width, where nobody compresses, and a map that is better at every
    short size would be thrown away for losing there.
    """
    scores = task.scores(compress)
    short = [scores[k] for k in float_ladder(task.width) if 2 * k <= task.width] or list(scores.values())
    return sum(short) / len(short)


@torch.no_grad()
def score_one_size(task: Task, code: Callable[[Tensor], Tensor]) -> float:
    """Return what `Task.scores` returns, for vectors of one size."""
    vectors = [code(rows) for rows in task.scored]
    dims = vectors[0].shape[1]
    return means(task.hits(vectors, sizes=(dims,)))[dims]


@torch.no_grad()
def by_cached_blocks(net: nn.Module, unit_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
    """Send many rows through a net in blocks that stay in cache."""
    return torch.cat([net(block) for block in unit_ND.split(SCORED_BLOCK_ROWS)])


def reconstruction_share(
    unit_ND: Float[Tensor, "N D"], decoded_ND: Float[Tensor, "N D"], coordinates_ND: Float[Tensor, "N D"], *, dims: int
) -> Float[Tensor, ""]:
    """Return the squared error of decoding as a share of what the first `dims` KLT coordinates lose."""
    floor = coordinates_ND[:, dims:].square().sum(1).mean()
    return reconstruction_loss(unit_ND, decoded_ND) / (floor + 1e-4)
