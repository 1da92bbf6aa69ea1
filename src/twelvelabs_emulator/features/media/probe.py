"""What a file is, without decoding it: kind, MIME type, duration and pixels."""

from __future__ import annotations

from pathlib import PurePath

from PIL import Image

from .decoding import DecodingError, is_still, open_container, seconds_of
from .pillow import PILLOW_ERRORS, without_warnings
from .source import Probe, Source

_AUDIO = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "aac": "audio/aac"}
_VIDEO = {
    "avi": "video/x-msvideo",
    "matroska,webm": "video/webm",
    "mpegts": "video/mp2t",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
}
_TEXTS = {".txt": "text/plain", ".md": "text/markdown"}


def probe(source: Source, filename: str) -> Probe | None:
    """Look at a file's beginning; ``None`` if it is neither image, audio, video nor document."""
    if source.is_pdf:
        return Probe("document", "application/pdf")
    return _image(source) or _audio_or_video(source) or _text(source, filename)


def _image(source: Source) -> Probe | None:
    try:
        with without_warnings(), source.open() as stream, Image.open(stream) as image:
            mime = Image.MIME.get(image.format or "", "image/unknown")
            return Probe("image", mime, None, image.width, image.height)
    except PILLOW_ERRORS:
        return None


def _audio_or_video(source: Source) -> Probe | None:
    try:
        with open_container(source) as container:
            if is_still(container):
                return None
            name, duration = container.format.name, seconds_of(container)
            if container.streams.video and name not in ("mp3", "flac"):  # There it is the cover image.
                codec = container.streams.video[0].codec_context
                return Probe("video", _VIDEO.get(name, "video/mp4"), duration, codec.width, codec.height)
            if container.streams.audio:
                return Probe("audio", _AUDIO.get(name, "audio/mp4"), duration)
    except DecodingError:
        pass
    return None


def _text(source: Source, filename: str) -> Probe | None:
    mime = _TEXTS.get(PurePath(filename).suffix.lower())
    head = source.head(4096)
    if mime is None or b"\0" in head:
        return None
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < 4090:  # Later, it is only a character cut in two.
            return None
    return Probe("document", mime)
