"""Files on the server: uploaded, listed and deleted."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from .._api.pages import Page
from .._assets import Asset, UploadProgress, asset_of
from .._batch.progress import UploadBar
from .._errors import InvalidInputError, as_error
from .._inputs import Media, describe
from .._lanes import Lane, lane_of
from .._media.file import MediaFile, open_media
from .._media.kinds import MEDIA_TYPES, MediaKind, media_from
from .._net import loop
from .base import ClientBase, check_callback
from .pages import aeach, each


class ManagesAssets(ClientBase):
    """``upload``, ``asset``, ``assets`` and ``delete_asset``."""

    def upload(
        self,
        media: Media | str | os.PathLike[str],
        *,
        name: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
    ) -> Asset:
        """Upload a file, to embed it several times or later, and wait until it is ready.

        Files that are embedded need not be uploaded before: what is too large for a request is uploaded by itself, and
        deleted after use. What is uploaded here stays until :meth:`delete_asset`.

        .. code-block:: python

            asset = client.upload("beach.mp4")
            client.embed(Video(asset))
            client.embed_segments(Video(asset, start_sec=60, end_sec=120))

        A file up to 200 MB is sent in one request, a larger one in parallel parts. With ``cache=``, another process
        sends only what is missing after one was killed; and a file that this client, or one with the same cache, has
        uploaded in the last 7 days is not sent again.

        Args:
            media: a path, or :class:`Image`, :class:`Audio`, :class:`Video`, :class:`Document` of content that is here.
            name: what to call it in errors; its kind by default.
            progress: True = show a tqdm bar; or a function that is told of each part that has arrived, on the client's
                own thread: it must not block.

        Raises:
            InvalidInputError: the model does not take it, or the service could not process it; it is a URL or an asset
                already.
            ServerError: it is not ready within ``task_timeout`` seconds.
        """
        return loop.run(self._upload(media, name, progress))

    async def aupload(
        self,
        media: Media | str | os.PathLike[str],
        *,
        name: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
    ) -> Asset:
        """Async :meth:`upload`."""
        return await loop.arun(self._upload(media, name, progress))

    def asset(self, asset_id: str) -> Asset:
        """What the service knows of an asset.

        Raises:
            InvalidInputError: there is none of this id, or it belongs to another account.
        """
        return loop.run(self._asset(Asset(asset_id)))

    async def aasset(self, asset_id: str) -> Asset:
        """Async :meth:`asset`."""
        return await loop.arun(self._asset(Asset(asset_id)))

    def assets(self, *, kind: MediaKind | None = None, filename: str | None = None) -> Iterator[Asset]:
        """The account's assets, newest first. Pages of 50 are asked for as they are needed.

        To delete some of them, take ``list(client.assets())`` first: each that is gone moves those of later pages to
        ones that were read already.

        Args:
            kind: ``image``, ``audio``, ``video`` or ``document``; None = all.
            filename: a part of the file name, in either case.

        Raises:
            InvalidInputError: ``kind`` is none of these.
        """
        return each(self._asset_pages(kind, filename))

    def aassets(self, *, kind: MediaKind | None = None, filename: str | None = None) -> AsyncIterator[Asset]:
        """Async :meth:`assets`."""
        return aeach(self._asset_pages(kind, filename))

    def delete_asset(self, asset: Asset | str, *, force: bool = False) -> None:
        """Delete an asset. Vectors that were made of it stay.

        Args:
            asset: it, or its id.
            force: also if indexes of the service refer to it.

        Raises:
            InvalidInputError: there is none of this id, or an index refers to it.
        """
        loop.run(self._delete_asset(asset, force))

    async def adelete_asset(self, asset: Asset | str, *, force: bool = False) -> None:
        """Async :meth:`delete_asset`."""
        await loop.arun(self._delete_asset(asset, force))

    async def _upload(
        self,
        media: Media | str | os.PathLike[str],
        name: str | None,
        progress: bool | Callable[[UploadProgress], None],
    ) -> Asset:
        with self._call(lane=lane_of("bulk")) as run:
            try:
                file = await loop.in_thread(True, self._open, media, name)
                with _callback_of(progress) as callback:
                    return await self._embedder.files.assets.upload(file, run, callback)
            except Exception as error:
                ours = as_error(error, name or describe(media))
                raise ours from ours.__cause__

    def _open(self, source: Media | str | os.PathLike[str], name: str | None) -> MediaFile:
        """A file to upload, checked against what the model takes."""
        media = media_from(source)
        label = name or media.kind
        settings = self._settings
        if settings.api_version == "v1":
            raise InvalidInputError("v1 takes no assets; use v2, or embed the file.", item=label)
        if media.kind not in settings.model.inputs["v2"]:
            raise InvalidInputError(f"{settings.model.name} does not take {media.kind} input.", item=label)
        file = open_media(media, settings.model, label, may_task=True)
        if file.asset is not None:
            raise InvalidInputError("is an asset already.", item=file.label)
        if file.url is not None:
            raise InvalidInputError("is a URL, which the service fetches itself: embed it as it is.", item=file.label)
        return file

    async def _asset(self, asset: Asset) -> Asset:
        with self._call(lane=lane_of("interactive")) as run:
            return await self._embedder.files.assets.retrieve(asset.id, run)

    def _asset_pages(
        self, kind: MediaKind | None, filename: str | None
    ) -> Callable[[int], Coroutine[Any, Any, Page[Asset]]]:
        if kind is not None and kind not in MEDIA_TYPES:
            raise InvalidInputError(f"kind={kind!r} is not one of {', '.join(MEDIA_TYPES)}.")
        return partial(self._asset_page, lane_of("interactive"), kind, filename)

    async def _asset_page(self, lane: Lane, kind: MediaKind | None, filename: str | None, page: int) -> Page[Asset]:
        with self._call(lane=lane) as run:
            return await self._embedder.files.assets.page(page, run, kind=kind, filename=filename)

    async def _delete_asset(self, given: Asset | str, force: bool) -> None:
        asset = asset_of(given) or Asset(str(given))
        with self._call(lane=lane_of("interactive")) as run:
            await self._embedder.files.assets.delete(asset.id, run, force=force)


@contextmanager
def _callback_of(
    progress: bool | Callable[[UploadProgress], None],
) -> Iterator[Callable[[UploadProgress], None] | None]:
    """What is told how far an upload is."""
    if not isinstance(progress, bool):
        check_callback("progress", progress)
        yield progress
    elif progress:
        with closing(UploadBar()) as bar:
            yield bar
    else:
        yield None
