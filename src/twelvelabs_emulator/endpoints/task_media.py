"""What tasks of both versions do with audio and video: check it at once, measure it later."""

from __future__ import annotations

import asyncio
from typing import Literal

from ..features.media.audio import check_duration, open_audio
from ..features.media.checks import check_size, refused
from ..features.media.probe import Probe, probed
from ..features.media.source import Source
from ..features.media.video import check_picture, open_video
from ..features.segments import Row, TimeRequest, film_rows, sound_rows, span_of
from ..protocol.errors import ApiError
from ..protocol.models import Model
from ..protocol.rate_limits import charge
from ..protocol.settings import Settings

__all__ = ["check_media", "rows_of"]

TimedKind = Literal["audio", "video"]
_MOST_MEGABYTES = 4_000


async def check_media(
    source: Source, kind: TimedKind, asked: TimeRequest, model: Model, settings: Settings, parameter: str
) -> float | None:
    """Look at media without measuring them, and count their minutes; return their duration, if it is known.

    Raises the API's 400, unless the settings leave that to the task.
    """
    probe = await asyncio.to_thread(probed, source, "")
    duration = None if probe is None else probe.duration
    try:
        _check(source, kind, probe, model, settings)
        if duration is not None:
            start, end = span_of(asked, duration, parameter)
            charge(kind, end - start)
    except ApiError:
        if settings.task_media_check == "create":
            raise
    return duration


def _check(source: Source, kind: TimedKind, probe: Probe | None, model: Model, settings: Settings) -> None:
    megabytes = model.media_megabytes if source.given_as == "base64_string" else _MOST_MEGABYTES
    check_size(source, megabytes, model, settings, code="video_filesize_too_large")
    if probe is None or probe.kind != kind:
        code = "video_file_broken" if kind == "video" else "parameter_invalid"
        raise refused(source, f"The {kind} could not be read.", code=code)
    if probe.duration is not None:
        check_duration(source, probe.duration, model, settings, kind)
    if probe.width and probe.height:
        check_picture(source, probe.width, probe.height)


def rows_of(
    source: Source, kind: TimedKind, asked: TimeRequest, model: Model, settings: Settings, parameter: str
) -> tuple[list[Row], float, tuple[float, float]]:
    """Measure media; return the vectors, the duration, and the span that was embedded. Raises an `ApiError`."""
    if kind == "audio":
        sound = open_audio(source, model, settings)
        span = span_of(asked, sound.duration, parameter)
        return sound_rows(sound, asked, span, model, settings), sound.duration, span
    film = open_video(source, model, settings)
    span = span_of(asked, film.duration, parameter)
    rows = film_rows(film, asked, span, model, settings)
    if not rows:
        raise refused(source, "The video has no sound to embed.")
    return rows, film.duration, span
