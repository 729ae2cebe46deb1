"""What a caller is told when a request cannot be answered: OpenAI's form, `{"error": {message, type, param, code}}`."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse


class ApiError(Exception):
    """An answer that is not 200. The message is for the caller alone; the log has `logged`, or else the code."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        kind: str = "invalid_request_error",
        param: str | None = None,
        headers: dict[str, str] | None = None,
        logged: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.kind = kind
        self.param = param
        self.headers = headers or {}
        self.logged = logged or code

    def body(self) -> dict[str, Any]:
        """Return the JSON object that the caller gets."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(param: str | None, message: str, *, code: str = "invalid_value", status: int = 400) -> ApiError:
    """Return the error of a request that has to be changed."""
    return ApiError(status, message, code=code, param=param)


def busy(retry_after_s: int) -> ApiError:
    """Return the error of a request that came when no more could wait."""
    return ApiError(
        429,
        f"the server has as many requests as it can hold; try again in {retry_after_s} s",
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers={"Retry-After": str(retry_after_s)},
    )


def bad_upstream(message: str, *, code: str, status: int = 502) -> ApiError:
    """Return the error of a request that the upstream has let down."""
    return ApiError(status, message, code=code, kind="upstream_error")


def answer(request: Request, error: Exception) -> JSONResponse:
    """Turn an ApiError into its response, and note its code for the log."""
    assert isinstance(error, ApiError)
    request.state.code = error.logged
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)


def answer_http(request: Request, error: Exception) -> JSONResponse:
    """Turn what the router refuses (unknown path, wrong method) into our form."""
    status = getattr(error, "status_code", 500)
    code, message = {
        404: ("unknown_url", "this path does not exist; embeddings are at POST /v1/embeddings"),
        405: ("method_not_allowed", "this path does not take this method"),
    }.get(status, ("bad_request", "the request could not be read"))
    return answer(request, ApiError(status, message, code=code, headers=getattr(error, "headers", None)))
