"""Lists in pages, and what else comes in the query of a GET."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from starlette.requests import Request

from ..protocol.errors import invalid

__all__ = ["page_of", "query_choices", "query_flag", "query_time"]

_MOST = 50

T = TypeVar("T")


def page_of(items: Sequence[T], request: Request, described: Callable[[T], Any], default: int = 10) -> dict[str, Any]:
    """Return one page as ``{"data", "page_info"}``; past the end it is empty. Raises the API's 400."""
    page = _whole(request, "page", 1)
    size = _whole(request, "page_limit", default)
    if size > _MOST:
        raise invalid("page_limit", f"It must not exceed {_MOST}.")
    shown = items[(page - 1) * size : page * size]
    info = {
        "limit_per_page": size,
        "page": page,
        "total_page": -(-len(items) // size),
        "total_results": len(items),
    }
    return {"data": [described(item) for item in shown], "page_info": info}


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise invalid(name, "It must be a whole number from 1.")
    return int(text)


def query_choices(request: Request, name: str, choices: Sequence[str] | None = None) -> list[str]:
    """Return every value of a repeated parameter. Raises the API's 400 for one that is not a choice."""
    values = request.query_params.getlist(name)
    for value in values:
        if choices is not None and value not in choices:
            raise invalid(name, f"It must be one of: {', '.join(choices)}.")
    return values


def query_flag(request: Request, name: str) -> bool:
    """Return a parameter that is true or false; absent is false."""
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
        # A plus sign that nobody escaped arrives as a blank.
        found = datetime.fromisoformat(text.strip().replace(" ", "+").replace("Z", "+00:00"))
    except ValueError:
        raise invalid(name, "It must be a time in RFC 3339, such as 2026-09-26T10:29:19Z.") from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
