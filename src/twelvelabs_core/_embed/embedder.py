"""Embeds one checked item: a text, a file or a composition, to one vector or many segments."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, TypeAlias

from .._api import responses, v2
from .._cache.cache import Cache
from .._cache.journal import Journal
from .._cache.keys import item_key, key_prefix
from .._errors import TwelveLabsError, as_error
from .._inputs import Composed
from .._media.file import MediaFile
from .._net.sender import Sender
from .._options import is_whole_file, own_option, whole_file
from .._results import Embedding, Segment, Usage
from .._stats import Run
from .files import FileEmbedder
from .jobs import Checker, Job
from .payload import payload_of
from .settings import EmbedSettings
from .signed import hide_signatures
from .sunset import explain_sunset
from .texts import TextEmbedder
from .truncate import TextPlan, mean

Result: TypeAlias = "Embedding | list[Segment]"


class Embedder:
    """Embeds checked items through a sender.

    Args:
        cache: asked for pieces and shorter versions of texts; whole results are read and written by the batch.

    Attributes:
        checker: makes jobs of items.
        files, texts: embed a file, a text.
    """

    def __init__(self, settings: EmbedSettings, sender: Sender, journal: Journal, cache: Cache | None = None) -> None:
        self.settings = settings
        self.sender = sender
        self.checker = Checker(settings)
        self.texts = TextEmbedder(settings, sender, cache)
        self.files = FileEmbedder(settings, sender, journal)
        self._key_prefix = key_prefix(settings.space, settings.api_version, sender.settings.base_url)

    def key(self, job: Job, *, by_size: bool = False) -> str:
        """The cache key: of what is sent first. Reads media files, and counts the tokens of texts.

        Args:
            by_size: see :func:`.item_key`; for a file.
        """
        if isinstance(job.item, str):
            return self.texts.short_key(job.item) or self.texts.key(self.plan(job))
        if job.options is not None and not self._is_whole(job):
            return self.files.key(job.files[0], job.options, by_size=by_size)
        options = ""
        if isinstance(job.item, Composed):
            if job.item.text and self.settings.is_over_limit(job.item.text):
                options = self.settings.truncate
        elif job.files[0].kind == "video" and self.settings.model.request_form == "multi_input":
            options = own_option("video")  # earlier versions cached a fused vector for short videos
        return item_key(self._key_prefix, job.item, job.files, options, by_size=by_size)

    def plan(self, job: Job) -> TextPlan:
        """How the text of a job is sent first."""
        if job.plan is None:
            job.plan = self.texts.plan(str(job.item))
        return job.plan

    def accepts(self, job: Job, known: Result) -> bool:
        """Whether a cached result is what embedding the job would give: no vector of a text that was cut otherwise."""
        if not isinstance(known, Embedding):
            return not isinstance(job.item, (str, Composed))
        if isinstance(job.item, str):
            as_it_is = known.pooled == 1 and not known.truncated  # then it is what any plan of the same key gives
            return as_it_is or self.texts.accepts(self.plan(job), known)
        return not (known.truncated and isinstance(job.item, Composed)) or bool(self._auto_truncate)

    def request_count(self, job: Job) -> int:
        """Requests it takes if none fails: more than one only for ``truncate="average"``."""
        return len(self.plan(job).pieces) if isinstance(job.item, str) else 1

    def embed(self, job: Job, run: Run, *, prepaid: bool = False) -> Coroutine[Any, Any, tuple[Result, str | None]]:
        """The vector of one item, or the segments of one file, sorted by time.

        Args:
            prepaid: the framework's limiter has been acquired for its (first) request.

        Returns:
            The result, and its cache key if that is not :meth:`key`: a text that was cut after a refusal has its own.

        Raises:
            TwelveLabsError: what it met; of a job with files, without the signatures of their addresses.
        """
        if isinstance(job.item, str):
            found = self.texts.embed(job.item, run, plan=job.plan, prepaid=prepaid)
            return found if self.settings.model.sunset is None else self._of_old_model(found)
        return self._with_files(job, run, prepaid)

    async def _of_old_model(self, work: Awaitable[tuple[Result, str | None]]) -> tuple[Result, str | None]:
        try:
            return await work
        except TwelveLabsError as error:
            ours = explain_sunset(error, self.settings.model)
            raise ours from ours.__cause__

    async def _with_files(self, job: Job, run: Run, prepaid: bool) -> tuple[Result, str | None]:
        found: Result
        try:
            for file in job.files:
                await self.files.assets.make_ready(file, run)
            if isinstance(job.item, Composed):
                found = await self._composed(job, job.item, run, prepaid)
            elif job.options is None or self._is_whole(job):
                found = await self._whole_file(job.files[0], run, prepaid)
            else:
                found, used = await self.files.embed(job.files[0], job.options, run, prepaid=prepaid)
                run.used(used)
        except Exception as error:
            ours = explain_sunset(hide_signatures(as_error(error, job.label), job.files), self.settings.model)
            raise ours from ours.__cause__
        return found, None

    async def finished(self, job: Job, run: Run) -> None:
        """To be called when the result of a job is stored, or at once if there is nowhere to store it: deletes what the
        job left on the server and in the journal. Needed for jobs with files only. Never raises.
        """
        for file in job.files:
            await self.files.settle(file, run)

    def as_segments(self, job: Job, found: Result) -> list[Segment]:
        """A result as segments: the vector of a whole file is its segment of scope ``asset``."""
        if not isinstance(found, Embedding):
            return found
        file = job.files[0]
        return [Segment(found.vector, option=own_option(file.kind, is_text=file.is_text), scope="asset")]

    def _is_whole(self, job: Job) -> bool:
        file, version = job.files[0], self.settings.api_version
        if job.options is None or (version == "v1" and file.kind != "image"):
            return False
        return is_whole_file(job.options, self.settings.model, file.kind, is_text=file.is_text)

    @property
    def _auto_truncate(self) -> bool | None:
        """The API's control for composed texts; None where it has none."""
        return self.settings.truncate == "end" if self.settings.model.truncation == "auto_truncate" else None

    async def _whole_file(self, file: MediaFile, run: Run, prepaid: bool) -> Embedding:
        options = whole_file(file.kind, is_text=file.is_text)
        segments, used = await self.files.embed(file, options, run, prepaid=prepaid)
        space = self.settings.space_of(file.kind)
        if self.settings.api_version == "v1" and file.kind == "audio":
            # v1 has no whole-file vector for audio.
            vectors = [segment.vector for segment in segments]
            return Embedding(mean(vectors, [1.0] * len(vectors)), space, pooled=len(vectors))
        return _embedding(responses.single(segments, file.kind), space, used)

    async def _composed(self, job: Job, item: Composed, run: Run, prepaid: bool) -> Embedding:
        model, auto = self.settings.model, self._auto_truncate

        payloads = [payload_of(file) for file in job.files]
        dimensions = self.settings.dimensions
        request = v2.composed(model, item.text, payloads, dimensions=dimensions, auto_truncate=auto)

        def read(response: dict[str, Any]) -> Embedding:
            kinds = " and ".join(sorted(request.kinds))
            segment = responses.single(responses.v2_segments(response, dimensions), kinds)
            return _embedding(segment, self.settings.space, responses.usage(response))

        return await self.sender.send(request, run, read=read, minutes=job.minutes or 0.0, prepaid=prepaid)


def _embedding(segment: Segment, space: str, used: Usage | None) -> Embedding:
    return Embedding(segment.vector, space, bool(used and used.truncated), 1, used)
