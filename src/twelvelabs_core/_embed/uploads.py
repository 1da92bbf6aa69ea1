"""Uploads of files that are too large for a request, as assets: streamed, above 200 MB in parallel parts, and deleted
after use.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, TypeAlias

from .._api import assets
from .._api.requests import FileRange
from .._cache.journal import Journal
from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._media.file import MediaFile
from .._net.poll import poll
from .._net.pool import for_each
from .._net.retry import retry
from .._net.sender import Sender, not_received
from .._stats import Run

logger = logging.getLogger("twelvelabs_embeddings")

PARALLEL_PARTS = 4
REPORT_BATCH = 8  # parts; those that were reported are not sent again after a crash
API_BATCH = 50  # most parts in one request for addresses or in one report
FIRST_POLL_SEC, SLOWEST_POLL_SEC = 0.5, 10.0

Proof: TypeAlias = tuple[int, str, int]  # part number, ETag, size


class Uploads:
    """Creates assets of files.

    Args:
        scope: prefix of the journal's entries, different for each model and address.
        keep: leave assets on the server after use; later runs find them by content.
        timeout: seconds the server may take to process an upload.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, keep: bool, timeout: float) -> None:
        self._sender, self._journal = sender, journal
        self._scope, self._keep, self._timeout = scope, keep, timeout

    async def obtain(self, source: MediaFile, run: Run, *, in_parts: bool) -> str:
        """The id of an asset with this content, ready for use: an existing one, or one uploaded now.

        Raises:
            InvalidInputError: the server could not process the file, or takes no file of that kind and size.
            ServerError: the asset was not ready in time.
        """
        name = await self._name(source)
        asset_id = await self._existing(name, run)
        if asset_id is None:
            asset_id = await (self._upload_in_parts if in_parts else self._upload_whole)(source, name, run)
        await self._wait_until_ready(asset_id, name, run)
        return asset_id

    async def discard(self, source: MediaFile, run: Run) -> None:
        """Delete the asset with this content that this or an earlier process created. A failed deletion is logged."""
        if self._keep or source.url is not None:
            return
        name = await self._name(source)
        entry = await self._journal.find(name)
        if entry is None:
            return
        await self._journal.delete(name)
        try:
            await self._sender.send(assets.delete(entry["asset_id"]), run)
        except TwelveLabsError as error:
            logger.warning("The asset %s could not be deleted: %s", entry["asset_id"], error)

    async def _name(self, source: MediaFile) -> str:
        return f"asset/{self._scope}/{await asyncio.to_thread(lambda: source.content_digest)}"

    async def _existing(self, name: str, run: Run) -> str | None:
        """The id of the journal's asset, if the server still has it; None also for an unfinished upload."""
        entry = await self._journal.find(name)
        if entry is None or "asset_id" not in entry or "upload_id" in entry:
            return None
        try:
            asset_id, _ = assets.read_asset(await self._sender.send(assets.retrieve(entry["asset_id"]), run))
            return asset_id
        except InvalidInputError:
            await self._journal.delete(name)  # the asset was deleted, has expired or failed
            return None

    async def _upload_whole(self, source: MediaFile, name: str, run: Run) -> str:
        content = source.path if source.path is not None else await asyncio.to_thread(source.load)
        request = assets.create(content, source.filename, source.mime)
        asset_id, _ = assets.read_asset(await self._sender.send(request, run))
        await self._journal.write(name, asset_id=asset_id)
        run.uploaded(source.size or 0)
        return asset_id

    async def _upload_in_parts(self, source: MediaFile, name: str, run: Run) -> str:
        if source.kind not in ("audio", "video", "image"):
            raise InvalidInputError(
                f"has {(source.size or 0) / 1e6:.0f} MB; a document of that size can only be passed as a public URL.",
                item=source.label,
            )
        assert source.size is not None
        upload = await self._resume(name, run)
        if upload is None:
            request = assets.create_multipart(source.filename, source.kind, source.size)
            upload = MultipartUpload(await self._sender.send(request, run))
            await self._journal.write(name, **upload.journal_entry)
        await self._send_parts(source, upload, run)
        await self._journal.write(name, asset_id=upload.asset_id)
        return upload.asset_id

    async def _resume(self, name: str, run: Run) -> MultipartUpload | None:
        """The upload an earlier run began, with the parts that have arrived; None if there is none to resume."""
        entry = await self._journal.find(name)
        if entry is None or "upload_id" not in entry:
            return None
        upload = MultipartUpload(entry)
        page = pages = 1
        while page <= pages:
            try:
                response = await self._sender.send(assets.uploaded(upload.id, page), run)
            except InvalidInputError:
                return None  # expired, 24 hours after its start
            status = response.get("status")
            if status == "completed":
                upload.complete()
                return upload
            if status not in ("active", None):
                return None
            found = response.get("uploaded_chunks") or []
            upload.arrived.update(chunk["index"] for chunk in found if chunk.get("status") == "completed")
            pages = int((response.get("page_info") or {}).get("total_page") or 0)
            page += 1
        return upload

    async def _send_parts(self, source: MediaFile, upload: MultipartUpload, run: Run) -> None:
        """Send the parts that have not arrived, and report them to the server, also if a later part fails."""
        proofs: list[Proof] = []

        async def send(index: int) -> None:
            proofs.append(await self._send_part(source, upload, index, run))
            if len(proofs) >= REPORT_BATCH:
                await report()

        async def report() -> None:
            batch = proofs[:API_BATCH]
            del proofs[: len(batch)]
            if batch:
                await self._sender.send(assets.complete(upload.id, batch), run)

        try:
            await for_each(upload.missing, send, workers=PARALLEL_PARTS)
        except BaseException:
            with contextlib.suppress(TwelveLabsError):  # the first error is the one to raise
                await report()
            raise
        await report()

    async def _send_part(self, source: MediaFile, upload: MultipartUpload, index: int, run: Run) -> Proof:
        """Send one part. Its address is valid for one attempt, so each attempt gets a new one."""
        assert source.size is not None
        start = (index - 1) * upload.part_size
        length = min(upload.part_size, source.size - start)
        content: bytes | FileRange
        if source.path is not None:
            content = FileRange(source.path, start, length)
        else:
            content = (source.data or b"")[start : start + length]

        async def attempt(_: int) -> dict[str, Any]:
            url = await self._part_url(upload, index, run)
            return await self._sender.send(assets.part(url, content, upload.headers), run, repeat=False)

        # What the server did not receive, the sender has already sent again, to the same address.
        response = await retry(attempt, self._sender.settings.retry, run, repeatable=lambda e: not not_received(e))
        etag = str(response.get("etag", "")).strip('"')
        if not etag:
            raise MalformedResponseError(f"The response to part {index} of the upload has no ETag.")
        run.uploaded(length)
        return index, etag, length

    async def _part_url(self, upload: MultipartUpload, index: int, run: Run) -> str:
        if index not in upload.urls:
            count = min(API_BATCH, upload.parts - index + 1)
            upload.add_urls(await self._sender.send(assets.more_urls(upload.id, index, count), run))
        if index not in upload.urls:
            raise MalformedResponseError(f"The server gave no address for part {index} of the upload.")
        return upload.urls.pop(index)

    async def _wait_until_ready(self, asset_id: str, name: str, run: Run) -> None:
        """Wait until the server has processed the upload: before that it cannot be used."""

        async def check() -> bool | None:
            _, status = assets.read_asset(await self._sender.send(assets.retrieve(asset_id), run))
            return True if status == "ready" else None

        try:
            ready = await poll(check, first=FIRST_POLL_SEC, slowest=SLOWEST_POLL_SEC, timeout=self._timeout)
        except InvalidInputError:
            await self._journal.delete(name)
            raise
        if not ready:
            raise ServerError(f"The upload (asset {asset_id}) is still being processed after {self._timeout:.0f} s.")


class MultipartUpload:
    """An upload in parts, as a response of the server or an entry of the journal describes it.

    Attributes:
        part_size: bytes of each part but the last.
        parts: how many there are, numbered from 1.
        headers: sent with each part.
        urls: presigned addresses by part, each valid for one attempt.
        arrived: the parts that the server has.
    """

    def __init__(self, described: dict[str, Any]) -> None:
        try:
            self.id, self.asset_id = str(described["upload_id"]), str(described["asset_id"])
            self.part_size, self.parts = int(described["chunk_size"]), int(described["total_chunks"])
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedResponseError(f"The response does not describe an upload: {error!r}.") from error
        self.headers = {str(k): str(v) for k, v in (described.get("upload_headers") or {}).items()}
        self.urls: dict[int, str] = {}
        self.arrived: set[int] = set()
        self.add_urls(described)

    @property
    def journal_entry(self) -> dict[str, Any]:
        """What is needed to resume it. Without addresses, as they expire."""
        return {
            "upload_id": self.id,
            "asset_id": self.asset_id,
            "chunk_size": self.part_size,
            "total_chunks": self.parts,
            "upload_headers": self.headers,
        }

    @property
    def missing(self) -> list[int]:
        """The parts to send."""
        return [index for index in range(1, self.parts + 1) if index not in self.arrived]

    def add_urls(self, response: dict[str, Any]) -> None:
        """Add the addresses of a response."""
        self.urls.update({int(u["chunk_index"]): str(u["url"]) for u in response.get("upload_urls") or []})

    def complete(self) -> None:
        """Mark all parts as arrived."""
        self.arrived.update(range(1, self.parts + 1))
