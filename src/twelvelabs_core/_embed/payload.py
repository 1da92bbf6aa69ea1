"""Makes the payload of a request from a file."""

from __future__ import annotations

from .._api.requests import MediaPayload
from .._media.file import MediaFile


def payload_of(file: MediaFile, *, asset_id: str | None = None, stream: bool = False) -> MediaPayload:
    """The payload for a file. Reads and converts the file, unless the payload is a URL, an asset or a path to stream.

    Args:
        asset_id: of the uploaded file; None = it is not uploaded.
        stream: the request can stream the file from its path.

    Raises:
        InvalidInputError: it cannot be read, or has changed since it was opened.
    """
    media = file.media
    streamed = file.path if stream and not file.convert else None
    unread = file.url is not None or asset_id is not None or streamed is not None
    return MediaPayload(
        file.kind,
        url=file.url,
        asset_id=asset_id,
        data=b"" if unread else file.load(),
        path=streamed,
        filename=file.filename,
        mime=file.mime,
        name=media.name,
        start_sec=getattr(media, "start_sec", None),
        end_sec=getattr(media, "end_sec", None),
    )
