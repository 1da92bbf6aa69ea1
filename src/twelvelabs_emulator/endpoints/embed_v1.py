"""``POST /embed``: texts, images and sounds in one multipart form."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from ..features.media.audio import open_audio, words_of_sound, words_of_speech
from ..features.media.image import open_image, words_of_image
from ..features.media.source import Reader, Source
from ..features.segments import fixed_spans
from ..features.truncation import fitted
from ..features.vectors import finished, text_vector, vector
from ..protocol.bodies import FilePart, answer, number, read_form, state_of
from ..protocol.errors import ApiError, invalid, missing, unknown_field
from ..protocol.models import MODELS, Model
from ..protocol.rate_limits import charge
from ..protocol.settings import Settings

__all__ = ["embed_v1", "model_named"]

_FIELDS = frozenset(
    (
        "model_name",
        "text",
        "text_truncate",
        "image_url",
        "image_file",
        "audio_url",
        "audio_file",
        "audio_start_offset_sec",
    )
)
_CLIP_SEC = 6.0

Form = dict[str, str | FilePart]


async def embed_v1(request: Request) -> Response:
    """Answer one request; every refusal is an `ApiError`."""
    state = state_of(request)
    settings = state.settings
    reader = Reader(settings, state.assets)
    form = await read_form(request, settings)
    if settings.unknown_fields == "refuse":
        for name in form:
            if name not in _FIELDS:
                raise unknown_field(name)
    model = model_named(_string(form, "model_name"), settings.v1_models, settings)
    truncate = _string(form, "text_truncate")
    if truncate not in (None, "none", "start", "end"):
        raise invalid("text_truncate", "It must be one of: none, start, end.")
    text = _string(form, "text")
    offset = _seconds(form, "audio_start_offset_sec")
    if text is None and not {"image_url", "image_file", "audio_url", "audio_file"} & form.keys():
        raise missing("text|image_url|image_file|audio_url|audio_file")
    body: dict[str, Any] = {"model_name": model.name}
    if text is not None:
        body["text_embedding"] = _text_part(text, truncate or "end", model, settings)
    image = await _media(form, "image", reader)
    if image is not None:
        body["image_embedding"] = await asyncio.to_thread(_image_part, image, model, settings)
    audio = await _media(form, "audio", reader)
    if audio is not None:
        body["audio_embedding"] = await asyncio.to_thread(_audio_part, audio, offset, model, settings)
    return answer(body)


def model_named(name: str | None, served: tuple[str, ...], settings: Settings) -> Model:
    """Return the model of a request, if the endpoint serves it. Raises the API's 400."""
    if name is None:
        if settings.missing_model_name == "refuse":
            raise missing("model_name")
        name = settings.missing_model_name
    for known in served:
        same = name.casefold() == known.casefold() if settings.model_name_ignores_case else name == known
        if same and known in MODELS:
            return MODELS[known]
    raise invalid("model_name", f"This endpoint serves: {', '.join(served) or 'no model'}.")


def _string(form: Form, name: str) -> str | None:
    value = form.get(name)
    if isinstance(value, FilePart):
        raise invalid(name, "It must be a form field, not a file.")
    return value


def _seconds(form: Form, name: str) -> float:
    value = _string(form, name)
    try:
        seconds = float(value) if value is not None else 0.0
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise invalid(name, "It must be a number of seconds from 0.")
    return seconds


async def _media(form: Form, kind: str, reader: Reader) -> Source | None:
    url = _string(form, f"{kind}_url")
    if url is not None:  # It wins over a file.
        return await reader.from_url(url, f"{kind}_url")
    part = form.get(f"{kind}_file")
    if part is None:
        return None
    if not isinstance(part, FilePart):
        raise invalid(f"{kind}_file", "It must be a file.")
    return Source(part.content, f"{kind}_file", "file", filename=part.filename)


def _text_part(text: str, truncate: str, model: Model, settings: Settings) -> dict[str, Any]:
    # Only 2.7 ever had the choice; later models take the field and do as they do.
    if model.name == "Marengo-retrieval-2.7":
        over_long: Literal["end", "start", "refuse"] = "start" if truncate == "start" else "end"
        if truncate == "none":
            over_long = "refuse"
        kept = fitted(text, "text", model, settings, over_long=over_long)
    elif settings.over_long_text_v1_marengo30 == "cut":
        kept = fitted(text, "text", model, settings, over_long="end")
    else:
        try:
            kept = fitted(text, "text", model, settings, over_long="refuse")
        except ApiError as error:
            too_long = settings.count_tokens(text) > model.text_tokens
            if too_long and settings.over_long_text_v1_marengo30 == "part_error":
                return {"error_message": error.message}
            raise
    return {"segments": [{"float": finished(text_vector(kept.text, model), settings)}]}


def _image_part(source: Source, model: Model, settings: Settings) -> dict[str, Any]:
    words = words_of_image(open_image(source, model, settings))
    return {
        "segments": [{"float": finished(vector(words, model), settings)}],
        "metadata": source.metadata(),
    }


def _audio_part(source: Source, offset: float, model: Model, settings: Settings) -> dict[str, Any]:
    sound = open_audio(source, model, settings)
    if offset >= sound.duration:
        why = f"It must be less than the duration of {sound.duration:.1f} seconds."
        raise invalid("audio_start_offset_sec", why)
    charge("audio", sound.duration - offset)
    kinds = [("audio", words_of_sound)]
    if model.name != "Marengo-retrieval-2.7" and settings.audio_v1_two_vectors:
        kinds.append(("transcription", words_of_speech))
    segments: list[dict[str, Any]] = []
    for start, end in fixed_spans(offset, sound.duration, _CLIP_SEC):
        for option, measured in kinds:
            segment: dict[str, Any] = {
                "start_offset_sec": number(start),
                "end_offset_sec": number(end),
                "float": finished(vector(measured(sound.part(start, end)), model), settings),
            }
            if settings.audio_v1_labels:
                segment["embedding_option"] = option
            segments.append(segment)
    return {"segments": segments, "metadata": source.metadata()}
