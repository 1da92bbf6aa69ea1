"""Lists in pages, and the other query parameters of ``GET``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from starlette.requests import Request

from ...protocol.errors import invalid

_MAX_PER_PAGE = 50
_PER_PAGE = 10
_NUMBER = re.compile("[0-9]{1,9}")

T = TypeVar("T")


def page_of(items: Sequence[T], request: Request, as_json: Callable[[T], Any]) -> dict[str, Any]:
    """Return one page as ``{"data", "page_info"}``; past the end it is empty. Raises the API's 400."""
    page = _positive_integer(request, "page", 1)
    size = _positive_integer(request, "page_limit", _PER_PAGE)
    if size > _MAX_PER_PAGE:
        raise invalid("page_limit", f"It must not exceed {_MAX_PER_PAGE}.")
    info = {
        "limit_per_page": size,
        "page": page,
        "total_page": -(-len(items) // size),
        "total_results": len(items),
    }
    return {"data": [as_json(item) for item in items[(page - 1) * size : page * size]], "page_info": info}


def _positive_integer(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise invalid(name, "It must be a whole number from 1 to 999999999.")
    return int(text)


def query_strings(request: Request, name: str, choices: Sequence[str] | None = None) -> list[str]:
    """Return every value of a repeated parameter. Raises the API's 400 for a value that is not a choice."""
    values = request.query_params.getlist(name)
    for value in values:
        if choices is not None and value not in choices:
            raise invalid(name, f"It must be one of: {', '.join(choices)}.")
    return values


def query_flag(request: Request, name: str) -> bool:
    """Return a parameter that is true or false; the default is false."""
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise invalid(name, "It must be true or false.")
    return text == "true"


def query_time(request: Request, name: str) -> float | None:
    """Return a time in RFC 3339 as seconds since the epoch."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not escaped is decoded as a space.
        found = datetime.fromisoformat(text.strip().replace(" ", "+").replace("Z", "+00:00"))
    except ValueError:
        raise invalid(name, "It must be a time in RFC 3339, such as 2026-09-26T10:29:19Z.") from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
