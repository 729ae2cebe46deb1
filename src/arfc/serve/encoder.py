"""What the server needs of an encoder, and the step that all share: cut to size, at unit length."""
# N inputs, D dims of the encoder, K dims asked for

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from arfc.serve.batching import Batcher
from arfc.serve.body import Asked
from arfc.serve.errors import ApiError
from arfc.shapes import Array, Float32

CREDENTIALS = ("authorization", "openai-organization", "openai-project")
"""Headers that tell an upstream who asks."""
SMALL = 10_000
"""Characters that are read in a millisecond or two."""
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The answer to one request."""

    rows: Array
    """(N, K) float32 of unit length."""
    usage: dict[str, Any] | None
    """Tokens; None where an upstream does not tell."""


@runtime_checkable
class Encoder(Protocol):
    """Where vectors come from."""

    name: str
    """What callers write in `model`."""
    width: int
    """Dims D of the model that compresses."""
    batcher: Batcher
    takes_keys: bool
    """Whether the credentials of a caller are of use."""

    async def start(self) -> None:
        """Begin to answer."""

    async def close(self) -> None:
        """Let go of threads and connections."""

    async def embed(self, asked: Asked, credentials: Mapping[str, str]) -> Embedded:
        """Return a row per input.

        Raises: ApiError.
        """


async def aside(apply: Callable[..., Result], *arguments: Any, cost: int) -> Result:
    """Return what a function returns; beside the event loop if its cost, in characters read, would hold that up."""
    # To hand a small thing to another thread takes longer than to do it, on a busy machine much longer.
    return apply(*arguments) if cost < SMALL else await asyncio.to_thread(apply, *arguments)


def unit(rows_NK: Float32[Array, "N K"]) -> Float32[Array, "N K"]:
    """Return rows at length 1, as OpenAI's are.

    Raises: ApiError for a row without direction at this size.
    """
    rows_NK = np.ascontiguousarray(rows_NK)
    norms_N1 = np.linalg.norm(rows_NK, axis=1, keepdims=True)
    zero = np.flatnonzero(norms_N1 == 0)
    if len(zero):
        message = f"the vector of input {zero[0]} is zero in its first {rows_NK.shape[1]} dims; ask for more"
        raise ApiError(500, message, code="zero_vector", kind="server_error")
    return rows_NK / norms_N1
