"""Uploads of files as assets: streamed, above 200 MB in parallel parts, and deleted after use."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from .._api import assets
from .._api.names import read_id, unique_name
from .._assets import Asset
from .._cache.journal import Journal
from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._media.file import MediaFile
from .._net.poll import poll
from .._net.retry import not_received, retry
from .._net.sender import Sender
from .._stats import Run
from .multipart import MultipartUpload, PartSender
from .watch import UploadWatch

logger = logging.getLogger("twelvelabs_embeddings")

FIRST_POLL_SEC, SLOWEST_POLL_SEC = 0.5, 10.0
DELETE_SEC = 30.0  # longest wait for a deletion


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file on the server.

    Attributes:
        filename: the name it was uploaded under, which no other asset has.
        asset: what the server says of it, once it is ready for use.
    """

    asset_id: str
    filename: str
    asset: Asset | None = None


class Uploads:
    """Creates assets of files.

    Each is uploaded under a name that no other has, so that one whose response was lost is found again by the list of
    assets, which the API documents to filter by name. The journal has the name before the upload begins.

    Args:
        scope: prefix of the journal's entries, different for each account, model and address.
        keep: leave assets on the server after use; later runs find them by content.
        timeout: seconds the server may take to process an upload.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, keep: bool, timeout: float) -> None:
        self._sender, self._journal = sender, journal
        self._scope, self._keep, self._timeout = scope, keep, timeout
        self._parts = PartSender(sender, journal)

    async def obtain(
        self, source: MediaFile, key: str, run: Run, *, in_parts: bool, watch: UploadWatch | None = None
    ) -> Uploaded:
        """An asset with this content, ready for use: an existing one, or one uploaded now.

        Args:
            key: digest of the file and its options. The asset is used for it alone, unless assets are kept.
            watch: is told how far it is.

        Raises:
            InvalidInputError: the file has changed meanwhile, the server could not process it, or takes no file of that
                kind and size.
            ServerError: the asset was not ready in time.
        """
        watch = watch or UploadWatch()
        name = self._name(source, key)
        async with self._journal.alone(name):
            return await self._obtain(source, name, run, in_parts, watch)

    async def _obtain(self, source: MediaFile, name: str, run: Run, in_parts: bool, watch: UploadWatch) -> Uploaded:
        found = await self._existing(name, source, run)
        if found is None:
            upload = self._upload_in_parts if in_parts else self._upload_whole
            found = await upload(source, name, run, watch)
            try:
                await asyncio.to_thread(source.check_unchanged)
            except InvalidInputError:
                await self._discard(name, run)
                raise
        watch.is_now("processing")
        try:
            asset = await wait_until_ready(self._sender, found.asset_id, self._timeout, run)
        except InvalidInputError:
            await self._journal.delete(name)
            raise
        watch.is_now("ready")
        return replace(found, asset=asset)

    async def discard(self, source: MediaFile, key: str, run: Run) -> None:
        """Delete the asset of this key that this or an earlier process created. A failed deletion is logged."""
        if not self._keep and source.is_here:
            await self._discard(self._name(source, key), run)

    async def _discard(self, name: str, run: Run) -> None:
        entry = await self._journal.find(name)
        try:
            asset_id = read_id((entry or {}).get("asset_id"), "asset")
        except MalformedResponseError:
            return  # none, or not one of ours
        try:
            await asyncio.wait_for(self._sender.send(assets.delete(asset_id), run.after_payment()), DELETE_SEC)
        except (TwelveLabsError, asyncio.TimeoutError) as error:
            logger.warning("The asset %s could not be deleted: %s", asset_id, str(error) or "no response")
        else:
            await self._journal.delete(name)

    def _name(self, source: MediaFile, key: str) -> str:
        return f"asset/{self._scope}/{source.content_digest if self._keep else key}"

    async def _existing(self, name: str, source: MediaFile, run: Run) -> Uploaded | None:
        """The journal's asset, if the server still has it; one whose upload was not answered is looked for by its name.
        None also for an unfinished upload in parts.
        """
        entry = await self._journal.find(name)
        if entry is None or "upload_id" in entry:
            return None
        filename = entry.get("filename")
        if not isinstance(filename, str):
            return None
        if "asset_id" not in entry:
            asset_id = await self._search(filename, source.size, run)
            if asset_id is None:
                return None
            await self._journal.write(name, asset_id=asset_id, filename=filename)
            return Uploaded(asset_id, filename)
        try:
            asset_id = read_id(entry["asset_id"], "asset")
            assets.usable(assets.read_asset(await self._sender.send(assets.retrieve(asset_id), run)))
        except (InvalidInputError, MalformedResponseError):
            await self._journal.delete(name)  # the asset was deleted, has expired or failed
            return None
        return Uploaded(asset_id, filename)

    async def _search(self, filename: str, size: int | None, run: Run) -> str | None:
        """The id of the asset that was uploaded under this name; None if there is none, or the list cannot be read."""
        try:
            return assets.find_named(await self._sender.send(assets.find(filename), run), filename, size)
        except TwelveLabsError as error:
            logger.warning("The list of assets cannot be read, so none is found there: %s", error)
            return None

    async def _upload_whole(self, source: MediaFile, name: str, run: Run, watch: UploadWatch) -> Uploaded:
        filename = unique_name(source.filename, source.suffix)
        content = source.sent()
        request = assets.create(content, filename, source.mime)
        await self._journal.write(name, filename=filename)

        async def attempt(_: int) -> str:
            try:
                return assets.usable(assets.read_asset(await self._sender.send(request, run, repeat=False))).id
            except TwelveLabsError:
                await asyncio.to_thread(source.check_unchanged)  # then another attempt is of no use
                raise

        async def recover() -> str | None:
            return await self._search(filename, content.size, run)

        policy = self._sender.settings.retry
        watch.sent(0, 0)
        try:
            asset_id = await retry(attempt, policy, run, repeatable=lambda e: not not_received(e), recover=recover)
        except InvalidInputError:
            await self._journal.delete(name)  # refused
            raise
        await self._journal.write(name, asset_id=asset_id, filename=filename)
        run.uploaded(content.size)
        watch.sent(content.size, 1)
        return Uploaded(asset_id, filename)

    async def _upload_in_parts(self, source: MediaFile, name: str, run: Run, watch: UploadWatch) -> Uploaded:
        if source.kind not in ("audio", "video", "image"):
            raise InvalidInputError(
                f"has {(source.size or 0) / 1e6:.0f} MB; a document of that size can only be passed as a public URL.",
                item=source.label,
            )
        upload = await self._parts.resume(source, name, run)
        if upload is None:
            upload = await self._begin(source, name, run)
        await self._parts.send(source, upload, name, run, watch)
        await self._journal.write(name, asset_id=upload.plan.asset_id, filename=upload.filename)
        return Uploaded(upload.plan.asset_id, upload.filename)

    async def _begin(self, source: MediaFile, name: str, run: Run) -> MultipartUpload:
        assert source.size is not None
        filename = unique_name(source.filename, source.suffix)
        request = assets.create_multipart(filename, source.kind, source.size)
        described = await self._sender.send(request, run)
        base_url = self._sender.settings.base_url
        upload = MultipartUpload(assets.read_upload(described, source.size), filename, base_url)
        upload.add_urls(described)
        await self._journal.write(name, **upload.journal_entry)
        return upload


async def wait_until_ready(sender: Sender, asset_id: str, timeout: float, run: Run) -> Asset:
    """An asset that the server has processed: before that it cannot be used.

    Args:
        timeout: seconds.

    Raises:
        InvalidInputError: the server could not process it, or has none of this id.
        ServerError: it was not ready in time.
    """

    async def check() -> Asset | None:
        asset = assets.usable(assets.read_asset(await sender.send(assets.retrieve(asset_id), run)))
        return asset if asset.status == "ready" else None

    ready = await poll(check, first=FIRST_POLL_SEC, slowest=SLOWEST_POLL_SEC, timeout=timeout)
    if ready is None:
        raise ServerError(f"The upload (asset {asset_id}) is still being processed after {timeout:.0f} s.")
    return ready
