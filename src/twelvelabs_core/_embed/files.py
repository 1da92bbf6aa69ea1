"""Embeds one file: by a request where the API allows it, else by a task; uploaded first if it is large.

The vector of a whole file is its segment of scope ``asset``, so segments are the only result.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from pydantic import SecretStr

from .._api import responses, tasks, v1, v2
from .._api.names import unique_name
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
from .assets import Assets
from .payload import payload_of
from .route import Route, route
from .settings import EmbedSettings
from .taken_up import TasksTakenUp
from .tasks import NewTask, Tasks, Work
from .uploads import Uploads

logger = logging.getLogger("twelvelabs_embeddings")


Found: TypeAlias = "tuple[list[Segment], Usage | None]"


class FileEmbedder:
    """Embeds files through a sender.

    The ids of what was created on the server for a file stay in the journal until :meth:`settle`, which the caller
    calls when it has stored the result: a process that is killed in between leaves nothing that the next one does not
    know of.

    Attributes:
        assets: files that the caller has uploaded.
        tasks: those of the account, whoever has created them.
    """

    def __init__(self, settings: EmbedSettings, sender: Sender, journal: Journal) -> None:
        self._settings = settings
        self._model = settings.model
        self._sender = sender
        self._journal = journal
        self._key_prefix = key_prefix(settings.space, f"segments-{settings.api_version}", sender.settings.base_url)
        scope = f"{item_key(self._key_prefix, '')[:8]}-{_account(sender.settings.api_key)}"
        timeout = settings.task_timeout
        self._uploads = Uploads(sender, journal, scope=scope, keep=settings.keep_assets, timeout=timeout)
        self._tasks = Tasks(sender, journal, scope=scope, timeout=timeout)
        self.tasks = TasksTakenUp(settings, sender, self._tasks)
        self.assets = Assets(sender, journal, scope=scope, timeout=timeout)
        self._unsettled: WeakKeyDictionary[MediaFile, tuple[str, Route]] = WeakKeyDictionary()

    def key(self, file: MediaFile, options: SegmentOptions, *, by_size: bool = False) -> str:
        """Key of a file's segments, for the cache and the journal. Reads the file, but for a key by its size."""
        return item_key(self._key_prefix, "", (file,), repr(options), by_size=by_size)

    async def embed(self, file: MediaFile, options: SegmentOptions, run: Run, *, prepaid: bool = False) -> Found:
        """The segments of one file, sorted by time, and the usage the server reports (marengo3.5).

        Args:
            options: how it is divided; scope ``asset`` and one option give one segment, the whole file.
            prepaid: the framework's limiter has been acquired for its request.

        Raises:
            InvalidInputError: the file is refused, or has changed since it was opened.
        """
        try:
            return await self._follow(file, options, run, prepaid)
        except TwelveLabsError as error:
            await self._clean_up(file, run, error)
            raise

    async def settle(self, file: MediaFile, run: Run) -> None:
        """Forget what was created on the server for a file whose result is stored, and delete its asset. Never raises:
        what cannot be deleted is logged.
        """
        key, planned = self._unsettled.pop(file, ("", None))
        if planned is None:
            return
        try:
            await self._tasks.forget(key)
            if planned.upload != "inline":
                await self._uploads.discard(file, key, run)
        except TwelveLabsError as error:
            logger.warning("%s: what it left on the server could not be cleaned up: %s", file.label, error)

    async def _follow(self, file: MediaFile, options: SegmentOptions, run: Run, prepaid: bool) -> Found:
        settings = self._settings
        planned = route(self._model, settings.api_version, file, options)
        if not planned.task:
            try:
                return await self._send_request(planned, file, options, run, prepaid)
            except InvalidInputError as error:
                if not (planned.or_task and responses.is_media_too_long(error)):
                    raise
        # Without a cache nothing outlives the process, and a task costs one request less; with one, what was paid for
        # is to be found again by the next process too. A v1 form has a name for its file anyway.
        by_name = self._journal.lasting and settings.api_version == "v2" and not settings.keep_assets
        return await self._run_task(planned.as_task(file, by_name=by_name), file, options, run)

    async def _send_request(
        self, planned: Route, file: MediaFile, options: SegmentOptions, run: Run, prepaid: bool
    ) -> Found:
        payload, _ = await self._payload(planned, file, options, run)
        request = self._request(payload, options, file.is_text)
        return await self._sender.send(
            request,
            run,
            read=self._reader(file, options),
            minutes=_minutes(file),
            prepaid=prepaid,
        )

    def _reader(self, file: MediaFile, options: SegmentOptions) -> Callable[[dict[str, Any]], Found]:
        """What reads the result in the response of a request or a task."""
        is_v1, dimensions = self._settings.api_version == "v1", self._settings.dimensions
        # v1 has no vector of a whole audio file or video.
        one = options == whole_file(file.kind, is_text=file.is_text) and (not is_v1 or file.kind == "image")
        asked = options.embedding_option if is_v1 and file.kind == "video" else None

        def read(response: dict[str, Any]) -> Found:
            if is_v1:
                found = responses.v1_segments(response, file.kind, dimensions)
            else:
                found = responses.v2_segments(response, dimensions)
            if one:
                responses.single(found, file.kind)
            found = [s for s in found if asked is None or s.option in asked]
            return responses.with_scope(found), responses.usage(response)

        return read

    async def _run_task(self, planned: Route, file: MediaFile, options: SegmentOptions, run: Run) -> Found:
        async def create() -> NewTask:
            if self._settings.api_version == "v1":
                return self._new_v1_task(file, options)
            payload, filename = await self._payload(planned, file, options, run)
            return NewTask(self._request(payload, options, file.is_text, True), _minutes(file), filename)

        key = await in_thread(file.is_here, self.key, file, options)
        self._unsettled[file] = key, planned
        return await self._tasks.run(Work(key, file.label, create, self._reader(file, options)), run)

    def _new_v1_task(self, file: MediaFile, options: SegmentOptions) -> NewTask:
        """The form streams the file from the disk, under a name that only this task has."""
        filename = unique_name(file.filename, file.suffix) if file.is_here else None
        payload = payload_of(file, filename=filename or "")
        return NewTask(tasks.create_v1(self._model, payload, options), _minutes(file), filename)

    async def _payload(
        self, planned: Route, file: MediaFile, options: SegmentOptions, run: Run
    ) -> tuple[MediaPayload, str | None]:
        """The file as a request carries it: its content, its URL, or the id of an asset, uploaded now if needed; and
        the name by which a task of it is known, if it has one that no other task has.
        """
        if planned.upload == "inline" or not file.is_here:
            return payload_of(file), None
        key = await asyncio.to_thread(self.key, file, options)
        self._unsettled[file] = key, planned
        uploaded = await self._uploads.obtain(file, key, run, in_parts=planned.upload == "multipart")
        # An asset that is kept may have tasks with other options too.
        filename = None if self._settings.keep_assets else uploaded.filename
        return payload_of(file, asset_id=uploaded.asset_id), filename

    def _request(self, payload: MediaPayload, options: SegmentOptions, is_text: bool, task: bool = False) -> Request:
        """The request for a file."""
        if self._settings.api_version == "v1":
            image = payload if payload.kind == "image" else None
            return v1.request(self._model, image=image, audio=None if image else payload)
        dimensions = self._settings.dimensions
        return v2.media(self._model, payload, options, dimensions=dimensions, task=task, is_text=is_text)

    async def _clean_up(self, file: MediaFile, run: Run, error: TwelveLabsError) -> None:
        """Delete the asset of a file that failed, unless a later run can use it: after an error that is not about the
        input, if the journal outlives the process.
        """
        key, planned = self._unsettled.pop(file, ("", None))
        reusable = self._journal.lasting and not isinstance(error, InvalidInputError)
        if planned is None or planned.upload == "inline" or reusable:
            return
        try:
            await self._uploads.discard(file, key, run)
        except TwelveLabsError as failure:
            logger.warning("%s: its asset could not be deleted: %s", file.label, failure)


def _account(api_key: SecretStr) -> str:
    """What tells accounts apart in the journal; the key cannot be computed from it."""
    return hashlib.blake2b(api_key.get_secret_value().encode(), digest_size=6, person=b"journal").hexdigest()


def _minutes(file: MediaFile) -> float:
    return (file.range_sec or 0.0) / 60
