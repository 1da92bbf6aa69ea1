"""Cache keys: equal if, and only if, the same request would be sent to the same model of the same service."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from .._config import PUBLIC_BASE_URL
from .._inputs import Audio, Composed, Item, Video
from .._media.file import MediaFile

_SEPARATOR = b"\x1f"


def key_prefix(space: str, api_version: str, base_url: str) -> bytes:
    """The part all keys of a client share.

    Another address is another service: vectors of an emulator must never be returned for the real service's.
    """
    service = "" if base_url == PUBLIC_BASE_URL else base_url
    return _SEPARATOR.join(part.encode() for part in ("1", space, api_version, service))


def reference_prefix(space: str, base_url: str) -> str:
    """The part that the keys of all vectors kept by id share, for one vector space at one address."""
    service = ""
    if base_url != PUBLIC_BASE_URL:
        service = hashlib.blake2b(base_url.encode(), digest_size=6).hexdigest() + "/"
    return f"{space}/reference/{service}"


def item_key(
    prefix: bytes, item: Item, files: tuple[MediaFile, ...] = (), options: str = "", *, by_size: bool = False
) -> str:
    """The key of one item. Reads media files that have no digest yet; call it off the event loop for those.

    Args:
        files: the item's media, opened.
        options: whatever else changes the vector, for example how a text is cut; empty = nothing.
        by_size: with the files' sizes instead of their digests. It reads nothing, and is no key of a cache: it only
            differs where the key differs too.
    """
    if isinstance(item, str) and not files:
        return text_key(prefix, item, options)
    found = hashlib.blake2b(prefix, digest_size=20)
    if isinstance(item, str):
        _add(found, "text", options, item)
    elif isinstance(item, Composed):
        _add(found, "composed", options, "" if item.text is None else f"={item.text}")
    elif options:
        _add(found, "options", options)
    for file in files:
        media = file.media
        part = (media.start_sec, media.end_sec) if isinstance(media, (Audio, Video)) else None
        _add(found, media.kind, media.name or "", repr(part))
        found.update(f"size {file.size} {file.pixels}".encode() if by_size and file.is_here else file.digest)
    return found.hexdigest()


def text_key(prefix: bytes, text: str, options: str = "") -> str:
    """:func:`item_key` of a text."""
    parts = f"4,{len(options)},{len(text)}\x1ftext\x1f{options}\x1f{text}"
    return hashlib.blake2b(prefix + parts.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def pieces_key(prefix: bytes, pieces: Sequence[str], weights: Sequence[float]) -> str:
    """The key of a text that was cut or divided before it was sent: of the pieces themselves, however they were found.

    Args:
        weights: of the pieces in the mean of their vectors.
    """
    found = hashlib.blake2b(prefix, digest_size=20)
    _add(found, "pieces", repr(tuple(weights)), *pieces)
    return found.hexdigest()


def _add(found: Any, *parts: str) -> None:
    """Add parts with their lengths, so that no two sequences of parts give the same digest."""
    lengths = ",".join([str(len(part)) for part in parts])
    found.update("\x1f".join((lengths, *parts)).encode("utf-8", "surrogatepass"))
