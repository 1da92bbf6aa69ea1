"""A media input, looked at before anything is sent: where it is, what it really contains, whether the model takes it.

:func:`inspect` touches no network. It reads a file's first bytes (a picture is decoded, with Pillow present, so that
a broken one is found before it is paid for) and leaves the content where it is; :meth:`MediaFile.load` reads it when
its turn to be sent comes.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from .._errors import InvalidInputError
from .._inputs import Media, describe
from .._models import MediaLimit, Model
from .formats import MIME, detect_format

__all__ = ["MediaFile", "inspect"]

LARGEST_PNG = 32_000_000  # what the API takes of a picture
_SUFFIX = {"jpeg": "jpg", "matroska": "mkv"}
_CONVERTIBLE = frozenset({"webp", "gif", "bmp", "tiff", "avif", "heic"})

# Pages about media, not media: the API refuses them, and says so only after the request (API page, "direct links").
_HOSTING_PAGES = re.compile(
    r"(^|\.)(youtube\.com|youtu\.be|vimeo\.com|tiktok\.com|dailymotion\.com|drive\.google\.com|dropbox\.com|onedrive\.live\.com|1drv\.ms)$"
)


@dataclass(frozen=True)
class MediaFile:
    """A media input that passed inspection.

    Attributes:
        media: what the caller gave.
        label: what the caller would call it (``uris[0] 'cat.jpg'``), for messages.
        filename: told to the server with a file part.
        mime: MIME type of what :meth:`load` returns (unknown for a URL).
        url: set when the server is to fetch it; then nothing is loaded here.
        path / data / picture: where the content is otherwise; ``picture`` is a PIL image.
        convert: the content is a picture in a format the API does not take.
        seconds: length of the part to embed, once it was probed; None = unknown.
        size: bytes, None when unknown before conversion or for a URL.
    """

    media: Media
    label: str
    filename: str
    mime: str = "application/octet-stream"
    url: str | None = None
    path: Path | None = None
    data: bytes | None = None
    picture: Any = None
    convert: bool = False
    size: int | None = None
    seconds: float | None = None

    def load(self) -> bytes:
        """The bytes to send. Reads the disk and may convert a picture: call it off the event loop."""
        if self.picture is not None:
            return _encode_picture(self.picture)
        raw = self.data if self.data is not None else self._read()
        return _encode_picture(_open_picture(raw, self.label)) if self.convert else raw

    def _read(self) -> bytes:
        assert self.path is not None
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error


def inspect(media: Media, model: Model, label: str, *, limit: MediaLimit | None = None) -> MediaFile:
    """Find the content of ``media`` and check it against what ``model`` takes in one request, or another ``limit``.

    Raises:
        InvalidInputError: it is missing, empty, unreadable, of a wrong format or size. ``item`` names it.
    """
    limit = limit or model.media.get(media.kind)
    resolved = _locate(media, label)
    if resolved.url is not None:
        return resolved
    if limit is None:
        return _named(resolved, None)
    if media.kind == "image":
        return _check_picture(resolved, limit)
    return _check_file(resolved, limit, model)


# -- where it is ---------------------------------------------------------------------------------------------------


def _locate(media: Media, label: str) -> MediaFile:
    source = media.source
    label = label if describe(source) in label else f"{label} {describe(source)}"
    resolved = MediaFile(media, label, media.filename or "")
    try:
        return _find(resolved, source, label)
    except (ValueError, RuntimeError, TypeError) as error:  # of urlsplit, expanduser, a closed file, a path with NUL
        raise InvalidInputError(f"cannot be used: {error}.", item=label) from error


def _find(resolved: MediaFile, source: Any, label: str) -> MediaFile:
    media = resolved.media
    if isinstance(source, str):
        scheme = source.partition(":")[0].lower()
        if scheme in ("http", "https") and "://" in source:
            return _remote(resolved, source)
        if scheme == "data" and "," in source:
            return _with_data(resolved, _decode_data_uri(source, label))
        if scheme == "file" and "://" in source:
            return _local(resolved, Path(url2pathname(urlsplit(source).path)))
        if not source:
            raise InvalidInputError("is an empty string; expected a path, URL or data URI.", item=label)
        return _local(resolved, Path(source).expanduser())
    if isinstance(source, os.PathLike):
        return _local(resolved, Path(os.fsdecode(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _with_data(resolved, bytes(source))
    if hasattr(source, "read"):
        return _with_data(resolved, _read_file_object(source, label))
    if media.kind == "image" and hasattr(source, "getbands") and hasattr(source, "save"):
        return replace(resolved, picture=source)
    raise InvalidInputError(
        f"cannot be read as {_article(media.kind)}: expected a path, URL, data URI, bytes or binary file object"
        + (" or PIL image" if media.kind == "image" else "")
        + f", got {describe(source)}.",
        item=label,
    )


def _remote(resolved: MediaFile, url: str) -> MediaFile:
    parts = urlsplit(url)
    if _HOSTING_PAGES.search((parts.hostname or "").lower()):
        raise InvalidInputError(
            f"{parts.hostname} serves a page about the media, not the file; the API needs a direct link. "
            "Download the file and pass its path.",
            item=resolved.label,
        )
    return replace(resolved, url=url, filename=resolved.filename or Path(parts.path).name)


def _local(resolved: MediaFile, path: Path) -> MediaFile:
    try:
        if path.is_dir():
            raise InvalidInputError("is a directory; pass the files in it.", item=resolved.label)
        size = path.stat().st_size
    except FileNotFoundError:
        raise InvalidInputError(f"no such file (looked in {Path.cwd()}).", item=resolved.label) from None
    except (OSError, ValueError) as error:
        # ENAMETOOLONG and NUL bytes: usually text, or base64, where a path is meant.
        why = getattr(error, "strerror", None) or error  # an OSError's own words repeat the path
        raise InvalidInputError(f"is not a usable path: {why}.", item=resolved.label) from error
    if size == 0:
        raise InvalidInputError("is an empty file.", item=resolved.label)
    return replace(resolved, path=path, size=size, filename=resolved.filename or path.name)


def _with_data(resolved: MediaFile, data: bytes) -> MediaFile:
    if not data:
        raise InvalidInputError("has no content (0 bytes).", item=resolved.label)
    return replace(resolved, data=data, size=len(data))


def _decode_data_uri(uri: str, label: str) -> bytes:
    header, _, payload = uri.partition(",")
    if not header.endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return base64.b64decode(b"".join(unquote_to_bytes(payload).split()), validate=True)
    except binascii.Error as error:
        raise InvalidInputError(f"holds broken base64: {error}.", item=label) from error


def _read_file_object(source: Any, label: str) -> bytes:
    if hasattr(source, "seekable") and source.seekable():
        source.seek(0)  # the frameworks hand over BytesIO objects that were just written or read
    content = source.read()
    if not isinstance(content, bytes):
        raise InvalidInputError('is a text file object; open it in binary mode ("rb").', item=label)
    return content


# -- what it contains ----------------------------------------------------------------------------------------------


def _head(resolved: MediaFile) -> bytes:
    if resolved.data is not None:
        return resolved.data[:32]
    assert resolved.path is not None
    try:
        with resolved.path.open("rb") as file:
            return file.read(32)
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=resolved.label) from error


def _check_picture(resolved: MediaFile, limit: MediaLimit) -> MediaFile:
    if resolved.picture is not None:
        _check_side(resolved.picture.size, limit, resolved.label)
        return replace(resolved, mime=MIME["png"], filename=resolved.filename or "image.png")
    found = detect_format(_head(resolved))
    pil = _pillow()
    if found not in limit.formats:
        if found not in _CONVERTIBLE:
            raise _wrong_format(resolved, found, limit)
        if pil is None:
            raise InvalidInputError(
                f"is {found.upper()}; the API takes {_list(limit.formats)}. Install twelvelabs-embeddings[media] "
                "and it is converted for you.",
                item=resolved.label,
            )
        resolved = replace(resolved, convert=True)
        found = "png"
    if pil is not None:
        _check_side(_decode_check(resolved, limit), limit, resolved.label)
    if not resolved.convert:
        _check_size(resolved, limit)
    return _named(resolved, found)


def _check_file(resolved: MediaFile, limit: MediaLimit, model: Model) -> MediaFile:
    found = detect_format(_head(resolved))
    if resolved.media.kind == "document" and found is None:
        suffix = Path(resolved.filename).suffix.lower().lstrip(".")
        head = _head(resolved)
        readable = b"\x00" not in head and not head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))
        found = ("md" if suffix in ("md", "markdown") else "txt") if readable else None
    if limit.formats and found not in limit.formats:
        raise _wrong_format(resolved, found, limit)
    # Any container FFmpeg reads is taken; of those that are not known by their first bytes PyAV can tell.
    if not limit.formats and not (
        MIME[found].startswith(f"{resolved.media.kind}/") if found else _has_picture_stream(resolved)
    ):
        raise _wrong_format(resolved, found, limit)
    _check_size(resolved, limit)
    return _named(resolved, found)


def _has_picture_stream(resolved: MediaFile) -> bool:
    try:
        import av
    except ImportError:
        return False
    content: Any = str(resolved.path) if resolved.path is not None else io.BytesIO(resolved.data or b"")
    try:
        with av.open(content) as container:
            return bool(container.streams.video)
    except (av.FFmpegError, OSError, ValueError):
        return False


def _named(resolved: MediaFile, found: str | None) -> MediaFile:
    if found is None:
        return replace(resolved, filename=resolved.filename or resolved.media.kind)
    name = resolved.filename or f"{resolved.media.kind}.{_SUFFIX.get(found, found)}"
    if resolved.convert:
        name = Path(name).stem + ".png"
    return replace(resolved, mime=MIME[found], filename=name)


def _check_size(resolved: MediaFile, limit: MediaLimit) -> None:
    most = limit.max_bytes or limit.max_inline_bytes
    if resolved.size is not None and resolved.size > most:
        raise InvalidInputError(
            f"is {resolved.size / 1e6:.1f} MB; the API takes {most / 1e6:.0f} MB of {resolved.media.kind} here. "
            "Make it smaller, or pass a public URL.",
            item=resolved.label,
        )


def _check_side(size: tuple[int, int], limit: MediaLimit, label: str) -> None:
    if limit.min_side and min(size) < limit.min_side:
        raise InvalidInputError(
            f"is {size[0]}x{size[1]} pixels; the model needs {limit.min_side}x{limit.min_side} or more. Enlarge it.",
            item=label,
        )


def _wrong_format(resolved: MediaFile, found: str | None, limit: MediaLimit) -> InvalidInputError:
    kind = resolved.media.kind
    what = found.upper() if found else f"not a readable {kind} file"
    takes = _list(limit.formats) if limit.formats else f"any {kind} file that FFmpeg reads"
    wanted = {"audio": "Audio", "image": "Image", "video": "Video"}.get(MIME[found].split("/")[0]) if found else None
    hint = f" Use {wanted}(...) for it." if wanted and wanted.lower() != kind else ""
    return InvalidInputError(f"is {what}; the API takes {takes} here.{hint}", item=resolved.label)


# -- pictures (Pillow is an extra) ---------------------------------------------------------------------------------


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError:
        return None
    return PIL.Image


def _open_picture(raw: bytes | Path, label: str) -> Any:
    try:
        return _pillow().open(io.BytesIO(raw) if isinstance(raw, bytes) else raw)
    except Exception as error:  # Pillow raises many kinds, by format
        raise InvalidInputError(f"is not a readable picture: {_reason(error)}.", item=label) from error


def _decode_check(resolved: MediaFile, limit: MediaLimit) -> tuple[int, int]:
    """Decode once, at a JPEG's coarsest scale: finds truncated and corrupt files at a fraction of a full decode."""
    source = resolved.data if resolved.data is not None else resolved.path
    assert source is not None
    with _open_picture(source, resolved.label) as picture:
        size: tuple[int, int] = picture.size
        try:
            picture.draft("RGB", (max(1, size[0] // 8), max(1, size[1] // 8)))
            picture.load()
        except Exception as error:
            raise InvalidInputError(f"is not a readable picture: {_reason(error)}.", item=resolved.label) from error
    return size


def _encode_picture(picture: Any) -> bytes:
    """PNG, so that the pixels stay what they were, upright; JPEG when the PNG would be too large to send."""
    from PIL import ImageOps

    picture = ImageOps.exif_transpose(picture)  # PNG readers do not look for the mark that says which side is up
    if picture.mode.startswith("I"):  # 16 bits a pixel; plain conversion would clip at 255
        picture = picture.point(lambda value: value / 256, "L") if picture.mode != "I" else _scaled(picture)
    if picture.mode not in ("RGB", "RGBA", "L", "LA", "P", "1"):
        picture = picture.convert("RGB")
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=3)
    if out.tell() > LARGEST_PNG:
        out = io.BytesIO()
        picture.convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


def _scaled(picture: Any) -> Any:
    """A 32-bit grey picture to 8 bits; its values are 16-bit ones if any is over 255."""
    _, top = picture.getextrema()
    scale = 1 / 256 if top > 255 else 1.0
    return picture.point(lambda value: value * scale).convert("L")


def _reason(error: Exception) -> str:
    return str(error).partition(" <_io")[0].rstrip(". ") or type(error).__name__


def _list(formats: frozenset[str]) -> str:
    return ", ".join(sorted(f.upper() for f in formats))


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
