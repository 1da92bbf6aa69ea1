"""Uploads in parts: each part is sent to a presigned address and reported; a later run sends what has not arrived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from .._api import assets
from .._api.assets import UploadPlan
from .._cache.journal import Journal
from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._media.file import MediaFile
from .._net.pool import for_each
from .._net.retry import not_received, retry
from .._net.sender import Sender
from .._stats import Run
from .watch import UploadWatch

PARALLEL_PARTS = 4
REPORT_BATCH = 8  # parts
API_BATCH = 50  # most parts in one request for addresses or in one report
MAX_REFUSALS = 3  # of one part by its address: it may have expired, or have been used

Proof: TypeAlias = tuple[int, str, int]  # part number, ETag, size


class MultipartUpload:
    """An upload in parts, and how far it is.

    Attributes:
        filename: the name it was begun under, which no other upload has.
        urls: presigned addresses by part, each valid for one attempt and some time.
        arrived: the parts that the server knows to have arrived.
        proofs: the parts that have arrived and are not reported yet.
        reporting: those of them whose report is under way.
    """

    def __init__(self, plan: UploadPlan, filename: str, base_url: str) -> None:
        self.plan, self.filename = plan, filename
        self._base_url = base_url
        self.urls: dict[int, str] = {}
        self.arrived: set[int] = set()
        self.proofs: list[Proof] = []
        self.reporting: list[Proof] = []

    @property
    def journal_entry(self) -> dict[str, Any]:
        """What is needed to resume it. Without addresses, as they expire."""
        plan = self.plan
        return {
            "upload_id": plan.id,
            "asset_id": plan.asset_id,
            "chunk_size": plan.part_size,
            "total_chunks": plan.parts,
            "upload_headers": dict(plan.headers),
            "filename": self.filename,
            "proofs": self.reporting + self.proofs,
        }

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any], size: int, base_url: str) -> MultipartUpload:
        """The upload of a journal's entry.

        Raises:
            MalformedResponseError: the entry is not one, or of a file of another size.
        """
        filename, proofs = entry.get("filename"), entry.get("proofs")
        upload = cls(assets.read_upload(entry, size), filename if isinstance(filename, str) else "", base_url)
        upload.proofs = [proof for found in proofs if (proof := _proof(found)) is not None] if proofs else []
        return upload

    @property
    def missing(self) -> Iterator[int]:
        """The parts to send."""
        return (index for index in range(1, self.plan.parts + 1) if index not in self.arrived)

    def length_of(self, index: int, size: int) -> int:
        """Bytes of a part of a file of so many bytes: all are equally long but the last."""
        return min(self.plan.part_size, size - (index - 1) * self.plan.part_size)

    def add_urls(self, response: Mapping[str, Any]) -> None:
        """Add the addresses of a response."""
        self.urls.update(assets.read_part_urls(response, self.plan.parts, self._base_url))


def _proof(found: Any) -> Proof | None:
    if not isinstance(found, list) or len(found) != 3:
        return None
    index, etag, size = found
    return (index, etag, size) if type(index) is int and isinstance(etag, str) and type(size) is int else None


class PartSender:
    """Sends the parts of uploads, and resumes uploads that an earlier run began."""

    def __init__(self, sender: Sender, journal: Journal) -> None:
        self._sender, self._journal = sender, journal

    async def resume(self, source: MediaFile, name: str, run: Run) -> MultipartUpload | None:
        """The upload an earlier run began, with the parts that have arrived; None if there is none to resume.

        The service is asked which parts it knows of. Those that arrived and were not reported are reported now, by the
        proofs in the journal.
        """
        entry = await self._journal.find(name)
        if entry is None or "upload_id" not in entry:
            return None
        assert source.size is not None
        try:
            upload = MultipartUpload.of_entry(entry, source.size, self._sender.settings.base_url)
        except MalformedResponseError:
            return None
        page = pages = 1
        while page <= pages:
            try:
                response = await self._sender.send(assets.uploaded(upload.plan.id, page), run)
            except InvalidInputError:
                return None  # expired, 24 hours after its start
            state = assets.read_upload_state(response, upload.plan.parts)
            if state.status == "completed":
                upload.arrived.update(range(1, upload.plan.parts + 1))
                upload.proofs = []
                return upload
            if state.status not in ("active", ""):
                return None
            upload.arrived |= state.arrived
            pages, page = state.pages, page + 1
        upload.proofs = [proof for proof in upload.proofs if proof[0] not in upload.arrived]
        indices = {index for index, _, _ in upload.proofs}
        try:
            await self._report(upload, run)
        except InvalidInputError:
            upload.proofs = []  # they have not arrived as the journal says: they are sent again
        else:
            upload.arrived |= indices
        return upload

    async def send(self, source: MediaFile, upload: MultipartUpload, name: str, run: Run, watch: UploadWatch) -> None:
        """Send the parts that have not arrived, and report them to the server, also if a later part fails.

        Args:
            watch: is told of each part.

        Raises:
            InvalidInputError: the file has changed meanwhile.
            ServerError: the storage refused a part again and again.
        """
        assert source.size is not None
        parts, size = len(upload.arrived), sum(upload.length_of(index, source.size) for index in upload.arrived)
        watch.sent(size, parts, upload.plan.parts)

        async def send(index: int) -> None:
            nonlocal parts, size
            proof = await self._send_part(source, upload, index, run)
            parts, size = parts + 1, size + proof[2]
            watch.sent(size, parts, upload.plan.parts)
            upload.proofs.append(proof)
            # A run that is killed now reports what has arrived instead of sending it again.
            await self._journal.write(name, **upload.journal_entry)
            if len(upload.proofs) >= REPORT_BATCH:
                await self._report(upload, run)

        try:
            await for_each(upload.missing, send, workers=PARALLEL_PARTS)
        except BaseException:
            with contextlib.suppress(TwelveLabsError):  # the first error is the one to raise
                await self._report(upload, run)
            raise
        await self._report(upload, run)

    async def _report(self, upload: MultipartUpload, run: Run) -> None:
        while upload.proofs:
            batch, upload.proofs = upload.proofs[:API_BATCH], upload.proofs[API_BATCH:]
            upload.reporting += batch
            await self._sender.send(assets.complete(upload.plan.id, batch), run)
            upload.reporting = [proof for proof in upload.reporting if proof not in batch]

    async def _send_part(self, source: MediaFile, upload: MultipartUpload, index: int, run: Run) -> Proof:
        """Send one part. Its address is valid for one attempt, so each attempt gets a new one."""
        assert source.size is not None
        start = (index - 1) * upload.plan.part_size
        length = upload.length_of(index, source.size)
        content = source.part(start, length)

        async def attempt(_: int) -> dict[str, Any]:
            url = await self._part_url(upload, index, run)
            request = assets.part(url, content, upload.plan.headers)
            try:
                return await self._sender.send(request, run, repeat=False)
            except TwelveLabsError as error:
                await asyncio.to_thread(source.check_unchanged)
                if error.status is None:
                    raise
                # The storage is not the service: its 401 or 403 says that the address has expired or was used, and
                # nothing about the account.
                raise ServerError(
                    f"The storage refused part {index} of the upload: {error.message}",
                    status=error.status,
                    code=error.code,
                ) from error

        # What the server did not receive, the sender has already sent again, to the same address.
        for refusals in range(MAX_REFUSALS):
            try:
                response = await retry(
                    attempt, self._sender.settings.retry, run, repeatable=lambda e: not (not_received(e) or _refused(e))
                )
                break
            except ServerError as error:
                if not _refused(error) or refusals == MAX_REFUSALS - 1:
                    raise
                upload.urls.clear()  # the others came with it
        etag = str(response.get("etag", "")).strip('"')
        if not etag:
            raise MalformedResponseError(f"The response to part {index} of the upload has no ETag.")
        await asyncio.to_thread(source.check_unchanged)
        run.uploaded(length)
        return index, etag, length

    async def _part_url(self, upload: MultipartUpload, index: int, run: Run) -> str:
        if index not in upload.urls:
            count = min(API_BATCH, upload.plan.parts - index + 1)
            upload.add_urls(await self._sender.send(assets.more_urls(upload.plan.id, index, count), run))
        if index not in upload.urls:
            raise MalformedResponseError(f"The server gave no address for part {index} of the upload.")
        return upload.urls.pop(index)


def _refused(error: TwelveLabsError) -> bool:
    """Whether the storage refused an address, so that another one may do."""
    status = error.status or 0
    return isinstance(error, ServerError) and 300 <= status < 500 and status not in (408, 425, 429)
