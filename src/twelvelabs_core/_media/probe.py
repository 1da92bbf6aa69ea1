"""Length and frame size of an audio or video file: with PyAV (the ``media`` extra), or for WAV the standard library."""

from __future__ import annotations

import contextlib
import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._net.forks import uncut


@dataclass(frozen=True, slots=True)
class Probe:
    """Length and frame size, as the file's header gives them; None = unknown.

    Attributes:
        duration_sec: length of the whole file, in seconds.
        width, height: of the video, in pixels.
        has_video: it has a video stream.
    """

    duration_sec: float | None = None
    width: int | None = None
    height: int | None = None
    has_video: bool = False


def probe(content: Path | bytes, *, is_wav: bool) -> Probe:
    """Read a file's header, once. An unreadable file, or one without PyAV, gives an empty :class:`Probe`."""
    return _by_pyav(content) or (_by_wave(content) if is_wav else None) or Probe()


def _by_pyav(content: Path | bytes) -> Probe | None:
    try:
        with uncut():
            import av
    except ImportError:
        return None
    try:
        with contextlib.ExitStack() as opened, av.open(_for_pyav(content, opened)) as container:
            length, unit = container.duration, float(av.time_base)
            seconds = length / unit if length else None
            if not container.streams.video:
                return Probe(seconds)
            frame = container.streams.video[0].codec_context
            return Probe(seconds, frame.width, frame.height, has_video=True)
    except Exception:  # by format: what it cannot read, the API may
        return None


def _for_pyav(content: Path | bytes, opened: contextlib.ExitStack) -> Any:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    try:
        str(content).encode()
        return str(content)
    except UnicodeEncodeError:  # PyAV takes no name that is not UTF-8
        return opened.enter_context(content.open("rb"))


def _by_wave(content: Path | bytes) -> Probe | None:
    try:
        with wave.open(io.BytesIO(content) if isinstance(content, bytes) else str(content)) as audio:
            return Probe(float(audio.getnframes() / audio.getframerate()))
    except Exception:  # of a damaged header: wave.Error, EOFError, struct.error, ZeroDivisionError
        return None
