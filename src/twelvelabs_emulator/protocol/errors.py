"""Errors as the API words them: an exception here, a flat or nested JSON body on the wire."""

from __future__ import annotations

from typing import Any, Literal

from .settings import Settings

__all__ = ["ApiError", "error_body", "invalid", "missing", "not_found", "unknown_field"]

_UPPER = {413: "VALIDATION_ERROR", 429: "RATE_LIMIT_EXCEEDED", 500: "INTERNAL_SERVER_ERROR"}
# Documented for /embed-v2 as nested; the others (401, 403, 404 …) are flat on every endpoint.
_NESTED_STATUSES = {400, 413, 429, 500}


class ApiError(Exception):
    """A request that ends in an error answer.

    ``shape`` "endpoint" leaves it to the endpoint whether the body is flat or nested; "flat" and "nested"
    force it, and "empty" is no body at all. ``details`` go into nested bodies alone. ``headers`` are those
    that the answer has besides.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        shape: Literal["endpoint", "flat", "nested", "empty"] = "endpoint",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.shape = shape
        self.headers: dict[str, str] = {}


def invalid(parameter: str, why: str, *, code: str = "parameter_invalid", status: int = 400) -> ApiError:
    """A value the API does not take."""
    return ApiError(status, code, f"The `{parameter}` parameter is invalid. {why}")


def missing(parameter: str) -> ApiError:
    """A field that has to be there and is not."""
    return ApiError(400, "parameter_not_provided", f"The `{parameter}` parameter is required but was not provided.")


def unknown_field(parameter: str) -> ApiError:
    """A field the API does not know."""
    return ApiError(400, "parameter_unknown", f"The request contains an unknown parameter: `{parameter}`.")


def not_found(settings: Settings, what: str) -> ApiError:
    """A path or thing that does not exist."""
    return ApiError(settings.not_found_status, "resource_not_exist", f"{what} does not exist.", shape="flat")


def error_body(error: ApiError, path: str, settings: Settings) -> dict[str, Any] | None:
    """Return the JSON body of an error, in the shape of the endpoint at ``path``; ``None`` is an empty body."""
    on_v2 = path.startswith("/v1.3/embed-v2")
    shape: str = error.shape
    if shape == "empty":
        return None
    if shape == "endpoint":
        shape = settings.v2_error_shape if on_v2 and error.status in _NESTED_STATUSES else "flat"
    code = error.code
    if on_v2 and settings.v2_error_codes == "upper" and error.status in _NESTED_STATUSES:
        code = _UPPER.get(error.status, "VALIDATION_ERROR")
    body: dict[str, Any] = {"code": code, "message": error.message}
    if shape == "nested":
        if error.details is not None:
            body["details"] = error.details
        return {"error": body}
    return body
