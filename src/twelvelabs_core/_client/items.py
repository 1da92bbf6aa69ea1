"""One item, or many: a vector for each."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from .._batch.batch import Outcome, embed_batch, run_each, warn_truncated
from .._embed.embedder import Result
from .._embed.jobs import Job, Label, numbered
from .._errors import TwelveLabsError
from .._inputs import Item, as_items
from .._lanes import Lane, checked_lane, lane_of
from .._net import loop
from .._results import Embedding
from .._stats import Progress, Run
from .base import ClientBase


class EmbedsItems(ClientBase):
    """``embed``, ``embed_many`` and ``embed_each``."""

    def embed(self, item: Item, *, name: str | None = None, prepaid: int = 0, lane: Lane | None = None) -> Embedding:
        """One vector for one item.

        Args:
            item: a text (``str``), :class:`Image`, :class:`Audio`, :class:`Video`, :class:`Document` or
                :class:`Composed`.
            name: what to call it in errors; its kind by default.
            prepaid: 1 if the caller has already acquired ``rate_limiter`` for the request.
            lane: ``interactive`` = goes before everything in the bulk lane; ``bulk`` = takes turns with other calls
                there. By default that of a surrounding :meth:`interactive` or :meth:`bulk`, else ``interactive``.

        Raises:
            InvalidInputError: found before sending, or by the server.
            TextTooLongError: over the limit with ``truncate="none"``.
            AuthenticationError, RateLimitError, QuotaExceededError: about the account.
            ServerError, ConnectionFailedError, MalformedResponseError: the retries are used up.
        """
        return loop.run(self._one(item, name, prepaid, checked_lane(lane, "interactive")))

    async def aembed(
        self, item: Item, *, name: str | None = None, prepaid: int = 0, lane: Lane | None = None
    ) -> Embedding:
        """Async :meth:`embed`."""
        return await loop.arun(self._one(item, name, prepaid, checked_lane(lane, "interactive")))

    def embed_many(
        self,
        items: Iterable[Item],
        *,
        name: str = "items",
        progress: bool = False,
        prepaid: int = 0,
        lane: Lane | None = None,
    ) -> list[Embedding]:
        """One vector an item, in the items' order; at most ``max_concurrency`` requests at a time.

        Every item is checked before the first is sent. Equal items are sent once, also if another call of the account
        is embedding them at the moment (with a cache file, another process too). A call that is cancelled or
        interrupted raises no results; with ``cache=`` those that were finished are kept.

        Args:
            items: what to embed; ``[]`` gives ``[]``.
            name: what to call them in errors: ``texts`` gives ``texts[3]``.
            progress: show a tqdm bar.
            prepaid: number of requests for which the caller has already acquired ``rate_limiter``.
            lane: as for :meth:`embed`; by default ``interactive`` for a single item, ``bulk`` for several.

        Raises:
            InvalidInputError: an item cannot be sent; nothing was sent. ``item`` names it.
            BatchError: some of several items failed; the others were finished and are in ``.results``. The error of a
                single item is raised as it is.
            AuthenticationError, QuotaExceededError: about the account; no further item is sent, finished vectors are in
                ``.results``.
            CacheError: results can no longer be kept; likewise.
            ConnectionFailedError, ServerError: the server fails every request (code ``circuit_open``); likewise.
            UnexpectedError: the iterator of the items raised, or the check of one; nothing was sent.
        """
        return loop.run(self._many(items, name, progress, prepaid, lane))

    async def aembed_many(
        self,
        items: Iterable[Item],
        *,
        name: str = "items",
        progress: bool = False,
        prepaid: int = 0,
        lane: Lane | None = None,
    ) -> list[Embedding]:
        """Async :meth:`embed_many`."""
        return await loop.arun(self._many(items, name, progress, prepaid, lane))

    def embed_each(
        self, items: Iterable[Item], *, name: str = "items", progress: Progress | None = None
    ) -> Outcome[Embedding]:
        """As :meth:`embed_many`, but an item that cannot be sent, or fails, stops nothing, and no error is raised for
        any: each is in ``.errors``, and one about the account is ``.fatal``.

        Args:
            items: what to embed.
            name: what to call them in errors.
            progress: is told of every change of the call's statistics, on the background loop; it must not block.

        Raises:
            InvalidInputError: ``items`` is no list of items.
        """
        return loop.run(self._each(as_items(items), name, progress, lane_of("bulk")))

    async def aembed_each(
        self, items: Iterable[Item], *, name: str = "items", progress: Progress | None = None
    ) -> Outcome[Embedding]:
        """Async :meth:`embed_each`."""
        return await loop.arun(self._each(as_items(items), name, progress, lane_of("bulk")))

    async def _each(
        self, items: Sequence[Item], name: str, progress: Progress | None, lane: Lane
    ) -> Outcome[Embedding]:
        run = self._new_run(len(items), progress, lane=lane)
        try:
            jobs, outcome = await run_each(self._embedder, items, numbered(name), run, self._cache)
            if run.stats.truncated:
                pairs = zip(jobs, outcome.results, strict=True)
                warn_truncated([job.label for job, found in pairs if job and getattr(found, "truncated", False)], run)
            return outcome  # type: ignore[return-value]  # jobs without options give one vector each
        finally:
            self._finish(run)

    async def _one(self, item: Item, name: str | None, prepaid: int, lane: Lane) -> Embedding:
        run = self._new_run(1, lane=lane)
        (found,) = await self._vectors([item], [name or str(getattr(item, "kind", "text"))], run, prepaid)
        return found

    def _many(
        self, items: Iterable[Item], name: str, progress: bool, prepaid: int, lane: Lane | None
    ) -> Coroutine[Any, Any, list[Embedding]]:
        found = as_items(items)
        lane = checked_lane(lane, "interactive" if len(found) == 1 else "bulk")

        async def embed() -> list[Embedding]:
            run = self._new_run(len(found), progress, lane=lane)
            return await self._vectors(found, numbered(name), run, prepaid)

        return embed()

    async def _vectors(self, items: Sequence[Item], labels: Iterable[Label], run: Run, prepaid: int) -> list[Embedding]:
        jobs: Sequence[Job] = ()
        results: Sequence[Result | None] = ()
        try:
            jobs = await self._embedder.checker.check_all(items, labels, stats=run.stats)
            results = await embed_batch(self._embedder, jobs, run, self._cache, prepaid=prepaid, single=len(jobs) == 1)
            return results  # type: ignore[return-value]  # jobs without options give one vector each
        except TwelveLabsError as error:
            results = error.results
            raise
        finally:
            if run.stats.truncated:
                pairs = zip(jobs, results, strict=False)
                warn_truncated([job.label for job, found in pairs if getattr(found, "truncated", False)], run)
            self._finish(run)
