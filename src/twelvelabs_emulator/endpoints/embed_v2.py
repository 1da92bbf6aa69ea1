"""``POST /embed-v2``: one input, as JSON, answered at once."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from ..features.media.audio import open_audio
from ..features.media.image import open_image, words_of_image
from ..features.media.source import Reader, Source
from ..features.media.video import open_video
from ..features.segments import TimeRequest, film_rows, read_time_request, sound_rows, span_of
from ..features.truncation import fitted
from ..features.vectors import Vector, finished, fused, text_vector, vector
from ..protocol.bodies import answer, read_json, state_of
from ..protocol.errors import invalid, missing
from ..protocol.fields import Fields
from ..protocol.models import Model
from ..protocol.rate_limits import charge
from ..protocol.settings import Settings
from .embed_v1 import model_named
from .multi_input import embed_multi_input
from .v2_answers import entries, entry, timed_metadata

__all__ = ["embed_v2"]

_INPUT_TYPES = ("text", "image", "text_image", "audio", "video", "multi_input")


async def embed_v2(request: Request) -> Response:
    """Answer one request; every refusal is an `ApiError`."""
    state = state_of(request)
    settings = state.settings
    reader = Reader(settings, state.assets)
    fields = Fields(await read_json(request, settings), "", settings)
    input_type = fields.string("input_type", required=True, choices=_INPUT_TYPES) or ""
    model = model_named(fields.string("model_name"), settings.v2_models, settings)
    if input_type not in model.input_types:
        why = f"{model.name} takes on this endpoint: {', '.join(model.input_types)}."
        raise invalid("input_type", why)
    for name in _INPUT_TYPES:
        if name != input_type and fields.has(name):
            raise invalid(name, f"`input_type` is {input_type}.")
    if not model.dimensions:
        for name in ("auto_truncate", "embedding_uncertainty", "embedding_dimension"):
            if fields.has(name):
                raise invalid(name, f"{model.name} does not take it.")
    if not fields.has(input_type):
        raise missing(input_type)
    if input_type == "multi_input":
        return answer(await embed_multi_input(fields, model, reader))
    given = fields.needed(input_type)
    body = await _EMBED[input_type](given, fields, model, reader)
    return answer(body)


def _single(found: Vector, settings: Settings, metadata: dict[str, Any] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"data": [entry(finished(found, settings))]}
    if metadata is not None:
        body["metadata"] = metadata
    return body


def _text_of(given: Fields, model: Model, settings: Settings) -> Vector:
    text = given.string("input_text", required=True) or ""
    over_long: Literal["end", "refuse"] = "end" if settings.over_long_text_v2_marengo30 == "cut" else "refuse"
    kept = fitted(text, given.path("input_text"), model, settings, over_long=over_long)
    return text_vector(kept.text, model)


async def _source_of(given: Fields, reader: Reader) -> Source:
    media = given.needed("media_source")
    source = await reader.from_fields(media)
    media.done()
    return source


async def _text(given: Fields, fields: Fields, model: Model, reader: Reader) -> dict[str, Any]:
    settings = reader.settings
    found = _text_of(given, model, settings)
    given.done()
    fields.done()
    return _single(found, settings, None)


async def _image(given: Fields, fields: Fields, model: Model, reader: Reader) -> dict[str, Any]:
    settings = reader.settings
    source = await _source_of(given, reader)
    given.done()
    fields.done()
    found = await asyncio.to_thread(_image_vector, source, model, settings)
    return _single(found, settings, {"input_type": "image", **source.metadata()})


async def _text_image(given: Fields, fields: Fields, model: Model, reader: Reader) -> dict[str, Any]:
    settings = reader.settings
    text = _text_of(given, model, settings)
    source = await _source_of(given, reader)
    given.done()
    fields.done()
    image = await asyncio.to_thread(_image_vector, source, model, settings)
    return _single(fused([text, image]), settings, {"input_type": "text_image", **source.metadata()})


def _image_vector(source: Source, model: Model, settings: Settings) -> Vector:
    return vector(words_of_image(open_image(source, model, settings)), model)


async def _audio(given: Fields, fields: Fields, model: Model, reader: Reader) -> dict[str, Any]:
    settings = reader.settings
    asked = read_time_request(given, "audio")
    source = await _source_of(given, reader)
    given.done()
    fields.done()
    return await asyncio.to_thread(_audio_body, source, asked, model, settings)


def _audio_body(source: Source, asked: TimeRequest, model: Model, settings: Settings) -> dict[str, Any]:
    sound = open_audio(source, model, settings)
    span = span_of(asked, sound.duration, "audio")
    charge("audio", span[1] - span[0])
    rows = sound_rows(sound, asked, span, model, settings)
    return {"data": entries(rows, settings), "metadata": timed_metadata("audio", source, asked, sound.duration, span)}


async def _video(given: Fields, fields: Fields, model: Model, reader: Reader) -> dict[str, Any]:
    settings = reader.settings
    asked = read_time_request(given, "video")
    source = await _source_of(given, reader)
    given.done()
    fields.done()
    return await asyncio.to_thread(_video_body, source, asked, model, settings)


def _video_body(source: Source, asked: TimeRequest, model: Model, settings: Settings) -> dict[str, Any]:
    film = open_video(source, model, settings)
    span = span_of(asked, film.duration, "video")
    charge("video", span[1] - span[0])
    rows = film_rows(film, asked, span, model, settings)
    if not rows:
        raise invalid("video.embedding_option", "The video has no sound to embed.")
    return {"data": entries(rows, settings), "metadata": timed_metadata("video", source, asked, film.duration, span)}


_EMBED = {"text": _text, "image": _image, "text_image": _text_image, "audio": _audio, "video": _video}
