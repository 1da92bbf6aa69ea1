"""Files that are too large for a request: uploaded as assets, streamed, in parallel parts where they are larger still,
and deleted after use.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from .._api import assets
from .._api.requests import FileRange
from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._media.file import MediaFile
from .._net.pace import pause
from .._net.sender import Sender
from .._stats import Run
from .journal import Journal

__all__ = ["Uploads"]

logger = logging.getLogger("twelvelabs_embeddings")

PARTS_AT_ONCE = 4
REPORT_AT_ONCE = 8  # parts that are reported need not be sent again after a crash
URLS_AT_ONCE = 50
FIRST_POLL_SEC, POLL_GROWTH, SLOWEST_POLL_SEC = 0.5, 1.5, 10.0


class Uploads:
    """Makes assets of files.

    Args:
        keep: leave assets on the server after use, to be found again by content.
        timeout: seconds an upload may be processed until it counts as lost.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, keep: bool, timeout: float) -> None:
        self._sender, self._journal = sender, journal
        self._scope, self._keep, self._timeout = scope, keep, timeout

    async def obtain(self, source: MediaFile, run: Run, *, in_parts: bool) -> str:
        """The id of an asset with this content, ready to be used: a known one, or uploaded now."""
        name = await self._name(source)
        asset_id = await self._known(name, run)
        if asset_id is None:
            asset_id = await (self._in_parts if in_parts else self._at_once)(source, name, run)
        await self._ready(asset_id, name, run)
        return asset_id

    async def discard(self, source: MediaFile, run: Run) -> None:
        """Delete the asset with this content, if there is one of ours; also one a process before us left behind."""
        if self._keep or source.url is not None:
            return
        name = await self._name(source)
        entry = await self._journal.find(name)
        if entry is None:
            return
        await self._journal.delete(name)
        try:
            await self._sender.send(assets.delete(entry["asset_id"]), run)
        except TwelveLabsError as error:  # storage that is left over is no reason to lose the vectors
            logger.warning("The asset %s could not be deleted: %s", entry["asset_id"], error)

    async def _name(self, source: MediaFile) -> str:
        return f"asset/{self._scope}/{await asyncio.to_thread(lambda: source.content_digest)}"

    async def _known(self, name: str, run: Run) -> str | None:
        entry = await self._journal.find(name)
        if entry is None or "asset_id" not in entry:
            return None
        if "upload_id" in entry:
            return None  # begun in parts and not finished: _in_parts goes on with it
        try:
            asset_id, _ = assets.read_asset(await self._sender.send(assets.retrieve(entry["asset_id"]), run))
            return asset_id
        except InvalidInputError:
            await self._journal.delete(name)  # deleted, expired or failed meanwhile
            return None

    async def _at_once(self, source: MediaFile, name: str, run: Run) -> str:
        file = source.path if source.path is not None else await asyncio.to_thread(source.load)
        request = assets.create(file, source.filename, source.mime)
        asset_id, _ = assets.read_asset(await self._sender.send(request, run))
        await self._journal.write(name, asset_id=asset_id)
        run.uploaded(source.size or 0)
        return asset_id

    async def _in_parts(self, source: MediaFile, name: str, run: Run) -> str:
        if source.media.kind not in ("audio", "video", "image"):
            raise InvalidInputError(
                f"is {(source.size or 0) / 1e6:.0f} MB; a document of that size can be given as a public URL only.",
                item=source.label,
            )
        assert source.size is not None
        entry = await self._journal.find(name)
        upload = await self._resumed(entry, source.size, run) if entry and "upload_id" in entry else None
        if upload is None:
            answer = await self._sender.send(
                assets.create_multipart(source.filename, source.media.kind, source.size), run
            )
            upload = _Upload(answer)
            await self._journal.write(name, upload_id=upload.id, asset_id=upload.asset_id, **upload.shape)
        await self._send_parts(source, upload, run)
        await self._journal.write(name, asset_id=upload.asset_id)
        return upload.asset_id

    async def _resumed(self, entry: dict[str, Any], size: int, run: Run) -> _Upload | None:
        """An upload another process began, with the parts that have arrived."""
        upload = _Upload({**entry, "upload_urls": []})
        page = 1
        try:
            while True:
                answer = await self._sender.send(assets.uploaded(upload.id, page), run)
                if answer.get("status") not in ("active", None):
                    return upload if answer.get("status") == "completed" and upload.mark_all() else None
                found = answer.get("uploaded_chunks") or []
                upload.done.update(c["index"] for c in found if c.get("status") == "completed")
                if page >= int((answer.get("page_info") or {}).get("total_page") or 0):
                    return upload
                page += 1
        except InvalidInputError:
            return None  # expired: 24 hours

    async def _send_parts(self, source: MediaFile, upload: _Upload, run: Run) -> None:
        todo = iter([index for index in range(1, upload.parts + 1) if index not in upload.done])
        proofs: list[tuple[int, str, int]] = []

        async def worker() -> None:
            for index in todo:
                proofs.append(await self._send_part(source, upload, index, run))
                if len(proofs) >= REPORT_AT_ONCE:
                    batch = [proofs.pop() for _ in range(REPORT_AT_ONCE)]
                    await self._sender.send(assets.complete(upload.id, batch), run)

        workers = [asyncio.ensure_future(worker()) for _ in range(PARTS_AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if proofs:  # what has arrived need not be sent again by the next run
                await self._sender.send(assets.complete(upload.id, proofs), run)

    async def _send_part(self, source: MediaFile, upload: _Upload, index: int, run: Run) -> tuple[int, str, int]:
        """One part, to an address that is good for one try: a failed part gets a new one, and is sent again alone."""
        start = (index - 1) * upload.part_size
        length = min(upload.part_size, (source.size or 0) - start)
        content: bytes | FileRange
        if source.path is not None:
            content = FileRange(source.path, start, length)
        else:
            content = (source.data or b"")[start : start + length]
        tries = 0
        while True:
            tries += 1
            url = await self._part_url(upload, index, run)
            try:
                answer = await self._sender.send(
                    assets.part(url, content, upload.headers), run, repeat=False, has_media=False
                )
                break
            except TwelveLabsError as error:
                wait = self._sender.settings.retry.wait(error, tries, 0.0)
                if wait is None:
                    raise
                run.stats.retries += 1
                await pause(wait)
        etag = str(answer.get("etag", "")).strip('"')
        if not etag:
            raise MalformedResponseError(f"The upload of part {index} was answered without an ETag.")
        run.uploaded(length)
        return index, etag, length

    async def _part_url(self, upload: _Upload, index: int, run: Run) -> str:
        if index not in upload.urls:
            count = min(URLS_AT_ONCE, upload.parts - index + 1)
            upload.add(await self._sender.send(assets.more_urls(upload.id, index, count), run))
        if index not in upload.urls:
            raise MalformedResponseError(f"The server gave no address for part {index} of the upload.")
        return upload.urls.pop(index)

    async def _ready(self, asset_id: str, name: str, run: Run) -> None:
        """Wait until the server has processed the upload: it may not be used before."""
        poll, begun = FIRST_POLL_SEC, time.monotonic()
        while True:
            try:
                _, status = assets.read_asset(await self._sender.send(assets.retrieve(asset_id), run))
            except InvalidInputError:
                await self._journal.delete(name)
                raise
            if status == "ready":
                return
            if time.monotonic() - begun > self._timeout:
                raise ServerError(f"The upload (asset {asset_id}) is still processed after {self._timeout:.0f} s.")
            await pause(poll)
            poll = min(SLOWEST_POLL_SEC, poll * POLL_GROWTH)


class _Upload:
    """An upload in parts, as the server described it."""

    def __init__(self, answer: dict[str, Any]) -> None:
        try:
            self.id, self.asset_id = str(answer["upload_id"]), str(answer["asset_id"])
            self.part_size, self.parts = int(answer["chunk_size"]), int(answer["total_chunks"])
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedResponseError(f"The answer does not describe an upload: {error!r}.") from error
        self.headers = {str(k): str(v) for k, v in (answer.get("upload_headers") or {}).items()}
        self.urls: dict[int, str] = {}
        self.done: set[int] = set()
        self.add(answer)

    @property
    def shape(self) -> dict[str, Any]:
        """What the journal keeps."""
        return {"chunk_size": self.part_size, "total_chunks": self.parts, "upload_headers": self.headers}

    def add(self, answer: dict[str, Any]) -> None:
        """More addresses."""
        self.urls.update({int(u["chunk_index"]): str(u["url"]) for u in answer.get("upload_urls") or []})

    def mark_all(self) -> bool:
        """Everything has arrived."""
        self.done.update(range(1, self.parts + 1))
        return True
