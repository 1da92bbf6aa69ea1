"""How one file becomes many vectors, or one: at once where the API can, else as a task that is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._api import responses, tasks, v1, v2
from .._api.requests import MediaPayload, Request, payload_of
from .._errors import InvalidInputError, TwelveLabsError, with_item
from .._inputs import Media, describe
from .._media.file import MediaFile
from .._media.probe import examine, probe
from .._models import ApiVersion, Model
from .._net.sender import Sender
from .._options import SegmentOptions, check_options
from .._results import Segment
from .._stats import Run
from .._store import Row, rows_of
from .cache import Cache
from .journal import Journal
from .keys import content_digest, digest, key_prefix
from .route import Route, route
from .tasks import Tasks
from .uploads import Uploads

__all__ = ["SegmentJob", "Segmenter"]


class SegmentJob:
    """One checked file and what to embed of it."""

    __slots__ = ("label", "options", "source")

    def __init__(self, source: MediaFile, options: SegmentOptions, label: str) -> None:
        self.source, self.options, self.label = source, options, label


class Segmenter:
    """Divides files into segments and embeds them, through an engine.

    Args:
        keep_assets: leave uploaded files on the server.
        task_timeout: seconds a task or an upload may take.
    """

    def __init__(
        self,
        sender: Sender,
        model: Model,
        *,
        dimensions: int,
        api_version: ApiVersion,
        cache: Cache | None,
        keep_assets: bool = False,
        task_timeout: float = 3600.0,
    ) -> None:
        self._sender = sender
        self._model = model
        self._dimensions = dimensions
        self._api_version = api_version
        self._cache = cache
        self._space = model.space(dimensions)
        self._key_prefix = key_prefix(model.space(dimensions), f"segments-{api_version}", sender.settings.base_url)
        self._journal = Journal(None if cache is None else cache.store)
        scope = digest(self._key_prefix, "", ())[:8]
        self._uploads = Uploads(sender, self._journal, scope=scope, keep=keep_assets, timeout=task_timeout)
        self._tasks = Tasks(sender, self._journal, scope=scope, timeout=task_timeout)

    def check(self, media: Media, options: SegmentOptions, label: str) -> SegmentJob:
        """One file, checked against what the model takes. Reads its head.

        Raises:
            InvalidInputError: it cannot be embedded so; ``item`` is ``label``.
        """
        if not isinstance(media, Media):
            raise InvalidInputError(f"expected Video, Audio, Image or Document, got {describe(media)}.", item=label)
        check_options(options, self._model, media.kind, label)
        if self._api_version == "v1" and media.kind not in ("video", "image"):
            raise InvalidInputError(f"v1 divides films only, not {media.kind}; leave api_version out.", item=label)
        source = examine(media, self._model, label, may_task=True)
        return SegmentJob(source, options, source.label)

    async def embed(self, job: SegmentJob, run: Run) -> list[Segment]:
        """All vectors of one file, sorted by time; from the cache where it has them."""
        key = await asyncio.to_thread(digest, self._key_prefix, "", (job.source,), repr(job.options))
        known = await self._cache.get_segments(key) if self._cache is not None else None
        if known is not None:
            run.stats.cached += 1
        else:
            try:
                known = await self._ask(job, key, run)
            except TwelveLabsError as error:
                raise with_item(error, job.label) from error.__cause__
            if self._cache is not None:
                await self._cache.put_segments(key, known)
        run.stats.segments += len(known)
        run.finished()
        return known

    async def rows(self, media: Media, segments: Sequence[Segment], options: SegmentOptions | None = None) -> list[Row]:
        """A file's segments as rows for a store."""
        source = await asyncio.to_thread(examine, media, self._model, media.kind, may_task=True)
        held = await asyncio.to_thread(content_digest, source)
        length = (await asyncio.to_thread(probe, source)).duration_sec
        return rows_of(media, segments, space=self._space, content_digest=held, duration_sec=length, options=options)

    async def whole(self, source: MediaFile, run: Run) -> Segment:
        """One vector of a whole file, by a task: it is too long for a request."""
        own = self._model.segment_options[source.media.kind][0]
        job = SegmentJob(source, SegmentOptions(embedding_option=(own,), embedding_scope=("asset",)), source.label)
        key = await asyncio.to_thread(digest, self._key_prefix, "", (source,), repr(job.options))
        return responses.single(await self._ask(job, key, run), source.media.kind)

    async def upload(self, source: MediaFile, way: Route, run: Run) -> MediaPayload:
        """The file as the request takes it: inline, or as an asset, uploaded now unless it is there."""
        if way.upload == "inline" or source.url is not None:
            return await asyncio.to_thread(payload_of, source)
        asset_id = await self._uploads.obtain(source, run, in_parts=way.upload == "multipart")
        return payload_of(source, asset_id=asset_id)

    async def clear(self, source: MediaFile, way: Route, run: Run, error: BaseException | None = None) -> None:
        """Delete what was uploaded for it, unless another process can and may go on with it."""
        if way.upload == "inline" or (
            self._journal.lasting and error is not None and not isinstance(error, InvalidInputError)
        ):
            return
        await self._uploads.discard(source, run)

    async def _ask(self, job: SegmentJob, key: str, run: Run) -> list[Segment]:
        source = job.source
        way = route(self._model, source.media.kind, size=source.size, seconds=source.seconds, segments=True)
        try:
            found = await self._by(job, way, key, run)
        except TwelveLabsError as error:
            await self.clear(source, way, run, error)
            raise
        await self.clear(source, way, run)
        return [_labelled(segment) for segment in found]

    async def _by(self, job: SegmentJob, way: Route, key: str, run: Run) -> list[Segment]:
        if job.source.media.kind == "image" and not job.options.embedding_uncertainty:
            return [await self._picture(job.source, run)]
        if self._api_version == "v1":
            return await self._by_v1_task(job, key, run)
        if way.task or job.source.media.kind == "image":
            return await self._by_task(job, way, key, run)
        content = await self.upload(job.source, way, run)
        try:
            answer = await self._sender.send(
                await self._request(job, content, task=False),
                run,
                has_media=bool(content.data),
                minutes=(job.source.seconds or 0.0) / 60,
            )
        except InvalidInputError as error:
            if way.sure or not responses.is_media_too_long(error):
                raise
            return await self._by_task(job, way, key, run)
        return responses.v2_segments(answer, self._dimensions)

    async def _picture(self, source: MediaFile, run: Run) -> Segment:
        """A picture has one segment, itself, and needs no task."""
        content = await asyncio.to_thread(payload_of, source)
        if self._api_version == "v1":
            answer = await self._sender.send(v1.request(self._model, image=content), run, has_media=bool(content.data))
            found = responses.single(responses.v1_segments(answer, "image", self._dimensions), "image")
        else:
            request = v2.media(self._model, content, dimensions=self._dimensions)
            answer = await self._sender.send(request, run, has_media=bool(content.data))
            found = responses.single(responses.v2_segments(answer, self._dimensions), "image")
        return replace(found, option="visual", scope="asset")

    async def _by_task(self, job: SegmentJob, way: Route, key: str, run: Run) -> list[Segment]:
        async def create() -> tuple[Request, bool, float]:
            content = await self.upload(job.source, way, run)
            request = await self._request(job, content, task=True)
            return request, bool(content.data), (job.source.seconds or 0.0) / 60

        return responses.v2_segments(await self._tasks.run(key, create, run), self._dimensions)

    async def _by_v1_task(self, job: SegmentJob, key: str, run: Run) -> list[Segment]:
        async def create() -> tuple[Request, bool, float]:
            content = payload_of(job.source, stream=True)
            return tasks.create_v1(self._model, content, job.options), False, (job.source.seconds or 0.0) / 60

        answer = await self._tasks.run(key, create, run)
        found = responses.v1_segments(answer, "video", self._dimensions)
        asked = job.options.embedding_option
        return [s for s in found if asked is None or s.option in asked]

    async def _request(self, job: SegmentJob, content: MediaPayload, *, task: bool) -> Request:
        is_text = job.source.mime in ("text/plain", "text/markdown")
        made: Any = await asyncio.to_thread(
            v2.segments,
            self._model,
            content,
            job.options,
            dimensions=self._dimensions,
            task=task,
            is_text=is_text,
        )
        request: Request = made
        return request


def _labelled(segment: Segment) -> Segment:
    """Some answers come without a scope; a time range makes a clip of it."""
    if segment.scope is None and segment.start_sec is not None:
        return replace(segment, scope="clip")
    return segment
