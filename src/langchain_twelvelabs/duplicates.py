"""Files of equal content in one load."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from twelvelabs_core import InvalidInputError, Media
from twelvelabs_core.adapter import asset_of, content_digest, local_path, unsigned_url

from .sources import Found


@dataclass
class Seen:
    """A file that was asked about.

    Attributes:
        number, label, id_name: of its :class:`~.sources.Found`.
        media: to digest when another file has the same size; None if it has been.
        digest: None if it has not been digested, or cannot be read.
    """

    number: int
    label: str
    id_name: str | None
    media: Media | None
    digest: str | None = None

    def read(self) -> str | None:
        """The digest of the content."""
        if self.media is not None:
            self.digest, self.media = _digest(self.media), None
        return self.digest


class Duplicates:
    """Finds files of equal content. Reads a file only if an earlier one has the same size; holds no content."""

    def __init__(self) -> None:
        self._by_size: dict[tuple[Any, ...], list[Seen]] = {}

    def earlier(self, found: Found) -> tuple[str | None, list[Seen]]:
        """The digest of a file's content, and the files asked about before that have the same, in their order.

        A file that cannot be read, or is a stream, has no digest and is never found. May read the disk.
        """
        media = found.media
        size = None if media is None else _size_or_url(media)
        if media is None or size is None:
            return None, []
        key = (media.kind, size, getattr(media, "start_sec", None), getattr(media, "end_sec", None))
        before = self._by_size.setdefault(key, [])
        new = Seen(found.number, found.label, found.id_name, media)
        if before or not isinstance(media.source, (str, os.PathLike)):
            new.read()  # content in memory, too: else it would be held as long as the load takes
        equal = [other for other in before if new.digest is not None and other.read() == new.digest]
        before.append(new)
        return new.digest, equal


def _size_or_url(media: Media) -> int | str | None:
    """Size in bytes; of media elsewhere the URL or asset, which stands for the content; None if unknown."""
    source: Any = media.source
    asset = asset_of(source)
    if asset is not None:
        return asset.uri
    if isinstance(source, (bytes, bytearray, memoryview)):
        return len(source)
    if not isinstance(source, (str, os.PathLike)):
        return None
    path = local_path(os.fspath(source))
    if path is None:
        return unsigned_url(str(source))
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None


def _digest(media: Media) -> str | None:
    try:
        return content_digest(media)
    except InvalidInputError:
        return None
