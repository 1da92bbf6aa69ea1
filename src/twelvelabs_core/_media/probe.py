"""What can be told of a media file without a network: with PyAV (the ``media`` extra), or for WAV with the standard
library.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass, replace
from typing import Any

from .._embed.route import limit_for
from .._errors import InvalidInputError
from .._inputs import Audio, Media, Video
from .._models import MediaLimit, Model
from .file import MediaFile, inspect

__all__ = ["Probe", "check_probe", "examine", "probe"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found; None = not to be told.

    Attributes:
        duration_sec: of the whole file, in seconds.
        width, height: of the picture, in pixels.
    """

    duration_sec: float | None = None
    width: int | None = None
    height: int | None = None


def probe(source: MediaFile) -> Probe:
    """Look into a sound or film. Reads the file's head; a URL is not looked at."""
    if source.url is not None or source.media.kind not in ("audio", "video"):
        return Probe()
    content: Any = str(source.path) if source.path is not None else io.BytesIO(source.data or b"")
    found = _by_pyav(content)
    if found is None and source.mime == "audio/wav":
        found = _by_wave(content)
    return found or Probe()


def examine(media: Media, model: Model, label: str, *, may_task: bool) -> MediaFile:
    """Inspect a file and look into it, before anything is sent.

    Args:
        may_task: it may be embedded by a task, which takes larger and longer files.

    Raises:
        InvalidInputError: the server would refuse it; ``item`` names it.
    """
    limit = limit_for(model, media.kind, may_task=may_task)
    resolved = inspect(media, model, label, limit=limit)
    found = probe(resolved)
    if limit is not None and found != Probe():
        tasked = may_task and media.kind in model.task_media
        sync = model.media.get(media.kind)
        if tasked and sync is not None and (found.duration_sec or 0.0) <= (sync.max_sec or 0.0):
            limit, tasked = (
                replace(limit, min_sec=sync.min_sec),
                False,
            )  # short enough for a request that has no lower limit
        check_probe(resolved, found, limit, "a task" if tasked else "one request")
    return replace(resolved, seconds=part_sec(resolved, found.duration_sec))


def part_sec(source: MediaFile, whole: float | None) -> float | None:
    """Seconds of the part to embed, of a file of ``whole`` seconds."""
    media = source.media
    if whole is None or not isinstance(media, (Audio, Video)):
        return whole
    return max(0.0, min(whole, media.end_sec or whole) - (media.start_sec or 0.0))


def check_probe(source: MediaFile, found: Probe, limit: MediaLimit, what: str) -> None:
    """Refuse a file whose length or size in pixels the server would refuse after it was uploaded.

    Args:
        what: what takes the limit, for the message: ``one request``, ``a task``.

    Raises:
        InvalidInputError: naming the file, what it is and what is allowed.
    """

    def refuse(why: str) -> InvalidInputError:
        return InvalidInputError(why, item=source.label)

    media = source.media
    seconds = found.duration_sec
    if seconds is not None and isinstance(media, (Audio, Video)):
        if (media.start_sec or 0.0) >= seconds:
            raise refuse(f"is {_spoken(seconds)} long, so that nothing is left after start_sec={media.start_sec:g}.")
        if media.end_sec is not None and media.end_sec > seconds + 0.1:
            raise refuse(f"is {_spoken(seconds)} long; end_sec={media.end_sec:g} is behind its end.")
        # Encoders pad: a tenth of a second over is within a file's own rounding.
        if limit.max_sec is not None and seconds > limit.max_sec + 0.1:
            raise refuse(
                f"is {_spoken(seconds)} long; {what} takes {_spoken(limit.max_sec)}. Cut it; plan_parts() tells where."
            )
        if limit.min_sec is not None and seconds < limit.min_sec - 0.1:
            raise refuse(f"is {_spoken(seconds)} long; {what} needs {_spoken(limit.min_sec)} or more.")
    if found.width and found.height:
        low, high = sorted((found.width, found.height))
        size = f"{found.width}x{found.height} pixels"
        if limit.min_side is not None and low < limit.min_side:
            raise refuse(f"is {size}; the API takes {limit.min_side}x{limit.min_side} or more. Enlarge it.")
        if limit.max_side is not None and high > limit.max_side:
            raise refuse(f"is {size}; the API takes sides of up to {limit.max_side}. Make it smaller.")


def _by_pyav(content: Any) -> Probe | None:
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(content) as container:
            length, unit = container.duration, float(av.time_base)
            seconds = length / unit if length else None
            picture = container.streams.video[0].codec_context if container.streams.video else None
            return Probe(seconds, picture.width if picture else None, picture.height if picture else None)
    except (av.FFmpegError, OSError, ValueError):
        return None


def _by_wave(content: Any) -> Probe | None:
    try:
        with wave.open(content) as sound:
            return Probe(float(sound.getnframes() / sound.getframerate()))
    except (wave.Error, EOFError, OSError, ZeroDivisionError):
        return None


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
