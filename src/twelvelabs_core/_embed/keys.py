"""Cache keys: equal if, and only if, the same request would be sent to the same model of the same service."""

from __future__ import annotations

import hashlib
from typing import Any

from .._config import PUBLIC_BASE_URL
from .._inputs import Audio, Composed, Item, Video
from .._media.file import MediaFile

__all__ = ["content_digest", "digest", "key_prefix"]

_SEPARATOR = b"\x1f"


def key_prefix(space: str, api_version: str, base_url: str) -> bytes:
    """The part all keys of a client share. Another address is another service: an emulator's vectors must never answer
    for the real one's.
    """
    service = "" if base_url == PUBLIC_BASE_URL else base_url
    return _SEPARATOR.join(part.encode() for part in ("1", space, api_version, service))


def digest(prefix: bytes, item: Item, sources: tuple[MediaFile, ...] = (), options: str = "") -> str:
    """The key of one item. Reads media files; call it off the event loop for those.

    Args:
        sources: the item's media, inspected.
        options: what else changes the vector, for example how a text is cut.
    """
    found = hashlib.blake2b(prefix, digest_size=20)
    if isinstance(item, str):
        _add(found, "text", options, item)
    elif isinstance(item, Composed):
        _add(found, "composed", options, "" if item.text is None else f"={item.text}")
    for source in sources:
        media = source.media
        part = (media.start_sec, media.end_sec) if isinstance(media, (Audio, Video)) else None
        _add(found, media.kind, media.name or "", repr(part))
        found.update(_content(source))
    return found.hexdigest()


def _add(found: Any, *parts: str) -> None:
    """With their lengths, so that no two sequences of parts read alike."""
    lengths = ",".join([str(len(part)) for part in parts])
    found.update("\x1f".join((lengths, *parts)).encode("utf-8", "surrogatepass"))


def content_digest(source: MediaFile) -> str:
    """Of what a file holds (a URL: of the address), whatever it is called. Reads the file."""
    return _content(source).hex()


def _content(source: MediaFile) -> bytes:
    """A digest of what the media holds. A URL stands for its content: what changes under an address is not seen."""
    found = hashlib.blake2b(digest_size=20)
    if source.url is not None:
        found.update(b"url" + source.url.encode())
    elif source.picture is not None:
        found.update(f"{source.picture.mode}{source.picture.size}".encode())
        found.update(source.picture.tobytes())
    elif source.data is not None:
        found.update(source.data)
    else:
        assert source.path is not None
        with source.path.open("rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.digest()
