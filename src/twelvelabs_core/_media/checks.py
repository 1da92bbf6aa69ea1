"""Checks of a file before it is sent: format, bytes, frame size, duration. Pure; errors name file and remedy."""

from __future__ import annotations

from .._errors import InvalidInputError
from .._inputs import Audio, Media, Video
from .._models import Kind, MediaLimit
from .formats import MIME

# Encoders pad and round, so a file may be a tenth of a second longer than its content.
TOLERANCE_SEC = 0.1


def format_error(label: str, kind: Kind, found: str | None, limit: MediaLimit) -> InvalidInputError:
    """The error of a file in a format that is not accepted.

    Args:
        found: the format detected from its first bytes, None if unknown.
    """
    what = found.upper() if found else f"not a readable {kind} file"
    formats = ", ".join(sorted(f.upper() for f in limit.formats))
    takes = formats or f"any {kind} file that FFmpeg reads"
    wanted = {"audio": "Audio", "image": "Image", "video": "Video"}.get(MIME[found].split("/")[0]) if found else None
    hint = "" if not wanted else " Convert it first." if wanted.lower() == kind else f" Use {wanted}(...) for it."
    return InvalidInputError(f"is {what}; the API takes {takes} here.{hint}", item=label)


def check_bytes(label: str, kind: Kind, size: int | None, limit: MediaLimit) -> None:
    """Refuse a file that is too large.

    Raises:
        InvalidInputError: with its size and the largest, in megabytes.
    """
    most = limit.max_bytes or limit.max_inline_bytes
    if size is not None and size > most:
        raise InvalidInputError(
            f"is {size / 1e6:.1f} MB; the API takes {most / 1e6:.0f} MB of {kind} here. "
            "Make it smaller, or pass a public URL.",
            item=label,
        )


def check_frame(label: str, width: int | None, height: int | None, limit: MediaLimit) -> None:
    """Refuse an image or video of too few or too many pixels.

    Raises:
        InvalidInputError: with its width and height and the limit.
    """
    if not width or not height:
        return
    low, high = sorted((width, height))
    size = f"{width}x{height} pixels"
    if limit.min_side is not None and low < limit.min_side:
        raise InvalidInputError(
            f"is {size}; the API takes {limit.min_side}x{limit.min_side} or more. Enlarge it.", item=label
        )
    if limit.max_side is not None and high > limit.max_side:
        raise InvalidInputError(
            f"is {size}; the API takes sides of up to {limit.max_side}. Make it smaller.", item=label
        )


def check_duration(label: str, media: Media, seconds: float | None, limit: MediaLimit, what: str) -> None:
    """Refuse a file that is too long or too short, or whose range to embed is outside the file.

    Args:
        seconds: length of the whole file, None if unknown.
        what: whose limit it is, for the message: ``one request``, ``a task``.

    Raises:
        InvalidInputError: with the file's length and what is allowed.
    """
    if seconds is None or not isinstance(media, (Audio, Video)):
        return

    def refuse(why: str) -> InvalidInputError:
        return InvalidInputError(f"is {format_duration(seconds)} long; {why}", item=label)

    if (media.start_sec or 0.0) >= seconds:
        raise refuse(f"nothing is left after start_sec={media.start_sec:g}.")
    if media.end_sec is not None and media.end_sec > seconds + TOLERANCE_SEC:
        raise refuse(f"end_sec={media.end_sec:g} is after its end.")
    if limit.max_sec is not None and seconds > limit.max_sec + TOLERANCE_SEC:
        raise refuse(f"{what} takes {format_duration(limit.max_sec)}. Cut it; plan_parts() computes where.")
    if limit.min_sec is not None and seconds < limit.min_sec - TOLERANCE_SEC:
        raise refuse(f"{what} needs {format_duration(limit.min_sec)} or more.")


def format_duration(seconds: float) -> str:
    """``4.5 s``, ``12 min`` or ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
