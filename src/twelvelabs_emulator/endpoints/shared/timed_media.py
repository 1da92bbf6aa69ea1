"""Audio and video of synchronous requests and of tasks: checked when requested, embedded in a thread."""

from __future__ import annotations

import asyncio
from typing import Literal

from ...features.media.checks import check_duration, check_resolution, check_size, refused
from ...features.media.decoding import Audio
from ...features.media.opening import open_audio, open_video
from ...features.media.probe import probe
from ...features.media.source import Probe, Source
from ...features.requests import Span, TimeRequest
from ...features.segments import embed_audio, embed_video
from ...features.vectors import Embedding
from ...protocol.errors import ApiError, invalid
from ...protocol.models import Model
from ...protocol.rate_limits import charge
from ...protocol.settings import Settings

TimedKind = Literal["audio", "video"]
_MAX_MEGABYTES = 4_000


def embed_timed_media(
    source: Source, kind: TimedKind, request: TimeRequest, model: Model, settings: Settings, *, count_minutes: bool
) -> tuple[list[Embedding], float, Span]:
    """Embed audio or video; return the vectors, the duration and the embedded span.

    Slow: call it in a thread. ``count_minutes`` counts the span for the rate limits. Raises `ApiError`.
    """
    media = open_audio(source, model, settings) if kind == "audio" else open_video(source, model, settings)
    span = request.span(media.duration)
    if count_minutes:
        charge(kind, span[1] - span[0])
    if isinstance(media, Audio):
        return embed_audio(media, request, span, model, settings), media.duration, span
    embeddings = embed_video(media, request, span, model, settings)
    if not embeddings:
        raise invalid("video.embedding_option", "The video has no audio to embed.")
    return embeddings, media.duration, span


async def check_task_media(
    source: Source, kind: TimedKind, request: TimeRequest, model: Model, settings: Settings
) -> float | None:
    """Check the media of a task without decoding them, and count their minutes; return their duration, if known.

    Raises the API's 400, unless the settings leave that to the task.
    """
    found = await asyncio.to_thread(probe, source, "")
    duration = None if found is None else found.duration
    try:
        _check(source, kind, found, model, settings)
        if duration is not None:
            start, end = request.span(duration)
            charge(kind, end - start)
    except ApiError:
        if settings.task_media_check == "create":
            raise
    return duration


def _check(source: Source, kind: TimedKind, found: Probe | None, model: Model, settings: Settings) -> None:
    megabytes = model.media_megabytes if source.given_as == "base64_string" else _MAX_MEGABYTES
    check_size(source, megabytes, model, settings, code="video_filesize_too_large")
    if found is None or found.kind != kind:
        code = "video_file_broken" if kind == "video" else "parameter_invalid"
        raise refused(source, f"The {kind} could not be read.", code=code)
    if found.duration is not None:
        check_duration(source, found.duration, model, settings, kind)
    if found.width and found.height:
        check_resolution(source, found.width, found.height)
