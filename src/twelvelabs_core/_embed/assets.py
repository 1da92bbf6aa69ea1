"""Assets of the caller's: uploaded to stay, waited for, listed and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from .._api import assets
from .._api.pages import Page, read_page
from .._assets import Asset, UploadProgress
from .._cache.journal import Journal
from .._errors import InvalidInputError
from .._media.file import MediaFile
from .._net.sender import Sender
from .._stats import Run
from .route import needs_parts
from .uploads import Uploads, wait_until_ready
from .watch import UploadWatch


class Assets:
    """Assets that the caller uploads, or has uploaded elsewhere. They are never deleted but by :meth:`delete`.

    Args:
        scope, timeout: as for :class:`.Uploads`.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, timeout: float) -> None:
        self._sender, self._timeout = sender, timeout
        self._uploads = Uploads(sender, journal, scope=scope, keep=True, timeout=timeout)

    async def upload(self, file: MediaFile, run: Run, callback: Callable[[UploadProgress], None] | None) -> Asset:
        """The asset of a file, ready for use: one uploaded now, or before by this process (with a cache, by any).

        Raises:
            InvalidInputError: the file has changed meanwhile, or the server could not process it.
            ServerError: it was not ready in time.
        """
        digest = await asyncio.to_thread(lambda: file.content_digest)
        watch = UploadWatch(callback, file.size or 0)
        found = await self._uploads.obtain(file, digest, run, in_parts=needs_parts(file.size), watch=watch)
        assert found.asset is not None
        # Of an image that is turned before it is sent, the digest is not that of what was uploaded.
        known = None if file.turned else digest
        return replace(found.asset, mime=found.asset.mime or file.mime, content_digest=known)

    async def make_ready(self, file: MediaFile, run: Run) -> None:
        """Wait until the asset of a file can be used, and learn its length and type.

        Raises:
            InvalidInputError: there is none of this id, the server could not process it, or it is of another kind.
            ServerError: it is not ready in time.
        """
        asset = file.asset
        if asset is None or asset.status == "ready":
            return
        found = await wait_until_ready(self._sender, asset.id, self._timeout, run)
        was_text = file.is_text
        file.use_asset(replace(found, content_digest=asset.content_digest))
        if found.kind not in (None, file.kind):
            raise InvalidInputError(
                f"{found} is {found.kind}; use {str(found.kind).capitalize()}(...) for it.", item=file.label
            )
        if file.is_text != was_text:  # what of it can be asked for depends on it
            raise InvalidInputError(
                f"{found} is a text document, which its id does not tell. Pass Document(client.asset({asset.id!r})).",
                item=file.label,
            )

    async def retrieve(self, asset_id: str, run: Run) -> Asset:
        """An asset as the server knows it.

        Raises:
            InvalidInputError: there is none of this id.
        """
        return await self._sender.send(assets.retrieve(asset_id), run, read=assets.read_asset)

    async def page(self, page: int, run: Run, *, kind: str | None, filename: str | None) -> Page[Asset]:
        """A page of the account's assets, newest first."""
        response = await self._sender.send(assets.list_assets(page, kind=kind, filename=filename), run)
        return read_page(response, assets.read_asset)

    async def delete(self, asset_id: str, run: Run, *, force: bool) -> None:
        """Delete an asset.

        Raises:
            InvalidInputError: there is none of this id, or an index refers to it.
        """
        await self._sender.send(assets.delete(asset_id, force=force), run)
