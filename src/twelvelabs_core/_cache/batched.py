"""Blocking calls in a thread, joined: those made while an earlier one runs go together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .._errors import TwelveLabsError, copied
from .._net import loop

A = TypeVar("A")
R = TypeVar("R")


class Batched(Generic[A, R]):
    """Calls a function in a thread with the arguments of all callers that wait for it. For one loop.

    A call that was begun is finished, also if its caller is cancelled or the process ends: its results are paid for.

    Args:
        function: takes the arguments of all callers, returns a result for each.
    """

    def __init__(self, function: Callable[[list[A]], Sequence[R]]) -> None:
        self._function = function
        self._waiting: list[A] = []
        self._next: asyncio.Task[Sequence[R] | Exception] | None = None
        self._last: asyncio.Task[Sequence[R] | Exception] | None = None

    async def call(self, arguments: Sequence[A]) -> Sequence[R]:
        """The results of some arguments, in order. Raises what the function raises; each caller an error of its own, as
        calls put their results into it.
        """
        first = len(self._waiting)
        self._waiting += arguments
        if self._next is None:
            self._next = self._last = asyncio.ensure_future(self._call(self._last))
            loop.finish_at_exit(self._next)
        found = await asyncio.shield(self._next)
        if isinstance(found, Exception):
            raise copied(found) if isinstance(found, TwelveLabsError) else found
        return found[first : first + len(arguments)]

    async def _call(self, before: asyncio.Task[Sequence[R] | Exception] | None) -> Sequence[R] | Exception:
        """Call with all arguments that have come until ``before``, the call before this one, has ended."""
        if before is not None:
            await asyncio.wait([before])
        else:
            await asyncio.sleep(0)  # calls of the same turn of the loop go together
        arguments, self._waiting = self._waiting, []
        self._next = None
        try:
            return await asyncio.to_thread(self._function, arguments)
        except Exception as error:
            return error  # every caller raises it; without one, it is no "exception that was never retrieved"
