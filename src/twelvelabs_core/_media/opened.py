"""An opened media file: what is known of it, its digest, and its content as it is sent."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._assets import Asset
from .._errors import InvalidInputError
from .._inputs import Audio, Media, Video
from .._models import Kind
from .._places import unsigned_url
from . import images
from .formats import MIME
from .kinds import HEAD_BYTES
from .probe import Probe
from .streamed import HeldContent, MadeContent, StreamedFile, changed_error

_READ_BYTES = 1 << 20
BYTES_PER_PIXEL = 4  # of a decoded image, at most but for rare modes
_PLAIN_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")
SUFFIX = {"jpeg": "jpg", "matroska": "mkv"}
"""Format -> suffix, where they differ."""


@dataclass(eq=False)
class MediaFile:
    """One opened media input.

    Attributes:
        media: what the caller gave.
        label: the caller's name for it (``uris[0] 'cat.jpg'``), for messages.
        filename: name sent to the server with a file part.
        mime: MIME type of what :meth:`load` returns (unknown for a URL).
        url: set when the server is to fetch it; then nothing is read here.
        asset: set when the server has it; likewise.
        path, data, image: where the content is otherwise; ``image`` is a PIL image.
        convert: the content is an image in a format the API does not take, or one that its EXIF tag turns.
        turned: its EXIF tag turns it. Whether the API does as the tag says is open, so it is turned before it is sent.
        size: bytes; None for a URL or a PIL image.
        measured: length and frame size; empty where unknown.
        opened_as: what the file system said of it when it was opened.
        pixels: of an image that was decoded, 0 of others.
        keeps_digest: what is sent is digested for a later use (a cache key, a row); False = nothing uses its digest.
    """

    media: Media
    label: str
    filename: str = ""
    mime: str = "application/octet-stream"
    url: str | None = field(default=None, repr=False)  # it may be signed
    asset: Asset | None = None
    path: Path | None = None
    data: bytes | None = None
    image: Any = None
    convert: bool = False
    turned: bool = False
    size: int | None = None
    measured: Probe = field(default_factory=Probe)
    opened_as: os.stat_result | None = None
    pixels: int = 0
    keeps_digest: bool = True

    @property
    def is_here(self) -> bool:
        """Whether its content is read on this machine."""
        return self.url is None and self.asset is None

    @property
    def content(self) -> bytes | Path:
        """The bytes or the path of a file that is here and no PIL image."""
        content = self.data if self.data is not None else self.path
        assert content is not None
        return content

    @property
    def kind(self) -> Kind:
        """``image``, ``audio``, ``video`` or ``document``."""
        return self.media.kind

    @property
    def suffix(self) -> str:
        """A suffix, with its dot, for the name it is sent under: its own, if that is a plain one; else its format's. A
        document has its format's: the API compares the two.
        """
        own = Path(self.filename).suffix
        if self.kind != "document" and _PLAIN_SUFFIX.fullmatch(own):
            return own
        found = next((name for name, mime in MIME.items() if mime == self.mime), None)
        return f".{SUFFIX.get(found, found)}" if found else ""

    @property
    def is_text(self) -> bool:
        """Whether it is a text document (``.txt``, ``.md``), not a PDF."""
        return self.mime in ("text/plain", "text/markdown")

    @property
    def has_range(self) -> bool:
        """Whether only a part of it, by time, is to be embedded."""
        media = self.media
        return isinstance(media, (Audio, Video)) and (media.start_sec is not None or media.end_sec is not None)

    @property
    def range_sec(self) -> float | None:
        """Seconds to embed; None if the length is unknown."""
        whole, media = self.measured.duration_sec, self.media
        if whole is None or not isinstance(media, (Audio, Video)):
            return whole
        return max(0.0, min(whole, media.end_sec or whole) - (media.start_sec or 0.0))

    def use_asset(self, asset: Asset) -> None:
        """Have its content be that of an asset, of which this may be known more than before."""
        self.asset = asset
        self.filename = self.filename or asset.filename or asset.id
        self.mime = asset.mime or self.mime
        self.measured = replace(self.measured, duration_sec=asset.duration_sec)

    @property
    def digest(self) -> bytes:
        """BLAKE2b of what is sent, 20 bytes, for keys. Reads the file.

        Raises:
            InvalidInputError: the file cannot be read, or has changed since it was opened.
        """
        content = self._content_digest
        return hashlib.blake2b(b"turned" + content, digest_size=20).digest() if self.turned else content

    @property
    def content_digest(self) -> str:
        """BLAKE2b of the file's own content, 20 bytes as hexadecimal text; of a URL, of its address without signature,
        or of the caller's ``cache_key``: changes behind a URL are not seen; of an asset that was uploaded elsewhere, of
        its id. Reads the file.

        Raises:
            InvalidInputError: as for :attr:`digest`.
        """
        return self._content_digest.hex()

    @property
    def _content_digest(self) -> bytes:
        # Not a cached_property: up to Python 3.11 it holds one lock while any file is read, and a child that is forked
        # then waits for it for ever.
        found: bytes | None = self.__dict__.get("_digest")
        return self.__dict__.setdefault("_digest", self._read_digest()) if found is None else found

    def _read_digest(self) -> bytes:
        if self.image is not None:
            return images.digest_image(self.image, self.label)
        found = hashlib.blake2b(digest_size=20)
        if self.asset is not None:
            if self.asset.content_digest is not None:
                return bytes.fromhex(self.asset.content_digest)
            found.update(b"asset" + self.asset.id.encode())
        elif self.url is not None and self.media.cache_key is not None:
            found.update(b"cache_key" + self.media.cache_key.encode())
        elif self.url is not None:
            found.update(b"url" + unsigned_url(self.url).encode())
        elif self.data is not None:
            found.update(self.data)
        else:
            self._read(lambda file: _update_from(found, file))
        return found.digest()

    def load(self) -> bytes:
        """The bytes to send. Reads the file and may convert an image: call it off the event loop.

        What is read is digested too, so that a result is never kept under the digest of another content.

        Raises:
            InvalidInputError: the file cannot be read, or has changed since it was opened or digested.
        """
        if self.image is not None:
            encoded = images.encode(self.image, self.label)
            self._confirm(images.digest_image(self.image, self.label))
            return encoded
        if self.data is not None:
            raw = self.data
        else:
            raw = self._read(lambda file: file.read())
            self._confirm(hashlib.blake2b(raw, digest_size=20).digest())
        return images.convert(raw, self.label) if self.convert else raw

    def sent(self) -> StreamedFile | HeldContent | MadeContent:
        """What a request carries of it: read when it is sent, as :meth:`load` reads it, and digested as it goes.

        A file that has changed is refused before the last of it is sent, so that the server never has the whole of it.
        """
        if self.convert or self.image is not None:
            pixels = self.pixels * BYTES_PER_PIXEL
            return MadeContent(self.load, size=pixels, memory=2 * pixels + (self.size or 0))
        if self.data is not None:
            return HeldContent(self.data)
        assert self.path is not None and self.size is not None
        digested = self.keeps_digest or "_content_digest" in self.__dict__
        return StreamedFile(self.path, self.size, self.label, confirm=self._confirm_sent, digested=digested)

    def part(self, start: int, size: int) -> StreamedFile | HeldContent:
        """A range of its bytes, for an upload in parts. Whether the file has changed is for the caller to check."""
        if self.path is not None:
            return StreamedFile(self.path, size, self.label, start=start, digested=False)
        return HeldContent(memoryview(self.data or b"")[start : start + size])

    def _confirm_sent(self, digest: bytes | None) -> None:
        if digest is not None:
            self._confirm(digest)
        self.check_unchanged()

    def _confirm(self, digest: bytes) -> None:
        """Take the digest of what was sent for the file's own; refuse it if the file had another one before."""
        if self.__dict__.setdefault("_digest", digest) != digest:
            raise changed_error(self.label)

    def check_unchanged(self) -> None:
        """Refuse a file that another program has changed since it was opened: its digest would not be its content's.

        Raises:
            InvalidInputError: its size, its time of change or the file itself differs, or it is gone.
        """
        if self.path is None or self.opened_as is None:
            return
        try:
            now = self.path.stat()
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error
        if _identity(now) != _identity(self.opened_as):
            raise changed_error(self.label)
        if now.st_ctime_ns != self.opened_as.st_ctime_ns and "_digest" in self.__dict__:
            # Its content, or only its name, owner or attributes: the content decides.
            found = hashlib.blake2b(digest_size=20)
            self._read_unchecked(lambda file: _update_from(found, file))
            self._confirm(found.digest())
            self.opened_as = now

    def _read(self, read: Callable[[Any], Any]) -> Any:
        content = self._read_unchecked(read)
        self.check_unchanged()
        return content

    def _read_unchecked(self, read: Callable[[Any], Any]) -> Any:
        assert self.path is not None
        try:
            with self.path.open("rb") as file:
                return read(file)
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error

    def head(self) -> bytes:
        """Its first bytes, for :func:`.formats.detect_format`."""
        if self.data is not None:
            return self.data[:HEAD_BYTES]
        head: bytes = self._read(lambda file: file.read(HEAD_BYTES))
        return head


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev


def _update_from(found: hashlib.blake2b, file: Any) -> None:
    while block := file.read(_READ_BYTES):
        found.update(block)
