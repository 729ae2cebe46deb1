"""A sentence-transformers folder as the encoder: what it reads, and what it refuses."""

import asyncio
import sys
import threading

import numpy as np
import pytest

from arfc.errors import InputError, MissingExtraError, ShapeError
from arfc.serve import check_serve
from arfc.serve.batching import COMPUTE_THREAD, compute_thread
from arfc.serve.body import Asked
from arfc.serve.config import ServeConfig
from arfc.serve.local import LocalEncoder, load_encoder
from arfc.serve.metrics import Metrics

LONG = "word " * 300


@pytest.fixture
def build(small, fitted_model):
    def make(*, model=fitted_model, encoder=small, truncate=False, **more):
        settings = {"name": "small", "truncate": truncate, "config": ServeConfig(), "metrics": Metrics(), **more}
        return LocalEncoder(model, encoder, **settings)

    return make


def test_a_text_that_is_too_long_is_refused(served, local_app, minilm, minilm_model, refused):
    url = served(local_app(encoder=minilm, model=minilm_model))
    message = refused(url, 400, "context_length_exceeded", param="input", model="small", input=["a", LONG])
    assert message == (
        "an input must have at most 256 tokens, input 1 has 302; shorten it, or start the server with --truncate"
    )


def test_a_text_that_is_too_long_is_cut_if_one_says_so(served, local_app, minilm, minilm_model, ask):
    url = served(local_app(encoder=minilm, model=minilm_model, truncate=True))
    rows = [one["embedding"] for one in ask(url, model="small", input=[LONG, LONG + "more"]).json()["data"]]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_an_encoder_of_another_width_is_refused(build, minilm):
    with pytest.raises(
        ShapeError, match="the encoder must have 24 dims as the model has, got 384; was the model fitted"
    ):
        build(encoder=minilm)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_what_is_no_folder_of_an_encoder_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"must be a sentence-transformers folder with modules\.json, got .*" + name):
        load_encoder(tmp_path / name)


def test_a_folder_that_is_not_whole_is_refused(tmp_path, small_folder):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "modules.json").write_bytes((small_folder / "modules.json").read_bytes())
    with pytest.raises(InputError, match="must be a whole sentence-transformers folder"):
        load_encoder(broken)


@pytest.mark.parametrize("name", ["fastapi", "httpx", "prometheus_client", "uvicorn"])
def test_a_missing_package_is_named_with_its_cure(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"{name} is not installed; run: pip install 'arfc\[serve\]'"):
        check_serve()


def test_a_missing_encoder_library_is_named_with_its_cure(monkeypatch, small_folder):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'arfc\[serve,sentence-transformers\]'"):
        load_encoder(small_folder)


def test_an_encoder_without_a_fast_tokenizer_is_refused(build):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import BoW

    with pytest.raises(InputError, match="the encoder must have a fast tokenizer, got WhitespaceTokenizer"):
        build(encoder=SentenceTransformer(modules=[BoW(["a", "text"])], device="cpu"))


def test_everything_is_computed_in_the_thread_that_is_given(build, small, monkeypatch):
    threads = []
    plain = type(small).encode

    def encode(self, *args, **options):
        threads.append(threading.current_thread().name)
        return plain(self, *args, **options)

    monkeypatch.setattr(type(small), "encode", encode)
    thread = compute_thread()
    encoder = build(thread=thread)
    asked = Asked(inputs=["a text"], dims=encoder.width, model="small", base64=False, extras={})

    async def once():
        await encoder.start()
        try:
            return await encoder.embed(asked, {})
        finally:
            await encoder.close()

    assert asyncio.run(once()).rows.shape == (1, encoder.width)
    assert threads == [COMPUTE_THREAD + "_0"] * 2  # one text to learn the width, and the one that was asked
