"""Every number a fit depends on, with its unit; validated once, never written to at run time."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Literal, get_args, get_type_hints

from arfc.errors import ConfigError

SizeLaw = Literal["beta", "uniform", "fixed"]
LinearMap = Literal["auto", "orthogonal", "free"]


def _require(ok: bool, what: str, got: object) -> None:
    if not ok:
        raise ConfigError(f"{what}, got {got!r}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of the network. Our choice throughout: the paper's sizes are not public (docs/log.md has the trials)."""

    tokens: int = 8
    """Tokens a full-width vector is made of; the token width is ceil(D / tokens) dims."""
    channels: int = 256
    """Width of the transformer."""
    layers: int = 1
    """Transformer blocks, shared by context and generated tokens."""
    heads: int = 4
    """Attention heads; must divide `channels`."""
    solutions: int = 2
    """Solutions S that MoS refines into one; 1 switches MoS off."""
    rotated_dims: int = 512
    """Most KLT dims the orthogonal map may rotate (it also never rotates more than half of D)."""

    def __post_init__(self) -> None:
        for name in ("tokens", "channels", "layers", "heads", "solutions", "rotated_dims"):
            _require(
                _is_count(getattr(self, name)), f"{name} must be a whole number of at least 1", getattr(self, name)
            )
        _require(self.channels % self.heads == 0, f"channels must be a multiple of heads ({self.heads})", self.channels)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is fitted. A weight of 0 switches its part off."""

    linear_steps: int = 1500
    """Steps that train the linear map (phase 1)."""
    arc_steps: int = 600
    """Steps that train ARC, MoS and the decoder with the linear map fixed (phase 2)."""
    decoder_steps: int = 300
    """Steps that train the decoder alone, everything else fixed (phase 3)."""
    code_rounds: int = 50
    """Rounds that learn the first group of codebooks together, later ones half as many; 0: one after another."""
    batch_rows: int = 1024
    """Rows per batch, drawn evenly; with pairs both sides count."""
    arc_batch_rows: int = 512
    """The same for phase 2, where a row costs twenty times as much."""
    sizes_per_step: int = 4
    """Prefix lengths scored per step."""
    size_law: SizeLaw = "beta"
    """Law of those lengths: "beta" moves from mild to strong, "uniform", or "fixed" at `fixed_dims`, which then is
    also the one by which choices are made."""
    size_beta_mild: tuple[float, float] = (1.0, 2.0)
    """Beta parameters at the first step of the share of all dims, or of the rotated ones while they are learned."""
    size_beta_strong: tuple[float, float] = (1.0, 4.0)
    """The same at the last step."""
    fixed_dims: int = 32
    """Prefix length of size_law="fixed", in dims."""
    linear_map: LinearMap = "auto"
    """"orthogonal" keeps the full-width cosine exact, "free" may change it; "auto": with pairs or labels the better of
    an orthogonal one whose later dims may fade and a free one on top of the orthogonal one, else an orthogonal one."""
    linear_rate: float = 2e-3
    """Peak learning rate of the orthogonal map (Adam)."""
    free_rate: float = 5e-3
    """Peak learning rate of the free map (Adam)."""
    arc_rate: float = 1e-3
    """Peak learning rate of phase 2 (AdamW)."""
    weight_decay: float = 0.01
    """Decoupled weight decay of phase 2."""
    temperature: float = 0.05
    """Temperature of the neighbour and contrastive softmax, in units of cosine."""
    ergc_weight: float = 0.3
    """Weight of ERGC, as a share of what the phase's start has at the same prefix; with pairs or labels times 10, and
    above 1,000 fit rows times 1,000 over their number."""
    neighbour_weight: float = 1.0
    """Weight of the neighbour ranking loss, as such a share; not with pairs or labels."""
    reconstruction_weight: float = 0.1
    """Weight of the decoder's squared error, relative to the best linear decoder's."""
    pairs_weight: float = 1.0
    """Weight of the contrastive loss over pairs (only with `pairs=`)."""
    labels_weight: float = 1.0
    """Weight of the class-structure loss (only with `labels=`)."""
    input_noise: float = 0.6
    """Length of the Gaussian noise that each unit row of a batch is given, with pairs or labels: few of either are
    learned by heart without it. Above 1,000 fit rows it falls as 1 / rows; 0 switches it off."""
    known_partners: bool = False
    """Whether the partners of `pairs=` are a corpus that stays, in which rows not seen yet will search: such a row may
    share its partner with a fit row, so validation rows may too, and partners do not ask."""
    max_rows: int = 100_000
    """Rows sampled from the input, over all of it; the rest is never read for fitting."""
    validation_share: float = 0.1
    """Share of the sampled rows that only choose (early stopping, openings)."""
    max_validation_rows: int = 4_000
    """Upper bound of the validation rows."""
    test_share: float = 0.1
    """Share of the sampled rows that no part of the fit sees, so that `evaluate` has rows to score; 0 for whoever has
    rows of their own to score with."""
    max_test_rows: int = 5_000
    """Upper bound of those rows."""
    duplicate_cosine: float = 0.995
    """Rows at least this near (cosine, centred) count as duplicates and stay on one side of the split. Where that would
    leave a part empty, .99999 is tried, then copies alone; `data.duplicate_cosine` of the model says which."""
    validate_every: int = 50
    """Steps between validations."""
    patience: int = 4
    """Validations without a better score before a phase ends early."""
    arc_patience: int = 2
    """Validations of phase 2 before one is better than the linear map; without one the phase ends there. Twice as many
    with pairs or labels."""

    def __post_init__(self) -> None:
        for name in ("linear_steps", "arc_steps", "decoder_steps", "code_rounds"):
            _require(
                _is_count(getattr(self, name), least=0), f"{name} must be a whole number >= 0", getattr(self, name)
            )
        counts = ("batch_rows", "arc_batch_rows", "sizes_per_step", "fixed_dims", "max_rows", "validate_every")
        for name in (*counts, "max_validation_rows", "max_test_rows", "patience", "arc_patience"):
            _require(
                _is_count(getattr(self, name)), f"{name} must be a whole number of at least 1", getattr(self, name)
            )
        for name in ("linear_rate", "free_rate", "arc_rate", "temperature"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0, f"{name} must be a positive number", value)
        for name in ("weight_decay", "ergc_weight", "neighbour_weight", "reconstruction_weight", "pairs_weight",
                     "labels_weight", "input_noise"):  # fmt: skip
            value = getattr(self, name)
            _require(math.isfinite(value) and value >= 0, f"{name} must be a number >= 0", value)
        _require(0 < self.validation_share < 0.5, "validation_share must lie between 0 and 0.5", self.validation_share)
        _require(0 <= self.test_share < 0.5, "test_share must be at least 0 and below 0.5", self.test_share)
        _require(0 < self.duplicate_cosine <= 1, "duplicate_cosine must lie in (0, 1]", self.duplicate_cosine)
        for name in ("size_beta_mild", "size_beta_strong"):
            pair = getattr(self, name)
            _require(len(pair) == 2 and all(v > 0 for v in pair), f"{name} must be two positive numbers", pair)
        _require(self.size_law in get_args(SizeLaw), f"size_law must be one of {get_args(SizeLaw)}", self.size_law)
        _require(
            self.linear_map in get_args(LinearMap), f"linear_map must be one of {get_args(LinearMap)}", self.linear_map
        )


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything `Compressor.fit` can be told beside the data, the seed and the budget."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """The network's shape."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is fitted."""

    def with_steps(self, steps: int | None) -> Config:
        """Return this config with its phases scaled to `steps` steps in all; None keeps it as it is.

        Each phase has its share, rounded down, and what is left over goes one by one to those that lost most by it, the
        earlier one if equal. So with fewer steps than phases some have none: 1 step of the defaults is the linear
        map's. A phase without steps stays without; where none has any, the total is 0. Fewer steps than the config's
        take the same share of the rounds of the codebooks.

        Raises: ConfigError.
        """
        if steps is None:
            return self
        steps = int(steps) if isinstance(steps, Integral) and not isinstance(steps, bool) else steps
        _require(_is_count(steps), "steps must be a whole number of at least 1", steps)
        names = ("linear_steps", "arc_steps", "decoder_steps")
        planned = [getattr(self.train, name) for name in names]
        total = max(1, sum(planned))
        scaled = [steps * count // total for count in planned]
        lost = [steps * count % total for count in planned]
        for index in sorted(range(len(names)), key=lambda i: -lost[i])[: sum(lost) // total]:
            scaled[index] += 1
        rounds = min(self.train.code_rounds, -(-self.train.code_rounds * steps // total))
        train = dataclasses.replace(self.train, code_rounds=rounds, **dict(zip(names, scaled, strict=True)))
        return dataclasses.replace(self, train=train)

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dicts, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Config:
        """Build from `to_dict`'s form; unknown names are refused.

        Raises: ConfigError.
        """
        parts = {}
        for name, kind in get_type_hints(cls).items():
            given = dict(data.get(name, {}))
            known = {f.name for f in dataclasses.fields(kind)}
            _require(
                set(given) <= known, f"{name} config holds unknown names {sorted(set(given) - known)}", sorted(given)
            )
            parts[name] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
        _require(set(data) <= set(parts), f"config has the parts {sorted(parts)}", sorted(data))
        return cls(**parts)


def check_seed(seed: object) -> int:
    """Return the seed as an int.

    Raises: ConfigError unless it is a whole number from 0 to 2**63 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) < 2**63:
        raise ConfigError(f"seed must be a whole number from 0 to 2**63 - 1, got {seed!r}; try 0")
    return int(seed)


def _is_count(value: object, *, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
