"""Streams: items are taken lazily, results are yielded."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, Generic

from .._batch.batch import warn_truncated
from .._batch.progress import bar_of
from .._batch.stream import (
    CHUNK,
    Chunk,
    Embed,
    R,
    SegmentsResult,
    StreamResult,
    embed_chunk,
    embed_files,
    stream,
    stream_async,
)
from .._errors import InvalidInputError
from .._inputs import Item, Media
from .._lanes import Lane, choose, lane_of
from .._net import loop
from .._options import SegmentOptions
from .._stats import Run
from .._tracing import begin_span, callers_context
from .base import ClientBase

STREAM_WINDOW_FACTOR = 2


@dataclass(frozen=True)
class _How(Generic[R]):
    """How the items of a stream are embedded.

    Attributes:
        embed: embeds consecutive ones, given the index of the first.
        window: about how many are in flight.
        chunk: how many are embedded together.
    """

    embed: Callable[[int, list[Any], Run], Awaitable[Chunk[R]]]
    window: int
    chunk: int


class EmbedsStreams(ClientBase):
    """``stream`` and ``stream_segments``."""

    def stream(
        self, items: Iterable[Item], *, ordered: bool = True, errors: str = "raise", progress: bool = False
    ) -> Iterator[StreamResult]:
        """Embed any number of items, taken lazily; yields results. Memory does not grow with the number of items.

        About twice ``max_concurrency`` items are in flight at a time. Equal items are found among neighbours; with a
        cache, everywhere.

        Args:
            items: any iterable.
            ordered: in the items' order; False = as they finish, so that a slow item does not delay others.
            errors: ``raise`` = a failed item ends the stream with :class:`BatchError`, after everything in flight was
                yielded; ``yield`` = it is a result with ``.error`` set.
            progress: show a tqdm bar.

        Raises:
            InvalidInputError: ``items`` is not iterable, or a single text.
            BatchError: an item failed (``errors="raise"``); ``.errors`` has it by index.
            UnexpectedError: the iterator of the items raised; everything it gave before was yielded.
            AuthenticationError, QuotaExceededError, CacheError: about the account or the cache; raised after all
                finished items were yielded.
        """
        return self._stream(items, self._of_items(), ordered, errors, progress, lane_of("bulk"), callers_context())

    def astream(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        ordered: bool = True,
        errors: str = "raise",
        progress: bool = False,
    ) -> AsyncIterator[StreamResult]:
        """Async :meth:`stream`; the items may come from an async iterator too."""
        return self._astream(items, self._of_items(), ordered, errors, progress, lane_of("bulk"), callers_context())

    def stream_segments(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        ordered: bool = True,
        errors: str = "raise",
        progress: bool = False,
    ) -> Iterator[SegmentsResult]:
        """The segments of any number of files, each as soon as it is done. A file that cannot be read or sent fails
        alone: with ``errors="yield"`` it is a result with ``.error`` set, and the others go on.

        About ``max_concurrency`` files are in flight at a time; each is opened and checked when its turn comes. Equal
        files in flight are sent once; with a cache, equal ones anywhere.

        Args:
            media: any iterable of :class:`Video`, :class:`Audio`, or on marengo3.5 :class:`Document` or
                :class:`Image`.
            options: how each is divided, as for ``embed_segments``.
            ordered, errors, progress: as for :meth:`stream`.

        Raises:
            InvalidInputError: ``media`` is not iterable, or a single file.
            BatchError, UnexpectedError, AuthenticationError, QuotaExceededError, CacheError: as :meth:`stream`.
        """
        return self._stream(
            media, self._of_files(options), ordered, errors, progress, lane_of("bulk"), callers_context()
        )

    def astream_segments(
        self,
        media: Iterable[Media] | AsyncIterable[Media],
        options: SegmentOptions | None = None,
        *,
        ordered: bool = True,
        errors: str = "raise",
        progress: bool = False,
    ) -> AsyncIterator[SegmentsResult]:
        """Async :meth:`stream_segments`; the files may come from an async iterator too."""
        return self._astream(
            media, self._of_files(options), ordered, errors, progress, lane_of("bulk"), callers_context()
        )

    def _stream(
        self,
        items: Iterable[Any],
        how: _How[R],
        ordered: bool,
        errors: str,
        progress: bool,
        lane: Lane,
        context: Any,
    ) -> Iterator[R]:
        embed, finish = self._streamer(items, how, errors, progress, lane, context)
        try:
            yield from stream(
                items, embed, window=how.window, ordered=ordered, raise_errors=errors == "raise", chunk=how.chunk
            )
        except BaseException as error:
            loop.finish(finish(error))
            raise
        loop.finish(finish(None))

    async def _astream(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        how: _How[R],
        ordered: bool,
        errors: str,
        progress: bool,
        lane: Lane,
        context: Any,
    ) -> AsyncIterator[R]:
        embed, finish = self._streamer(items, how, errors, progress, lane, context)
        found = stream_async(
            items, embed, window=how.window, ordered=ordered, raise_errors=errors == "raise", chunk=how.chunk
        )
        try:
            async for result in found:
                yield result
        except BaseException as error:
            await found.aclose()  # type: ignore[attr-defined]  # it is an async generator
            await loop.arun(finish(error))
            raise
        await loop.arun(finish(None))

    def _of_items(self) -> _How[StreamResult]:
        """More items are in flight than requests, so that no connection waits for the next item."""

        async def embed(first: int, chunk: list[Item], run: Run) -> Chunk[StreamResult]:
            return await embed_chunk(self._embedder, first, chunk, run, self._cache)

        return _How(embed, STREAM_WINDOW_FACTOR * self._sender.settings.max_concurrency, CHUNK)

    def _of_files(self, options: SegmentOptions | None) -> _How[SegmentsResult]:
        """Each file by itself: one may take seconds, its neighbour an hour."""

        async def embed(first: int, chunk: list[Media], run: Run) -> Chunk[SegmentsResult]:
            return await embed_files(self._embedder, first, chunk, options or SegmentOptions(), run, self._cache)

        return _How(embed, self._sender.settings.max_concurrency, 1)

    def _streamer(
        self, items: object, how: _How[R], errors: str, progress: bool, lane: Lane, context: Any
    ) -> tuple[Embed[R], Callable[[BaseException | None], Coroutine[Any, Any, None]]]:
        """What embeds a chunk of a stream, and what ends the stream's run, given the error that ends it.

        Its span begins with its first item, and belongs to where the stream was made.

        Args:
            context: from :func:`callers_context`.
        """
        if errors not in ("raise", "yield"):
            raise InvalidInputError(f"errors={errors!r} is not one of raise, yield.")
        run = Run(0, lane=lane, span=begin_span(self._span_attributes, context))
        total = len(items) if isinstance(items, Sized) else None

        async def embed(first: int, chunk: list[Any]) -> Chunk[R]:
            choose(lane)
            if run.span is not None:
                run.span.enter()
            if progress and run.stats.items == 0:
                run.progress = bar_of(total, self._sender.opens_at)
            run.stats.items += len(chunk)
            return await how.embed(first, chunk, run)

        async def finish(error: BaseException | None) -> None:
            self._finish(run, error)
            if run.stats.truncated:
                warn_truncated(["see .truncated of the results"], run)

        return embed, finish
