"""Another OpenAI-compatible server as the encoder: vLLM, TEI, Ollama, LiteLLM, OpenAI itself."""
# N inputs, D dims of the upstream's vectors, K dims

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from pydantic_core import from_json

from arfc.compressor import Compressor
from arfc.errors import ArfcError, ConfigError, InputError
from arfc.io import open_features
from arfc.serve.batching import Batcher
from arfc.serve.body import Asked
from arfc.serve.config import ServeConfig
from arfc.serve.encoder import CREDENTIALS, Embedded, aside, unit
from arfc.serve.errors import ApiError, bad_upstream, invalid
from arfc.serve.metrics import Metrics
from arfc.shapes import Array

PASSED_ON = frozenset([400, 401, 403, 404, 413, 422, 429])
"""What an upstream may hold against a request; any other status is its own failure."""
MOST_MESSAGE = 500
NAME_TIMEOUT_S = 10.0


def check_url(url: str) -> str:
    """Return the address of an upstream without its last slash.

    Raises: ConfigError.
    """
    try:
        parts, _ = urlsplit(url), httpx.URL(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        good = good and parts.port != 0  # to read a port that is none is an error
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise ConfigError(f"upstream must be an address such as http://127.0.0.1:8001/v1, got {url!r}")
    return url.rstrip("/")


def ask_name(url: str, *, key: str | None) -> str:
    """Return the name of the only model that an upstream lists.

    Raises: InputError when it does not answer, or lists more than one.
    """
    cure = "give the model's name with --name"
    try:
        headers = {} if key is None else _bearer(key)
        response = httpx.get(f"{url}/models", headers=headers, timeout=NAME_TIMEOUT_S)
        names = sorted(str(one["id"]) for one in response.raise_for_status().json()["data"])
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise InputError(f"upstream must list its model, its answer to /models was {status}; {cure}") from None
    except httpx.TransportError as error:
        raise InputError(f"upstream must answer, got {type(error).__name__}; start it first, or {cure}") from None
    except (ValueError, TypeError, KeyError, httpx.HTTPError):
        raise InputError(f"upstream must list its model, its answer to /models could not be read; {cure}") from None
    if len(names) != 1:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(f"upstream must list one model, it lists {len(names)} ({shown}); {cure}")
    return names[0]


class UpstreamEncoder:
    """Ask another server, and compress what it answers.

    A request stays one request: its errors and its tokens are its own. What waits is compressed together.
    """

    def __init__(
        self,
        model: Compressor,
        url: str,
        *,
        name: str,
        key: str | None,
        config: ServeConfig,
        metrics: Metrics,
        thread: ThreadPoolExecutor | None = None,
    ) -> None:
        """Compress in `thread`, where the model should have been loaded too (`compute_thread`)."""
        self.name = name
        self.width = model.width
        # A caller's key is passed on, unless it is the key of this server or the upstream's key is known.
        self.takes_keys = key is None and config.api_key is None
        self._model = model
        self._url = f"{check_url(url)}/embeddings"
        self._own = None if key is None else _bearer(key)
        self._timeout_s = config.upstream_timeout_s
        self._metrics = metrics
        self._connections = httpx.Limits(
            max_connections=config.max_requests, max_keepalive_connections=config.max_requests
        )
        self._client: httpx.AsyncClient | None = None
        self.batcher = Batcher(
            self._compressed,
            batch_inputs=config.max_inputs,
            max_waiting=config.max_waiting_inputs,
            thread=thread,
            watch=metrics.saw_batch,
        )

    async def start(self) -> None:
        """Begin to answer."""
        self._client = httpx.AsyncClient(timeout=self._timeout_s, limits=self._connections)
        await self.batcher.start()

    async def close(self) -> None:
        """End the thread of the batches and the connections."""
        await self.batcher.close()
        if self._client is not None:
            await self._client.aclose()

    async def embed(self, asked: Asked, credentials: Mapping[str, str]) -> Embedded:
        """Return a row per input.

        Raises: ApiError with what the upstream holds against the request, 502 or 504 when it fails itself.
        """
        # Clients of OpenAI ask for base64 unless told otherwise, so every upstream takes it; some send lists anyway.
        asks = {**asked.extras, "model": self.name, "input": asked.inputs, "encoding_format": "base64"}
        headers = self._credentials(credentials)
        response = await self._post(asks, headers)
        if response.status_code != 200:
            raise _refusal(response, headers, own_key=self._own is not None)
        raw = response.content
        rows_ND, usage = await aside(_read, raw, len(asked.inputs), self.width, cost=len(raw))
        rows_NK = await self.batcher.submit(list(rows_ND), dims=asked.dims)
        return Embedded(rows=unit(rows_NK), usage=usage)

    async def _post(self, asks: dict[str, Any], headers: dict[bytes, bytes]) -> httpx.Response:
        assert self._client is not None
        try:
            content = json.dumps(asks, allow_nan=False).encode()
        except ValueError:
            raise invalid(None, "the body must be JSON, which has no NaN or Infinity", code="invalid_json") from None
        headers = {**headers, b"content-type": b"application/json"}
        try:
            # httpx's own limit is one between two bytes.
            async with asyncio.timeout(self._timeout_s):
                with self._metrics.upstream_seconds.time():
                    return await self._client.post(self._url, content=content, headers=headers)
        except (TimeoutError, httpx.TimeoutException):
            message = f"the upstream must answer within {self._timeout_s:g} s; try again, or send fewer inputs at once"
            raise bad_upstream(message, code="upstream_timeout", status=504) from None
        except httpx.TransportError as error:
            message = f"the upstream could not be reached ({type(error).__name__}); is it running?"
            raise bad_upstream(message, code="upstream_unreachable") from None
        except httpx.HTTPError as error:
            message = f"the upstream must answer in HTTP, its answer could not be read ({type(error).__name__})"
            raise bad_upstream(message, code="upstream_invalid") from None

    def _credentials(self, given: Mapping[str, str]) -> dict[bytes, bytes]:
        if self._own is not None:
            return self._own
        # Bytes as they came: httpx would refuse what is not ASCII.
        names = [name for name in CREDENTIALS if self.takes_keys and name in given]
        return {name.encode(): given[name].encode("latin-1") for name in names}

    def _compressed(self, rows: list[Array], dims: int) -> Array:
        return np.asarray(self._model.compress(np.stack(rows), dims=dims))


def _read(raw: bytes, count: int, width: int) -> tuple[Array, dict[str, Any] | None]:
    """Return the rows of an answer in the order of the inputs, and its usage.

    Raises: ApiError (502).
    """
    try:
        body = from_json(raw)
        rows = {int(one["index"]): _row(one["embedding"]) for one in body["data"]}
        usage = body.get("usage")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        message = "the upstream must answer with embeddings in OpenAI's form, its answer could not be read"
        raise bad_upstream(message, code="upstream_invalid") from None
    if sorted(rows) != list(range(count)):
        message = f"the upstream must answer with one embedding per input, {count}, got {len(rows)}"
        raise bad_upstream(message, code="upstream_invalid")
    widths = {len(row) for row in rows.values()}
    if widths != {width}:
        message = (
            f"the upstream must answer with {width} dims as the model has, got {', '.join(map(str, sorted(widths)))}; "
            "was the model fitted on another encoder?"
        )
        raise bad_upstream(message, code="upstream_wrong_width")
    rows_ND = np.stack([rows[place] for place in range(count)])
    try:
        open_features(rows_ND, name="the upstream's vectors").validate()
    except ArfcError as error:
        raise bad_upstream(str(error), code="upstream_invalid") from None
    return rows_ND, usage if isinstance(usage, dict) else None


def _row(given: Any) -> Array:
    """Return a vector that came as a list of numbers, or as base64 of little-endian float32."""
    if isinstance(given, str):
        return np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4").astype(np.float32)
    with np.errstate(over="ignore"):  # what is too large for float32 becomes Inf, and is refused by that name
        row = np.asarray(given, dtype=np.float32)
    if row.ndim != 1:
        raise ValueError
    return row


def _bearer(key: str) -> dict[bytes, bytes]:
    """Return the header of a key.

    Raises: ConfigError.
    """
    try:
        return {b"authorization": f"Bearer {key}".encode("latin-1")}
    except UnicodeEncodeError:
        message = "the key of the upstream must be of Latin letters, got others; is it the right one?"
        raise ConfigError(message) from None


def _refusal(response: httpx.Response, sent: Mapping[bytes, bytes], *, own_key: bool) -> ApiError:
    """Return what a caller is told when the upstream has not answered 200; no credential that was sent is repeated."""
    status = response.status_code
    if own_key and status in (401, 403):  # no caller can mend that, and it is none of theirs
        message = f"the upstream refuses the key of this server ({status}); tell who runs it"
        return bad_upstream(message, code="upstream_failed")
    told = _told(response, plain=status != 404)  # any server answers 404 in a few words where there is nothing
    if status not in PASSED_ON or (told is None and status == 404):
        hint = "; does its address end in /v1?" if status == 404 else ""
        return bad_upstream(f"the upstream must answer 200, got {status}{hint}", code="upstream_failed")
    told = told or {"message": f"the upstream has refused the request with status {status}"}
    message = told["message"]
    for value in sent.values():
        for part in sorted(value.decode("latin-1").split(), key=len, reverse=True):
            message = message.replace(part, "...") if part.lower() != "bearer" else message
    headers = {name: response.headers[name] for name in ("retry-after",) if name in response.headers}
    return ApiError(
        status,
        message[:MOST_MESSAGE],
        code=str(told.get("code") or "upstream_refused"),
        kind=str(told.get("type") or "invalid_request_error"),
        param=None if told.get("param") is None else str(told["param"]),
        headers=headers,
        logged="upstream_refused",
    )


def _told(response: httpx.Response, *, plain: bool) -> dict[str, Any] | None:
    """Return the error object of an answer; None where there is none.

    It comes in OpenAI's form or that of older vLLM; `plain` takes that of FastAPI and plain texts too.
    """
    try:
        body = from_json(response.content)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    told = body.get("error", body.get("detail", body))
    if plain and isinstance(told, list):
        told = "; ".join(str(one["msg"]) for one in told if isinstance(one, dict) and "msg" in one)
    if plain and isinstance(told, str) and told:
        told = {"message": told}
    return told if isinstance(told, dict) and isinstance(told.get("message"), str) else None
