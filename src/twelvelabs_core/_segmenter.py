"""How one file becomes many vectors: at once where the API does it at once, else as a task that is waited for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ._cache import Cache
from ._embedder import content_of, named
from ._engine import Engine
from ._errors import InvalidInputError, TwelveLabsError
from ._inputs import Media, describe
from ._keys import digest, key_prefix
from ._media import Resolved, inspect
from ._models import Model
from ._probe import duration_sec
from ._results import Segment
from ._segmentation import SegmentOptions, check_options
from ._stats import Run
from ._wire import answers, v2

__all__ = ["SegmentJob", "Segmenter"]


class SegmentJob:
    """One checked file and what to embed of it."""

    __slots__ = ("label", "options", "source")

    def __init__(self, source: Resolved, options: SegmentOptions, label: str) -> None:
        self.source, self.options, self.label = source, options, label


class Segmenter:
    """Divides files into segments and embeds them, through an engine."""

    def __init__(self, engine: Engine, model: Model, *, dimensions: int, cache: Cache | None) -> None:
        self._engine = engine
        self._model = model
        self._dimensions = dimensions
        self._cache = cache
        self._key_prefix = key_prefix(model.space(dimensions), "segments", engine.settings.base_url)

    def check(self, media: Media, options: SegmentOptions, label: str) -> SegmentJob:
        """One file, checked against what the model takes. Reads its head.

        Raises:
            InvalidInputError: it cannot be embedded so; ``item`` is ``label``.
        """
        if not isinstance(media, Media):
            raise InvalidInputError(f"expected Video, Audio, Image or Document, got {describe(media)}.", item=label)
        check_options(options, self._model, media.kind, label)
        return SegmentJob(inspect(media, self._model, label), options, label)

    async def embed(self, job: SegmentJob, run: Run) -> list[Segment]:
        """All vectors of one file, sorted by time; from the cache where it has them."""
        key = ""
        if self._cache is not None:
            key = await asyncio.to_thread(digest, self._key_prefix, job.source.media, (job.source,), repr(job.options))
            known = await self._cache.get_segments(key)
            if known is not None:
                run.stats.cached += 1
                run.finished()
                return known
        try:
            found = await self._ask(job, run)
        except TwelveLabsError as error:
            raise named(error, job.label) from error.__cause__
        if self._cache is not None:
            await self._cache.put_segments(key, found)
        run.finished()
        return found

    async def _ask(self, job: SegmentJob, run: Run) -> list[Segment]:
        content = await asyncio.to_thread(content_of, job.source)
        minutes = 0.0
        if self._engine.counts_minutes({content.kind}):
            seconds = await asyncio.to_thread(duration_sec, job.source)
            minutes = (seconds or 0.0) / 60
        request = await asyncio.to_thread(
            lambda: v2.segments(self._model, content, job.options, dimensions=self._dimensions, task=False)
        )
        answer = await self._engine.send(request, run, heavy=content.url is None, minutes=minutes)
        return [_labelled(s) for s in answers.v2_segments(answer, self._dimensions)]


def _labelled(segment: Segment) -> Segment:
    """Fused and single vectors come without a label on some answers; a time range makes a clip of it."""
    if segment.scope is None and segment.start_sec is not None:
        return replace(segment, scope="clip")
    return segment
