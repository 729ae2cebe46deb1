"""Listen, answer, and stop in good order."""

from __future__ import annotations

import math
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.server import HANDLED_SIGNALS

from arfc.errors import ConfigError
from arfc.serve.config import ServeConfig
from arfc.serve.logs import event


class Server(uvicorn.Server):
    """uvicorn, which says where it listens, and leaves with the exit code 0 when it was asked to stop.

    On SIGTERM or Ctrl-C it takes no more connections and finishes what is under way; a second Ctrl-C ends it at once.
    """

    def __init__(self, app: FastAPI, config: ServeConfig, *, bound: socket.socket, **facts: object) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=math.ceil(config.stop_timeout_s),
            )
        )
        self._bound = bound
        self._facts = facts

    @property
    def url(self) -> str:
        """Where the server is."""
        host, port = self._bound.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def listen(self) -> None:
        """Answer until the server is asked to stop."""
        with _leaving_in_order():
            self.run(sockets=[self._bound])
        event("stopped")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            event("listening", url=self.url, **self._facts)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that holds an address; nobody can connect before the server listens.

    Raises: ConfigError.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except (socket.gaierror, UnicodeError):
        raise ConfigError(f"the host must be an address of this machine, got {host!r}; try --host 127.0.0.1") from None
    except OSError as error:
        raise ConfigError(
            f"{host} port {port} must be free to listen on: {error.strerror}; try another --port"
        ) from error
    return bound


@contextmanager
def _leaving_in_order() -> Iterator[None]:
    """Take the signals that uvicorn raises again once it has obeyed them, which would end us as if by a crash."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are none of this thread's business
        return
    before = {number: signal.signal(number, _ignore) for number in HANDLED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take a signal that has been obeyed already."""
