"""The API's errors, as an exception. `bodies.error_response` writes them."""

from __future__ import annotations

from typing import Any, Literal


class ApiError(Exception):
    """A request that ends in an error response.

    Args:
        status: HTTP status.
        code: the API's code, such as ``parameter_invalid``.
        message: the API's message.
        details: added to nested bodies only.
        shape: "endpoint" lets the endpoint decide whether the body is flat or nested; "flat" and "nested"
            force it; "empty" means no body.
        headers: added to the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        shape: Literal["endpoint", "flat", "nested", "empty"] = "endpoint",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.shape = shape
        self.headers = headers or {}


def invalid(parameter: str, why: str, *, code: str = "parameter_invalid", status: int = 400) -> ApiError:
    """A value that the API does not accept."""
    return ApiError(status, code, f"The `{parameter}` parameter is invalid. {why}")


def missing(parameter: str) -> ApiError:
    """A required field that was not sent."""
    return ApiError(400, "parameter_not_provided", f"The `{parameter}` parameter is required but was not provided.")


def unknown_field(parameter: str) -> ApiError:
    """A field that the API does not know."""
    return ApiError(400, "parameter_unknown", f"The request contains an unknown parameter: `{parameter}`.")


def not_found(what: str, status: int) -> ApiError:
    """A path or object that does not exist. The status is the setting ``not_found_status``."""
    return ApiError(status, "resource_not_exist", f"{what} does not exist.", shape="flat")
