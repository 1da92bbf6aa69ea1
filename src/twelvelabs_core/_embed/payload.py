"""Makes the payload of a request from a file."""

from __future__ import annotations

from .._api.names import safe_name
from .._api.requests import MediaPayload
from .._media.file import MediaFile


def payload_of(file: MediaFile, *, asset_id: str | None = None, filename: str = "") -> MediaPayload:
    """The payload for a file. Its content is read when the request is sent, unless it is a URL or an asset.

    Args:
        asset_id: of the file as it was uploaded for this request; None = it was not.
        filename: name sent with it; empty = its own.
    """
    media = file.media
    if asset_id is None and file.asset is not None:
        asset_id = file.asset.id
    return MediaPayload(
        file.kind,
        url=file.url,
        asset_id=asset_id,
        content=file.sent() if file.is_here and asset_id is None else None,
        filename=filename or safe_name(file.filename),
        mime=file.mime,
        name=media.name,
        start_sec=getattr(media, "start_sec", None),
        end_sec=getattr(media, "end_sec", None),
    )
