"""Files of equal content in one load."""

from __future__ import annotations

import os
from typing import Any

from twelvelabs_core import InvalidInputError, Media
from twelvelabs_core.adapter import content_digest, local_path, unsigned_url

from .sources import Found


class Duplicates:
    """Finds files of equal content. Reads a file only if an earlier one has the same size."""

    def __init__(self) -> None:
        self._by_size: dict[tuple[Any, ...], list[tuple[Found, str | None]]] = {}

    def earlier(self, found: Found) -> tuple[str | None, list[Found]]:
        """The digest of a file's content, and the files asked about before that have the same, in their order.

        A file that cannot be read, or is a stream, has no digest and is never found. May read the disk.
        """
        media = found.media
        size = None if media is None else _size_or_url(media)
        if media is None or size is None:
            return None, []
        key = (media.kind, size, getattr(media, "start_sec", None), getattr(media, "end_sec", None))
        seen = self._by_size.setdefault(key, [])
        if not seen:
            seen.append((found, None))
            return None, []
        new = _digest(media)
        seen[:] = [(other, digest or _digest(other.media)) for other, digest in seen]
        equal = [other for other, digest in seen if new is not None and digest == new]
        seen.append((found, new))
        return new, equal


def _size_or_url(media: Media) -> int | str | None:
    """Size in bytes; of media elsewhere the URL, which stands for the content; None if unknown."""
    source: Any = media.source
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


def _digest(media: Media | None) -> str | None:
    try:
        return None if media is None else content_digest(media)
    except InvalidInputError:
        return None
