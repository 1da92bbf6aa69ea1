"""``multi_input``: a text and up to ten sources, embedded together as one vector."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Literal

from ..features.media.audio import open_audio, words_of_sound
from ..features.media.document import Document, open_document, words_of_pdf
from ..features.media.image import open_image, words_of_image
from ..features.media.source import Reader, Source
from ..features.media.video import open_video, words_of_film
from ..features.truncation import FittedText, fitted
from ..features.vectors import Vector, finished, fused, text_vector, uncertainty, vector
from ..features.words.text import merged
from ..protocol.errors import invalid, missing
from ..protocol.fields import Fields
from ..protocol.models import Model
from ..protocol.rate_limits import charge
from ..protocol.settings import Settings
from .usage import IMAGE_TOKENS, PAGE_TOKENS, sound_tokens, usage_of, video_tokens
from .v2_answers import entry

__all__ = ["embed_multi_input"]

_MOST_SOURCES = 10
_PLACEHOLDER = re.compile(r"<@([^<>]*)>")

OverLong = Literal["end", "refuse"]


@dataclass(frozen=True)
class _Given:
    """One media source as the request names it."""

    media_type: str
    name: str | None
    source: Source


@dataclass(frozen=True)
class _Part:
    """One thing that goes into the vector."""

    vector: Vector
    counted_as: str
    tokens: int
    truncated: bool = False


async def embed_multi_input(fields: Fields, model: Model, reader: Reader) -> dict[str, Any]:
    """Return the answer's body. Raises the API's 400, 403 or 413."""
    settings = reader.settings
    auto_truncate = fields.boolean("auto_truncate") or False
    wants_uncertainty = fields.boolean("embedding_uncertainty") or False
    dimension = fields.whole("embedding_dimension", model.dimensions)
    given = fields.needed("multi_input")
    fields.done()
    text = given.string("input_text")
    if text == "":
        raise invalid(given.path("input_text"), "It must not be empty.")
    listed = given.children("media_sources")
    given.done()
    _check_listed(given, text, listed, model)
    media = [await _read_source(item, model, reader) for item in listed]
    _check_placeholders(text, media)
    _check_mix(text, media)
    if wants_uncertainty:
        _check_uncertainty(text, media)
    over_long: OverLong = "end" if auto_truncate else "refuse"
    if model.name == "marengo3.0" and settings.over_long_text_v2_marengo30 == "cut":
        over_long = "end"
    parts: list[_Part] = []
    said = None if text is None else _text_part(text, model, settings, over_long)
    if said is not None:
        parts.append(said)
    for item in media:
        parts.append(await asyncio.to_thread(_media_part, item, model, settings, over_long))
    return _body(parts, model, settings, dimension, wants_uncertainty)


def _check_listed(given: Fields, text: str | None, listed: list[Fields], model: Model) -> None:
    if not listed and (text is None or "document" not in model.source_types):
        # 3.5 takes a text alone; 3.0 is told to use input_type "text" for that.
        raise missing(given.path("media_sources"))
    if len(listed) > _MOST_SOURCES:
        raise invalid(given.path("media_sources"), f"It must not have more than {_MOST_SOURCES} items.")


async def _read_source(item: Fields, model: Model, reader: Reader) -> _Given:
    media_type = item.string("media_type", required=True, choices=model.source_types) or ""
    name = item.string("name")
    source = await reader.from_fields(item)
    item.done()
    return _Given(media_type, name, source)


def _check_placeholders(text: str | None, media: list[_Given]) -> None:
    names = [item.name for item in media if item.name is not None]
    if len(set(names)) < len(names):
        raise invalid("multi_input.media_sources", "Two sources have the same name.")
    for wanted in _PLACEHOLDER.findall(text or ""):
        if wanted not in names:
            raise invalid("multi_input.input_text", f"No media source is named `{wanted}`.")


def _check_mix(text: str | None, media: list[_Given]) -> None:
    kinds = [_kind(item) for item in media]
    if "pdf" in kinds and (len(media) > 1 or text is not None):
        raise invalid("multi_input.media_sources", "A PDF must be the only input.")
    texts = kinds.count("text") + (text is not None)
    if "text" in kinds and texts > 1 and set(kinds) == {"text"}:
        raise invalid("multi_input", "Several texts cannot be embedded together without other media.")
    if len(set(kinds) - {"text"}) > 1 and not texts:
        raise invalid("multi_input", "Sources of different media types need an `input_text`.")


def _check_uncertainty(text: str | None, media: list[_Given]) -> None:
    if any(item.media_type == "document" for item in media):
        raise invalid("embedding_uncertainty", "It is not available for documents.")
    if text is not None and media:
        raise invalid("embedding_uncertainty", "It is not available for text together with media.")


def _kind(item: _Given) -> str:
    if item.media_type != "document":
        return item.media_type
    return "pdf" if b"%PDF-" in item.source.head(1024) else "text"


def _text_part(text: str, model: Model, settings: Settings, over_long: OverLong) -> _Part | None:
    said = text
    if _PLACEHOLDER.search(text):
        said = " ".join(_PLACEHOLDER.sub(" ", text).split())
        if not said:  # "<@coat>" alone says nothing beside the picture itself.
            return None
    return _from_text(fitted(said, "multi_input.input_text", model, settings, over_long=over_long), "text", model)


def _from_text(kept: FittedText, counted_as: str, model: Model) -> _Part:
    return _Part(text_vector(kept.text, model), counted_as, kept.tokens, kept.truncated)


def _media_part(item: _Given, model: Model, settings: Settings, over_long: OverLong) -> _Part:
    if item.media_type == "image":
        words = words_of_image(open_image(item.source, model, settings))
        return _Part(vector(words, model), "image", IMAGE_TOKENS)
    if item.media_type == "audio":
        sound = open_audio(item.source, model, settings)
        charge("audio", sound.duration)
        tokens = sound_tokens(sound.duration)
        return _Part(vector(words_of_sound(sound), model), "audio", tokens)
    if item.media_type == "video":
        film = open_video(item.source, model, settings)
        charge("video", film.duration)
        bags = [words_of_film(film, 0, film.duration)]
        if film.sound is not None:
            bags.append(words_of_sound(film.sound))
        return _Part(vector(merged(bags), model), "video", video_tokens(film.duration))
    return _document_part(open_document(item.source, model, settings), item, model, settings, over_long)


def _document_part(document: Document, item: _Given, model: Model, settings: Settings, over_long: OverLong) -> _Part:
    if not document.is_text:
        return _Part(vector(words_of_pdf(document), model), "document", PAGE_TOKENS * document.pages)
    kept = fitted(document.text, item.source.parameter, model, settings, over_long=over_long)
    return _from_text(kept, "document", model)


def _body(
    parts: list[_Part], model: Model, settings: Settings, dimension: int | None, wants_uncertainty: bool
) -> dict[str, Any]:
    whole = fused(part.vector for part in parts)
    item = entry(finished(whole, settings, dimension))
    if wants_uncertainty:
        item["embedding_uncertainty"] = uncertainty(whole, settings, dimension)
    metadata: dict[str, Any] = {"input_type": "multi_input"}
    body: dict[str, Any] = {"data": [item], "metadata": metadata}
    if model.dimensions:
        counted: dict[str, int] = {}
        for part in parts:
            counted[part.counted_as] = counted.get(part.counted_as, 0) + part.tokens
        truncated = any(part.truncated for part in parts)
        body["usage"] = usage_of(counted, truncated)
        metadata["embedding_dimension"] = dimension or model.dimension
    return body
