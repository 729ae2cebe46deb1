"""What the server allows, with its units; validated once, never written to at run time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from arfc.errors import ConfigError


def _limit(default: Any, explained: str) -> Any:
    """Return a field that is an option of `arfc serve` too, with this help."""
    return field(default=default, metadata={"help": explained})


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Where the server listens, who may ask, and how much. The limits are our choice; OpenAI's where it has one."""

    host: str = _limit("127.0.0.1", "Address to listen on; the default is reached from this machine alone.")
    port: int = _limit(8000, "Port to listen on; 0 takes a free one.")
    max_inputs: int = _limit(2048, "Inputs that a request may hold.")
    max_characters: int = _limit(100_000, "Characters that an input may hold.")
    max_body_bytes: int = _limit(8 * 2**20, "Bytes that a request may take.")
    max_requests: int = _limit(128, "Requests under way at a time; one more is answered 429.")
    max_waiting_inputs: int = _limit(8192, "Inputs that may wait for the encoder; a request beyond is answered 429.")
    batch_inputs: int = _limit(64, "Waiting inputs that go through the encoder together.")
    body_timeout_s: float = _limit(30.0, "Seconds in which a request must have come in.")
    upstream_timeout_s: float = _limit(60.0, "Seconds in which the upstream must have answered.")
    stop_timeout_s: float = _limit(30.0, "Seconds that requests under way have to finish when the server stops.")
    api_key: str | None = field(default=None, repr=False)
    """Key that callers must give as `Authorization: Bearer KEY`; None lets everyone ask."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value, least = getattr(self, one.name), 0 if one.name == "port" else 1
            if one.type == "int" and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ConfigError(f"{one.name} must be a whole number of at least {least}, got {value!r}")
            # A finite number that is above zero: NaN compares false.
            if one.type == "float" and not 0 < value < float("inf"):
                raise ConfigError(f"{one.name} must be a number of seconds above 0, got {value!r}")
        if self.port > 65535:
            raise ConfigError(f"port must be between 0 and 65535, got {self.port}; try 8000")
        if self.api_key is not None and not self.api_key.strip():
            raise ConfigError("api_key must not be empty; leave it out to let everyone ask")

    @property
    def is_loopback(self) -> bool:
        """Whether nothing but this machine reaches the server."""
        return self.host in ("127.0.0.1", "::1", "localhost")
