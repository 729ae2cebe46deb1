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
