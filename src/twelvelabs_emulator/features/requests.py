"""What a request asks of audio, video and documents, the same for every endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..protocol.errors import invalid

#: Encoders round up to whole frames: 30 seconds of MP3 are a little longer.
TOLERANCE_SEC = 0.1

Span = tuple[float, float]


@dataclass(frozen=True)
class Note:
    """A text about a span of time (or a moment), in seconds; it goes into the fused vectors around it."""

    start: float
    end: float
    text: str

    def overlaps(self, start: float, end: float) -> bool:
        """Return whether the note is about any part of a span."""
        return self.start < end and (self.end > start or self.start >= start)


@dataclass(frozen=True)
class TimeRequest:
    """What is requested of audio or video. Times in seconds; ``end`` None is the end of the file.

    ``strategy`` "fixed" makes clips of ``clip_sec`` seconds, "dynamic" clips of at least ``clip_sec`` seconds.
    ``parameters`` are the fields that gave ``start`` and ``end``, for error messages.
    """

    options: tuple[str, ...]
    scopes: tuple[str, ...] = ("clip", "asset")
    types: tuple[str, ...] = ("separate_embedding",)
    strategy: str = "fixed"
    clip_sec: float = 6.0
    start: float = 0.0
    end: float | None = None
    notes: Sequence[Note] = ()
    parameters: tuple[str, str] = ("start_sec", "end_sec")

    def span(self, duration: float) -> Span:
        """Return where embedding starts and ends. Raises the API's 400 for times outside the media."""
        if self.start >= duration:
            raise invalid(self.parameters[0], f"It must be less than the duration of {duration:.1f} seconds.")
        if self.end is not None and self.end > duration + TOLERANCE_SEC:
            raise invalid(self.parameters[1], f"It must not exceed the duration of {duration:.1f} seconds.")
        return self.start, min(self.end or duration, duration)


@dataclass(frozen=True)
class DocumentRequest:
    """What is requested of a document.

    ``sentences`` is the number of sentences in a chunk (0 = no chunks), ``overlap`` how many of them the chunk before
    has too.
    """

    options: tuple[str, ...]
    scopes: tuple[str, ...]
    quadrants: bool = False
    sentences: int = 0
    overlap: int = 0
