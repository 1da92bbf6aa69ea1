"""Where shared limits are kept, as the leases see it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ... import loop
from .decision import Grant, Report

logger = logging.getLogger("twelvelabs_embeddings")

EXIT_SEC = 2.0  # what is given back at the end may take so long


class StoreError(Exception):
    """A store cannot be reached or refuses; its text says what and names the remedy, without a password.

    Attributes:
        passing: it may pass by itself, as while a server starts.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def as_store_error(error: Exception, shown: str) -> StoreError:
    """What a store has raised as the error of it: itself, or of what nobody foresaw (no thread can be started, no
    memory) its type alone.
    """
    if isinstance(error, StoreError):
        return error
    return StoreError(f"The shared limits at {shown} cannot be used: {type(error).__name__}.")


class Store(Protocol):
    """A SQLite file or a Redis database.

    Attributes:
        shown: its address, without a password.
    """

    shown: str

    async def report(self, name: str, report: Report) -> Grant:
        """Take a report into the state of the limit ``name``, as one step that no other report comes between.

        Raises:
            StoreError: it is not known whether the report was taken.
        """

    async def aclose(self) -> None:
        """Close it at the end of the loop."""

    def close(self) -> None:
        """Close what a forked child may not carry over."""


class OpenStore:
    """A store and the leases that have something to give back to it.

    Attributes:
        closers: of leases that hold slots.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._is_gone = False
        self.closers: set[Callable[[], Awaitable[None]]] = set()
        loop.close_at_exit(self.aclose)

    def gone(self, why: str, workers: int) -> None:
        """Say once that the store is gone."""
        if not self._is_gone:
            self._is_gone = True
            logger.warning(
                "%s Until they are back, each of %d workers keeps its part of the declared limits.", why, workers
            )

    def back(self) -> None:
        """Say once that it is back."""
        if self._is_gone:
            self._is_gone = False
            logger.info("The shared limits at %s are back.", self.store.shown)

    async def aclose(self) -> None:
        """Give back what is leased, and close the store."""
        given_back = asyncio.gather(*(closer() for closer in list(self.closers)), return_exceptions=True)
        await asyncio.wait([given_back], timeout=EXIT_SEC)
        await self.store.aclose()
