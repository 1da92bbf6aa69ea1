"""Embeds one file: by a request where the API allows it, else by a task; uploaded first if it is large.

The vector of a whole file is its segment of scope ``asset``, so segments are the only result.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._api import responses, tasks, v1, v2
from .._api.requests import MediaPayload, Request
from .._cache.journal import Journal
from .._cache.keys import item_key, key_prefix
from .._errors import InvalidInputError, TwelveLabsError
from .._media.file import MediaFile
from .._net.loop import in_thread
from .._net.sender import Sender
from .._options import SegmentOptions, whole_file
from .._results import Segment, Usage
from .._stats import Run
from .payload import payload_of
from .route import Route, route
from .settings import EmbedSettings
from .tasks import Tasks
from .uploads import Uploads


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
        """The segments of one file, sorted by time, and the usage the server reports (marengo3.5).

        Args:
            options: how it is divided; scope ``asset`` and one option give one segment, the whole file.
            prepaid: the framework's limiter has been acquired for its request.

        Raises:
            InvalidInputError: the file is refused, or has changed since it was opened.
        """
        planned = route(self._model, self._settings.api_version, file, options)
        try:
            found = await self._follow(planned, file, options, run, prepaid)
        except TwelveLabsError as error:
            await self._clean_up(file, planned, run, error)
            raise
        await self._clean_up(file, planned, run)
        return found

    async def _follow(
        self, planned: Route, file: MediaFile, options: SegmentOptions, run: Run, prepaid: bool
    ) -> tuple[list[Segment], Usage | None]:
        if not planned.task:
            try:
                return await self._send_request(planned, file, options, run, prepaid)
            except InvalidInputError as error:
                if not (planned.or_task and responses.is_media_too_long(error)):
                    raise
        return await self._run_task(planned, file, options, run)

    async def _send_request(
        self, planned: Route, file: MediaFile, options: SegmentOptions, run: Run, prepaid: bool
    ) -> tuple[list[Segment], Usage | None]:
        payload = await self._payload(planned, file, run)
        request = await in_thread(bool(payload.data), self._request, payload, options, file.is_text)
        # v1 has no vector of a whole audio file.
        one = options == whole_file(file.kind, is_text=file.is_text) and (
            self._settings.api_version == "v2" or file.kind == "image"
        )

        def read(response: dict[str, Any]) -> tuple[list[Segment], Usage | None]:
            if self._settings.api_version == "v1":
                found = responses.v1_segments(response, file.kind, self._settings.dimensions)
            else:
                found = responses.v2_segments(response, self._settings.dimensions)
            if one:
                responses.single(found, file.kind)
            return _with_scope(found), responses.usage(response)

        return await self._sender.send(
            request, run, read=read, has_media=bool(payload.data), minutes=_minutes(file), prepaid=prepaid
        )

    async def _run_task(
        self, planned: Route, file: MediaFile, options: SegmentOptions, run: Run
    ) -> tuple[list[Segment], Usage | None]:
        async def create() -> tuple[Request, bool, float]:
            if self._settings.api_version == "v1":
                return tasks.create_v1(self._model, payload_of(file, stream=True), options), False, _minutes(file)
            payload = await self._payload(planned, file, run)
            request = await in_thread(bool(payload.data), self._request, payload, options, file.is_text, True)
            return request, bool(payload.data), _minutes(file)

        key = await in_thread(file.url is None, self.key, file, options)
        response = await self._tasks.run(key, create, run)
        if self._settings.api_version != "v1":
            return _with_scope(responses.v2_segments(response, self._settings.dimensions)), responses.usage(response)
        found = responses.v1_segments(response, file.kind, self._settings.dimensions)
        asked = options.embedding_option
        return _with_scope([s for s in found if asked is None or s.option in asked]), None

    async def _payload(self, planned: Route, file: MediaFile, run: Run) -> MediaPayload:
        """The file as a request carries it: its content, its URL, or the id of an asset, uploaded now if needed."""
        if planned.upload == "inline" or file.url is not None:
            return await in_thread(file.url is None, payload_of, file)
        asset_id = await self._uploads.obtain(file, run, in_parts=planned.upload == "multipart")
        file.check_unchanged()
        return payload_of(file, asset_id=asset_id)

    def _request(self, payload: MediaPayload, options: SegmentOptions, is_text: bool, task: bool = False) -> Request:
        """The request for a file. It encodes the whole file as base64: not on the loop."""
        if self._settings.api_version == "v1":
            image = payload if payload.kind == "image" else None
            return v1.request(self._model, image=image, audio=None if image else payload)
        dimensions = self._settings.dimensions
        return v2.media(self._model, payload, options, dimensions=dimensions, task=task, is_text=is_text)

    async def _clean_up(self, file: MediaFile, planned: Route, run: Run, error: TwelveLabsError | None = None) -> None:
        """Delete the uploaded asset, unless a later run can use it: after an error that is not about the input, if the
        journal outlives the process.
        """
        reusable = self._journal.lasting and error is not None and not isinstance(error, InvalidInputError)
        if planned.upload != "inline" and not reusable:
            await self._uploads.discard(file, run)


def _minutes(file: MediaFile) -> float:
    return (file.range_sec or 0.0) / 60


def _with_scope(segments: list[Segment]) -> list[Segment]:
    """Some responses have no scope; a segment with a time range is a clip."""
    return [
        replace(segment, scope="clip") if segment.scope is None and segment.start_sec is not None else segment
        for segment in segments
    ]
