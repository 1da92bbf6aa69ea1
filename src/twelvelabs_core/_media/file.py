"""Opening a media input before anything is sent: its location, format, length and digest.

:func:`open_media` touches no network. It reads a file's header (and looks whether an image is whole, with Pillow, so a
truncated one is found before it is paid for) and leaves the content where it is: :meth:`MediaFile.sent` reads it when
it is sent. A file is opened, measured and digested once, whichever part of the package asks.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from .._assets import asset_of
from .._errors import InvalidInputError, TwelveLabsError
from .._inputs import Media, describe, is_url
from .._models import MediaLimit, Model
from . import images
from .checks import check_bytes, check_duration, check_frame, format_error
from .formats import MIME, detect_format
from .kinds import check_no_page, local_path, not_there
from .opened import SUFFIX, MediaFile
from .probe import probe

__all__ = ["MediaFile", "locate", "open_media"]

_LIKE_AN_ID = re.compile(r"[0-9a-f]{24}")


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
    if file.asset is not None:  # the server has checked it
        if limit is not None:
            seconds = file.measured.duration_sec
            check_duration(file.label, media, seconds, *_length_limit(file, model, limit, may_task))
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
    except TwelveLabsError:
        raise
    except Exception as error:  # of urlsplit, expanduser, a path with NUL; and a file object raises what it likes
        raise InvalidInputError(f"cannot be used: {str(error) or type(error).__name__}.", item=file.label) from error
    return file


def _find(file: MediaFile, source: Any) -> None:
    asset = asset_of(source)
    if asset is not None:
        file.use_asset(asset)
    elif isinstance(source, str):
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
    url.encode()  # broken Unicode (half of a surrogate pair) can be neither sent nor digested
    check_no_page(url, file.label)
    file.url, file.filename = url, file.filename or Path(parts.path).name


def _use_path(file: MediaFile, path: Path) -> None:
    try:
        if path.is_dir():
            raise InvalidInputError("is a directory; pass the files in it.", item=file.label)
        found = path.stat()
    except FileNotFoundError:
        hint = f" If it is the id of an asset: Asset({path.name!r})." if _LIKE_AN_ID.fullmatch(str(path)) else ""
        raise InvalidInputError(f"{not_there(path)}.{hint}", item=file.label) from None
    except (OSError, ValueError) as error:
        # ENAMETOOLONG and NUL bytes: usually text, or base64, where a path is meant.
        why = getattr(error, "strerror", None) or error  # an OSError's own message repeats the path
        raise InvalidInputError(f"is not a usable path: {why}.", item=file.label) from error
    if found.st_size == 0:
        raise InvalidInputError("is an empty file.", item=file.label)
    file.path, file.size, file.filename = path, found.st_size, file.filename or path.name
    file.opened_as = found


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
    end = 0
    if hasattr(source, "seekable") and source.seekable():
        end = source.seek(0, os.SEEK_END)
        source.seek(0)  # the frameworks pass BytesIO objects that were just written or read
    content = source.read()
    if isinstance(content, str):
        raise InvalidInputError('is a text file object; open it in binary mode ("rb").', item=label)
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise InvalidInputError(f"is a file object whose read() returned {describe(content)}, not bytes.", item=label)
    if isinstance(end, int) and len(content) < end:
        raise InvalidInputError(
            f"is a file object whose read() returned {len(content)} of its {end} bytes. Pass its bytes.", item=label
        )
    return bytes(content)


# -- format and size -----------------------------------------------------------------------------------------------


def _open_image(file: MediaFile, limit: MediaLimit) -> None:
    if file.image is not None:
        width, height = images.load_image(file.image, file.label)
        check_frame(file.label, width, height, limit)
        file.pixels = width * height
        file.mime, file.filename = MIME["png"], file.filename or "image.png"
        return
    found = detect_format(file.head())
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
        width, height, file.turned = images.check_image(file.content, file.label)
        check_frame(file.label, width, height, limit)
        file.pixels = width * height
        if file.turned and not file.convert:
            file.convert, found = True, "png"
    if not file.convert:
        check_bytes(file.label, file.kind, file.size, limit)
    _name(file, found)


def _open_file(file: MediaFile, limit: MediaLimit) -> None:
    head = file.head()
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
    name = file.filename or f"{file.kind}.{SUFFIX.get(found, found)}"
    file.filename = Path(name).stem + ".png" if file.convert else name
    file.mime = MIME[found]
