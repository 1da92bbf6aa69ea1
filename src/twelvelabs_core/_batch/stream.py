"""A stream: items are taken lazily, results are yielded; memory does not grow with the number of items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from .._cache.cache import Cache
from .._embed.embedder import Embedder
from .._errors import BatchError, TwelveLabsError
from .._inputs import Item, Media, check_many, iterator_error
from .._net import loop
from .._net.forks import PerLoop
from .._options import SegmentOptions
from .._results import Embedding, Segment
from .._stats import Run
from .batch import run_each

# Items passed to the background loop together: waking its thread takes longer than the work for one item.
CHUNK = 16


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One item of a stream.

    Attributes:
        index: index in the input, from 0.
        item: the item itself.
        embedding: its vector; None if it failed.
        error: why, if it failed.
    """

    index: int
    item: Item
    embedding: Embedding | None
    error: TwelveLabsError | None = None


@dataclass(frozen=True, slots=True)
class SegmentsResult:
    """One file of a stream of files.

    Attributes:
        index: index in the input, from 0.
        item: the file itself.
        segments: its segments, sorted by time; None if it failed.
        error: why, if it failed.
    """

    index: int
    item: Media
    segments: list[Segment] | None
    error: TwelveLabsError | None = None


R = TypeVar("R", StreamResult, SegmentsResult)


@dataclass
class Chunk(Generic[R]):
    """The results of some consecutive items.

    Attributes:
        results: finished and failed items; without those that ``fatal`` stopped.
        fatal: an error about the account, which ends the stream.
    """

    results: list[R] = field(default_factory=list)
    fatal: TwelveLabsError | None = None


Embed: TypeAlias = Callable[[int, list[Any]], Awaitable[Chunk[R]]]
"""Embeds consecutive items, given the index of the first."""


async def embed_chunk(
    embedder: Embedder, first: int, items: list[Item], run: Run, cache: Cache | None
) -> Chunk[StreamResult]:
    """Embed consecutive items of a stream. Each is checked alone: one that cannot be sent does not stop the others.

    Args:
        first: index of the first item in the stream.
    """
    labels = [("items", first + place) for place in range(len(items))]
    _, outcome = await run_each(embedder, items, labels, run, cache)
    found: list[Any] = outcome.results
    return Chunk(
        [
            StreamResult(first + place, item, found[place], outcome.errors.get(place))
            for place, item in enumerate(items)
            if found[place] is not None or place in outcome.errors
        ],
        outcome.fatal,
    )


async def embed_files(
    embedder: Embedder, first: int, media: list[Media], options: SegmentOptions, run: Run, cache: Cache | None
) -> Chunk[SegmentsResult]:
    """As :func:`embed_chunk` for the segments of files."""
    labels = [("media", first + place) for place in range(len(media))]
    jobs, outcome = await run_each(embedder, media, labels, run, cache, options)
    results = []
    for place, (item, job, found) in enumerate(zip(media, jobs, outcome.results, strict=True)):
        if job is not None and found is not None:
            results.append(SegmentsResult(first + place, item, embedder.as_segments(job, found)))
        elif place in outcome.errors:
            results.append(SegmentsResult(first + place, item, None, outcome.errors[place]))
    return Chunk(results, outcome.fatal)


class _Flow(Generic[R]):
    """What the sync and the async stream share: the chunks in flight, which of them is next, when to stop.

    Args:
        window: about how many items are in flight.
        chunk: how many are embedded together.
        ordered: yield in the items' order, not as they finish.
        raise_errors: a failed item ends the stream.
    """

    def __init__(self, *, window: int, ordered: bool, raise_errors: bool, chunk: int) -> None:
        self.in_flight: deque[PerLoop[Future[Chunk[R]]]] = deque()  # a forked child starts them again
        self.chunk = chunk
        self._max_in_flight = max(1, -(-window // chunk))
        self._ordered, self._raise_errors = ordered, raise_errors
        self._errors: dict[int, TwelveLabsError] = {}
        self._fatal: TwelveLabsError | None = None
        self._source_error: TwelveLabsError | None = None

    @property
    def full(self) -> bool:
        return len(self.in_flight) >= self._max_in_flight

    @property
    def stopped(self) -> bool:
        return self._fatal is not None or bool(self._errors)

    def start(self, embed: Embed[R], first: int, items: list[Any]) -> None:
        async def run() -> Chunk[R]:
            return await embed(first, items)

        started = PerLoop(lambda: loop.submit(run()))
        started.get()
        self.in_flight.append(started)

    @property
    def futures(self) -> list[Future[Chunk[R]]]:
        return [started.get() for started in self.in_flight]

    def next(self) -> Future[Chunk[R]] | None:
        """The chunk to yield next; None while an unordered stream has no finished one."""
        if self._ordered:
            return self.in_flight[0].get()
        return next((future for future in self.futures if future.done()), None)

    def take(self, future: Future[Chunk[R]]) -> Iterator[R]:
        """Yield the results of a finished chunk; keep the errors to raise."""
        del self.in_flight[self.futures.index(future)]
        chunk = future.result()
        self._fatal = self._fatal or chunk.fatal
        for result in chunk.results:
            if result.error is not None and self._raise_errors:
                self._errors[result.index] = result.error
            else:
                yield result

    def source_failed(self, error: Exception, taken: int) -> None:
        """Keep the error of the iterator that the items come from.

        Args:
            taken: items that it gave before.
        """
        self._source_error = iterator_error(error, taken)

    def end(self) -> None:
        """Raise the errors, after all chunks in flight were yielded."""
        if self._fatal is not None:
            raise self._fatal
        if self._errors:
            raise BatchError((), dict(sorted(self._errors.items()))) from self._source_error
        if self._source_error is not None:
            raise self._source_error from self._source_error.__cause__

    def cancel(self) -> None:
        # The last first: what waits for a request's end must not begin when that request is cancelled.
        for started in reversed(self.in_flight):
            future = started.made()
            if future is not None:
                future.cancel()


def stream(
    items: Iterable[Any], embed: Embed[R], *, window: int, ordered: bool, raise_errors: bool, chunk: int = CHUNK
) -> Iterator[R]:
    """Yield each item's result, about ``window`` items in flight at a time.

    The items are taken in the caller's thread, only as fast as results are taken. Closing the iterator cancels what is
    in flight.

    Args:
        chunk: how many items are embedded together, and yielded when the last of them is done.
    """
    check_many(items)
    flow: _Flow[R] = _Flow(window=window, ordered=ordered, raise_errors=raise_errors, chunk=chunk)

    def results() -> Iterator[R]:
        future = flow.next()
        if future is None:
            wait(flow.futures, return_when=FIRST_COMPLETED)
            future = flow.next()
        assert future is not None
        wait([future])
        yield from flow.take(future)

    try:
        for first, taken in _chunks(items, flow):
            flow.start(embed, first, taken)
            while flow.full and not flow.stopped:
                yield from results()
            if flow.stopped:
                break
        while flow.in_flight:
            yield from results()
        flow.end()
    finally:
        flow.cancel()


async def stream_async(
    items: Iterable[Any] | AsyncIterable[Any],
    embed: Embed[R],
    *,
    window: int,
    ordered: bool,
    raise_errors: bool,
    chunk: int = CHUNK,
) -> AsyncIterator[R]:
    """Async :func:`stream`; the items may come from an async iterator too."""
    if not isinstance(items, AsyncIterable):
        check_many(items)
    flow: _Flow[R] = _Flow(window=window, ordered=ordered, raise_errors=raise_errors, chunk=chunk)

    async def results() -> Iterator[R]:
        future = flow.next()
        waiting = [asyncio.wrap_future(f) for f in ([future] if future else flow.futures)]
        with loop.awake():
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        future = future or flow.next()
        assert future is not None
        return flow.take(future)

    try:
        async for first, taken in _achunks(items, flow):
            flow.start(embed, first, taken)
            while flow.full and not flow.stopped:
                for result in await results():
                    yield result
            if flow.stopped:
                break
        while flow.in_flight:
            for result in await results():
                yield result
        flow.end()
    finally:
        flow.cancel()


def _chunks(items: Iterable[Any], flow: _Flow[R]) -> Iterator[tuple[int, list[Any]]]:
    """The items in chunks, each with the index of its first; those taken before the iterator raised are a chunk too."""
    first, chunk = 0, []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == flow.chunk:
                yield first, chunk
                first, chunk = first + flow.chunk, []
    except Exception as error:
        flow.source_failed(error, first + len(chunk))
    if chunk:
        yield first, chunk


async def _achunks(items: Iterable[Any] | AsyncIterable[Any], flow: _Flow[R]) -> AsyncIterator[tuple[int, list[Any]]]:
    if not isinstance(items, AsyncIterable):
        for found in _chunks(items, flow):
            yield found
        return
    first, chunk = 0, []
    try:
        async for item in items:
            chunk.append(item)
            if len(chunk) == flow.chunk:
                yield first, chunk
                first, chunk = first + flow.chunk, []
    except Exception as error:
        flow.source_failed(error, first + len(chunk))
    if chunk:
        yield first, chunk
