"""``POST /embed``: a text, an image and audio in one multipart form."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.images import embed_image
from ..features.media.opening import open_audio
from ..features.media.source import Source
from ..features.segments import fixed_clips
from ..features.truncation import OverLong, fit_text
from ..features.vectors import embed_text, embed_words, response_vector
from ..features.words.audio import audio_words, speech_words
from ..protocol.bodies import json_response
from ..protocol.errors import ApiError, invalid, missing
from ..protocol.formats import json_seconds
from ..protocol.forms import Form, read_form
from ..protocol.models import Model
from ..protocol.rate_limits import charge
from ..protocol.settings import Settings
from ..store.state import state_of
from .shared.media_sources import SourceReader, find_model

_INPUTS = ("text", "image_url", "image_file", "audio_url", "audio_file")
_FIELDS = ("model_name", "text_truncate", "audio_start_offset_sec", *_INPUTS)
_CLIP_SEC = 6.0


async def embed_v1(request: Request) -> Response:
    """Embed every part of the form."""
    state = state_of(request)
    settings = state.settings
    form = await read_form(request, settings)
    form.refuse_unknown(_FIELDS, settings)
    model = find_model(form.string("model_name"), settings.v1_models, settings)
    truncate = form.string("text_truncate")
    if truncate not in (None, "none", "start", "end"):
        raise invalid("text_truncate", "It must be one of: none, start, end.")
    text = form.string("text")
    offset = form.seconds("audio_start_offset_sec") or 0.0
    if text is None and not any(name in form for name in _INPUTS):
        raise missing("|".join(_INPUTS))
    reader = SourceReader(settings, state.assets)
    body: dict[str, Any] = {"model_name": model.name}
    if text is not None:
        body["text_embedding"] = _text_part(text, truncate or "end", model, settings)
    image = await _media(form, "image", reader)
    if image is not None:
        body["image_embedding"] = await asyncio.to_thread(_image_part, image, model, settings)
    audio = await _media(form, "audio", reader)
    if audio is not None:
        body["audio_embedding"] = await asyncio.to_thread(_audio_part, audio, offset, model, settings)
    return json_response(body)


async def _media(form: Form, kind: str, reader: SourceReader) -> Source | None:
    """Return the image or audio; a URL is preferred to a file."""
    url = form.string(f"{kind}_url")
    if url is not None:
        return await reader.from_url(url, f"{kind}_url")
    file = form.file(f"{kind}_file")
    return None if file is None else Source(file.content, f"{kind}_file", "file", filename=file.filename)


def _over_long(truncate: str, model: Model, settings: Settings) -> OverLong:
    if model.obeys_text_truncate:
        return "refuse" if truncate == "none" else "start" if truncate == "start" else "end"
    return "end" if settings.over_long_text_v1_marengo30 == "cut" else "refuse"


def _text_part(text: str, truncate: str, model: Model, settings: Settings) -> dict[str, Any]:
    try:
        fitted = fit_text(text, "text", model, settings, _over_long(truncate, model, settings))
    except ApiError as error:
        in_part = not model.obeys_text_truncate and settings.over_long_text_v1_marengo30 == "part_error"
        if in_part and settings.count_tokens(text) > model.text_tokens:
            return {"error_message": error.message}
        raise
    return {"segments": [{"float": response_vector(embed_text(fitted.text, model), settings)}]}


def _image_part(source: Source, model: Model, settings: Settings) -> dict[str, Any]:
    vector = embed_image(source, model, settings)
    return {"segments": [{"float": response_vector(vector, settings)}], "metadata": source.metadata()}


def _audio_part(source: Source, offset: float, model: Model, settings: Settings) -> dict[str, Any]:
    audio = open_audio(source, model, settings)
    if offset >= audio.duration:
        why = f"It must be less than the duration of {audio.duration:.1f} seconds."
        raise invalid("audio_start_offset_sec", why)
    charge("audio", audio.duration - offset)
    described = [("audio", audio_words)]
    if model.transcribes and settings.audio_v1_two_vectors:
        described.append(("transcription", speech_words))
    segments: list[dict[str, Any]] = []
    for start, end in fixed_clips(offset, audio.duration, _CLIP_SEC):
        for option, words_of in described:
            vector = embed_words(words_of(audio.between(start, end)), model)
            segment: dict[str, Any] = {
                "start_offset_sec": json_seconds(start),
                "end_offset_sec": json_seconds(end),
                "float": response_vector(vector, settings),
            }
            if settings.audio_v1_labels:
                segment["embedding_option"] = option
            segments.append(segment)
    return {"segments": segments, "metadata": source.metadata()}
