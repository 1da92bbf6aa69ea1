"""The client: resolves settings, embeds items. Each pair of sync and async methods shares one coroutine."""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Sized,
)
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from ._batch.batch import Outcome, embed_batch, run_batch, run_each, warn_truncated
from ._batch.plan import Plan, make_plan
from ._batch.progress import bar_of
from ._batch.stream import Chunk, Embed, StreamResult, embed_chunk, stream, stream_async
from ._cache.cache import Cache
from ._cache.entries import CacheErrors, Entries, open_cache
from ._cache.journal import Journal
from ._config import resolve_api_key, resolve_base_url, secret_of
from ._embed.embedder import Embedder, Result
from ._embed.jobs import Job, Label
from ._embed.parts import embed_parts, parts_of
from ._embed.settings import EmbedSettings
from ._embed.truncate import TRUNCATE, CheckedCounter, TokenCounter, Truncate, estimate_tokens
from ._errors import InvalidInputError, TwelveLabsError, as_error
from ._inputs import Item, Media, as_items
from ._lanes import Lane, checked_lane, choose, in_lane, lane_of
from ._limits import RateLimits
from ._models import Model, find_model, resolve_api_version, resolve_dimensions
from ._net import loop
from ._net.retry import RetryPolicy
from ._net.sender import Sender
from ._net.settings import DEFAULT_MEDIA_BYTES, DEFAULT_TOTAL_TIMEOUT, SenderSettings
from ._options import SegmentOptions
from ._results import Embedding, Parts, Segment
from ._stats import Budget, Progress, Run, Stats
from ._store.identity import IdFrom, always
from ._store.rows import Row, name_for_ids, names_for_ids, one_each, rows_of
from ._tracing import begin_span, callers_context, span_attributes

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

DEFAULT_MODEL = "marengo3.0"
STREAM_WINDOW_FACTOR = 2


def _checked(count: TokenCounter | None) -> TokenCounter:
    """The token counter to use: the estimate, or the caller's with its results checked."""
    if count is None or count is estimate_tokens:
        return estimate_tokens
    if not callable(count):
        raise InvalidInputError(f"count_tokens must be a function of a text, got a {type(count).__name__}.")
    return count if isinstance(count, CheckedCounter) else CheckedCounter(count)


def _numbered(name: str) -> Iterable[Label]:
    """Labels ``name[0]``, ``name[1]`` …; each is made a string only where an error needs it."""
    return zip(itertools.repeat(name), itertools.count(), strict=False)


async def _converted(
    jobs: Sequence[Job | None], outcome: Outcome[Result], convert: Callable[[int, Job, Result], T]
) -> Outcome[T]:
    """The outcome with each file's segments or rows. In a thread: rows hold the file's digest, which reads the file
    unless it was needed before; and there may be thousands.
    """
    made: Outcome[T] = Outcome([None] * len(jobs), outcome.errors, outcome.fatal)

    def convert_all() -> None:
        for index, (job, found) in enumerate(zip(jobs, outcome.results, strict=True)):
            if job is not None and found is not None:
                try:
                    made.results[index] = convert(index, job, found)
                except Exception as error:  # one file that is gone must not lose the others' vectors
                    made.errors[index] = as_error(error, job.label)

    await loop.in_thread(True, convert_all)
    return made


class EmbeddingClient:
    """TwelveLabs embeddings for one model and one account. The framework adapters are built on it; it works alone too.

    Every method has an async version (``aembed`` …) that may be awaited from any event loop. Sync methods work inside
    a running loop too. The object may be shared by threads, pickled and deep-copied (configuration alone; connections
    are made anew).

    Args:
        model: a name from :data:`MODELS`, or a :class:`Model`.
        api_key: else ``TWELVELABS_API_KEY``, else ``TWELVE_LABS_API_KEY``.
        base_url: with the version, ``…/v1.3``; else ``TWELVELABS_BASE_URL``, else the public address.
        api_version: ``v1`` (``/embed``) or ``v2`` (``/embed-v2``); the model's own default if None.
        dimensions: vector length; the model's default if None. Only marengo3.5 has a choice: 512, 256, 128.
        truncate: what to do with a text over the model's limit: ``end`` or ``start`` cut that side, ``none`` raises
            :class:`TextTooLongError`, ``average`` embeds chunks and returns their weighted mean.
        count_tokens: ``str -> int``, 0 or more; the default estimates, on the high side (no tokenizer is published).
        max_concurrency: requests in flight at a time, 1 or more; interactive ones a quarter more, four at most.
        max_media_bytes: bytes of media held for the requests in flight (256 MB): what is read of a file and its base64.
            A file is read in pieces, so that most requests hold less than 3 MB; an image that is converted first (WebP,
            a PIL image) holds its pixels too. A request that would hold more than this is sent alone.
        rate_limits: what the account may send, as :class:`RateLimits`; None = learn from the server's responses.
        rate_limiter: a limiter object of LangChain (``BaseRateLimiter``) or LlamaIndex, asked before every request.
        max_wait: longest wait for a limit, in seconds, over several rejections too; a longer one raises
            :class:`QuotaExceededError`.
        max_retries: attempts after the first for 408, 425, 429, 5xx, broken connections and unusable responses (the
            last twice at most). 0 = none.
        retry: a whole :class:`RetryPolicy` instead of ``max_retries``.
        timeout: seconds without a byte from the server before a request counts as lost; also for a connection, and for
            the server to take the next 256 kB of a large body.
        total_timeout: seconds before one attempt counts as lost, whatever has been sent and received. A large body has
            more: a second for each 64 kB.
        cache: path of a SQLite file, or an object with ``mget`` and ``mset``: every vector is kept there as soon as it
            arrives.
        cache_errors: ``raise`` = a cache that cannot be read or written stops the call with :class:`CacheError`,
            everything finished in ``.results``; ``ignore`` = one warning, and the call goes on without it.
        budget: hard cap on requests (a number) or on requests and media minutes (:class:`Budget`).
        keep_assets: leave uploaded files on the server after use; by default they are deleted.
        task_timeout: seconds a task (a long video) may take.
        transport: an ``httpx.AsyncBaseTransport``, for tests (``httpx.MockTransport``, respx) or connections of your
            own.

    Raises:
        AuthenticationError: no key anywhere.
        InvalidInputError: unknown model, or a setting out of its range; nothing is sent.
    """

    def __init__(
        self,
        model: str | Model = DEFAULT_MODEL,
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        api_version: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate = "end",
        count_tokens: TokenCounter | None = None,
        max_concurrency: int = 64,
        max_media_bytes: int = DEFAULT_MEDIA_BYTES,
        rate_limits: RateLimits | None = None,
        rate_limiter: Any = None,
        max_wait: float = 120.0,
        max_retries: int = 5,
        retry: RetryPolicy | None = None,
        timeout: float = 120.0,
        total_timeout: float = DEFAULT_TOTAL_TIMEOUT,
        cache: Any = None,
        cache_errors: CacheErrors = "raise",
        budget: Budget | int | None = None,
        keep_assets: bool = False,
        task_timeout: float = 3600.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        api_key = secret_of(api_key)  # first: a traceback shows the locals of its frames to error trackers
        found = find_model(model)
        if truncate not in TRUNCATE:
            raise InvalidInputError(f"truncate={truncate!r} is not one of {', '.join(TRUNCATE)}.")
        # Written so that NaN is refused too.
        at_least_0 = max_retries >= 0 and max_wait >= 0 and task_timeout >= 0
        if not (max_concurrency >= 1 and max_media_bytes >= 1 and at_least_0 and timeout > 0 and total_timeout > 0):
            raise InvalidInputError(
                "max_concurrency and max_media_bytes must be 1 or more, max_retries, max_wait and task_timeout 0 or "
                "more, timeout and total_timeout above 0."
            )
        self._settings = EmbedSettings(
            found,
            resolve_dimensions(found, dimensions),
            resolve_api_version(found, api_version),
            truncate,
            _checked(count_tokens),
            keep_assets,
            task_timeout,
        )
        self._store: Entries | None = open_cache(cache, cache_errors)
        self._stats = Stats()
        self._last_run = Stats()
        self._start(
            SenderSettings(
                base_url=resolve_base_url(base_url),
                api_key=resolve_api_key(api_key),
                max_concurrency=max_concurrency,
                max_media_bytes=max_media_bytes,
                max_wait=max_wait,
                timeout=timeout,
                total_timeout=total_timeout,
                retry=retry or RetryPolicy(max_retries=max_retries),
                limits=rate_limits or RateLimits(),
                budget=Budget.of(budget),
                rate_limiter=rate_limiter,
                transport=transport,
            )
        )
        if found.sunset:
            warnings.warn(
                f"{found.name} was switched off by TwelveLabs on {found.sunset}; use {DEFAULT_MODEL}. "
                "Vectors of the two do not compare: embed everything again.",
                UserWarning,
                stacklevel=2,
            )

    def _start(self, settings: SenderSettings) -> None:
        """Make what is not pickled: the sender, the cache and the embedder."""
        self._sender = Sender(settings)
        self._span_attributes = span_attributes(self.model.name, self.dimensions, settings.base_url)
        self._cache = None if self._store is None else Cache(self._store, self.space, self.dimensions)
        self._embedder = Embedder(self._settings, self._sender, Journal(self._store), self._cache)

    # -- model, settings, statistics -----------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model, as its table describes it."""
        return self._settings.model

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._settings.dimensions

    @property
    def space(self) -> str:
        """The vector space, for example ``marengo3.0/512``. Vectors compare only within one space."""
        return self._settings.space

    def space_of(self, item: Item) -> str:
        """The space of one item's vector: :attr:`space`, but for audio of marengo3.0 on v1.

        v1 sends audio and transcription vectors without labels (API page); their mean compares with neither, and has
        another space, ``marengo3.0/512/v1-audio``.
        """
        return self._settings.space_of(item.kind) if isinstance(item, Media) else self.space

    @property
    def base_url(self) -> str:
        """Address requests go to, with the version."""
        return self._sender.settings.base_url

    @property
    def stats(self) -> Stats:
        """Totals of all finished calls of this object."""
        return replace(self._stats)

    @property
    def last_run(self) -> Stats:
        """Figures of the call that finished last."""
        return replace(self._last_run)

    def __repr__(self) -> str:
        return f"EmbeddingClient({self.space}, {self.base_url})"

    def __getstate__(self) -> dict[str, Any]:
        return {"_settings": self._settings, "_store": self._store, "_sender_settings": self._sender.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._settings, self._store = state["_settings"], state["_store"]
        self._stats, self._last_run = Stats(), Stats()
        self._start(state["_sender_settings"])

    def __copy__(self) -> EmbeddingClient:
        clone = object.__new__(type(self))
        clone.__setstate__(self.__getstate__())
        return clone

    def __deepcopy__(self, memo: dict[int, Any]) -> EmbeddingClient:
        return self.__copy__()

    # -- one item, many items --------------------------------------------------------------------------------------

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
            jobs, outcome = await run_each(self._embedder, items, _numbered(name), run, self._cache)
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
            return await self._vectors(found, _numbered(name), run, prepaid)

        return embed()

    async def _vectors(self, items: Sequence[Item], labels: Iterable[Label], run: Run, prepaid: int) -> list[Embedding]:
        jobs: Sequence[Job] = ()
        results: Sequence[Result | None] = ()
        try:
            jobs = await self._embedder.checker.check_all(items, labels)
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

    def _new_run(self, items: int, progress: bool | Progress | None = None, *, lane: Lane) -> Run:
        """The state of a call, in the task that does it.

        Args:
            progress: True = a bar.
        """
        choose(lane)
        if isinstance(progress, bool):
            progress = bar_of(items, self._sender.opens_at) if progress else None
        span = begin_span(self._span_attributes) if items else None
        if span is not None:
            span.enter()
        return Run(items, progress, lane=lane, span=span)

    def _finish(self, run: Run, error: BaseException | None = None) -> None:
        """End a call.

        Args:
            error: what it raises; by default what is being raised here, in a ``finally`` of its task.
        """
        run.close(error or sys.exc_info()[1])
        self._last_run = run.stats
        self._stats.add(run.stats)

    # -- lanes -----------------------------------------------------------------------------------------------------

    @staticmethod
    def interactive() -> AbstractContextManager[None]:
        """Inside this context, calls go before everything in the bulk lane, in every queue: somebody waits for them.

        Without it, calls for one item are interactive; batches, streams, segments and rows are bulk.

        .. code-block:: python

            with client.interactive():
                client.embed_many(["the three queries", "of one question", "go first"])

        It holds for all clients' calls that this thread or task makes inside, and for tasks it starts there. A stream
        belongs to the lane in which :meth:`stream` was called, wherever it is read.
        """
        return in_lane("interactive")

    @staticmethod
    def bulk() -> AbstractContextManager[None]:
        """Inside this context, calls are in the bulk lane, as :meth:`interactive` the other way: for single items that
        nobody waits for. Each call takes its turn with others there.
        """
        return in_lane("bulk")

    # -- streams ---------------------------------------------------------------------------------------------------

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
        return self._stream(items, ordered, errors, progress, lane_of("bulk"), callers_context())

    def _stream(
        self, items: Iterable[Item], ordered: bool, errors: str, progress: bool, lane: Lane, context: Any
    ) -> Iterator[StreamResult]:
        embed, finish = self._streamer(items, errors, progress, lane, context)
        try:
            yield from stream(items, embed, window=self._stream_window, ordered=ordered, raise_errors=errors == "raise")
        except BaseException as error:
            loop.finish(finish(error))
            raise
        loop.finish(finish(None))

    def astream(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        ordered: bool = True,
        errors: str = "raise",
        progress: bool = False,
    ) -> AsyncIterator[StreamResult]:
        """Async :meth:`stream`; the items may come from an async iterator too."""
        return self._astream(items, ordered, errors, progress, lane_of("bulk"), callers_context())

    async def _astream(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        ordered: bool,
        errors: str,
        progress: bool,
        lane: Lane,
        context: Any,
    ) -> AsyncIterator[StreamResult]:
        embed, finish = self._streamer(items, errors, progress, lane, context)
        found = stream_async(items, embed, window=self._stream_window, ordered=ordered, raise_errors=errors == "raise")
        try:
            async for result in found:
                yield result
        except BaseException as error:
            await found.aclose()  # type: ignore[attr-defined]  # it is an async generator
            await loop.arun(finish(error))
            raise
        await loop.arun(finish(None))

    @property
    def _stream_window(self) -> int:
        """Items of a stream in flight: more than requests, so that no connection waits for the next item."""
        return STREAM_WINDOW_FACTOR * self._sender.settings.max_concurrency

    def _streamer(
        self, items: Iterable[Item] | AsyncIterable[Item], errors: str, progress: bool, lane: Lane, context: Any
    ) -> tuple[Embed, Callable[[BaseException | None], Coroutine[Any, Any, None]]]:
        """What embeds a chunk of a stream, and what ends the stream's run, given the error that ends it.

        Its span begins with its first item, and belongs to where the stream was made.

        Args:
            context: from :func:`callers_context`.
        """
        if errors not in ("raise", "yield"):
            raise InvalidInputError(f"errors={errors!r} is not one of raise, yield.")
        run = Run(0, lane=lane, span=begin_span(self._span_attributes, context))
        total = len(items) if isinstance(items, Sized) else None

        async def embed(first: int, chunk: list[Item]) -> Chunk:
            choose(lane)
            if run.span is not None:
                run.span.enter()
            if progress and run.stats.items == 0:
                run.progress = bar_of(total, self._sender.opens_at)
            run.stats.items += len(chunk)
            return await embed_chunk(self._embedder, first, chunk, run, self._cache)

        async def finish(error: BaseException | None) -> None:
            self._finish(run, error)
            if run.stats.truncated:
                warn_truncated(["see .truncated of the results"], run)

        return embed, finish

    # -- segments --------------------------------------------------------------------------------------------------

    def embed_segments(
        self, media: Media, options: SegmentOptions | None = None, *, name: str | None = None
    ) -> list[Segment]:
        """The vectors of one file's segments, sorted by time.

        Args:
            media: :class:`Video`, :class:`Audio`, or on marengo3.5 :class:`Document` or :class:`Image`.
            options: how it is divided and what of it is embedded; by default all clips, one vector for each option.
            name: what to call it in errors; its kind by default.

        Raises:
            InvalidInputError: the model cannot do what is asked, or the file is refused.
        """
        return loop.run(self._segments([media], options, name, many=False))[0]

    async def aembed_segments(
        self, media: Media, options: SegmentOptions | None = None, *, name: str | None = None
    ) -> list[Segment]:
        """Async :meth:`embed_segments`."""
        return (await loop.arun(self._segments([media], options, name, many=False)))[0]

    def embed_segments_many(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        name: str = "media",
        progress: bool = False,
    ) -> list[list[Segment]]:
        """As :meth:`embed_segments` for many files, in order, several at a time. Every file is checked before the first
        is sent.

        Raises:
            BatchError: some files failed; the others' segments are in ``.results``.
            AuthenticationError, QuotaExceededError: about the account; finished files are in ``.results``.
        """
        return loop.run(self._segments(as_items(media), options, name, progress=progress))

    async def aembed_segments_many(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        name: str = "media",
        progress: bool = False,
    ) -> list[list[Segment]]:
        """Async :meth:`embed_segments_many`."""
        return await loop.arun(self._segments(as_items(media), options, name, progress=progress))

    async def _segments(
        self,
        media: Sequence[Media],
        options: SegmentOptions | None,
        name: str | None,
        *,
        many: bool = True,
        progress: bool = False,
    ) -> list[list[Segment]]:
        def convert(_: int, job: Job, found: Result) -> list[Segment]:
            return self._embedder.as_segments(job, found)

        return await self._files(media, options, name, convert, many=many, progress=progress)

    async def _files(
        self,
        media: Sequence[Media],
        options: SegmentOptions | None,
        name: str | None,
        convert: Callable[[int, Job, Result], T],
        *,
        check: Callable[[Sequence[Job]], Awaitable[None]] | None = None,
        many: bool = True,
        progress: bool = False,
    ) -> list[T]:
        """Embed files and convert each result, also those in an error's ``.results``.

        Args:
            convert: makes a file's segments or rows of its index, job and result.
            check: raises what ``convert`` would, before anything is sent.
            many: False = one file: its own error is raised, and its label has no index.
        """
        run = self._new_run(len(media), progress, lane=lane_of("bulk"))
        labels = _numbered(name or "media") if many else [name or str(getattr(media[0], "kind", "media"))]
        try:
            jobs = await self._embedder.checker.check_all(media, labels, options or SegmentOptions())
            if check is not None:
                await check(jobs)
            outcome = await _converted(jobs, await run_batch(self._embedder, jobs, run, self._cache), convert)
            outcome.check(single=not many)
        finally:
            self._finish(run)
        return outcome.results  # type: ignore[return-value]  # without errors there is one for each

    def rows(
        self,
        media: Media,
        options: SegmentOptions | None = None,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id_from: IdFrom = "source",
    ) -> list[Row]:
        """The vectors of one file's segments as rows for a store: id, text, flat metadata, vector.

        Args and errors as for :meth:`embed_segments`, and:

        Args:
            metadata: of your own, for every row. ``source`` and ``file_name`` in it replace those of the file; other
                keys that rows use are refused.
            id_from: what the ids are made of beside the content: ``source`` (path or URL), ``content`` (nothing else),
                or a function from the metadata to a name; see :data:`IdFrom`.
        """
        given = None if metadata is None else [metadata]
        return loop.run(self._rows([media], options, name, given, id_from, many=False))[0]

    def rows_many(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        name: str = "media",
        progress: bool = False,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
    ) -> list[list[Row]]:
        """As :meth:`rows` for many files, several at a time; fails as :meth:`embed_segments_many`, with rows in
        ``.results``.

        Args:
            metadata: one mapping for each file.
        """
        return loop.run(self._rows(as_items(media), options, name, metadata, id_from, progress=progress))

    async def arows_many(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        name: str = "media",
        progress: bool = False,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
    ) -> list[list[Row]]:
        """Async :meth:`rows_many`."""
        return await loop.arun(self._rows(as_items(media), options, name, metadata, id_from, progress=progress))

    def rows_each(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        name: str = "media",
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
        progress: Progress | None = None,
    ) -> Outcome[list[Row]]:
        """As :meth:`rows_many`, but a file that cannot be sent, or fails, stops nothing: see :meth:`embed_each`."""
        return loop.run(self._rows_each(as_items(media), options, name, metadata, id_from, progress, lane_of("bulk")))

    async def arows_each(
        self,
        media: Iterable[Media],
        options: SegmentOptions | None = None,
        *,
        name: str = "media",
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
        progress: Progress | None = None,
    ) -> Outcome[list[Row]]:
        """Async :meth:`rows_each`."""
        lane = lane_of("bulk")
        return await loop.arun(self._rows_each(as_items(media), options, name, metadata, id_from, progress, lane))

    async def _rows_each(
        self,
        media: Sequence[Media],
        options: SegmentOptions | None,
        name: str,
        metadata: Sequence[Mapping[str, Any]] | None,
        id_from: IdFrom,
        progress: Progress | None,
        lane: Lane,
    ) -> Outcome[list[Row]]:
        run = self._new_run(len(media), progress, lane=lane)
        labels = [f"{name}[{index}]" for index in range(len(media))]

        def name_each() -> list[str | TwelveLabsError | None]:
            return [name_or_error(*given) for given in zip(media, metadatas, labels, strict=True)]

        def name_or_error(item: Media, given: Mapping[str, Any] | None, label: str) -> str | TwelveLabsError | None:
            try:
                return name_for_ids(item, given, id_from, label)
            except Exception as error:
                return as_error(error, label)

        try:
            metadatas = one_each(metadata, len(media))
            # A file whose rows would have no id is not paid for.
            names = await loop.in_thread(callable(id_from), name_each)
            places = [place for place, found in enumerate(names) if not isinstance(found, TwelveLabsError)]
            run.stats.failed += len(media) - len(places)
            jobs, ran = await run_each(
                self._embedder,
                [media[place] for place in places],
                [labels[place] for place in places],
                run,
                self._cache,
                options or SegmentOptions(),
            )

            def convert(index: int, job: Job, found: Result) -> list[Row]:
                place = places[index]
                return self._rows_of(job, found, metadatas[place], names[place])  # type: ignore[arg-type]

            made = await _converted(jobs, ran, convert)
            outcome: Outcome[list[Row]] = Outcome([None] * len(media), fatal=made.fatal)
            for place, rows in zip(places, made.results, strict=True):
                outcome.results[place] = rows
            unnamed = {place: found for place, found in enumerate(names) if isinstance(found, TwelveLabsError)}
            outcome.errors = dict(sorted((unnamed | {places[i]: e for i, e in made.errors.items()}).items()))
            return outcome
        finally:
            self._finish(run)

    async def _rows(
        self,
        media: Sequence[Media],
        options: SegmentOptions | None,
        name: str | None,
        metadata: Sequence[Mapping[str, Any]] | None,
        id_from: IdFrom,
        *,
        many: bool = True,
        progress: bool = False,
    ) -> list[list[Row]]:
        names: list[str | None] = []

        async def check(jobs: Sequence[Job]) -> None:
            # A function of the user's may take its time: not on the loop.
            labels = [job.label for job in jobs]
            names.extend(await loop.in_thread(callable(id_from), names_for_ids, media, metadata, id_from, labels))

        def convert(index: int, job: Job, found: Result) -> list[Row]:
            return self._rows_of(job, found, None if metadata is None else metadata[index], names[index])

        return await self._files(media, options, name, convert, check=check, many=many, progress=progress)

    def _rows_of(self, job: Job, found: Result, metadata: Mapping[str, Any] | None, name: str | None) -> list[Row]:
        file = job.files[0]
        return rows_of(
            file.media,
            self._embedder.as_segments(job, found),
            space=self.space,
            content_digest=file.content_digest,
            duration_sec=file.measured.duration_sec,
            options=job.options,  # with the default segmentation, which is part of a chunk's id
            metadata=metadata,
            id_from=always(name),
        )

    # -- plan ----------------------------------------------------------------------------------------------------------

    def plan(self, items: Iterable[Item], *, name: str = "items") -> Plan:
        """Count the requests, minutes and time that embedding ``items`` would take; sends nothing.

        Raises:
            InvalidInputError: an item cannot be sent; ``item`` names it.
        """
        return loop.run(self._make_plan(items, name))

    async def aplan(self, items: Iterable[Item], *, name: str = "items") -> Plan:
        """Async :meth:`plan`."""
        return await loop.arun(self._make_plan(items, name))

    async def _make_plan(self, items: Iterable[Item], name: str) -> Plan:
        jobs = await self._embedder.checker.check_all(as_items(items), _numbered(name))
        return await make_plan(self._embedder, jobs, self._cache)

    # -- several kinds in one v1 call --------------------------------------------------------------------------------

    def embed_parts(
        self,
        *,
        text: str | None = None,
        image: Any = None,
        audio: Any = None,
        audio_start_offset_sec: float | None = None,
    ) -> Parts:
        """Embed a text, an image and audio in one v1 request (``/embed``); one vector each, not fused.

        Args:
            text: one text.
            image: a source or :class:`Image`.
            audio: a source or :class:`Audio`.
            audio_start_offset_sec: seconds to leave out at the start of the audio.

        Raises:
            InvalidInputError: the model is not served by v1, nothing was given, or a part is refused.
        """
        return loop.run(self._parts(text, image, audio, audio_start_offset_sec))

    async def aembed_parts(
        self,
        *,
        text: str | None = None,
        image: Any = None,
        audio: Any = None,
        audio_start_offset_sec: float | None = None,
    ) -> Parts:
        """Async :meth:`embed_parts`."""
        return await loop.arun(self._parts(text, image, audio, audio_start_offset_sec))

    async def _parts(self, text: str | None, image: Any, audio: Any, start: float | None) -> Parts:
        run = self._new_run(1, lane=lane_of("interactive"))

        async def embed_text(job: Job) -> Embedding:
            (found,) = await embed_batch(self._embedder, [job], run, self._cache, single=True)
            run.stats.done -= 1  # a part is not an item
            return found  # type: ignore[return-value]  # a text gives one vector

        try:
            given = parts_of(self._embedder, text=text, image=image, audio=audio, start_sec=start)
            run.saw(given)
            return await embed_parts(self._embedder, run, given, embed_text)
        finally:
            if run.stats.truncated:
                warn_truncated(["text"], run)
            self._finish(run)
