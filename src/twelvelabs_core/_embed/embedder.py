"""Embeds one checked item: a text, a file or a composition, to one vector or many segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from .._api import responses, v2
from .._api.requests import MediaPayload
from .._cache.journal import Journal
from .._cache.keys import item_key, key_prefix
from .._errors import TwelveLabsError, with_item
from .._inputs import Composed
from .._media.file import MediaFile
from .._net.loop import in_thread
from .._net.sender import Sender
from .._options import is_whole_file, own_option, whole_file
from .._results import Embedding, Segment, Usage
from .._stats import Run
from .files import FileEmbedder
from .jobs import Checker, Job
from .payload import payload_of
from .settings import EmbedSettings
from .signed import hide_signatures
from .texts import TextEmbedder
from .truncate import mean

Result: TypeAlias = "Embedding | list[Segment]"


class Embedder:
    """Embeds checked items through a sender.

    Attributes:
        checker: makes jobs of items.
        files, texts: embed a file, a text.
    """

    def __init__(self, settings: EmbedSettings, sender: Sender, journal: Journal) -> None:
        self.settings = settings
        self.sender = sender
        self.checker = Checker(settings)
        self.texts = TextEmbedder(settings, sender)
        self.files = FileEmbedder(settings, sender, journal)
        self._key_prefix = key_prefix(settings.space, settings.api_version, sender.settings.base_url)

    def key(self, job: Job) -> str:
        """The cache key. Reads media files. ``truncate`` is part of it for texts over the limit only."""
        if job.options is not None and not self._is_whole(job):
            return self.files.key(job.files[0], job.options)
        item, options = job.item, ""
        text = item if isinstance(item, str) else item.text if isinstance(item, Composed) else None
        if text and self.settings.is_over_limit(text):
            options = self.settings.truncate
        elif text is None and job.files[0].kind == "video" and self.settings.model.request_form == "multi_input":
            options = own_option("video")  # earlier versions cached a fused vector for short videos
        return item_key(self._key_prefix, item, job.files, options)

    def request_count(self, job: Job) -> int:
        """Requests it takes if none fails: more than one only for ``truncate="average"``."""
        return self.texts.request_count(job.item) if isinstance(job.item, str) else 1

    async def embed(self, job: Job, run: Run, *, prepaid: bool = False) -> Result:
        """The vector of one item, or the segments of one file, sorted by time.

        Args:
            prepaid: the framework's limiter has been acquired for its (first) request.

        Raises:
            TwelveLabsError: with the item's label.
        """
        try:
            if isinstance(job.item, str):
                found = await self.texts.embed(job.item, run, prepaid=prepaid)
            elif isinstance(job.item, Composed):
                found = await self._composed(job, job.item, run, prepaid)
            elif job.options is None or self._is_whole(job):
                found = await self._whole_file(job.files[0], run, prepaid)
            else:
                segments, _ = await self.files.embed(job.files[0], job.options, run, prepaid=prepaid)
                return segments
        except TwelveLabsError as error:
            raise with_item(hide_signatures(error, job.files), job.label) from error.__cause__
        if found.truncated:
            run.stats.truncated += 1
        return found

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
        model = self.settings.model
        auto = self.settings.truncate == "end" if model.truncation == "auto_truncate" else None

        def write() -> tuple[Any, bool]:
            payloads: Sequence[MediaPayload] = [payload_of(file) for file in job.files]
            dimensions = self.settings.dimensions
            request = v2.composed(model, item.text, payloads, dimensions=dimensions, auto_truncate=auto)
            return request, any(payload.data for payload in payloads)

        request, has_media = await in_thread(job.on_disk, write)
        response = await self.sender.send(
            request, run, has_media=has_media, minutes=job.minutes or 0.0, prepaid=prepaid
        )
        kinds = " and ".join(sorted(request.kinds))
        segment = responses.single(responses.v2_segments(response, self.settings.dimensions), kinds)
        return _embedding(segment, self.settings.space, responses.usage(response))


def _embedding(segment: Segment, space: str, used: Usage | None) -> Embedding:
    return Embedding(segment.vector, space, bool(used and used.truncated), 1, used)
