"""MTEB's own evaluation at our sizes, on a task made of docstrings: no network, one calibration for both sides."""

import inspect
import json
import random
import re
import shutil
import statistics
import string
import sys
import textwrap

import mteb
import numpy as np
import pytest
import torch
from datasets import Dataset, disable_progress_bars
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.sts import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.model_meta import ModelMeta
from mteb.models.models_protocols import EncoderProtocol
from mteb.types import PromptType
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import HashingVectorizer

from arfc import Compressor
from arfc.errors import DtypeError, MissingExtraError, RowError, ShapeError, SizeError
from arfc.integrations.model_id import fingerprint
from arfc.integrations.mteb import SizedEncoder

MODULES = (inspect, json, random, re, shutil, statistics, string, textwrap)
WIDTH = 64


@pytest.fixture(scope="module", autouse=True)
def quiet():
    disable_progress_bars()


def docstrings():
    found = {}
    for module in MODULES:
        for name, value in vars(module).items():
            text = inspect.getdoc(value) if inspect.isroutine(value) or inspect.isclass(value) else None
            if text and len(text) > 200:
                found[text] = f"{module.__name__}.{name}"
    return {name: " ".join(text.split()) for text, name in found.items()}


METADATA = {
    "dataset": {"path": "made/here", "revision": "1"},
    "description": "Made of docstrings.",
    "eval_splits": ["test"],
    "eval_langs": ["eng-Latn"],
}


class Halves(AbsTaskRetrieval):
    """The second half of a docstring is found by its first."""

    metadata = TaskMetadata(name="Halves", type="Retrieval", main_score="ndcg_at_10", **METADATA)

    def load_data(self, **_):
        halves = {name: (text[: len(text) // 2], text[len(text) // 2 :]) for name, text in docstrings().items()}
        self.dataset = {
            "default": {
                "test": {
                    "corpus": Dataset.from_list([{"id": n, "title": "", "text": h[1]} for n, h in halves.items()]),
                    "queries": Dataset.from_list([{"id": f"q{n}", "text": h[0]} for n, h in halves.items()]),
                    "relevant_docs": {f"q{name}": {name: 1} for name in halves},
                    "top_ranked": None,
                }
            }
        }
        self.data_loaded = True


class Likeness(AbsTaskSTS):
    """Pairs of texts with the share of the words they have in common."""

    metadata = TaskMetadata(name="Likeness", type="STS", main_score="cosine_spearman", **METADATA)
    min_score, max_score = 0, 1

    def load_data(self, **_):
        texts = list(docstrings().values())[:40]
        words = [set(text.split()) for text in texts]
        rows = [
            {"sentence1": texts[a], "sentence2": texts[b], "score": len(words[a] & words[b]) / len(words[a] | words[b])}
            for a in range(40)
            for b in range(a)
        ]
        self.dataset = {"test": Dataset.from_list(rows)}
        self.data_loaded = True


class WordCounts:
    """An encoder of MTEB that needs no weights: hashed words. It notes what it was asked."""

    def __init__(self, model_name="made/words", revision="1", *, device=None, form="numpy", **_):
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": model_name, "revision": revision})
        self.vectorizer = HashingVectorizer(n_features=WIDTH, alternate_sign=False, norm=None)
        self.form, self.asked = form, []

    def vectors(self, texts):
        return np.asarray(self.vectorizer.transform(texts).todense(), dtype=np.float32) + 0.01

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
        self.asked.append((task_metadata.name, hf_split, hf_subset, prompt_type, kwargs.get("batch_size")))
        x = self.vectors([text for batch in inputs for text in batch["text"]])
        return x if self.form == "numpy" else torch.from_numpy(x).to(getattr(torch, self.form))

    def similarity(self, embeddings1, embeddings2):
        raise AssertionError("scores are the wrapper's own")

    similarity_pairwise = similarity


@pytest.fixture(scope="module")
def model(tiny_config):
    texts = [text for whole in docstrings().values() for text in (whole, whole[: len(whole) // 2], whole[100:])]
    x = WordCounts().vectors(texts)
    return Compressor.fit(x, config=tiny_config(linear_steps=2, arc_steps=0, decoder_steps=1), progress=False)


def evaluate(encoder, task, **options):
    options = {"cache": None, "show_progress_bar": False} | options
    (result,) = mteb.evaluate(encoder, task, **options).task_results
    return result.get_score()


@pytest.fixture(scope="module")
def halves():
    texts = docstrings().values()
    encoder = WordCounts()
    return [
        encoder.vectors([f(text) for text in texts]) for f in (lambda t: t[: len(t) // 2], lambda t: t[len(t) // 2 :])
    ]


def ndcg(cosines):
    """nDCG@10 where row i answers query i and nothing else does."""
    rank = (cosines > np.diag(cosines)[:, None]).sum(1)
    return np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean()


def cosines(a, b):
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


@pytest.mark.parametrize("size", [{"dims": 64}, {"dims": 8}, {"bytes": 4}])
def test_scores_are_those_of_the_size(model, halves, size):
    queries, corpus = halves
    if "dims" in size:
        expected = cosines(model.compress(queries, **size), model.compress(corpus, **size))
    else:
        asked = model.compress(queries, dims=WIDTH)
        expected = asked @ model.compress(corpus, **size).decode().T  # the length of a query changes no order
    encoder = SizedEncoder(WordCounts(), model, **size)
    assert evaluate(encoder, Halves()) == pytest.approx(ndcg(expected), abs=2e-3)  # equal scores come in any order
    assert [kind for _, _, _, kind, _ in encoder.encoder.asked] == [PromptType.query, PromptType.document]


def test_full_width_scores_as_the_encoder_and_smaller_sizes_less(model, halves):
    scores = [evaluate(SizedEncoder(WordCounts(), model, dims=dims), Halves()) for dims in (64, 2)]
    assert scores[0] == pytest.approx(ndcg(cosines(*halves)), abs=2e-3)  # unsupervised, full width keeps every cosine
    assert scores[0] > scores[1]


@pytest.mark.parametrize("size", [{"dims": 8}, {"bytes": 4}])
def test_a_task_without_queries(model, size):
    texts = list(docstrings().values())[:40]
    x = WordCounts().vectors(texts)
    small = model.compress(x, **size) if "dims" in size else model.compress(x, **size).decode()
    task = Likeness()
    task.load_data()
    pairs = task.dataset["test"]
    places = zip(*([texts.index(text) for text in pairs[side]] for side in ("sentence1", "sentence2")), strict=True)
    wanted = [cosines(small, small)[place] for place in places]
    expected = spearmanr(wanted, pairs["score"]).statistic
    assert evaluate(SizedEncoder(WordCounts(), model, **size), Likeness()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("form", ["float32", "bfloat16", "float64"])
def test_tensors_of_any_float(model, form):
    loader = [{"text": list(docstrings().values())[:5]}]
    options = {"task_metadata": Halves.metadata, "hf_split": "test", "hf_subset": "default"}
    made = SizedEncoder(WordCounts(form=form), model, dims=9).encode(loader, **options)
    x = SizedEncoder(WordCounts(), model, dims=9).encode(loader, **options)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, x, atol=0.1 if form == "bfloat16" else 1e-5)


def test_what_mteb_says_reaches_the_encoder(model):
    encoder = SizedEncoder(WordCounts(), model, dims=9)
    assert isinstance(encoder, EncoderProtocol)
    evaluate(encoder, Halves(), encode_kwargs={"batch_size": 7})
    assert encoder.encoder.asked[0] == ("Halves", "test", "default", PromptType.query, 7)


def test_results_of_each_size_and_fit_have_their_own_place(model, fitted_model, tmp_path):
    cache = mteb.ResultCache(cache_path=tmp_path)
    sizes = ({"dims": 64}, {"dims": 2}, {"bytes": 2})
    first = [evaluate(SizedEncoder(WordCounts(), model, **size), Halves(), cache=cache) for size in sizes]
    assert len(set(first)) == 3
    again = [SizedEncoder(WordCounts(), model, **size) for size in sizes]
    assert [evaluate(encoder, Halves(), cache=cache) for encoder in again] == first
    assert all(encoder.encoder.asked == [] for encoder in again)
    assert again[0].mteb_model_meta.experiment_kwargs == {"arfc_model": fingerprint(model)[:12], "arfc_dims": 64}
    assert again[1].mteb_model_meta.embed_dim == 2 and again[2].mteb_model_meta.embed_dim == 64
    assert again[0].encoder.mteb_model_meta.experiment_kwargs is None  # the encoder's own is as it was


def test_mistakes(model, fitted_model, monkeypatch):
    for sizes, given in (({}, "neither"), ({"dims": 3, "bytes": 3}, "both")):
        with pytest.raises(SizeError, match=f"exactly one of dims and bytes must be given, got {given}; try dims=64"):
            SizedEncoder(WordCounts(), model, **sizes)
    with pytest.raises(SizeError, match="dims must be between 1 and 64, got 65"):
        SizedEncoder(WordCounts(), model, dims=65)
    with pytest.raises(SizeError, match="bytes must be between 1 and .*, got 0"):
        SizedEncoder(WordCounts(), model, bytes=0)
    with pytest.raises(ShapeError, match=r"features must have shape \(N, 24\), got \(\d+, 64\); was this model fitted"):
        evaluate(SizedEncoder(WordCounts(), fitted_model, dims=3), Halves())
    with pytest.raises(DtypeError, match="features must hold float16, float32 or float64 values, got int8"):
        evaluate(SizedEncoder(WordCounts(form="int8"), model, dims=3), Halves())
    broken = WordCounts()
    monkeypatch.setattr(broken, "vectors", lambda texts: np.zeros((len(texts), WIDTH), np.float32))
    with pytest.raises(RowError, match="features must be finite and not zero, got only zeros"):
        evaluate(SizedEncoder(broken, model, dims=3), Halves())
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(MissingExtraError, match=r"mteb is not installed; run: pip install 'arfc\[mteb\]'"):
        SizedEncoder(WordCounts(), model, dims=3)
