"""Error responses to exceptions. The API documents two shapes of body and proxies add two more; all are read on every
endpoint.

Flat ``{"code", "message"}``, nested ``{"error": {"code", "message", "details"}}``, empty, and HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from .._errors import (
    AuthenticationError,
    InvalidInputError,
    RateLimitError,
    ServerError,
    TextTooLongError,
    TwelveLabsError,
)

_TOO_LONG = re.compile(
    r"\btext\b.*\b(too long|exceed\w*|longer|less than|at most|maximum|up to)\b"
    r"|\btokens?\b.*\b(limit|length|maximum|exceed\w*)\b"
    r"|\b(limit|maximum|exceed\w*)\b.*\btokens?\b",
    re.IGNORECASE | re.DOTALL,
)
# Codes about the account, whatever status they come with (API error page; the statuses are not documented).
_ACCOUNT_CODES = frozenset(
    {
        "api_key_invalid",
        "unauthorized",
        "api_not_allowed",
        "api_allowed_for_paid_plan",
        "region_not_allowed",
        "usage_limit_exceeded",
    }
)
_MAX_MESSAGE, _MAX_CODE = 500, 100  # characters


class ErrorBody:
    """``code``, ``message`` and ``details`` of an error response; each may be empty."""

    __slots__ = ("code", "details", "message")

    def __init__(self, code: str | None, message: str, details: Mapping[str, Any]) -> None:
        self.code, self.message, self.details = code, message, details


def read_error_body(body: bytes) -> ErrorBody:
    """The code, message and details of an error body of any shape."""
    try:
        parsed = from_json(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        inner = parsed.get("error")
        found: dict[str, Any] = inner if isinstance(inner, dict) else parsed
        message = found.get("message") or (inner if isinstance(inner, str) else "") or ""
        details = found.get("details")
        code = found.get("code")
        return ErrorBody(
            one_line(code, _MAX_CODE) if code is not None else None,
            one_line(message, _MAX_MESSAGE),
            details if isinstance(details, dict) else {},
        )
    return ErrorBody(None, "", {})  # HTML of a proxy, or nothing: only the status is known


def one_line(found: Any, length: int = _MAX_MESSAGE) -> str:
    """What a server sent as a text, whatever its type: in one line, printable, and not longer than ``length``."""
    try:
        text = str(found)
    except ValueError:  # an integer with too many digits
        text = f"a {type(found).__name__}"
    text = " ".join(text[: 4 * length].split())
    return "".join(char for char in text if char.isprintable())[:length]


def error_from_status(status: int, body: bytes, *, trace_id: str | None = None) -> TwelveLabsError:
    """The error for a response that is not 2xx. The caller adds ``item``."""
    error = read_error_body(body)
    tags: dict[str, Any] = {"status": status, "code": error.code, "trace_id": trace_id}
    message = error.message or "The server gave no reason."
    if error.code == "usage_limit_exceeded":
        return AuthenticationError(f"The account's usage limit is reached: {message}", **tags)
    if status == 401 or error.code in ("api_key_invalid", "unauthorized"):
        return AuthenticationError(
            "The API key was refused. Check TWELVELABS_API_KEY or api_key=, and that the key has not expired.",
            **tags,
        )
    if status == 403 and error.code == "read_not_allowed":
        return InvalidInputError(f"{message} (the asset belongs to another account, or no longer exists)", **tags)
    if status in (402, 403) or error.code in _ACCOUNT_CODES:
        return AuthenticationError(f"The account may not do this: {message}", **tags)
    if status == 429:
        return RateLimitError(error.message or "Too many requests.", **tags)
    if status == 404 and error.code is None:
        return InvalidInputError("No such endpoint. Does the base URL end with the version (…/v1.3)?", **tags)
    if status >= 500 or status in (408, 425):
        return ServerError(error.message or f"The server failed with status {status}.", **tags)
    if status < 400:
        return InvalidInputError(f"Unexpected status {status}: check the base URL.", **tags)
    return error_from_message(message, **tags)


def error_from_message(message: str, **tags: Any) -> InvalidInputError:
    """The error for rejected input. No code distinguishes an overlong text from other bad input; the message does."""
    if tags.get("code") == "token_limit_exceeded" or _TOO_LONG.search(message):
        return TextTooLongError(message, **tags)
    return InvalidInputError(message, **tags)
