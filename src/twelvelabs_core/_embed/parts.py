"""A text, an image and audio in one v1 request, one vector each; ``/embed-v2`` cannot do this."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from .._api import responses, v1
from .._errors import InvalidInputError, TwelveLabsError, as_error, with_item
from .._inputs import Audio, Image, Item
from .._net.loop import in_thread
from .._results import Embedding, Parts
from .._stats import Run
from .embedder import Embedder
from .jobs import Job
from .payload import payload_of
from .signed import hide_signatures
from .sunset import explain_sunset
from .texts import LONG_TEXT
from .truncate import TextPlan


def parts_of(
    embedder: Embedder, *, text: str | None, image: Any, audio: Any, start_sec: float | None
) -> dict[str, Item]:
    """The items of one call, by part (``text``, ``image``, ``audio``).

    Raises:
        InvalidInputError: the model is not served by v1, or nothing was given.
    """
    model = embedder.settings.model
    if "v1" not in model.api_versions:
        raise InvalidInputError(f"{model.name} is not served by v1 (/embed). Embed each part alone, or use marengo3.0.")
    if text is None and image is None and audio is None:
        raise InvalidInputError("give at least one of text, image and audio.")
    if start_sec is not None and audio is None:
        raise InvalidInputError("audio_start_offset_sec needs audio.")
    given: dict[str, Item] = {}
    if text is not None:
        given["text"] = text
    if image is not None:
        given["image"] = image if isinstance(image, Image) else Image(image)
    if audio is not None:
        item = audio if isinstance(audio, Audio) else Audio(audio)
        given["audio"] = item if start_sec is None else replace(item, start_sec=start_sec)
    return given


async def embed_parts(
    embedder: Embedder, run: Run, given: dict[str, Item], embed_text: Callable[[Job], Awaitable[Embedding]]
) -> Parts:
    """Embed the items of :func:`parts_of` in one call.

    With ``truncate="average"``, an over-long text is embedded before, one request a chunk: a call takes one text.

    Args:
        embed_text: embeds a text by itself.

    Raises:
        TwelveLabsError: the call failed, or the service refused a part; ``.results`` has one :class:`Parts` with what
            was received all the same, if anything was.
    """
    jobs = dict(zip(given, await embedder.checker.check_all(list(given.values()), list(given)), strict=True))
    averaged: Embedding | None = None
    plan = await in_thread(len(str(given["text"])) > LONG_TEXT, embedder.plan, jobs["text"]) if "text" in jobs else None
    if plan is not None and len(plan.pieces) > 1:
        averaged, plan = await embed_text(jobs.pop("text")), None
    try:
        parts = await _one_call(embedder, run, jobs, plan) if jobs else Parts()
    except Exception as error:
        files = [file for job in jobs.values() for file in job.files]
        ours = explain_sunset(hide_signatures(as_error(error, "embed_parts"), files), embedder.settings.model)
        if averaged is not None:
            (found,) = ours.results or [Parts()]
            ours.results = [replace(found, text=averaged)]
        raise ours from ours.__cause__
    run.finished()
    return parts if averaged is None else replace(parts, text=averaged)


async def _one_call(embedder: Embedder, run: Run, jobs: dict[str, Job], plan: TextPlan | None) -> Parts:
    settings = embedder.settings
    files = {part: job.files[0] for part, job in jobs.items() if job.files}
    payloads = {part: payload_of(file) for part, file in files.items()}
    control = plan.server_truncate if plan is not None else None
    request = v1.request(
        settings.model,
        text=plan.pieces[0] if plan is not None else None,
        text_truncate=control if isinstance(control, str) else None,
        image=payloads.get("image"),
        audio=payloads.get("audio"),
    )
    minutes = sum(job.minutes or 0.0 for job in jobs.values())
    truncated = plan is not None and plan.over

    refused: dict[str, TwelveLabsError] = {}

    def read_parts(response: dict[str, Any]) -> Parts:
        segments = {}
        refused.clear()  # of an attempt before
        for part in jobs:
            try:
                segments[part] = responses.v1_segments(response, part, settings.dimensions)
            except InvalidInputError as error:  # inside a 200: the other parts were embedded
                refused[part] = with_item(error, jobs[part].label)

        def one(part: str, truncated: bool = False) -> Embedding | None:
            found = segments.get(part)
            return Embedding(responses.single(found, part).vector, settings.space, truncated) if found else None

        audio = tuple(segments.get("audio", ()))
        return Parts(one("text", truncated), one("image"), audio, responses.v1_metadata(response))

    parts = await embedder.sender.send(request, run, read=read_parts, minutes=minutes)
    for error in refused.values():
        error.results = [parts] if len(refused) < len(jobs) else []
        raise error
    if truncated:
        run.stats.truncated += 1
    return parts
