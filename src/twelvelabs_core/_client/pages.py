"""Lists that the service gives in pages, as iterators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from .._api.pages import Page
from .._net import loop


class HasId(Protocol):
    """An entry of a list."""

    @property
    def id(self) -> str:
        """The service's id of it."""


E = TypeVar("E", bound=HasId)


class Pages:
    """Which page is next, and which entries are new: what is created while a list is read moves its entries on, so that
    the next page begins with some of the last.
    """

    def __init__(self) -> None:
        self.next: int | None = 1
        self._seen: set[str] = set()

    def take(self, page: Page[E]) -> list[E]:
        """The entries of a page that were on none before. There may be none, if as many were created meanwhile; where
        nothing says how many pages there are, it is the last.
        """
        assert self.next is not None
        new = [entry for entry in page.entries if entry.id not in self._seen]
        self._seen.update(entry.id for entry in new)
        is_last = page.is_last or (self.next >= page.pages if page.pages is not None else not new)
        self.next = None if is_last else self.next + 1
        return new


def each(fetch: Callable[[int], Coroutine[Any, Any, Page[E]]]) -> Iterator[E]:
    """The entries of all pages. A page is asked for when the entries before it were taken.

    Args:
        fetch: the page of a number, from 1.
    """
    pages = Pages()
    while pages.next is not None:
        yield from pages.take(loop.run(fetch(pages.next)))


async def aeach(fetch: Callable[[int], Coroutine[Any, Any, Page[E]]]) -> AsyncIterator[E]:
    """Async :func:`each`."""
    pages = Pages()
    while pages.next is not None:
        for entry in pages.take(await loop.arun(fetch(pages.next))):
            yield entry
