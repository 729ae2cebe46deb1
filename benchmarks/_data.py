"""Real feature sets: rows to fit on, and tasks for validation and test; no row that asks is in two of the three.

They lie in the folder that ARFC_DATA names, else in ../shared/data beside the checkout; docs/data.md says how.
Letters: N rows, D feature dims, E judgements.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from _folders import load_folder
from _made import MADE
from _sets import SEED, DataSet, array, class_tasks, floats, held_out
from arfc.evaluate import (
    CrossModal,
    NeighbourFidelity,
    SiblingRetrieval,
    Task,
    TextRetrieval,
)
from arfc.evaluate.qrels import open_qrels

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("ARFC_DATA", ROOT.parent / "shared" / "data"))
MYNTRA_FOLDS = 5


def load(name: str, *, fold: int = 0) -> DataSet:
    """Return a set by name: one of `SETS`, of `MADE`, or a folder in the form of `_folders.load_folder`.

    `fold` chooses which fifth of `myntra` is tested.

    Raises: SystemExit that names what is missing.
    """
    if name in MADE:
        return MADE[name]()
    folder = FOLDER / FOLDERS.get(name, name)
    if not folder.is_dir():
        raise SystemExit(f"{name} needs the folder {folder}; set ARFC_DATA to the folder that holds {folder.name}")
    if name == "myntra":
        return _myntra(folder, fold)
    return SETS.get(name, load_folder)(folder)


def folds(name: str) -> range:
    """Return the folds of a set; most have one."""
    return range(MYNTRA_FOLDS if name == "myntra" else 1)


def _captions(folder: Path) -> DataSet:
    """Captions of one image find each other; images are split, so no caption is asked for that a fit knows."""
    vectors_ND, split_N = floats(folder / "vectors.npy"), array(folder / "split.npy")
    image_N = array(folder / "image.npy").astype(np.int64)

    def tasks(part: str) -> list[Task]:
        rows, groups = {"captions": vectors_ND[split_N == part]}, image_N[split_N == part]
        return [SiblingRetrieval(rows=rows, groups=groups), NeighbourFidelity(rows=rows, together=groups)]

    fit_N = split_N == "fit"
    return DataSet(fit=vectors_ND[fit_N], labels=image_N[fit_N], validation=tasks("val"), test=tasks("test"))


def _scifact(folder: Path) -> DataSet:
    """Claims find the abstracts that decide them. The corpus is known to all, queries are split.

    A fifth of the queries for fitting are held out for validation.
    """
    corpus_ND = floats(folder / "corpus.npy")

    def judged(part: str) -> tuple[np.ndarray, np.ndarray]:
        queries_QD = floats(folder / f"queries_{part}.npy")
        ids = {"ids": folder / "corpus.ids.txt", "query_ids": folder / f"queries_{part}.ids.txt"}
        qrels = folder / f"qrels_{part}.tsv"
        return queries_QD, open_qrels(qrels, queries=len(queries_QD), documents=len(corpus_ND), **ids)

    def task(queries_QD: np.ndarray, qrels_E3: np.ndarray, asking: np.ndarray) -> Task:
        kept_E3 = qrels_E3[np.isin(qrels_E3[:, 0], asking)]
        kept_E3[:, 0] = np.searchsorted(asking, kept_E3[:, 0])
        return TextRetrieval(rows={"queries": queries_QD[asking], "corpus": corpus_ND}, qrels=kept_E3)

    queries_QD, qrels_E3 = judged("fit")
    kept, validation = held_out(len(queries_QD))
    relevant_E3 = qrels_E3[np.isin(qrels_E3[:, 0], kept) & (qrels_E3[:, 2] > 0)]
    test_QD, test_qrels_E3 = judged("test")
    return DataSet(
        fit=np.concatenate([corpus_ND, queries_QD[kept]]),
        pairs=(queries_QD[relevant_E3[:, 0]], corpus_ND[relevant_E3[:, 1]]),
        known_partners=True,
        validation=[task(queries_QD, qrels_E3, validation)],
        test=[task(test_QD, test_qrels_E3, np.arange(len(test_QD)))],
    )


def _myntra(folder: Path, fold: int) -> DataSet:
    """Photos and titles of products find each other, both ways, among all 1,000 products.

    A fifth of the products ask; the others are for the fit, a fifth of them for validation, where only they answer.
    """
    images_ND, texts_ND = floats(folder / "images.npy"), floats(folder / "texts.npy")
    order_N = np.random.default_rng(SEED).permutation(len(images_ND))
    tested = np.sort(np.array_split(order_N, MYNTRA_FOLDS)[fold])
    others = np.setdiff1d(order_N, tested)
    kept, validation = held_out(len(others))

    def task(rows: np.ndarray, asking: np.ndarray) -> Task:
        sets = {"images": images_ND[rows], "texts": texts_ND[rows]}
        each = np.arange(len(rows))
        return CrossModal(rows=sets, image_of_text=each, asking_images=asking, asking_texts=asking)

    pairs = images_ND[others[kept]], texts_ND[others[kept]]
    return DataSet(
        fit=np.concatenate(pairs),
        pairs=pairs,
        validation=[task(others, validation)],
        test=[task(np.arange(len(images_ND)), tested)],
    )


def _muge(folder: Path) -> DataSet:
    """Product photos keep their neighbours; validation and test rows each among themselves."""
    fit_ND, validation_ND, test_ND = np.split(floats(folder / "images.npy"), [14_000, 17_000])
    return DataSet(
        fit=fit_ND,
        validation=[NeighbourFidelity(rows={"images": validation_ND})],
        test=[NeighbourFidelity(rows={"images": test_ND})],
    )


def _classes(folder: Path) -> DataSet:
    """Pictures find others of their class, and tell it. A fifth of the train rows are for validation."""
    train_ND, test_ND = (floats(folder / f"{part}.npy") for part in ("train", "test"))
    train_labels, test_labels = (array(folder / f"{part}_y.npy").astype(np.int64) for part in ("train", "test"))
    kept, validation = held_out(len(train_ND))
    fit = train_ND[kept], train_labels[kept]
    return DataSet(
        fit=fit[0],
        labels=fit[1],
        validation=class_tasks(*fit, train_ND[validation], train_labels[validation]),
        test=class_tasks(*fit, test_ND, test_labels),
    )


FOLDERS = {"captions": "flickr8k_captions"}
"""Where a set has another name than its folder."""
SETS: dict[str, Callable[[Path], DataSet]] = {
    "captions": _captions,
    "scifact": _scifact,
    "myntra": lambda folder: _myntra(folder, 0),
    "muge": _muge,
    "cifar10": _classes,
    "food10": _classes,
}
