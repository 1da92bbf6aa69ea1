"""What a file is, without measuring it: its kind, MIME type and length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import av
from PIL import Image

from .image import quiet_pillow
from .source import Source

__all__ = ["Kind", "Probe", "probed"]

Kind = Literal["image", "audio", "video", "document"]

_AUDIO = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "aac": "audio/aac"}
_VIDEO = {
    "avi": "video/x-msvideo",
    "matroska,webm": "video/webm",
    "mpegts": "video/mp2t",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
}
_TEXTS = {".txt": "text/plain", ".md": "text/markdown"}


@dataclass(frozen=True)
class Probe:
    """What a file is. ``duration`` is in seconds, for audio and video; ``width`` and ``height`` in pixels."""

    kind: Kind
    mime: str
    duration: float | None = None
    width: int | None = None
    height: int | None = None


def probed(source: Source, filename: str) -> Probe | None:
    """Look at a file's beginning; ``None`` for what is no picture, sound, film or document."""
    if b"%PDF-" in source.head(1024):
        return Probe("document", "application/pdf")
    return _image(source) or _media(source) or _text(source, filename)


def _image(source: Source) -> Probe | None:
    try:
        with quiet_pillow(), source.opened() as stream, Image.open(stream) as image:
            mime = Image.MIME.get(image.format or "", "image/unknown")
            return Probe("image", mime, None, image.width, image.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _media(source: Source) -> Probe | None:
    if source.head(64).lstrip()[:7] == b"#EXTM3U":  # It would send the decoder off to other files.
        return None
    try:
        with source.opened() as stream, av.open(stream, options={"protocol_whitelist": "none"}) as container:
            name = container.format.name
            if name.endswith("_pipe") or name in ("tty", "image2"):
                return None
            duration = container.duration / av.time_base if container.duration is not None else None
            if container.streams.video and name not in ("mp3", "flac"):  # There it is the cover.
                codec = container.streams.video[0].codec_context
                return Probe("video", _VIDEO.get(name, "video/mp4"), duration, codec.width, codec.height)
            if container.streams.audio:
                return Probe("audio", _AUDIO.get(name, "audio/mp4"), duration)
    except (av.error.FFmpegError, ValueError):
        pass
    return None


def _text(source: Source, filename: str) -> Probe | None:
    mime = _TEXTS.get(PurePath(filename).suffix.lower())
    if mime is None or b"\0" in source.head(4096):
        return None
    try:
        source.head(4096).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < 4090:  # Else only a letter cut in two.
            return None
    return Probe("document", mime)
