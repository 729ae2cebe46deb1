"""Every method under one roof: fitted on the same rows, then asked for vectors or codes at the sizes it has.

Letters: N rows, D feature dims.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from _sets import DataSet
from arfc import Compressor
from arfc.baselines.catalogue import CATALOGUE
from arfc.compressor import TRAINING_SHARE
from arfc.config import Config
from arfc.evaluate.methods import Method, Small, of_codes, of_floats, small_of_codes
from arfc.rivals import RIVALS, Coded, fitting
from arfc.rivals.coded import MakesVectors
from arfc.training import codecs, loop

RATIOS = (2, 4, 8, 16, 32)
SMALL_BYTES = (8, 16, 32, 48, 64, 96, 192)
BASELINE_ROWS = 30_000
"""Most fit rows that faiss's codes are fitted on: as many as the model's own codebooks. The others are given all rows;
those with levels fit these on a sample of theirs, of 16,384 rows or more."""
MOST_BUDGET_S = 150.0
LEAST_BUDGET_S = 60.0
ROWS_PER_S = 90
"""Processor time that a learned method may train, ours too, on one thread: a second for so many fit rows, within these
bounds. A rival with one model per size has a fifth of it for each of five sizes. Codes are fitted after that, ours and
those of the others."""
CODED_SEED = 0
"""The seed under which vectors of per-size rivals, those of the paper, are also coded by our code; else they are floats
alone, as papers have them: a code takes as long to fit as the vectors, and its spread is known from ours."""
SLOW = {"pq": 64, "opq": 64, "lsq": 16}
"""Largest size of methods whose fits take minutes beyond it."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted method: what makes its floats and codes, at which sizes, and what the fit took."""

    ladders: dict[str, Sequence[int]]
    methods: dict[str, Method | None]
    """By unit, `dims` and `bytes`; None where it has none."""
    fit_s: float
    """Processor time."""
    fit_rows: int
    """Rows that it was given, pairs counted once."""
    settings: dict[str, Any]


def float_sizes(width: int) -> list[int]:
    """Return the dims that are measured: those of the ratios, 8, and all."""
    return sorted({8, width, *(width // ratio for ratio in RATIOS)})


def byte_sizes(width: int) -> list[int]:
    """Return the bytes that are measured: the usual small ones, and those of the ratios."""
    return sorted({*(size for size in SMALL_BYTES if size < width), *(4 * width // ratio for ratio in RATIOS)})


def names(variant: str) -> list[str]:
    """Return the methods that a variant compares: classic ones cannot use pairs or labels."""
    others = {"none": CATALOGUE, "labels": (*ABLATIONS, ONE_PER_SIZE)}
    return ["arfc", *RIVALS, *others.get(variant, ())]


def kind(name: str) -> str:
    """Return `ours`, `classic`, `learned` or `ablation`."""
    if name == "arfc":
        return "ours"
    return "classic" if name in CATALOGUE else "learned" if name in RIVALS else "ablation"


def is_random(name: str) -> bool:
    """Tell whether another seed makes another fit: of the classic ones, some have a formula."""
    return name not in CATALOGUE or CATALOGUE[name].random


def budget_s(rows: int) -> float:
    """Return the seconds that a learned method may train on so many fit rows."""
    return float(np.clip(rows / ROWS_PER_S, LEAST_BUDGET_S, MOST_BUDGET_S))


def fit(name: str, data: DataSet, variant: str, *, seed: int, budget_s: float) -> Fitted:
    """Fit a method on the fit rows of a set, with the supervision that the variant gives."""
    x, given = supervision(data, variant)
    with processor_clock():
        if name == ONE_PER_SIZE:
            configs = {size: _config(size_law="fixed", fixed_dims=size) for size in _sizes_of_ratios(x.shape[1])}
            return _vectors(x, given, configs, seed=seed, budget_s=budget_s)
        if name == "arfc":
            return ours(x, given, config=knowing(CONFIG, data), seed=seed, budget_s=budget_s)
        if name in ABLATIONS:
            configs = dict.fromkeys(float_sizes(x.shape[1]), ABLATIONS[name])
            return _vectors(x, given, configs, seed=seed, budget_s=budget_s)
        if name in RIVALS:
            return _rival(name, x, given, config=knowing(RIVALS_CONFIG, data), seed=seed, budget_s=budget_s)
    most = BASELINE_ROWS if CATALOGUE[name].extra == "faiss" else len(x)
    kept = np.sort(np.random.default_rng(seed).permutation(len(x))[:most])
    return _classic(name, x[kept], seed=seed)


@contextmanager
def processor_clock() -> Iterator[None]:
    """Let budgets count processor time, and of training alone: all methods train as long as on a free machine.

    Codes are fitted after that, with all their rounds, ours as those of learned rivals.
    """
    clock = mock.patch.object(loop, "time", SimpleNamespace(monotonic=time.process_time))
    with clock, mock.patch.object(codecs, "CODEBOOK_SHARE", math.inf):
        yield


def supervision(data: DataSet, variant: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if variant == "pairs":
        assert data.pairs is not None
        return data.pairs[0], {"pairs": data.pairs[1]}
    if variant == "labels":
        assert data.labels is not None
        return data.fit, {"labels": data.labels}
    return data.fit, {}


def ours(x: np.ndarray, given: dict[str, np.ndarray], *, config: Config, seed: int, budget_s: float) -> Fitted:
    started = time.process_time()
    model = Compressor.fit(x, **given, seed=seed, config=config, budget=budget_s / TRAINING_SHARE, progress=False)
    fit_s, width = time.process_time() - started, model.width
    sizes = [size for size in byte_sizes(width) if size <= width]
    return Fitted(
        ladders={"dims": float_sizes(width), "bytes": sizes},
        methods={
            "dims": of_floats(lambda rows: model.compress(rows, dims=width)),
            "bytes": of_codes(
                lambda rows: model.compress(rows, dims=width), lambda rows: model.compress(rows, bytes=width)
            ),
        },
        fit_s=fit_s,
        fit_rows=len(x),
        settings={
            "config": model.facts["config"],
            "opening": model.facts["opening"],
            "joint_tokens": model.codec.joint.tokens,
            "steps": {p: h[-1]["step"] for p, h in model.facts["history"].items() if _is_history(h)},
        },
    )


def _vectors(
    x: np.ndarray, given: dict[str, np.ndarray], configs: Mapping[int, Config], *, seed: int, budget_s: float
) -> Fitted:
    """Fit one model for each config, and ask it for the vectors of its sizes; their codes are not looked at."""
    started, most_s = time.process_time(), budget_s / TRAINING_SHARE
    models = {
        config: Compressor.fit(x, **given, seed=seed, config=config, budget=most_s, progress=False)
        for config in dict.fromkeys(configs.values())
    }
    return Fitted(
        ladders={"dims": list(configs), "bytes": ()},
        methods={"dims": _by_size({size: models[config] for size, config in configs.items()}), "bytes": None},
        fit_s=time.process_time() - started,
        fit_rows=len(x),
        settings={"configs": [config.to_dict() for config in models]},
    )


def _by_size(fits: Mapping[int, MakesVectors]) -> Method:
    """Return the method that asks the fit of a size for its vectors."""

    def at(rows: np.ndarray) -> Callable[[int], Small]:
        def small(size: int) -> Small:
            vectors = fits[size].compress(rows, dims=size)
            return Small(asked=vectors, stored=vectors)

        return small

    return at


def _sizes_of_ratios(width: int) -> list[int]:
    return sorted(width // ratio for ratio in RATIOS)


def _is_history(entries: object) -> bool:
    return isinstance(entries, list) and bool(entries) and "step" in entries[-1]


def _classic(name: str, x: np.ndarray, *, seed: int) -> Fitted:
    entry, width = CATALOGUE[name], x.shape[1]
    usual = float_sizes(width) if entry.unit == "dims" else byte_sizes(width)
    sizes = [size for size in entry.sizes(usual, width=width) if size <= SLOW.get(name, size)]
    started = time.process_time()
    if entry.one_fit:
        whole = entry.fit(x, size=max(sizes), seed=seed)
        fits = dict.fromkeys(sizes, whole)
    else:
        fits = {size: entry.fit(x, size=size, seed=seed) for size in sizes}
    fit_s = time.process_time() - started

    def at(rows: np.ndarray) -> Callable[[int], Small]:
        def small(size: int) -> Small:
            fitted = fits[size]
            if entry.unit == "dims":
                vectors = fitted.compress(rows, dims=size)
                return Small(asked=vectors, stored=vectors)
            return small_of_codes(fitted.project(rows), fitted.compress(rows, bytes=size))

        return small

    other = "bytes" if entry.unit == "dims" else "dims"
    return Fitted(
        ladders={entry.unit: sizes, other: ()},
        methods={entry.unit: at, other: None},
        fit_s=fit_s,
        fit_rows=len(x),
        settings={"one_fit": entry.one_fit},
    )


def _rival(
    name: str, x: np.ndarray, given: dict[str, np.ndarray], *, config: Config, seed: int, budget_s: float
) -> Fitted:
    rival, width = RIVALS[name], x.shape[1]
    sizes = _sizes_of_ratios(width) if rival.per_size else float_sizes(width)
    started = time.process_time()
    if rival.per_size:
        share_s = budget_s / len(sizes)
        fits = {size: rival.fit(x, **given, dims=size, seed=seed, budget_s=share_s, config=config) for size in sizes}
    else:
        one = rival.fit(x, **given, seed=seed, budget_s=budget_s, config=config)
        fits = dict.fromkeys(sizes, one)

    code_sizes: list[int] = []
    codes = None
    if rival.per_size and seed == CODED_SEED:
        coded_dims = max(sizes)  # the widest is coded
        known = fits[coded_dims].record.fit_ids  # our codebooks see no validation rows either
        others = given["pairs"][known] if "pairs" in given else None
        coded = Coded.fit(fits[coded_dims], x[known], dims=coded_dims, pairs=others, seed=seed)
        code_sizes = [size for size in byte_sizes(width) if size <= coded_dims]
        codes = of_codes(coded.project, lambda rows: coded.compress(rows, bytes=max(code_sizes)))
    return Fitted(
        ladders={"dims": sizes, "bytes": code_sizes},
        methods={"dims": _by_size(fits), "bytes": codes},
        fit_s=time.process_time() - started,
        fit_rows=len(x),
        settings={"per_size": rival.per_size, "config": config.to_dict()},
    )


def _no_test_rows(config: Config) -> Config:
    """Keep no fit rows back for `evaluate`: the sets have test rows of their own, and classic methods use all."""
    return dataclasses.replace(config, train=dataclasses.replace(config.train, test_share=0.0))


def knowing(config: Config, data: DataSet) -> Config:
    """Tell a fit whether the partners that it is given are a corpus that stays, which is so with text retrieval."""
    return dataclasses.replace(config, train=dataclasses.replace(config.train, known_partners=data.known_partners))


CONFIG = _no_test_rows(Config())
RIVALS_CONFIG = _no_test_rows(fitting.CONFIG)


def _config(*, model: dict[str, Any] | None = None, **train: Any) -> Config:
    """Return the config of an ablation, which is compared by its vectors: no time goes into codebooks."""
    train |= {"code_rounds": 0}
    return Config(
        model=dataclasses.replace(CONFIG.model, **(model or {})), train=dataclasses.replace(CONFIG.train, **train)
    )


ABLATIONS: dict[str, Config] = {
    "linear map alone": _config(arc_steps=0),
    "ARC alone": _config(model={"solutions": 1}, ergc_weight=0.0),
    "ARC + MoS": _config(ergc_weight=0.0),
    "ARC + ERGC": _config(model={"solutions": 1}),
    "ARC + MoS of 4 + ERGC": _config(model={"solutions": 4}),
    "uniform sizes": _config(size_law="uniform"),
}
"""The method with parts taken away or changed; `arfc` itself is ARC + MoS of 2 + ERGC with beta-distributed sizes."""
ONE_PER_SIZE = "one model per size"
"""The last ablation: for each ratio a model that is trained and chosen for its size alone, each in as long a time as
the one model that serves them all."""
