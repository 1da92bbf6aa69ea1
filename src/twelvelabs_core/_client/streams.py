"""Streams: items are taken lazily, results are yielded."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sized
from typing import Any

from .._batch.batch import warn_truncated
from .._batch.progress import bar_of
from .._batch.stream import Chunk, Embed, StreamResult, embed_chunk, stream, stream_async
from .._errors import InvalidInputError
from .._inputs import Item
from .._lanes import Lane, choose, lane_of
from .._net import loop
from .._stats import Run
from .base import ClientBase

STREAM_WINDOW_FACTOR = 2


class EmbedsStreams(ClientBase):
    """``stream``."""

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
        return self._stream(items, ordered, errors, progress, lane_of("bulk"))

    def _stream(
        self, items: Iterable[Item], ordered: bool, errors: str, progress: bool, lane: Lane
    ) -> Iterator[StreamResult]:
        embed, finish = self._streamer(items, errors, progress, lane)
        try:
            yield from stream(items, embed, window=self._stream_window, ordered=ordered, raise_errors=errors == "raise")
        finally:
            loop.finish(finish())

    def astream(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        ordered: bool = True,
        errors: str = "raise",
        progress: bool = False,
    ) -> AsyncIterator[StreamResult]:
        """Async :meth:`stream`; the items may come from an async iterator too."""
        return self._astream(items, ordered, errors, progress, lane_of("bulk"))

    async def _astream(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        ordered: bool,
        errors: str,
        progress: bool,
        lane: Lane,
    ) -> AsyncIterator[StreamResult]:
        embed, finish = self._streamer(items, errors, progress, lane)
        found = stream_async(items, embed, window=self._stream_window, ordered=ordered, raise_errors=errors == "raise")
        try:
            async for result in found:
                yield result
        finally:
            await found.aclose()  # type: ignore[attr-defined]  # it is an async generator
            await loop.arun(finish())

    @property
    def _stream_window(self) -> int:
        """Items of a stream in flight: more than requests, so that no connection waits for the next item."""
        return STREAM_WINDOW_FACTOR * self._sender.settings.max_concurrency

    def _streamer(
        self, items: Iterable[Item] | AsyncIterable[Item], errors: str, progress: bool, lane: Lane
    ) -> tuple[Embed, Callable[[], Coroutine[Any, Any, None]]]:
        """What embeds a chunk of a stream, and what ends the stream's run."""
        if errors not in ("raise", "yield"):
            raise InvalidInputError(f"errors={errors!r} is not one of raise, yield.")
        run = Run(0, lane=lane)
        total = len(items) if isinstance(items, Sized) else None

        async def embed(first: int, chunk: list[Item]) -> Chunk:
            choose(lane)
            if progress and run.stats.items == 0:
                run.progress = bar_of(total, self._sender.opens_at)
            run.stats.items += len(chunk)
            return await embed_chunk(self._embedder, first, chunk, run, self._cache)

        async def finish() -> None:
            self._finish(run)
            if run.stats.truncated:
                warn_truncated(["see .truncated of the results"], run)

        return embed, finish
