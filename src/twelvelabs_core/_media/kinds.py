"""The kind of a media file, by its suffix, MIME type or first bytes. All adapters use this table."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from .._assets import asset_of
from .._errors import InvalidInputError
from .._inputs import Audio, Document, Image, Media, Video, describe, file_name
from .._places import is_url
from .._places import local_path as local_path
from .formats import MIME, detect_format

MediaKind: TypeAlias = Literal["image", "audio", "video", "document"]

MEDIA_TYPES: Mapping[MediaKind, type[Media]] = {"image": Image, "audio": Audio, "video": Video, "document": Document}
"""Kind -> the class of :mod:`twelvelabs_core` for it."""

_SUFFIXES_BY_KIND: Mapping[MediaKind, str] = {
    "image": ".jpg .jpeg .png .webp .gif .bmp .tif .tiff .avif .heic",
    "audio": ".wav .mp3 .flac",
    "video": ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .wmv .flv .ts .mts .m2ts .3gp .ogv",
    "document": ".pdf .txt .md .markdown",
}
SUFFIXES: Mapping[str, MediaKind] = {
    suffix: kind for kind, suffixes in _SUFFIXES_BY_KIND.items() for suffix in suffixes.split()
}
"""Suffix (lower case, with its dot) -> kind: what the API takes, and the image formats that are converted for it."""

# Pages about media, not media: the API refuses them, and says so only after the request (API page, "direct links").
_HOSTING_PAGES = re.compile(
    r"(^|\.)(youtube\.com|youtu\.be|vimeo\.com|tiktok\.com|dailymotion\.com|drive\.google\.com|dropbox\.com|onedrive\.live\.com|1drv\.ms)$"
)
_DOCUMENT_MIME_TYPES = ("application/pdf", "text/plain", "text/markdown")
HEAD_BYTES = 32


def suffix_of(place: str) -> str:
    """The suffix of a path or URL in lower case: ``.mp4``; empty if it has none."""
    return PurePosixPath(file_name(place)).suffix.lower()


def kind_of(place: str, head: bytes = b"", suffixes: Mapping[str, MediaKind] = SUFFIXES) -> MediaKind | None:
    """The kind of a file by its suffix, else by its first bytes; None if both are unknown.

    Args:
        place: name, path or URL.
        head: the file's first 32 bytes; empty = unknown.
        suffixes: suffix -> kind.
    """
    known = suffixes.get(suffix_of(place))
    if known is not None:
        return known
    found = detect_format(head)
    return kind_of_mime(MIME[found]) if found else None


def is_source_code(path: Path) -> bool:
    """Whether a ``.ts`` or ``.mts`` file is TypeScript and not an MPEG transport stream, whose packets begin with 0x47.

    For folders, where files are selected by suffix. Reads the file's first bytes.
    """
    if path.suffix.lower() not in (".ts", ".mts"):
        return False
    head = head_of(path)
    return b"\x47" not in (head[:1], head[4:5])  # M2TS packets begin with a time code of four bytes


def kind_of_mime(mime: str) -> MediaKind | None:
    """The kind that a MIME type (``video/mp4``, ``text/plain; charset=utf-8``) names; None if it is no media."""
    mime = mime.partition(";")[0].strip().lower()
    if mime in _DOCUMENT_MIME_TYPES:
        return "document"
    main = mime.partition("/")[0]
    return next((kind for kind in MEDIA_TYPES if kind == main), None)


def check_no_page(url: str, label: str) -> None:
    """Refuse the address of a page of YouTube, Vimeo, Google Drive and the like, which is no address of a file.

    Raises:
        InvalidInputError: it is one.
    """
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:  # no address at all
        return
    if _HOSTING_PAGES.search(host):
        raise InvalidInputError(
            f"{host} serves a page about the media, not the file; the API needs a direct link. "
            "Download the file and pass its path.",
            item=label,
        )


def media_from(source: Any, suffixes: Mapping[str, MediaKind] = SUFFIXES) -> Media:
    """A path or URL as media of the kind of its suffix, or else of its content; media is returned as it is.

    Args:
        source: ``str``, ``os.PathLike``, :class:`Media`, or an :class:`Asset` of known type. The kind of anything else
            (bytes) is not guessed.
        suffixes: suffix -> kind.

    Raises:
        InvalidInputError: the kind is unknown; the message says how to name it.
    """
    if isinstance(source, Media):
        return source
    asset = asset_of(source)
    if asset is not None and asset.kind is not None:
        return MEDIA_TYPES[asset.kind](source)  # type: ignore[index]  # no text
    wrap = "wrap it: Video(...), Audio(...), Image(...) or Document(...)."
    if asset is not None or not isinstance(source, (str, os.PathLike)):
        raise InvalidInputError(f"{describe(source)} does not say what it holds; {wrap}")
    place = os.fspath(source)
    if is_url(place):
        check_no_page(place, describe(source))
    path = local_path(place)
    kind = kind_of(place, suffixes=suffixes)
    if kind is None and path is not None:
        kind = kind_of(place, head_of(path), suffixes)
    if kind is None:
        remedy = f"{wrap} Known suffixes: {' '.join(suffixes)}."
        raise InvalidInputError(_unknown(place, path, remedy), item=describe(source))
    return MEDIA_TYPES[kind](source)


def _unknown(place: str, path: Path | None, remedy: str) -> str:
    """Why the kind of a path or URL is unknown."""
    suffix = suffix_of(place)
    what = f"its suffix {suffix!r} does not say" if suffix else "it has no suffix that says"
    why = f"{what} what it holds; {remedy}"
    state = "file" if path is None else _state(path)
    if state == "folder":
        return "is a folder; pass the files in it."
    if path is not None and state == "missing":
        missing = not_there(path, "no such file or folder")
        return f"{missing}, and {why}" if suffix else f"{missing}."
    return why


def not_there(path: Path, what: str = "no such file") -> str:
    """Why nothing is found at a path, without a full stop: what a caller can do about it differs."""
    if path.is_symlink():
        return f"is a broken link, to {str(path.readlink())!r}"
    return what if path.is_absolute() else f"{what} (looked in {Path.cwd()})"


def _state(path: Path) -> Literal["file", "folder", "missing"]:
    try:
        return "folder" if path.is_dir() else "file" if path.exists() else "missing"
    except (OSError, ValueError):  # a name that is too long or holds a NUL
        return "file"


def head_of(path: Path) -> bytes:
    """The first 32 bytes of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""


def is_pdf(media: Media) -> bool:
    """Whether a document is a PDF: by its first bytes if they can be read here, else by its name."""
    source: Any = media.source
    asset = asset_of(source)
    if asset is not None and asset.mime is not None:
        return asset.mime == "application/pdf"
    if isinstance(source, (bytes, bytearray, memoryview)):
        return detect_format(bytes(source[:HEAD_BYTES])) == "pdf"
    place = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    path = None if place is None else local_path(place)
    head = b"" if path is None else head_of(path)
    if head:
        return detect_format(head) == "pdf"
    return suffix_of(place or media.filename or getattr(source, "name", None) or "") == ".pdf"
