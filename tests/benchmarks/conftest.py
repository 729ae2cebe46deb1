"""Tiny sets in a folder of their own."""

import numpy as np
import pytest

import _data


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of sets."""
    monkeypatch.setattr(_data, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def save(home):
    """A function that writes arrays into the folder of a set."""

    def write(folder, **files):
        (home / folder).mkdir(parents=True, exist_ok=True)
        for name, values in files.items():
            np.save(home / folder / f"{name}.npy", values)

    return write


@pytest.fixture
def birds(save, rng):
    """A set of one's own: pictures of four kinds."""
    kinds = rng.standard_normal((4, 32))
    for part, rows in (("fit", 400), ("test", 60)):
        labels = rng.integers(4, size=rows)
        images = kinds[labels] + 0.3 * rng.standard_normal((rows, 32))
        save(f"birds/{part}", images=images.astype(np.float32), labels=labels)


@pytest.fixture(scope="session")
def check_disjoint():
    """A function that sees to it that no row that asks is a row of the fit, or asks in another part."""

    def check(data):
        parts = [as_set(data.fit)] + [set().union(*map(asking, tasks)) for tasks in (data.validation, data.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(set().union(*parts))
        assert data.fit.dtype == np.float32
        if data.pairs is not None:
            assert as_set(np.concatenate(data.pairs)) <= parts[0]
        if data.labels is not None:
            assert data.labels.shape == (len(data.fit),)

    return check


def as_set(rows):
    return {row.tobytes() for row in rows}


def asking(task):
    """The rows of a task that ask, or whose class is told."""
    kind = type(task).__name__
    if kind == "CrossModal":
        asks = (task.asking_images, task.asking_texts)
        rows = [
            rows if numbers is None else rows[numbers] for rows, numbers in zip(task.rows.values(), asks, strict=True)
        ]
        return as_set(np.concatenate(rows))
    name = {"TextRetrieval": "queries", "Classification": "test"}.get(kind) or next(iter(task.rows))
    return as_set(task.rows[name])


@pytest.fixture
def cell():
    """A function that makes the cell of a score whose interval is .01 to both sides."""

    def make(score, *, spread=0.01, whole=1.0):
        ends = {"score": score, "low": score - spread, "high": score + spread}
        kept = {key: value / whole for key, value in ends.items()}
        return ends | {
            "retention": kept["score"],
            "retention_low": kept["low"],
            "retention_high": kept["high"],
        }

    return make


@pytest.fixture
def record():
    """A function that makes a record of one metric from cells by size: `codes` by bytes, `floats` by dims."""

    def make(method="arfc", *, codes=None, floats=None, metric="recall@10", **others):
        known = {"arfc": "ours", "autoencoder": "learned", "q-former": "learned", "ARC alone": "ablation"}
        table = {
            "metric": metric,
            "queries": 100,
            "uncompressed": {"score": 1.0, "low": 1.0, "high": 1.0},
            "floats": [{"dims": size, "bytes": 4 * size, method: one} for size, one in (floats or {}).items()],
            "bytes": [{"bytes": size, method: one} for size, one in (codes or {}).items()],
        }
        return {
            "set": "captions",
            "variant": "none",
            "method": method,
            "kind": known.get(method, "classic"),
            "seed": 0,
            "fold": 0,
            "fit_s": 10.0,
            "rows": {"fit": 1000},
            "tables": [table],
            "notes": [],
            "data_sha256": "same",
            "commit": "c" * 40,
            "source_tree": "f" * 40,
            "uncommitted_changes": False,
            "date": "2026-01-01",
            "versions": {},
            "hardware": {"cpu": "x86_64", "cores": 2, "threads": 1},
            "settings": {},
        } | others

    return make
