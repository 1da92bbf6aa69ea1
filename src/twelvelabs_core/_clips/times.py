"""When frames are taken, which are the best, how large they become, and what a clip is written as. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from numbers import Real
from typing import Any, Literal

from .._errors import InvalidInputError
from .._inputs import describe
from .._store.rows import clock

Choice = Literal["even", "sharpest", "best-lit"]
CHOICES = ("even", "sharpest", "best-lit")

CANDIDATES = 5
"""Frames that are looked at for each one chosen."""

# Decoding on is cheaper than seeking where the next frame is near: a seek goes back to the key frame before it, and
# encoders put one at every few seconds (x264 at most 250 frames).
_DECODE_ON_SEC = 4.0
MID_GRAY = 127.5


def checked_seconds(value: Any, name: str) -> float | None:
    """A time given by a caller.

    Raises:
        InvalidInputError: it is not a number of seconds, 0 or more.
    """
    if value is None:
        return None
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < float("inf"):
        raise InvalidInputError(f"{name}={describe(value)} must be a number of seconds, 0 or more.")
    return float(value)


def checked_count(value: Any, name: str, least: int = 1) -> int:
    """A whole number given by a caller.

    Raises:
        InvalidInputError: it is not one, or less than ``least``.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInputError(f"{name}={describe(value)} must be a whole number of {least} or more.")
    return value


def range_within(
    start: float | None, end: float | None, duration: float | None, label: str, *, least: float = 0.0
) -> tuple[float, float]:
    """The part of a range, in seconds, that is inside the file.

    Args:
        start: None = the file's beginning.
        end: None = the file's end; a later one is the file's end.
        duration: the file's length; None = unknown.
        label: the file, for messages.
        least: shortest range that is of use.

    Raises:
        InvalidInputError: the range ends before it begins, begins after the end of the file, or has no end.
    """
    begin = start or 0.0
    if end is not None and end < begin:
        raise InvalidInputError(f"end_sec={end:g} is before start_sec={begin:g}.", item=label)
    if duration is not None and begin > 0 and begin >= duration:
        raise InvalidInputError(
            f"is {clock(duration)} long, and the moment begins at {clock(begin)}. If the file was changed or replaced "
            "since it was embedded, embed it again.",
            item=label,
        )
    known = [value for value in (end, duration) if value is not None]
    if not known:
        raise InvalidInputError("does not say how long it is; give end_sec=.", item=label)
    found = max(begin, min(known))
    if found - begin < least:
        raise InvalidInputError(f"the range {begin:g}-{found:g} s has no length; give a later end_sec=.", item=label)
    return begin, found


def frame_times(start: float, end: float, n: int) -> list[float]:
    """``n`` times, the middles of ``n`` equal parts of a range: never its edges, where scenes are cut."""
    step = (end - start) / n
    return [start + (index + 0.5) * step for index in range(n)]


def candidate_times(start: float, end: float, n: int, choose: Choice) -> list[list[float]]:
    """For each of ``n`` frames the times that it may be taken at; all in order."""
    if choose == "even":
        return [[time] for time in frame_times(start, end, n)]
    step = (end - start) / n
    return [frame_times(start + index * step, start + (index + 1) * step, CANDIDATES) for index in range(n)]


def needs_seek(position: float | None, wanted: float) -> bool:
    """Whether to seek to ``wanted``, having decoded up to ``position`` (None = nothing yet)."""
    return position is None or wanted < position or wanted - position > _DECODE_ON_SEC


def seek_targets(second: float) -> list[float]:
    """Where to seek for a key frame at or before a second, one after the other until there is one. A format without an
    index (MPEG-TS) seeks to about where it should, which may be after the key frame.
    """
    return [second, *(earlier for back in (2.0, 10.0, 60.0) if (earlier := second - back) > 0), 0.0]


def best_lit(means: Sequence[float]) -> int:
    """The index of the mean brightness (0 to 255) nearest to middle gray; of equal ones the first."""
    return min(range(len(means)), key=lambda index: abs(means[index] - MID_GRAY))


def sharpest(variances: Sequence[float]) -> int:
    """The index of the highest variance of edges: blur and darkness have few; of equal ones the first."""
    return max(range(len(variances)), key=lambda index: variances[index])


def fitted(width: int, height: int, longest: int, pixel_aspect: float = 1.0) -> tuple[int, int]:
    """Width and height in square pixels, with no side over ``longest`` and none enlarged.

    Args:
        width, height: as stored.
        pixel_aspect: width of a stored pixel by its height: anamorphic video is stretched to how it is shown.
    """
    wide, high = width * pixel_aspect, float(height)
    if pixel_aspect < 1:  # higher than wide: shrink the width instead of enlarging the height
        wide, high = float(width), height / pixel_aspect
    scale = min(1.0, longest / max(wide, high))
    return max(1, round(wide * scale)), max(1, round(high * scale))


# The four numbers of a display matrix that turn (a, b, c, d), as signs -> the name of Pillow's operation, which turns
# counterclockwise.
_OPERATIONS = {
    (0, 1, -1, 0): "ROTATE_270",
    (-1, 0, 0, -1): "ROTATE_180",
    (0, -1, 1, 0): "ROTATE_90",
    (-1, 0, 0, 1): "FLIP_LEFT_RIGHT",
    (1, 0, 0, -1): "FLIP_TOP_BOTTOM",
    (0, 1, 1, 0): "TRANSPOSE",
    (0, -1, -1, 0): "TRANSVERSE",
}


def upright_by(matrix: bytes | None) -> str | None:
    """How a frame is turned to be shown upright, by the display matrix of its file (ISO 14496-12, ``tkhd``: nine
    numbers of 32 bits in the machine's byte order, as FFmpeg hands them on); None = as stored.
    """
    if matrix is None or len(matrix) < 36:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    return _OPERATIONS.get(tuple((value > 0) - (value < 0) for value in (a, b, c, d)))


# In this order; each with the names that FFmpeg has for codecs.
_CONTAINERS = (
    ("mp4", "video/mp4", " h264 hevc av1 vp9 mpeg4 mpeg2video mpeg1video aac mp3 opus flac ac3 eac3 "),
    ("webm", "video/webm", " vp8 vp9 av1 vorbis opus "),
    ("mov", "video/quicktime", " h264 hevc mpeg4 mjpeg prores dvvideo aac mp3 ac3 alac "),
)


def container_for(codecs: Iterable[str]) -> tuple[str, str] | None:
    """The format that holds these codecs as they are, and its MIME type: MP4 if it can; None if none does."""
    wanted = set(codecs)
    for name, mime, held in _CONTAINERS:
        if all(f" {codec} " in held or (name == "mov" and codec.startswith("pcm_")) for codec in wanted):
            return name, mime
    return None


def silence_before(start: float, first: float, rate: int) -> int:
    """Samples of silence until a track that begins at ``first`` seconds, in a part that begins at ``start``."""
    return max(0, round((first - start) * rate))


def samples_before(start: float, first: float, rate: int) -> int:
    """Samples to leave out of what was decoded from ``first`` seconds on, for a part that begins at ``start``."""
    return max(0, round((start - first) * rate))


def one_of(value: Any, name: str, known: Collection[str]) -> None:
    """Refuse a setting that is none of the known ones.

    Raises:
        InvalidInputError: it is not; the message names them.
    """
    if not isinstance(value, str) or value not in known:
        raise InvalidInputError(f"{name}={describe(value)} is not one of {', '.join(known)}.")
