"""How long a piece of media is, found without a network: with PyAV (the ``media`` extra), or for WAV with the standard
library.
"""

from __future__ import annotations

import io
import wave
from typing import Any

from ._inputs import Audio, Video
from ._media import Resolved

__all__ = ["duration_sec"]


def duration_sec(source: Resolved) -> float | None:
    """Seconds of the part to embed, None if it cannot be told (a URL, no PyAV, an odd file). Reads the file's head."""
    if source.url is not None:
        return None
    content: Any = str(source.path) if source.path is not None else io.BytesIO(source.data or b"")
    whole = _by_pyav(content)
    if whole is None and source.mime == "audio/wav":
        whole = _by_wave(content)
    media = source.media
    if whole is None or not isinstance(media, (Audio, Video)):
        return whole
    start = media.start_sec or 0.0
    return max(0.0, min(whole, media.end_sec or whole) - start)


def _by_pyav(content: Any) -> float | None:
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(content) as container:
            length, unit = container.duration, float(av.time_base)
            return length / unit if length else None
    except (av.FFmpegError, OSError, ValueError):
        return None


def _by_wave(content: Any) -> float | None:
    try:
        with wave.open(content) as sound:
            return float(sound.getnframes() / sound.getframerate())
    except (wave.Error, EOFError, OSError, ZeroDivisionError):
        return None
