"""Sets that installed packages carry: no row that asks is a row of the fit, and one run measures all of them."""

import argparse

import numpy as np
import pytest

import _made
import quality
from _data import load


@pytest.mark.parametrize(("name", "rows", "width"), [("digits", 1_200, 64), ("patches", 15_960, 300)])
def test_pixels(name, rows, width):
    data = load(name)
    assert data.fit.shape == (rows, width) and data.fit.dtype == np.float32
    (task,) = data.test
    asking = {row.tobytes() for row in task.rows["rows"]}
    assert asking and not asking & {row.tobytes() for row in data.fit}
    assert data.fit.min() >= 0 and np.linalg.norm(data.fit, axis=1).std() > 1


def test_patches_that_ask_share_no_pixel_with_the_others(monkeypatch):
    from sklearn.datasets import load_sample_images

    found = load_sample_images()
    photos = [np.arange(found.images[0].size).reshape(found.images[0].shape) + at * 10**7 for at in range(2)]
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: argparse.Namespace(images=photos))
    monkeypatch.setattr(_made, "_data_set", lambda fit, held: (fit, held))
    fit, held = _made.patches()
    assert fit.shape[1] == held.shape[1] == 3 * _made.PATCH**2
    assert not set(fit.flatten().tolist()) & set(held.flatten().tolist())


def test_copies_of_rows_to_fit_on_do_not_ask():
    rows = np.arange(12.0).reshape(6, 2)
    data = _made._data_set(rows[:4], np.concatenate([rows[2:], rows[5:]]))
    assert {row.tobytes() for row in data.test[0].rows["rows"]} == {
        row.astype(np.float32).tobytes() for row in rows[4:]
    }


def test_texts_as_counts_of_n_grams_are_wide_and_few(monkeypatch):
    texts = [f"text number {n} of {n * n} about {'abcdefghij'[n % 10] * 3}" for n in range(40)]
    monkeypatch.setattr(_made, "_texts", lambda: (texts, list(range(30)), list(range(30, 40))))
    data = load("n-grams")
    assert data.fit.shape == (30, 4_096) and (data.fit >= 0).all() and data.fit.any(axis=1).all()
    assert len(data.test[0].rows["rows"]) == 10


def test_words_without_their_package_say_what_to_do(monkeypatch):
    monkeypatch.setattr(_made.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="needs the package wordllama; run: make bench-carry-over"):
        load("words")


def test_one_run_measures_all_of_them(monkeypatch, tmp_path):
    asked = []

    def run(piece, *, most_s):
        asked.append(piece)
        return {**piece._asdict(), "fit_s": 0.0, "tables": [{"metric": "recall@10", "floats": [], "bytes": []}]}

    monkeypatch.setattr(quality, "run", run)
    quality.main(["--carry-over", "--out", str(tmp_path / "records.jsonl")])
    assert {piece.set for piece in asked} == set(_made.MADE)
    assert {piece.method for piece in asked} == set(quality.CARRY_OVER_METHODS)
    assert {piece.seed for piece in asked} == {0}
    assert len(asked) == len(_made.MADE) * len(quality.CARRY_OVER_METHODS)
