"""Listen, answer, and stop in good order."""

from __future__ import annotations

import math
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

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
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            # uvicorn raises the signal again when it is done; the default would then end us as if by a crash.
            signal.signal(signal.SIGTERM, _ignore)
            signal.signal(signal.SIGINT, _ignore)
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
    except OSError as error:
        raise ConfigError(
            f"{host} port {port} must be free to listen on: {error.strerror}; try another --port"
        ) from error
    return bound


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take a signal that has been obeyed already."""
