"""``POST /embed-v2``: one input as JSON, embedded synchronously."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.images import embed_image
from ..features.media.source import Source
from ..features.requests import TimeRequest
from ..features.truncation import OverLong, fit_text
from ..features.vectors import Vector, embed_text, fuse
from ..protocol.bodies import json_response, read_json
from ..protocol.json_bodies import parse
from ..protocol.models import Model
from ..protocol.settings import Settings
from ..store.state import state_of
from .multi_input import embed_multi_input
from .shared.media_sources import SourceReader, find_model
from .shared.timed_media import TimedKind, embed_timed_media
from .shared.v2_inputs import EmbedRequest, MediaInput, MultiInput, TextImageInput, TextInput, parse_timed_input
from .shared.v2_responses import data_items, single_vector, timed_metadata

Json = dict[str, Any]


async def embed_v2(request: Request) -> Response:
    """Embed the input that ``input_type`` names."""
    state = state_of(request)
    settings = state.settings
    body = parse(EmbedRequest, await read_json(request, settings), settings)
    model = find_model(body.model_name, settings.v2_models, settings)
    value = body.input_for(model, model.input_types)
    reader = SourceReader(settings, state.assets)
    if body.input_type == "multi_input":
        multi_input = parse(MultiInput, value, settings, "multi_input")
        return json_response(await embed_multi_input(multi_input, body, model, reader))
    return json_response(await _EMBED[body.input_type](value, model, reader))


async def _text(value: Any, model: Model, reader: SourceReader) -> Json:
    text = parse(TextInput, value, reader.settings, "text")
    return {"data": single_vector(_text_vector(text, "text", model, reader.settings), reader.settings)}


async def _image(value: Any, model: Model, reader: SourceReader) -> Json:
    image = parse(MediaInput, value, reader.settings, "image")
    source = await reader.read(image.media_source, "image.media_source")
    vector = await asyncio.to_thread(embed_image, source, model, reader.settings)
    return _with_metadata("image", vector, source, reader.settings)


async def _text_image(value: Any, model: Model, reader: SourceReader) -> Json:
    both = parse(TextImageInput, value, reader.settings, "text_image")
    text = _text_vector(both, "text_image", model, reader.settings)
    source = await reader.read(both.media_source, "text_image.media_source")
    image = await asyncio.to_thread(embed_image, source, model, reader.settings)
    return _with_metadata("text_image", fuse([text, image]), source, reader.settings)


def _with_metadata(kind: str, vector: Vector, source: Source, settings: Settings) -> Json:
    return {"data": single_vector(vector, settings), "metadata": {"input_type": kind, **source.metadata()}}


def _text_vector(text: TextInput, path: str, model: Model, settings: Settings) -> Vector:
    over_long: OverLong = "end" if settings.over_long_text_v2_marengo30 == "cut" else "refuse"
    return embed_text(fit_text(text.input_text, f"{path}.input_text", model, settings, over_long).text, model)


async def _timed(kind: TimedKind, value: Any, model: Model, reader: SourceReader) -> Json:
    media = parse_timed_input(kind, value, model, reader.settings)
    source = await reader.read(media.media_source, f"{kind}.media_source")
    return await asyncio.to_thread(_timed_body, source, kind, media.time_request(kind), model, reader.settings)


def _timed_body(source: Source, kind: TimedKind, request: TimeRequest, model: Model, settings: Settings) -> Json:
    embeddings, duration, span = embed_timed_media(source, kind, request, model, settings, count_minutes=True)
    metadata = timed_metadata(kind, source, request, duration, span)
    return {"data": data_items(embeddings, settings), "metadata": metadata}


_EMBED: dict[str, Callable[[Any, Model, SourceReader], Awaitable[Json]]] = {
    "text": _text,
    "image": _image,
    "text_image": _text_image,
    "audio": functools.partial(_timed, "audio"),
    "video": functools.partial(_timed, "video"),
}
