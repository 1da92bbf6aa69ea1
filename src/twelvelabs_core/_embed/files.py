"""One file becomes its segments: by one request where the API can, else by a task; uploaded before, where it is large.

A vector of the whole file is the segment of scope ``asset``: there is one way for both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from .._api import responses, tasks, v1, v2
from .._api.requests import MediaPayload, Request
from .._cache.journal import Journal
from .._cache.keys import item_key, key_prefix
from .._errors import InvalidInputError, TwelveLabsError
from .._media.file import MediaFile
from .._net.sender import Sender
from .._options import SegmentOptions, is_whole_file, own_option
from .._results import Segment, Usage
from .._stats import Run
from .payload import payload_of
from .route import Route, route
from .settings import EmbedSettings
from .tasks import Tasks
from .uploads import Uploads

P = ParamSpec("P")
T = TypeVar("T")


class FileEmbedder:
    """Embeds files through a sender."""

    def __init__(self, settings: EmbedSettings, sender: Sender, journal: Journal) -> None:
        self._settings = settings
        self._model = settings.model
        self._sender = sender
        self._journal = journal
        self._key_prefix = key_prefix(settings.space, f"segments-{settings.api_version}", sender.settings.base_url)
        scope = item_key(self._key_prefix, "")[:8]
        timeout = settings.task_timeout
        self._uploads = Uploads(sender, journal, scope=scope, keep=settings.keep_assets, timeout=timeout)
        self._tasks = Tasks(sender, journal, scope=scope, timeout=timeout)

    def key(self, file: MediaFile, options: SegmentOptions) -> str:
        """Key of a file's segments, for the cache and the journal. Reads the file."""
        return item_key(self._key_prefix, "", (file,), repr(options))

    async def embed(
        self, file: MediaFile, options: SegmentOptions, run: Run, *, prepaid: bool = False
    ) -> tuple[list[Segment], Usage | None]:
        """The segments of one file, sorted by time, and what the server says it used.

        Args:
            options: what is wanted of it; scope ``asset`` and one option give one segment, the whole file.
            prepaid: the framework's limiter has been asked for its request.

        Raises:
            InvalidInputError: the file is refused, or has changed since it was opened.
        """
        way = route(self._model, self._settings.api_version, file, options)
        try:
            found = await self._by(way, file, options, run, prepaid)
        except TwelveLabsError as error:
            await self._clean_up(file, way, run, error)
            raise
        await self._clean_up(file, way, run)
        return found

    async def _by(
        self, way: Route, file: MediaFile, options: SegmentOptions, run: Run, prepaid: bool
    ) -> tuple[list[Segment], Usage | None]:
        if not way.task:
            try:
                return await self._by_request(way, file, options, run, prepaid)
            except InvalidInputError as error:
                if not (way.or_task and responses.is_media_too_long(error)):
                    raise
        return await self._by_task(way, file, options, run)

    async def _by_request(
        self, way: Route, file: MediaFile, options: SegmentOptions, run: Run, prepaid: bool
    ) -> tuple[list[Segment], Usage | None]:
        payload = await self._payload(way, file, run)
        request = await _in_thread(bool(payload.data), self._request, payload, options, file.is_text)
        response = await self._sender.send(
            request, run, has_media=bool(payload.data), minutes=_minutes(file), prepaid=prepaid
        )
        if self._settings.api_version == "v1":
            found = responses.v1_segments(response, file.kind, self._settings.dimensions)
        else:
            found = responses.v2_segments(response, self._settings.dimensions)
        # A request for one vector is answered without its option and scope.
        whole = is_whole_file(options, self._model, file.kind, is_text=file.is_text)
        if whole and not (self._settings.api_version == "v1" and file.kind == "audio"):
            only = responses.single(found, file.kind)
            found = [replace(only, option=own_option(file.kind, is_text=file.is_text), scope="asset")]
        return _with_scope(found), responses.usage(response)

    async def _by_task(
        self, way: Route, file: MediaFile, options: SegmentOptions, run: Run
    ) -> tuple[list[Segment], Usage | None]:
        async def create() -> tuple[Request, bool, float]:
            if self._settings.api_version == "v1":
                return tasks.create_v1(self._model, payload_of(file, stream=True), options), False, _minutes(file)
            payload = await self._payload(way, file, run)
            request = await _in_thread(bool(payload.data), self._request, payload, options, file.is_text, True)
            return request, bool(payload.data), _minutes(file)

        key = await _in_thread(file.url is None, self.key, file, options)
        response = await self._tasks.run(key, create, run)
        if self._settings.api_version != "v1":
            return _with_scope(responses.v2_segments(response, self._settings.dimensions)), responses.usage(response)
        found = responses.v1_segments(response, file.kind, self._settings.dimensions)
        asked = options.embedding_option
        return _with_scope([s for s in found if asked is None or s.option in asked]), None

    async def _payload(self, way: Route, file: MediaFile, run: Run) -> MediaPayload:
        """The file as the request takes it: inside, or as an asset, uploaded now unless it is there."""
        if way.upload == "inline" or file.url is not None:
            return await _in_thread(file.url is None, payload_of, file)
        asset_id = await self._uploads.obtain(file, run, in_parts=way.upload == "multipart")
        file.check_unchanged()
        return payload_of(file, asset_id=asset_id)

    def _request(self, payload: MediaPayload, options: SegmentOptions, is_text: bool, task: bool = False) -> Request:
        """Writes media into a request: base64 of whole files."""
        if self._settings.api_version == "v1":
            image = payload if payload.kind == "image" else None
            return v1.request(self._model, image=image, audio=None if image else payload)
        dimensions = self._settings.dimensions
        return v2.media(self._model, payload, options, dimensions=dimensions, task=task, is_text=is_text)

    async def _clean_up(self, file: MediaFile, way: Route, run: Run, error: TwelveLabsError | None = None) -> None:
        """Delete what was uploaded, unless another process can go on with it: after an error that may pass."""
        goes_on = self._journal.lasting and error is not None and not isinstance(error, InvalidInputError)
        if way.upload != "inline" and not goes_on:
            await self._uploads.discard(file, run)


async def _in_thread(needed: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a thread what reads a disk or encodes media; call at once what is only a URL or an id."""
    return await asyncio.to_thread(function, *args, **kwargs) if needed else function(*args, **kwargs)


def _minutes(file: MediaFile) -> float:
    return (file.range_sec or 0.0) / 60


def _with_scope(segments: list[Segment]) -> list[Segment]:
    """Some responses come without a scope; a segment with a time range is a clip."""
    return [
        replace(segment, scope="clip") if segment.scope is None and segment.start_sec is not None else segment
        for segment in segments
    ]
