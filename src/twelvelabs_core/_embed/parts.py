"""Several kinds in one v1 call, each answered apart: what ``/embed`` can and ``/embed-v2`` cannot."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from .._api import responses, v1
from .._api.requests import payload_of
from .._errors import InvalidInputError, TwelveLabsError, with_item
from .._inputs import Audio, Image, Item
from .._results import Embedding, Parts
from .._stats import Run
from .embedder import Embedder
from .truncate import exceeds

__all__ = ["embed_parts"]


async def embed_parts(
    embedder: Embedder, run: Run, *, text: str | None, image: Any, audio: Any, start_sec: float | None
) -> Parts:
    """See :meth:`EmbeddingClient.embed_parts`."""
    model = embedder.model
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
        sound = audio if isinstance(audio, Audio) else Audio(audio)
        given["audio"] = sound if start_sec is None else replace(sound, start_sec=start_sec)
    checked = await embedder.check_all(list(given.values()), list(given))
    sources = {part: job.sources[0] for part, job in zip(given, checked, strict=True) if job.sources}
    contents = {part: await asyncio.to_thread(payload_of, source) for part, source in sources.items()}
    request = v1.request(
        model,
        text=text,
        text_truncate="end" if embedder.truncate == "average" else embedder.truncate,
        image=contents.get("image"),
        audio=contents.get("audio"),
    )
    try:
        answer = await embedder.sender.send(request, run, has_media=bool(contents))
        segments = {part: responses.v1_segments(answer, part, embedder.dimensions) for part in given}
        over = text is not None and exceeds(text, model.max_text_tokens, embedder.count)
        single = {
            part: Embedding(responses.single(found, part).vector, embedder.space, part == "text" and over)
            for part, found in segments.items()
            if part != "audio"
        }
    except TwelveLabsError as error:
        raise with_item(error, "embed_parts") from error.__cause__
    run.finished()
    sounds = tuple(segments.get("audio", ()))
    return Parts(single.get("text"), single.get("image"), sounds, responses.v1_metadata(answer))
