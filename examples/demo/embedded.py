"""Files as parts of an HTML page: copies of images, stills of videos, loudness of audio, ``data:`` URIs."""

from __future__ import annotations

import base64
import io
import mimetypes
import warnings
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

__all__ = ["data_uri", "loudness", "still", "thumbnail"]

_THUMBNAIL = (320, 240)
_BARS = 48


def data_uri(path: Path) -> str:
    """A file as it is."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def thumbnail(path: Path) -> str:
    """A small copy of an image, as a JPEG, the way up that browsers show it."""
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")  # Pillow's warnings about unusual files
        image = ImageOps.exif_transpose(image)
        image.thumbnail(_THUMBNAIL)
        shown = image.convert("RGBA")
        # JPEG has no transparency: a white background shows instead.
        paper = Image.new("RGBA", shown.size, "white")
        paper.alpha_composite(shown)
        return _jpeg(paper.convert("RGB"))


def still(path: Path, start: float) -> str:
    """The frame 0.25 s after a time, when a cut there is over; empty if it cannot be decoded."""
    last: av.VideoFrame | None = None
    try:
        with av.open(str(path)) as video:
            first = (video.start_time or 0) / av.time_base
            video.seek(round((first + start) * av.time_base))  # to the key frame before it
            for last in video.decode(video.streams.video[0]):
                if last.time is None or last.time >= first + start + 0.25:
                    break
        image: Image.Image | None = last.to_image() if last is not None else None  # type: ignore[no-untyped-call]
    except (av.error.FFmpegError, ValueError, IndexError):
        return ""
    if image is None:
        return ""
    image.thumbnail(_THUMBNAIL)
    return _jpeg(image)


def loudness(path: Path) -> tuple[list[int], float]:
    """Peaks of equal parts of an audio file, from 0 to 100, and how long it is in seconds."""
    parts: list[np.ndarray] = []
    resampler = av.AudioResampler(format="s16", layout="mono", rate=4000)
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(container.streams.audio[0]):
                parts += [np.abs(made.to_ndarray().ravel().astype(np.int32)) for made in resampler.resample(frame)]
    except (av.error.FFmpegError, ValueError, IndexError):
        pass  # what was decoded until then
    if not parts or not sum(part.size for part in parts):
        return [], 0.0
    samples = np.concatenate(parts)
    peaks = [int(part.max() / 327.68) if part.size else 0 for part in np.array_split(samples, _BARS)]
    return peaks, samples.size / 4000


def _jpeg(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
