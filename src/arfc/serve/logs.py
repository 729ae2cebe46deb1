"""One JSON line per request and event, on standard error; never a text, a key, or a name that a caller chose."""

from __future__ import annotations

import json
import logging
import time
import traceback
import uuid
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arfc.serve.errors import ApiError
from arfc.serve.metrics import Metrics

LOG = logging.getLogger("arfc.serve")
METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
OTHER = "other"
"""Stands for a path or a method that is not ours: it may hold anything."""
GONE = 499
"""Status in the log of a request that was given up before its answer; nginx's number."""


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object.

    Of other libraries' records it writes the template and not the arguments, and of an exception its type and place and
    not its message, since these may hold what a caller sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": str(record.msg),
        }
        if record.name != LOG.name:
            line["logger"] = record.name
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line)


def log_to(stream: TextIO) -> None:
    """Send what this process logs to a stream, as JSON lines: events of ours, warnings of others."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    LOG.setLevel(logging.INFO)


def event(name: str, **facts: Any) -> None:
    """Log an event."""
    LOG.info(name, extra={"facts": facts})


class RequestLog:
    """Gives each request an id, one line in the log, and an answer also where we fail."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, paths: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = uuid.uuid4().hex, time.perf_counter(), GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        noted = scope.setdefault("state", {})
        try:
            await self._app(scope, receive, sending)
        except Exception:
            LOG.error("failed", exc_info=True, extra={"facts": {"request_id": request_id}})
            noted["code"] = "server_error"
            if status == GONE:
                await _fail(request_id, sending)
        finally:
            path = scope["path"] if scope["path"] in self._paths else OTHER
            seconds = time.perf_counter() - started
            self._metrics.saw_request(path, status, seconds)
            facts = {
                "method": scope["method"] if scope["method"] in METHODS else OTHER,
                "path": path,
                "status": status,
                "ms": round(1000 * seconds, 2),
                "request_id": request_id,
            }
            event("request", **facts, **{name: noted[name] for name in ("inputs", "dims", "code") if name in noted})


async def _fail(request_id: str, send: Send) -> None:
    message = f"the server has failed; its log says where, beside the request id {request_id}"
    body = json.dumps(ApiError(500, message, code="server_error", kind="server_error").body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
