"""Lists that the API gives in pages, newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from .._errors import MalformedResponseError
from .requests import Request

T = TypeVar("T")

PAGE_SIZE = 50  # the API's largest


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list.

    Attributes:
        entries: those that can be read.
        is_last: there is no page after this one.
        pages: how many there are; None = the response does not say.
    """

    entries: list[T]
    is_last: bool
    pages: int | None


def list_page(path: str, page: int, **filters: str | None) -> Request:
    """Ask for a page of a list.

    Args:
        page: from 1.
        filters: query parameters; None = leave out.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    query = urlencode({**given, "page": page, "page_limit": PAGE_SIZE})
    return Request(f"{path}?{query}", method="GET")


def read_page(response: Mapping[str, Any], read: Callable[[dict[str, Any]], T]) -> Page[T]:
    """A page, from the response to :func:`list_page`. Entries that ``read`` finds malformed are left out."""
    listed = response.get("data")
    entries = []
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict):
            try:
                entries.append(read(entry))
            except MalformedResponseError:
                continue
    info = response.get("page_info")
    return Page(entries, not listed or is_last(info), _numbers(info)[1])


def is_last(info: Any) -> bool:
    """Whether a ``page_info`` says that it is of the last page."""
    page, pages = _numbers(info)
    return page is not None and pages is not None and page >= pages


def _numbers(info: Any) -> tuple[int | None, int | None]:
    found = (info.get("page"), info.get("total_page")) if isinstance(info, dict) else (None, None)
    page, pages = (number if type(number) is int else None for number in found)
    return page, pages
