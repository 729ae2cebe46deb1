"""The server's paths: what OpenAI's clients ask, what operators ask, and the page."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from arfc.serve.body import Asked, check_dims, parse, read_asked, read_body, unknown_model
from arfc.serve.config import ServeConfig
from arfc.serve.demo import HEADERS, Demo, Search, page_files
from arfc.serve.encoder import CREDENTIALS, Embedded, Encoder
from arfc.serve.errors import ApiError, answer, answer_http, busy
from arfc.serve.logs import RequestLog
from arfc.serve.metrics import Metrics

OWNER = "arfc"


class Api:
    """The handlers, and the number of requests that are under way."""

    def __init__(self, encoder: Encoder, config: ServeConfig, metrics: Metrics, demo: Demo | None) -> None:
        self._encoder = encoder
        self._config = config
        self._metrics = metrics
        self._demo = demo
        self._under_way = 0
        self._created = int(time.time())

    async def embeddings(self, request: Request) -> Response:
        """Answer `POST /v1/embeddings`."""
        self._check_key(request)
        with self._entered():
            raw = await read_body(request, self._config)
            encoder = self._encoder
            asked = read_asked(raw, name=encoder.name, width=encoder.width, config=self._config)
            request.state.inputs, request.state.dims = len(asked.inputs), asked.dims
            embedded = await encoder.embed(asked, _credentials(request))
            self._metrics.inputs.inc(len(asked.inputs))
            return _json(_answer(asked, embedded))

    async def models(self, request: Request) -> Response:
        """Answer `GET /v1/models`."""
        self._check_key(request)
        return _json({"object": "list", "data": [self._entry()]})

    async def model(self, request: Request) -> Response:
        """Answer `GET /v1/models/NAME`."""
        self._check_key(request)
        if request.path_params["name"] != self._encoder.name:
            raise unknown_model(self._encoder.name)
        return _json(self._entry())

    async def health(self, request: Request) -> Response:
        """Answer `GET /healthz`."""
        return _json({"status": "ok", "model": self._encoder.name, "dimensions": self._encoder.width})

    async def metrics(self, request: Request) -> Response:
        """Answer `GET /metrics`."""
        self._metrics.under_way.set(self._under_way)
        self._metrics.waiting.set(self._encoder.batcher.waiting)
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def demo(self, request: Request) -> Response:
        """Answer `GET /demo`: what the page shows first."""
        assert self._demo is not None
        return _json(self._demo.facts(needs_key=self._config.api_key is not None))

    async def search(self, request: Request) -> Response:
        """Answer `POST /demo/search`."""
        assert self._demo is not None
        self._check_key(request)
        with self._entered():
            asked = parse(Search, await read_body(request, self._config), width=self._encoder.width)
            request.state.dims = check_dims(asked.dimensions, width=self._encoder.width)
            return _json(await self._demo.search(asked, _credentials(request)))

    def _entry(self) -> dict[str, Any]:
        return {"id": self._encoder.name, "object": "model", "created": self._created, "owned_by": OWNER}

    def _check_key(self, request: Request) -> None:
        """Raises: ApiError (401)."""
        if self._config.api_key is None:
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        # In constant time: how long a comparison takes must not tell how much of a key is right.
        same = hmac.compare_digest(given.strip().encode("latin-1"), self._config.api_key.encode())
        if kind.lower() != "bearer" or not same:
            message = "the API key is missing or wrong; send it as Authorization: Bearer KEY"
            raise ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """Hold one of the places for requests under way.

        Raises: ApiError (429) when all are taken.
        """
        if self._under_way >= self._config.max_requests:
            raise busy(1)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


def make_app(encoder: Encoder, config: ServeConfig, metrics: Metrics, *, demo: Demo | None = None) -> FastAPI:
    """Return the server as an ASGI app; it starts and closes the encoder."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await encoder.start()
        yield
        if demo is not None:
            await demo.close()
        await encoder.close()

    # FastAPI's own pages load their scripts from the network.
    app = FastAPI(title="arfc serve", lifespan=lifespan, openapi_url=None)
    api = Api(encoder, config, metrics, demo)
    app.add_api_route("/v1/embeddings", api.embeddings, methods=["POST"])
    app.add_api_route("/v1/models", api.models, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", api.model, methods=["GET"])
    app.add_api_route("/healthz", api.health, methods=["GET"])
    app.add_api_route("/metrics", api.metrics, methods=["GET"])
    if demo is not None:
        app.add_api_route("/demo", api.demo, methods=["GET"])
        app.add_api_route("/demo/search", api.search, methods=["POST"])
        for path, (content, kind) in page_files().items():
            app.add_api_route(path, _static(content, kind), methods=["GET"])
    app.add_exception_handler(ApiError, answer)
    app.add_exception_handler(HTTPException, answer_http)
    paths = frozenset(str(getattr(route, "path", "")) for route in app.router.routes)
    app.add_middleware(RequestLog, metrics=metrics, paths=paths)
    return app


def _static(content: bytes, kind: str) -> Any:
    async def page(request: Request) -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return page


def _credentials(request: Request) -> Mapping[str, str]:
    return {name: request.headers[name] for name in CREDENTIALS if name in request.headers}


def _answer(asked: Asked, embedded: Embedded) -> dict[str, Any]:
    """Return the answer in OpenAI's form."""
    vectors_NK = embedded.rows
    if asked.base64:
        vectors: list[Any] = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors_NK]
    else:
        vectors = vectors_NK.tolist()
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(vectors)],
        "model": asked.model,
        "usage": embedded.usage,
    }


def _json(body: dict[str, Any]) -> Response:
    return Response(to_json(body), media_type="application/json")
