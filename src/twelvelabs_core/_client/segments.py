"""Files: a vector for each of their segments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from .._batch.batch import Outcome, run_batch
from .._embed.embedder import Result
from .._embed.jobs import Job, numbered
from .._errors import as_error
from .._inputs import Media, as_items
from .._lanes import lane_of
from .._net import loop
from .._options import OptionsByKind, SegmentOptions
from .._results import Segment, Task
from .base import ClientBase, check_callback

T = TypeVar("T")


class EmbedsSegments(ClientBase):
    """``embed_segments`` and ``embed_segments_many``."""

    def embed_segments(
        self,
        media: Media,
        options: SegmentOptions | None = None,
        *,
        name: str | None = None,
        on_status: Callable[[Task], None] | None = None,
    ) -> list[Segment]:
        """The vectors of one file's segments, sorted by time.

        Args:
            media: :class:`Video`, :class:`Audio`, or on marengo3.5 :class:`Document` or :class:`Image`.
            options: how it is divided and what of it is embedded; by default all clips, one vector for each option.
            name: what to call it in errors; its kind by default.
            on_status: called with each state of its task that is seen, if a task embeds it; on the client's own thread:
                it must not block.

        Raises:
            InvalidInputError: the model cannot do what is asked, or the file is refused.
        """
        return loop.run(self._segments([media], options, name, many=False, on_status=on_status))[0]

    async def aembed_segments(
        self,
        media: Media,
        options: SegmentOptions | None = None,
        *,
        name: str | None = None,
        on_status: Callable[[Task], None] | None = None,
    ) -> list[Segment]:
        """Async :meth:`embed_segments`."""
        return (await loop.arun(self._segments([media], options, name, many=False, on_status=on_status)))[0]

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
        on_status: Callable[[Task], None] | None = None,
    ) -> list[list[Segment]]:
        def convert(_: int, job: Job, found: Result) -> list[Segment]:
            return self._embedder.as_segments(job, found)

        return await self._files(media, options, name, convert, many=many, progress=progress, on_status=on_status)

    async def _files(
        self,
        media: Sequence[Media],
        options: OptionsByKind | None,
        name: str | None,
        convert: Callable[[int, Job, Result], T],
        *,
        check: Callable[[Sequence[Job]], Awaitable[None]] | None = None,
        many: bool = True,
        progress: bool = False,
        on_status: Callable[[Task], None] | None = None,
    ) -> list[T]:
        """Embed files and convert each result, also those in an error's ``.results``.

        Args:
            convert: makes a file's segments or rows of its index, job and result.
            check: raises what ``convert`` would, before anything is sent.
            many: False = one file: its own error is raised, and its label has no index.
            on_status: is told of tasks.
        """
        check_callback("on_status", on_status)
        run = self._new_run(len(media), progress, lane=lane_of("bulk"))
        run.on_status = on_status
        labels = numbered(name or "media") if many else [name or str(getattr(media[0], "kind", "media"))]
        try:
            jobs = await self._embedder.checker.check_all(media, labels, options or SegmentOptions(), run.stats)
            if check is not None:
                await check(jobs)
            outcome = await converted(jobs, await run_batch(self._embedder, jobs, run, self._cache), convert)
            outcome.check(single=not many)
        finally:
            self._finish(run)
        return outcome.results  # type: ignore[return-value]  # without errors there is one for each


async def converted(
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
