"""Three switches for tests: retries and rate limits do not wait, their clock is ahead, only this machine is asked."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from .._errors import InvalidInputError

_waiting = True
_local_only = False
_ahead = 0.0  # seconds


def waiting() -> bool:
    """Whether retries and rate limits really wait."""
    return _waiting


@contextmanager
def no_waiting() -> Iterator[None]:
    """Inside this context, retries and rate limits of all clients in this process do not wait. For tests.

    Unchanged are the number of attempts, their order, and ``QuotaExceededError`` for waits over ``max_wait``.
    """
    global _waiting
    before, _waiting = _waiting, False
    try:
        yield
    finally:
        _waiting = before


def advance_clock(seconds: float) -> None:
    """To the rate limits of all clients in this process, so many seconds have passed. For tests.

    Declared windows empty, and what a 429 has closed opens. Requests that wait for a limit start within a second. Never
    put back: what the limits remember would lie in the future. Limits that processes share by a file or by Redis have
    the clock of that store, which stays as it is.

    Raises:
        InvalidInputError: ``seconds`` is negative or not finite.
    """
    global _ahead
    if not 0 <= seconds < math.inf:
        raise InvalidInputError(f"The clock can be moved ahead by a number of seconds, not by {seconds!r}.")
    _ahead += seconds


def monotonic() -> float:
    """The clock of rate limits: ``time.monotonic()``, and what :func:`advance_clock` has added."""
    return time.monotonic() + _ahead


@contextmanager
def local_only() -> Iterator[None]:
    """Inside this context, the clients of this process send nothing to another machine. For tests.

    A client that an app made when it was imported has the service's address, and may have a real key: its requests
    are refused with an InvalidInputError before anything is sent. Clients with a ``transport=`` of their own are left
    alone.
    """
    global _local_only
    before, _local_only = _local_only, True
    try:
        yield
    finally:
        _local_only = before


def check_reach(url: str) -> None:
    """Refuse what :func:`local_only` does not let through.

    Raises:
        InvalidInputError: the address is of another machine.
    """
    if not _local_only:
        return
    address = urlsplit(url)
    if not _is_local(address.hostname or ""):
        raise InvalidInputError(
            f"This test asks the emulator, and a client was about to ask {address.scheme}://{address.netloc}; nothing "
            "was sent. Make the client in the test, or in what it calls: one that is made when a module is imported "
            "has the address of that time."
        )


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def pause(seconds: float) -> None:
    """Sleep, unless waiting is off."""
    await asyncio.sleep(seconds if _waiting else 0)
