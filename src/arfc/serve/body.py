"""From the bytes of a request to what is asked for, or to an error that names the field."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pydantic
from fastapi import Request
from starlette.requests import ClientDisconnect

from arfc.serve.config import ServeConfig
from arfc.serve.errors import ApiError, invalid

READ_BEYOND = 8
"""A body that is too large is read, and forgotten, up to this many times the limit: a client that is cut off while it
sends does not see why."""
MUST_BE = {
    "model": "a string",
    "input": "a string, a list of strings, or token ids",
    "encoding_format": '"float" or "base64"',
    "user": "a string",
    "query": "a string",
}
"""Field -> what it must be, beside `dimensions`, whose largest value is the model's."""


Form = TypeVar("Form", bound=pydantic.BaseModel)


class Body(pydantic.BaseModel):
    """The JSON object of an embeddings request; more fields are kept for an upstream."""

    model_config = pydantic.ConfigDict(extra="allow", strict=True)

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, checked."""

    model: str
    inputs: list[str] | list[list[int]]
    dims: int
    base64: bool
    extras: dict[str, Any]
    """Fields that only an upstream may know."""


async def read_body(request: Request, config: ServeConfig) -> bytes:
    """Return the body of a request.

    Raises: ApiError when it is too large, too slow, broken off, or not said to be JSON.
    """
    # A page of another origin may send any other type without the browser asking us first.
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise invalid(None, "content-type must be application/json", code="unsupported_media_type", status=415)
    parts, size = [], 0
    try:
        async with asyncio.timeout(config.body_timeout_s):
            async for part in request.stream():
                size += len(part)
                if size <= config.max_body_bytes:
                    parts.append(part)
                elif size > READ_BEYOND * config.max_body_bytes:
                    break
    except TimeoutError:
        raise invalid(
            None, f"the request must come in within {config.body_timeout_s:g} s", code="body_timeout", status=408
        ) from None
    except ClientDisconnect:
        raise invalid(None, "the request was broken off", code="client_disconnected") from None
    if size > config.max_body_bytes:
        raise invalid(
            None,
            f"a request must take at most {config.max_body_bytes:,} bytes; send fewer inputs at once",
            code="body_too_large",
            status=413,
        )
    return b"".join(parts)


def parse(form: type[Form], raw: bytes, *, width: int) -> Form:
    """Return the object in a body.

    Raises: ApiError that names the first field that is wrong.
    """
    try:
        return form.model_validate_json(raw)
    except pydantic.ValidationError as error:
        # What came is not repeated: it may be a text.
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if not first["loc"]:
        raise invalid(None, "the body must be a JSON object in UTF-8", code="invalid_json")
    param = str(first["loc"][0])
    if first["type"] == "missing":
        raise invalid(param, f"{param} must be given", code="missing_required_parameter")
    must = MUST_BE.get(param, f"a whole number between 1 and {width}")
    raise invalid(
        param, f"{param} must be {must}", code="invalid_type" if param != "encoding_format" else "invalid_value"
    )


def check_dims(dims: int | None, *, width: int) -> int:
    """Return the size that is asked for; nothing asked is the full width.

    Raises: ApiError.
    """
    if dims is None:
        return width
    if not 1 <= dims <= width:
        raise invalid("dimensions", f"dimensions must be a whole number between 1 and {width}, got {dims}")
    return dims


def read_asked(raw: bytes, *, name: str, width: int, config: ServeConfig) -> Asked:
    """Return what a request asks for.

    Raises: ApiError.
    """
    body = parse(Body, raw, width=width)
    if body.model != name:
        raise unknown_model(name)
    dims = check_dims(body.dimensions, width=width)
    inputs = _inputs(body.input)
    if len(inputs) > config.max_inputs:
        raise invalid(
            "input",
            f"input must hold at most {config.max_inputs:,} inputs, got {len(inputs):,}",
            code="too_many_inputs",
        )
    for place, one in enumerate(inputs):
        if not one:
            raise invalid("input", f"input must not be empty, input {place} is", code="empty_input")
        if len(one) > config.max_characters:
            raise invalid(
                "input",
                f"an input must hold at most {config.max_characters:,} characters, input {place} holds {len(one):,}",
                code="input_too_long",
            )
    extras = dict(body.model_extra or {}) | ({} if body.user is None else {"user": body.user})
    return Asked(model=body.model, inputs=inputs, dims=dims, base64=body.encoding_format == "base64", extras=extras)


def unknown_model(name: str) -> ApiError:
    """Return the error of a request for a model that is not served."""
    return ApiError(
        404,
        f"this model does not exist here; the one that is served is {name!r}",
        code="model_not_found",
        param="model",
    )


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> list[str] | list[list[int]]:
    """Return a list with one entry per embedding."""
    if not given:
        raise invalid("input", "input must not be empty", code="empty_input")
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        return [given]
    return given
