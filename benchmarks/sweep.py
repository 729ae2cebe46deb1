"""Many small fits in one call: every combination of the settings that are named, scored on validation rows.

    python benchmarks/sweep.py muge --budget 30 --seeds 0 1 --try arc_rate=1e-3 arc_rate=3e-3 layers=1 layers=2

A setting is a field of ModelConfig or TrainConfig with a value in JSON; named twice, both are tried. The defaults come
first, and every other combination is compared with them seed by seed. Test rows are never looked at. Fits of the same
committed source that are in the file of results are not done again; name another file while you edit it.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import _methods
from _data import load
from arfc.config import Config, ModelConfig, TrainConfig
from arfc.errors import ConfigError
from arfc.evaluate.measure import measure
from quality import PROVENANCE

Settings = dict[str, Any]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="a set of docs/data.md, or a folder of your own")
    parser.add_argument("--try", nargs="+", default=[], dest="words", metavar="name=value", help="settings")
    parser.add_argument("--variant", default="none", choices=["none", "pairs", "labels"], help="what fits are told")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--budget", type=float, help="seconds of processor time that a fit may train")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="fits at a time, each on one thread")
    parser.add_argument("--out", type=Path, default=Path("sweep.jsonl"), help="file of results")
    options = parser.parse_args(words)
    try:
        combinations = list(combined(options.words))
        for settings in combinations:
            with_settings(Config(), settings)
    except ConfigError as error:
        parser.error(str(error))
    if not load(options.set, fold=options.fold).validation:
        parser.error(f"a sweep must have validation rows, {options.set} has none; its held-out rows are for reports")
    place = {"set": options.set, "variant": options.variant, "fold": options.fold, "budget": options.budget}
    place["source_tree"] = PROVENANCE["source_tree"]
    keys = [place | {"settings": s, "seed": seed} for seed in options.seeds for s in combinations]
    known = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = [result for result in known if result["key"] in keys]
    missing = [key for key in keys if key not in [result["key"] for result in done]]
    for result in _scored(missing, jobs=options.jobs):
        done.append(result)
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        key = result["key"]
        print(f"{len(done)} of {len(keys)}: seed {key['seed']} {named(key['settings'])}", flush=True)
    print("\n".join(table(done, combinations)))


def combined(words: Sequence[str]) -> Iterator[Settings]:
    """Yield the defaults, then every other combination of values.

    Raises: ConfigError for a word that is no `name=value`.
    """
    values: dict[str, list[Any]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"a setting must be name=value, got {word!r}; try arc_rate=1e-3")
        try:
            values.setdefault(name, []).append(json.loads(value))
        except json.JSONDecodeError:  # text stands for itself
            values[name].append(value)
    yield {}
    for chosen in itertools.product(*values.values()) if values else ():
        yield dict(zip(values, chosen, strict=True))


def with_settings(config: Config, settings: Settings) -> Config:
    """Return the config with the settings in the part that has them.

    Raises: ConfigError for a name that neither has, and for values that are out of range.
    """
    parts = {"model": ModelConfig, "train": TrainConfig}
    known = {field.name: part for part, kind in parts.items() for field in dataclasses.fields(kind)}
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ConfigError(f"settings must be fields of ModelConfig or TrainConfig, got {unknown}")
    whole = config.to_dict()
    for name, value in settings.items():
        whole[known[name]][name] = value
    return Config.from_dict(whole)


def _scored(keys: Sequence[dict[str, Any]], *, jobs: int) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        yield from map(scored, keys)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=partial(torch.set_num_threads, 1)) as pool:
        yield from pool.map(scored, keys)


def scored(key: dict[str, Any]) -> dict[str, Any]:
    """Fit on fit rows, and return the first score of floats and codes by size on validation rows."""
    data = load(key["set"], fold=key["fold"])
    x, given = _methods.supervision(data, key["variant"])
    config = _methods.knowing(with_settings(_methods.CONFIG, key["settings"]), data)
    budget_s = key["budget"] or _methods.budget_s(len(data.fit))
    with _methods.processor_clock():
        fitted = _methods.ours(x, given, config=config, seed=key["seed"], budget_s=budget_s)
    methods = {unit: {"arfc": method} for unit, method in fitted.methods.items()}
    (first, *_), _notes = measure(data.validation[:1], methods, fitted.ladders)
    scores = {
        unit: {str(row[size]): row["arfc"]["score"] for row in first[unit]}
        for unit, size in (("floats", "dims"), ("bytes", "bytes"))
    }
    return {"key": key, "fit_s": fitted.fit_s, "metric": first["metric"], **scores}


def table(results: Sequence[dict[str, Any]], combinations: Sequence[Settings]) -> Iterator[str]:
    """Yield lines: of each combination the mean over seeds, and what it gains on the defaults, with its spread."""
    for unit in ("floats", "bytes"):
        sizes = list(results[0][unit])
        yield f"\n{results[0]['metric']} on validation rows, by {'dims' if unit == 'floats' else 'bytes'}:"
        yield " ".join(f"{size:>6}" for size in sizes)
        base = _by_seed(results, combinations[0], unit)
        for settings in combinations:
            scores = _by_seed(results, settings, unit)
            mean = np.mean(list(scores.values()), axis=0)
            gains = [float(np.mean(np.subtract(scores[seed], base[seed]))) for seed in scores]
            spread = f" +-{np.std(gains, ddof=1):.4f}" if len(gains) > 1 else ""
            gain = "" if settings == combinations[0] else f"  gain {np.mean(gains):+.4f}{spread}"
            yield " ".join(f"{score:6.4f}" for score in mean) + f"  {named(settings)}{gain}"


def named(settings: Settings) -> str:
    """Return settings in words."""
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "defaults"


def _by_seed(results: Sequence[dict[str, Any]], settings: Settings, unit: str) -> dict[int, list[float]]:
    chosen = [result for result in results if result["key"]["settings"] == settings]
    return {result["key"]["seed"]: list(result[unit].values()) for result in chosen}


if __name__ == "__main__":
    main()
