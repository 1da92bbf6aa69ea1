"""The API's limits on the size, duration and resolution of media."""

from __future__ import annotations

from ...protocol.errors import ApiError, invalid
from ...protocol.models import Model
from ...protocol.settings import Settings
from ..requests import TOLERANCE_SEC
from .source import Source


def refused(source: Source, why: str, *, code: str = "parameter_invalid", status: int = 400) -> ApiError:
    """A file that the API does not accept."""
    return invalid(source.parameter, why, code=code, status=status)


def check_size(
    source: Source, megabytes: int, model: Model, settings: Settings, *, code: str = "parameter_invalid"
) -> None:
    """Raise the API's 400, or 413 for marengo3.5, if a file is empty or larger than this."""
    if not source.size:
        raise refused(source, "The file is empty.")
    if source.size > megabytes * settings.megabyte:
        status = settings.too_large_status if model.limits_every_source else 400
        raise refused(source, f"The file must not be larger than {megabytes} MB.", code=code, status=status)


def check_duration(source: Source, duration: float, model: Model, settings: Settings, kind: str) -> None:
    """Raise the API's 400 (marengo3.5: as set) if audio or video is too long or too short."""
    if duration < model.least_seconds - TOLERANCE_SEC:
        why = f"The {kind} must not be shorter than {model.least_seconds:g} seconds; it lasts {duration:.1f}."
        raise refused(source, why, code="video_duration_too_short" if kind == "video" else "parameter_invalid")
    if duration > model.media_seconds + TOLERANCE_SEC:
        raise refused(
            source,
            f"The {kind} must not be longer than {model.media_seconds:g} seconds; it lasts {duration:.1f}.",
            code="video_duration_too_long" if kind == "video" else "parameter_invalid",
            status=settings.too_long_media_status if model.limits_every_source else 400,
        )


def check_resolution(source: Source, width: int, height: int) -> None:
    """Raise the API's 400 for a video with too few or too many pixels, or too wide an aspect ratio."""
    long, short = max(width, height), min(width, height)
    size = f"The video has {width}x{height} pixels."
    if short < 360:
        raise refused(source, f"{size} The least is 360x360.", code="video_resolution_too_low")
    if long > 5184 or short > 2160:
        raise refused(source, f"{size} The most is 5184x2160.", code="video_resolution_too_high")
    if long / short > 2.4:
        raise refused(
            source,
            f"{size} The aspect ratio must be between 1:1 and 2.4:1 (or 1:2.4).",
            code="video_resolution_invalid_aspect_ratio",
        )
