"""Makes the payload of a request from a file."""

from __future__ import annotations

from .._api.names import safe_name
from .._api.requests import MediaPayload
from .._media.file import MediaFile
from .._media.streamed import StreamedFile


def payload_of(
    file: MediaFile, *, asset_id: str | None = None, stream: StreamedFile | None = None, filename: str = ""
) -> MediaPayload:
    """The payload for a file. Reads and converts the file, unless the payload is a URL, an asset or streamed.

    Args:
        asset_id: of the uploaded file; None = it is not uploaded.
        stream: what streams the file; None = it is held in the payload.
        filename: name sent with it; empty = its own.

    Raises:
        InvalidInputError: it cannot be read, or has changed since it was opened.
    """
    media = file.media
    unread = file.url is not None or asset_id is not None or stream is not None
    return MediaPayload(
        file.kind,
        url=file.url,
        asset_id=asset_id,
        data=b"" if unread else file.load(),
        stream=stream,
        filename=filename or safe_name(file.filename),
        mime=file.mime,
        name=media.name,
        start_sec=getattr(media, "start_sec", None),
        end_sec=getattr(media, "end_sec", None),
    )
