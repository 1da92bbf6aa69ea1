"""One flight a key: an item that is under way in another call, thread or client of the account is not sent again.

The call that comes first embeds it; those that come before that call has ended wait for what it gets. All of them run
on the background loop, so no lock is needed.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import replace
from typing import Any, TypeAlias

from .._cache.cache import Cache
from .._embed.embedder import Embedder, Result
from .._embed.jobs import Job
from .._errors import (
    InvalidInputError,
    TextTooLongError,
    TwelveLabsError,
    UnexpectedError,
    copied,
)
from .._net.forks import PerLoop
from .._net.limits.lanes import demote, promote
from .._net.pool import is_fatal
from .._net.settings import SenderSettings
from .._results import Embedding
from .names import Names

# How a flight ended: a result, or an error that the others would get too; and the cache key of a text that was cut
# after a refusal.
Landed: TypeAlias = "tuple[Result | TwelveLabsError, str | None]"


class Flight:
    """One item under way.

    Args:
        job: of the caller that embeds it.
        settings: that caller's; they say how patient it is.
        cache: that caller's.

    Attributes:
        outcome: how it ended; None while it is under way, and if the others have to try it themselves: the caller was
            cancelled, or met an error of its own.
    """

    __slots__ = ("_landing", "_task", "cache", "job", "outcome", "settings")

    def __init__(self, job: Job, settings: SenderSettings, cache: Cache | None) -> None:
        self.job, self.settings, self.cache = job, settings, cache
        self.outcome: Landed | None = None
        self._landing: asyncio.Future[Flight] | None = None
        self._task = asyncio.current_task()

    def landing(self) -> asyncio.Future[Flight]:
        """Gets the flight when it has ended. Wait for it by ``asyncio.wait``, which does not cancel it for others."""
        if self._landing is None:
            self._landing = asyncio.get_running_loop().create_future()
            if self.outcome is not None:
                self._landing.set_result(self)
        return self._landing

    def land(self, outcome: Landed | None) -> None:
        """End it."""
        if self._task is not None:
            demote(self._task)
            self._task = None
        self.outcome = outcome
        if self._landing is not None:
            self._landing.set_result(self)

    def hurry(self) -> None:
        """An interactive call waits for it too: it goes on in that lane. (A text in pieces: those it sends later.)"""
        if self._task is not None:
            promote(self._task)

    def as_patient(self, settings: SenderSettings) -> bool:
        """Whether a caller with these settings would have given up at the same point."""
        own = self.settings
        return (own.retry, own.timeout, own.max_wait) == (settings.retry, settings.timeout, settings.max_wait)


class Flights(dict[str, Flight]):
    """The items under way of one account, by name: a text, or what media are called. Weakly held.

    Attributes:
        names: what its media are called.
    """

    __slots__ = ("__weakref__", "names")

    def __init__(self) -> None:
        super().__init__()
        self.names: Names = {}

    @classmethod
    def of(cls, embedder: Embedder, *, texts: bool) -> Flights:
        """Those of all embedders that would send the same for an item.

        Args:
            texts: of texts and compositions, which ``truncate`` and ``count_tokens`` change.
        """
        settings, net = embedder.settings, embedder.sender.settings
        how: tuple[Any, ...] = (settings.truncate, id(settings.counter)) if texts else ()
        account = (net.base_url, net.api_key, id(net.transport))
        scope = (*account, settings.space, settings.api_version, settings.model.name, *how)
        flights = _flights.get()
        found = flights.get(scope)
        if found is None:
            found = flights[scope] = cls()
        return found


_flights: PerLoop[weakref.WeakValueDictionary[Any, Flights]] = PerLoop(weakref.WeakValueDictionary)


def is_shared(error: TwelveLabsError, job: Job) -> bool:
    """Whether callers that wait for a job get its error.

    Errors about the account, the first caller's limits, its budget, its cache or its copy of a file are its own.
    """
    if is_fatal(error) or isinstance(error, UnexpectedError):
        return False
    if isinstance(error, InvalidInputError):
        return isinstance(error, TextTooLongError) or error.status is not None or not job.on_disk
    return True


def own_copy(found: Result) -> Result:
    """A result for another caller, who may change the vectors in place."""
    if isinstance(found, Embedding):
        return replace(found, vector=list(found.vector))
    return [replace(segment, vector=list(segment.vector)) for segment in found]


def own_error(error: TwelveLabsError, job: Job, other: Job) -> TwelveLabsError:
    """The error of a job for an equal one, under the other's label."""
    found = copied(error)
    if found.item is not None:
        found.item = other.label + (found.item[len(job.label) :] if found.item.startswith(job.label) else "")
    return found
