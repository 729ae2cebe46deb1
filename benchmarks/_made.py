"""Sets that anyone can make from what installed packages carry; docs/carry-over.md says what was chosen on them.

They are unlike the sets of docs/data.md and unlike each other: raw pixels, an encoder without a transformer, inner
layers of one, hashed n-grams; 64 to 4,096 dims, few rows, a strong common direction, lengths that vary. Letters: N
rows, D feature dims, C words of a vocabulary.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from _sets import SEED, DataSet
from arfc.evaluate import NeighbourFidelity

sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
from _docstrings import collect, split  # noqa: E402
from _encoder import load_encoder  # noqa: E402

HELD_OUT = 0.25
"""Share of the texts that ask each other."""
FEW = 2_000
"""Rows of a small set."""
MOST_ASKING = 3_000
PATCH = 10
"""Width and height of a patch of a photo, in pixels; patches overlap by half."""
GAP = 2
"""Columns of patches between those to fit on and those that ask, so that no pixel is in both."""
N_GRAM_DIMS = 4_096
LAYER = 3


def digits() -> DataSet:
    """Pixels of scikit-learn's digits: 64 counts from 0 to 16, 1,200 rows to fit on."""
    from sklearn.datasets import load_digits

    pixels_ND = load_digits().data[_order(1_797)]
    return _data_set(pixels_ND[:1_200], pixels_ND[1_200:])


def patches() -> DataSet:
    """Pixels of 10 x 10 patches of scikit-learn's two photos: much sky, and so many rows that are nearly equal."""
    from sklearn.datasets import load_sample_images

    fit, held = [], []
    for photo in load_sample_images().images:
        windows = np.lib.stride_tricks.sliding_window_view(photo, (PATCH, PATCH), axis=(0, 1))
        grid = windows[:: PATCH // 2, :: PATCH // 2].transpose(0, 1, 3, 4, 2)
        flat = grid.reshape(*grid.shape[:2], -1)
        cut = round((1 - HELD_OUT) * flat.shape[1])
        fit.append(flat[:, :cut].reshape(-1, flat.shape[2]))
        held.append(flat[:, cut + GAP :].reshape(-1, flat.shape[2]))
    return _data_set(np.concatenate(fit), np.concatenate(held))


def words() -> DataSet:
    """Docstrings as the mean of WordLlama's vectors of their tokens: 256 dims, no transformer, lengths of 1 to 9."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    found = importlib.util.find_spec("wordllama")  # looks, without importing: its loader would ask the network
    if found is None or found.origin is None:
        raise SystemExit("the set words needs the package wordllama; run: make bench-carry-over")
    folder = Path(found.origin).parent
    (vectors_CD,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    texts, fit, held = _texts()
    tokens = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    rows_ND = np.stack([vectors_CD[ids].astype(np.float32).mean(axis=0) for ids in tokens])
    return _data_set(rows_ND[fit], rows_ND[held])


def layer() -> DataSet:
    """Docstrings as the mean over their tokens of MiniLM's third layer: 384 dims, .6 of the energy in one direction."""
    rows_ND = _layers()[:, LAYER]
    _, fit, held = _texts()
    return _data_set(rows_ND[fit], rows_ND[held])


def layer_few() -> DataSet:
    """The same with 2,000 rows to fit on."""
    return _few(layer())


def layers() -> DataSet:
    """Docstrings as the means over their tokens of all of MiniLM's layers, side by side: 2,688 dims, 2,000 rows."""
    rows_ND = _layers().reshape(len(_layers()), -1)
    _, fit, held = _texts()
    return _few(_data_set(rows_ND[fit], rows_ND[held]))


def n_grams() -> DataSet:
    """Docstrings as counts of their hashed 3- and 4-grams of characters: 4,096 dims, mostly zeros, 2,000 rows."""
    from sklearn.feature_extraction.text import HashingVectorizer

    kind = {"analyzer": "char_wb", "ngram_range": (3, 4), "alternate_sign": False, "norm": None}
    texts, fit, held = _texts()
    rows_ND = HashingVectorizer(n_features=N_GRAM_DIMS, **kind).transform(texts).toarray()
    return _few(_data_set(rows_ND[fit], rows_ND[held]))


MADE: dict[str, Callable[[], DataSet]] = {
    "digits": digits,
    "patches": patches,
    "words": words,
    "layer": layer,
    "layer-few": layer_few,
    "layers": layers,
    "n-grams": n_grams,
}


def _data_set(fit_ND: np.ndarray, held_ND: np.ndarray) -> DataSet:
    """Return a set in which held-out rows ask each other, but for copies of rows to fit on.

    Nothing is chosen, so there is no validation.
    """
    known = {row.tobytes() for row in fit_ND}
    held_ND = held_ND[[row.tobytes() not in known for row in held_ND]]
    fit_ND, held_ND = fit_ND[_order(len(fit_ND))], held_ND[_order(len(held_ND))[:MOST_ASKING]]
    return DataSet(
        fit=fit_ND.astype(np.float32),
        validation=[],
        test=[NeighbourFidelity(rows={"rows": held_ND.astype(np.float32)})],
    )


def _few(data: DataSet) -> DataSet:
    return DataSet(fit=data.fit[:FEW], validation=data.validation, test=data.test)


def _order(rows: int) -> np.ndarray:
    return np.random.default_rng(SEED).permutation(rows)


@functools.cache
def _texts() -> tuple[list[str], list[int], list[int]]:
    """Return the docstrings of the standard library, and which to fit on and which to hold out."""
    items = collect()
    return [item.text for item in items], *split(items, held_out=HELD_OUT, seed=SEED)


@functools.cache
def _layers() -> np.ndarray:
    """Return the means over the tokens of each text of the embeddings and of all six layers, (N, 7, 384)."""
    import torch

    encoder, (texts, _, _) = load_encoder(), _texts()
    by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    means_NLD = np.empty((len(texts), 7, 384), dtype=np.float32)
    for start in range(0, len(texts), 64):
        rows = by_length[start : start + 64]
        batch = encoder.tokenizer(
            [texts[row] for row in rows], padding=True, truncation=True, max_length=128, return_tensors="pt"
        )
        with torch.no_grad():
            hidden = encoder[0].model(**batch, output_hidden_states=True).hidden_states
        kept = batch["attention_mask"][..., None].float()
        for place, states in enumerate(hidden):
            means_NLD[rows, place] = ((states * kept).sum(1) / kept.sum(1)).numpy()
    return means_NLD
