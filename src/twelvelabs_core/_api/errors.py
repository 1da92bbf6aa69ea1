"""Refusals to errors. The API documents two body shapes and proxies add two more; every one is understood on every
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

__all__ = ["ErrorBody", "error_from_message", "error_from_status", "read_error_body"]

_TOO_LONG = re.compile(
    r"\btext\b.*\b(too long|exceed\w*|longer|less than|at most|maximum|up to)\b"
    r"|\btokens?\b.*\b(limit|length|maximum|exceed\w*)\b"
    r"|\b(limit|maximum|exceed\w*)\b.*\btokens?\b",
    re.IGNORECASE | re.DOTALL,
)
# Codes that stand for the account, whatever status they come with (API error page; statuses not documented).
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
_MAX_MESSAGE = 500


class ErrorBody:
    """What a refusal says: ``code``, ``message``, ``details``; each may be empty."""

    __slots__ = ("code", "details", "message")

    def __init__(self, code: str | None, message: str, details: Mapping[str, Any]) -> None:
        self.code, self.message, self.details = code, message, details


def read_error_body(body: bytes) -> ErrorBody:
    """The code and message of an error body of any shape."""
    try:
        answer = from_json(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        inner = answer.get("error")
        found: dict[str, Any] = inner if isinstance(inner, dict) else answer
        message = found.get("message") or (inner if isinstance(inner, str) else "") or ""
        details = found.get("details")
        code = found.get("code")
        return ErrorBody(
            str(code) if code is not None else None,
            str(message)[:_MAX_MESSAGE],
            details if isinstance(details, dict) else {},
        )
    return ErrorBody(None, "", {})  # HTML of a proxy, or nothing: the status says all there is


def error_from_status(status: int, body: bytes, *, trace_id: str | None = None) -> TwelveLabsError:
    """The error for an answer that is not 2xx. ``item`` is added by the caller, who knows it."""
    fault = read_error_body(body)
    tags: dict[str, Any] = {"status": status, "code": fault.code, "trace_id": trace_id}
    message = fault.message or "The server gave no reason."
    if fault.code == "usage_limit_exceeded":
        return AuthenticationError(f"The account's usage limit is reached: {message}", **tags)
    if status == 401 or fault.code in ("api_key_invalid", "unauthorized"):
        return AuthenticationError(
            "The API key was refused. Check TWELVELABS_API_KEY or api_key=, and that the key has not expired.",
            **tags,
        )
    if status == 403 and fault.code == "read_not_allowed":
        return InvalidInputError(f"{message} (an asset of another account, or one that is gone)", **tags)
    if status in (402, 403) or fault.code in _ACCOUNT_CODES:
        return AuthenticationError(f"The account may not do this: {message}", **tags)
    if status == 429:
        return RateLimitError(fault.message or "Too many requests.", **tags)
    if status == 404 and fault.code is None:
        return InvalidInputError("No such endpoint. Does the base URL end with the version (…/v1.3)?", **tags)
    if status >= 500 or status == 408:
        return ServerError(fault.message or f"The server failed with status {status}.", **tags)
    if status < 400:
        return InvalidInputError(f"Unexpected status {status}: check the base URL.", **tags)
    return error_from_message(message, **tags)


def error_from_message(message: str, **tags: Any) -> InvalidInputError:
    """A refusal of the input. No code tells an over-long text from other bad input, so the words must."""
    if tags.get("code") == "token_limit_exceeded" or _TOO_LONG.search(message):
        return TextTooLongError(message, **tags)
    return InvalidInputError(message, **tags)
