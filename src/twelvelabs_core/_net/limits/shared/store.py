"""Where shared limits are kept, as the leases see it."""

from __future__ import annotations

import re
from typing import Protocol

from .decision import Grant, Report


class StoreError(Exception):
    """A store cannot be reached or refuses; its text says what and names the remedy, without a password.

    Attributes:
        passing: it may pass by itself, as while a server starts.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


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


def without_password(url: str) -> str:
    """An address as it may be shown: without user, password and parameters."""
    return re.sub(r"(?<=//)[^/?#]*@", "", url).partition("?")[0]
