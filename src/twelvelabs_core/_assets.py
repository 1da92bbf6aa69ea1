"""Files that were uploaded to the service, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ._errors import InvalidInputError
from ._models import Kind

SCHEME = "asset://"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True)
class Asset:
    """A file that was uploaded to TwelveLabs: a source for :class:`Image`, :class:`Audio`, :class:`Video`,
    :class:`Document`, as a path or URL is.

    .. code-block:: python

        Video(client.upload("beach.mp4"))            # uploaded now
        Video(Asset("6298d673f1090f1100476d4c"))     # uploaded elsewhere
        Video("asset://6298d673f1090f1100476d4c")    # the same, where only a text fits

    Its content cannot change, so its id stands for it in cache keys and rows. Two are equal if their ids are. All else
    is known of assets from ``client.upload``, ``client.asset`` and ``client.assets``.

    Attributes:
        id: the service's id of it.
        status: ``processing``, ``ready`` or ``failed``; None = not known. An asset is waited for before it is used.
        filename: its name, without the part that tells this package's uploads apart.
        mime: its type, such as ``video/mp4``.
        size: bytes.
        duration_sec: length of audio or video, in seconds.
        created_at: when the upload began (aware datetime, UTC).
        error: why the service could not process it.
        content_digest: of the file, if this client has uploaded it: then its cache entries and rows' content ids are
            those of the file itself.

    Raises:
        InvalidInputError: the id is not one.
    """

    id: str
    status: str | None = field(default=None, compare=False)
    filename: str | None = field(default=None, compare=False)
    mime: str | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)
    duration_sec: float | None = field(default=None, compare=False)
    created_at: datetime | None = field(default=None, compare=False)
    error: str | None = field(default=None, compare=False)
    content_digest: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise InvalidInputError(f"{self.id!r:.60} is not the id of an asset, such as '6298d673f1090f1100476d4c'.")

    @property
    def kind(self) -> Kind | None:
        """``image``, ``audio``, ``video`` or ``document``; None if its type is not known."""
        main = (self.mime or "").partition("/")[0]
        if main in ("image", "audio", "video"):
            return main  # type: ignore[return-value]  # one of them
        return "document" if main == "text" or self.mime == "application/pdf" else None

    @property
    def uri(self) -> str:
        """``asset://`` and its id: a source as text, and the ``source`` of its rows."""
        return SCHEME + self.id

    def __str__(self) -> str:
        return f"asset {self.id}" + (f" {self.filename!r}" if self.filename else "")


def asset_of(source: object) -> Asset | None:
    """The asset that a source is or, as a text, names; None if it is something else.

    Raises:
        InvalidInputError: a text names none.
    """
    if isinstance(source, Asset):
        return source
    if isinstance(source, str) and source.startswith(SCHEME):
        return Asset(source.removeprefix(SCHEME))
    return None


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is.

    Attributes:
        status: ``uploading``; ``processing`` = all of it was sent, and the service reads it; ``ready``.
        sent_bytes, total_bytes: of the file. What an earlier run has sent counts as sent.
        parts, total_parts: sent, and all; a file up to 200 MB is one part.
    """

    status: Literal["uploading", "processing", "ready"]
    sent_bytes: int
    total_bytes: int
    parts: int
    total_parts: int

    @property
    def percent(self) -> float:
        """Of the bytes, 0 to 100."""
        return 100.0 * self.sent_bytes / self.total_bytes if self.total_bytes else 100.0
