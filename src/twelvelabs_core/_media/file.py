"""Opening a media input before anything is sent: its location, format, length and digest.

:func:`open_media` touches no network. It reads a file's header (an image is decoded, with Pillow present, so that a
broken one is found before it is paid for) and leaves the content where it is; :meth:`MediaFile.load` reads it when it
is sent. A file is opened, measured and digested once, whichever part of the package asks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from .._errors import InvalidInputError
from .._inputs import Audio, Media, Video, describe, is_url
from .._models import Kind, MediaLimit, Model
from .._places import unsigned_url
from . import images
from .checks import check_bytes, check_duration, check_frame, format_error
from .formats import MIME, detect_format
from .kinds import HEAD_BYTES, local_path
from .probe import Probe, probe

_READ_BYTES = 1 << 20
_SUFFIX = {"jpeg": "jpg", "matroska": "mkv"}

# Pages about media, not media: the API refuses them, and says so only after the request (API page, "direct links").
_HOSTING_PAGES = re.compile(
    r"(^|\.)(youtube\.com|youtu\.be|vimeo\.com|tiktok\.com|dailymotion\.com|drive\.google\.com|dropbox\.com|onedrive\.live\.com|1drv\.ms)$"
)


@dataclass(eq=False)
class MediaFile:
    """One opened media input.

    Attributes:
        media: what the caller gave.
        label: the caller's name for it (``uris[0] 'cat.jpg'``), for messages.
        filename: name sent to the server with a file part.
        mime: MIME type of what :meth:`load` returns (unknown for a URL).
        url: set when the server is to fetch it; then nothing is read here.
        path, data, image: where the content is otherwise; ``image`` is a PIL image.
        convert: the content is an image in a format the API does not take.
        size: bytes; None for a URL or a PIL image.
        measured: length and frame size; empty where unknown.
    """

    media: Media
    label: str
    filename: str = ""
    mime: str = "application/octet-stream"
    url: str | None = field(default=None, repr=False)  # it may be signed
    path: Path | None = None
    data: bytes | None = None
    image: Any = None
    convert: bool = False
    size: int | None = None
    measured: Probe = field(default_factory=Probe)
    _opened_as: tuple[int, int] | None = None

    @property
    def content(self) -> bytes | Path:
        """The bytes or the path of a file that is neither a URL nor a PIL image."""
        content = self.data if self.data is not None else self.path
        assert content is not None
        return content

    @property
    def kind(self) -> Kind:
        """``image``, ``audio``, ``video`` or ``document``."""
        return self.media.kind

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

    @cached_property
    def digest(self) -> bytes:
        """BLAKE2b of the content, 20 bytes. Reads the file. Of a URL, of its address without signature: changes behind
        a URL are not seen.

        Raises:
            InvalidInputError: the file cannot be read, or has changed since it was opened.
        """
        found = hashlib.blake2b(digest_size=20)
        if self.url is not None:
            found.update(b"url" + unsigned_url(self.url).encode())
        elif self.image is not None:
            found.update(f"{self.image.mode}{self.image.size}".encode())
            found.update(self.image.tobytes())
        elif self.data is not None:
            found.update(self.data)
        else:
            self._read(lambda file: _update_from(found, file))
        return found.digest()

    @property
    def content_digest(self) -> str:
        """:attr:`digest` as hexadecimal text. Reads the file."""
        return self.digest.hex()

    def load(self) -> bytes:
        """The bytes to send. Reads the file and may convert an image: call it off the event loop.

        Raises:
            InvalidInputError: the file cannot be read, or has changed since it was opened.
        """
        if self.image is not None:
            return images.encode(self.image)
        raw = self.data if self.data is not None else self._read(lambda file: file.read())
        return images.convert(raw, self.label) if self.convert else raw

    def check_unchanged(self) -> None:
        """Refuse a file that another program has changed since it was opened: its digest would not be its content's.

        Raises:
            InvalidInputError: its size or time of change differs, or it is gone.
        """
        if self.path is None:
            return
        try:
            now = self.path.stat()
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error
        if (now.st_size, now.st_mtime_ns) != self._opened_as:
            raise InvalidInputError("has changed while it was being embedded. Embed it again.", item=self.label)

    def _read(self, read: Callable[[Any], Any]) -> Any:
        assert self.path is not None
        try:
            with self.path.open("rb") as file:
                content = read(file)
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error
        self.check_unchanged()
        return content

    def _head(self) -> bytes:
        if self.data is not None:
            return self.data[:HEAD_BYTES]
        head: bytes = self._read(lambda file: file.read(HEAD_BYTES))
        return head


def _update_from(found: hashlib.blake2b, file: Any) -> None:
    while block := file.read(_READ_BYTES):
        found.update(block)


def open_media(media: Media, model: Model, label: str, *, may_task: bool = False) -> MediaFile:
    """Find the content of ``media`` and check it against what ``model`` takes.

    Args:
        may_task: a task may embed it, which takes larger and longer files.

    Raises:
        InvalidInputError: it is missing, empty, unreadable, of a wrong format, size or length. ``item`` names it.
    """
    limit = model.limit(media.kind, may_task=may_task)
    file = locate(media, label)
    if file.url is not None:
        return file
    if limit is None:
        file.filename = file.filename or media.kind
    elif media.kind == "image":
        _open_image(file, limit)
    else:
        _open_file(file, limit)
        check_duration(file.label, media, file.measured.duration_sec, *_length_limit(file, model, limit, may_task))
        check_frame(file.label, file.measured.width, file.measured.height, limit)
    return file


def _length_limit(file: MediaFile, model: Model, limit: MediaLimit, may_task: bool) -> tuple[MediaLimit, str]:
    """The limit on length that applies, and its name for messages. A file short enough for one request need not keep to
    the shortest length of a task.
    """
    request = model.media.get(file.kind)
    if not may_task or file.kind not in model.task_media:
        return limit, "one request"
    short = request is not None and (file.measured.duration_sec or 0.0) <= (request.max_sec or 0.0)
    return (request, "one request") if short and request is not None else (limit, "a task")


# -- location ------------------------------------------------------------------------------------------------------


def locate(media: Media, label: str = "") -> MediaFile:
    """Find where the content of ``media`` is; nothing is checked but that it is there.

    Raises:
        InvalidInputError: it is missing or empty, or ``source`` has a type that cannot be read.
    """
    source = media.source
    name = describe(source)
    file = MediaFile(media, label if name in label else f"{label} {name}".strip(), media.filename or "")
    try:
        _find(file, source)
    except (ValueError, RuntimeError, TypeError) as error:  # of urlsplit, expanduser, a closed file, a path with NUL
        raise InvalidInputError(f"cannot be used: {error}.", item=file.label) from error
    return file


def _find(file: MediaFile, source: Any) -> None:
    if isinstance(source, str):
        _find_by_scheme(file, source)
    elif isinstance(source, os.PathLike):
        _use_path(file, Path(os.fsdecode(source)))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        _use_data(file, bytes(source))
    elif hasattr(source, "read"):
        _use_data(file, _read_file_object(source, file.label))
    elif file.kind == "image" and hasattr(source, "getbands") and hasattr(source, "save"):
        file.image = source
    else:
        article = "an" if file.kind[0] in "aeiou" else "a"
        pil = " or PIL image" if file.kind == "image" else ""
        raise InvalidInputError(
            f"cannot be read as {article} {file.kind}: expected a path, URL, data URI, bytes or binary file "
            f"object{pil}, got {describe(source)}.",
            item=file.label,
        )


def _find_by_scheme(file: MediaFile, source: str) -> None:
    scheme = source.partition(":")[0].lower()
    if is_url(source):
        _use_url(file, source)
    elif scheme == "data" and "," in source:
        _use_data(file, _decode_data_uri(source, file.label))
    elif not source:
        raise InvalidInputError("is an empty string; expected a path, URL or data URI.", item=file.label)
    else:
        _use_path(file, local_path(source) or Path(source))


def _use_url(file: MediaFile, url: str) -> None:
    parts = urlsplit(url)
    if _HOSTING_PAGES.search((parts.hostname or "").lower()):
        raise InvalidInputError(
            f"{parts.hostname} serves a page about the media, not the file; the API needs a direct link. "
            "Download the file and pass its path.",
            item=file.label,
        )
    file.url, file.filename = url, file.filename or Path(parts.path).name


def _use_path(file: MediaFile, path: Path) -> None:
    try:
        if path.is_dir():
            raise InvalidInputError("is a directory; pass the files in it.", item=file.label)
        found = path.stat()
    except FileNotFoundError:
        raise InvalidInputError(f"no such file (looked in {Path.cwd()}).", item=file.label) from None
    except (OSError, ValueError) as error:
        # ENAMETOOLONG and NUL bytes: usually text, or base64, where a path is meant.
        why = getattr(error, "strerror", None) or error  # an OSError's own message repeats the path
        raise InvalidInputError(f"is not a usable path: {why}.", item=file.label) from error
    if found.st_size == 0:
        raise InvalidInputError("is an empty file.", item=file.label)
    file.path, file.size, file.filename = path, found.st_size, file.filename or path.name
    file._opened_as = (found.st_size, found.st_mtime_ns)


def _use_data(file: MediaFile, data: bytes) -> None:
    if not data:
        raise InvalidInputError("has no content (0 bytes).", item=file.label)
    file.data, file.size = data, len(data)


def _decode_data_uri(uri: str, label: str) -> bytes:
    header, _, payload = uri.partition(",")
    if not header.endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return base64.b64decode(b"".join(unquote_to_bytes(payload).split()), validate=True)
    except binascii.Error as error:
        raise InvalidInputError(f"contains broken base64: {error}.", item=label) from error


def _read_file_object(source: Any, label: str) -> bytes:
    if hasattr(source, "seekable") and source.seekable():
        source.seek(0)  # the frameworks pass BytesIO objects that were just written or read
    content = source.read()
    if not isinstance(content, bytes):
        raise InvalidInputError('is a text file object; open it in binary mode ("rb").', item=label)
    return content


# -- format and size -----------------------------------------------------------------------------------------------


def _open_image(file: MediaFile, limit: MediaLimit) -> None:
    if file.image is not None:
        width, height = file.image.size
        check_frame(file.label, width, height, limit)
        file.mime, file.filename = MIME["png"], file.filename or "image.png"
        return
    found = detect_format(file._head())
    if found not in limit.formats:
        if found not in images.CONVERTIBLE:
            raise format_error(file.label, file.kind, found, limit)
        if not images.has_pillow():
            raise InvalidInputError(
                f"is {found.upper()}; the API takes {', '.join(sorted(f.upper() for f in limit.formats))}. Install "
                "twelvelabs-embeddings[media] and it is converted for you.",
                item=file.label,
            )
        file.convert, found = True, "png"
    if images.has_pillow():
        width, height = images.image_size(file.content, file.label)
        check_frame(file.label, width, height, limit)
    if not file.convert:
        check_bytes(file.label, file.kind, file.size, limit)
    _name(file, found)


def _open_file(file: MediaFile, limit: MediaLimit) -> None:
    head = file._head()
    found = detect_format(head)
    if file.kind == "document":
        found = found or _text_format(file.filename, head)
    else:
        file.measured = probe(file.content, is_wav=found == "wav")
    if limit.formats:
        accepted = found in limit.formats
    else:  # any container FFmpeg reads; PyAV knows those that the first bytes do not tell
        accepted = MIME[found].startswith(f"{file.kind}/") if found else file.measured.has_video
    if not accepted:
        raise format_error(file.label, file.kind, found, limit)
    check_bytes(file.label, file.kind, file.size, limit)
    _name(file, found)


def _text_format(filename: str, head: bytes) -> str | None:
    """``md`` or ``txt`` for what looks like text; None for binary and office files."""
    if b"\x00" in head or head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return None
    return "md" if Path(filename).suffix.lower() in (".md", ".markdown") else "txt"


def _name(file: MediaFile, found: str | None) -> None:
    if found is None:
        file.filename = file.filename or file.kind
        return
    name = file.filename or f"{file.kind}.{_SUFFIX.get(found, found)}"
    file.filename = Path(name).stem + ".png" if file.convert else name
    file.mime = MIME[found]
