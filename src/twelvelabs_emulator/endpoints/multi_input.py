"""``multi_input``: a text and up to ten sources, embedded together as one vector."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from ..features.document_parts import document_words
from ..features.images import embed_image
from ..features.media.document import open_document
from ..features.media.opening import open_audio, open_video
from ..features.media.source import Source
from ..features.truncation import OverLong, fit_text
from ..features.vectors import Vector, embed_text, embed_words, fuse
from ..features.words.audio import audio_words
from ..features.words.video import scene_cuts, video_words
from ..features.words.weights import mean_words
from ..protocol.errors import invalid, missing
from ..protocol.models import Model
from ..protocol.rate_limits import charge
from ..protocol.settings import Settings
from .shared.media_sources import SourceReader
from .shared.v2_inputs import EmbedRequest, MultiInput
from .shared.v2_responses import IMAGE_TOKENS, PAGE_TOKENS, audio_tokens, single_vector, usage, video_tokens

_PLACEHOLDER = re.compile(r"<@([^<>]*)>")


@dataclass(frozen=True)
class _Part:
    """One input of the vector, and the tokens it counts as."""

    vector: Vector
    counted_as: str
    tokens: int
    truncated: bool = False


async def embed_multi_input(
    given: MultiInput, request: EmbedRequest, model: Model, reader: SourceReader
) -> dict[str, Any]:
    """Return the response's body. Raises the API's 400, 403 or 413."""
    settings = reader.settings
    _check_sources(given, model)
    _check_names(given)
    sources = [
        await reader.read(item, f"multi_input.media_sources[{number}]")
        for number, item in enumerate(given.media_sources)
    ]
    media = list(zip((item.media_type for item in given.media_sources), sources, strict=True))
    _check_mix(given.input_text, [_kind(media_type, source) for media_type, source in media])
    if request.embedding_uncertainty:
        _check_uncertainty(given)
    truncates = request.auto_truncate or (model.name == "marengo3.0" and settings.over_long_text_v2_marengo30 == "cut")
    over_long: OverLong = "end" if truncates else "refuse"
    parts: list[_Part] = []
    text = _without_placeholders(given.input_text)
    if text is not None:
        parts.append(_text_part(text, "text", "multi_input.input_text", model, settings, over_long))
    for media_type, source in media:
        parts.append(await asyncio.to_thread(_media_part, media_type, source, model, settings, over_long))
    return _body(parts, request, model, settings)


def _check_sources(given: MultiInput, model: Model) -> None:
    if not given.media_sources and (given.input_text is None or "document" not in model.source_types):
        # marengo3.5 embeds a text alone; 3.0 has the input type "text" for that.
        raise missing("multi_input.media_sources")
    for number, item in enumerate(given.media_sources):
        if item.media_type not in model.source_types:
            why = f"It must be one of: {', '.join(model.source_types)}."
            raise invalid(f"multi_input.media_sources[{number}].media_type", why)


def _check_names(given: MultiInput) -> None:
    names = [item.name for item in given.media_sources if item.name is not None]
    if len(set(names)) < len(names):
        raise invalid("multi_input.media_sources", "Two sources have the same name.")
    for name in _PLACEHOLDER.findall(given.input_text or ""):
        if name not in names:
            raise invalid("multi_input.input_text", f"No media source is named `{name}`.")


def _check_mix(text: str | None, kinds: list[str]) -> None:
    if "pdf" in kinds and (len(kinds) > 1 or text is not None):
        raise invalid("multi_input.media_sources", "A PDF must be the only input.")
    texts = kinds.count("text") + (text is not None)
    if set(kinds) == {"text"} and texts > 1:
        raise invalid("multi_input", "Several texts cannot be embedded together without other media.")
    if len(set(kinds) - {"text"}) > 1 and not texts:
        raise invalid("multi_input", "Sources of different media types need an `input_text`.")


def _check_uncertainty(given: MultiInput) -> None:
    if any(item.media_type == "document" for item in given.media_sources):
        raise invalid("embedding_uncertainty", "It is not available for documents.")
    if given.input_text is not None and given.media_sources:
        raise invalid("embedding_uncertainty", "It is not available for text together with media.")


def _kind(media_type: str, source: Source) -> str:
    """Return the media type, but "pdf" or "text" for documents."""
    if media_type != "document":
        return media_type
    return "pdf" if source.is_pdf else "text"


def _without_placeholders(text: str | None) -> str | None:
    """Return the text to embed; ``None`` if there is none beside the placeholders."""
    if text is None or not _PLACEHOLDER.search(text):
        return text
    return " ".join(_PLACEHOLDER.sub(" ", text).split()) or None


def _text_part(
    text: str, counted_as: str, parameter: str, model: Model, settings: Settings, over_long: OverLong
) -> _Part:
    fitted = fit_text(text, parameter, model, settings, over_long)
    return _Part(embed_text(fitted.text, model), counted_as, fitted.tokens, fitted.truncated)


def _media_part(media_type: str, source: Source, model: Model, settings: Settings, over_long: OverLong) -> _Part:
    if media_type == "image":
        return _Part(embed_image(source, model, settings), "image", IMAGE_TOKENS)
    if media_type == "audio":
        audio = open_audio(source, model, settings)
        charge("audio", audio.duration)
        vector = embed_words(audio_words(audio.between(0, audio.duration)), model)
        return _Part(vector, "audio", audio_tokens(audio.duration))
    if media_type == "video":
        video = open_video(source, model, settings)
        charge("video", video.duration)
        words = [video_words(video.frames, scene_cuts(video.frames))]
        if video.audio is not None:
            words.append(audio_words(video.audio.between(0, video.audio.duration)))
        return _Part(embed_words(mean_words(words), model), "video", video_tokens(video.duration))
    document = open_document(source, model, settings)
    if document.pages:
        return _Part(embed_words(document_words(document), model), "document", PAGE_TOKENS * document.pages)
    return _text_part(document.text, "document", source.parameter, model, settings, over_long)


def _body(parts: list[_Part], request: EmbedRequest, model: Model, settings: Settings) -> dict[str, Any]:
    dimension = request.embedding_dimension
    vector = fuse(part.vector for part in parts)
    data = single_vector(vector, settings, dimension, with_uncertainty=request.embedding_uncertainty)
    metadata: dict[str, Any] = {"input_type": "multi_input"}
    body: dict[str, Any] = {"data": data, "metadata": metadata}
    if model.dimensions:
        tokens: dict[str, int] = {}
        for part in parts:
            tokens[part.counted_as] = tokens.get(part.counted_as, 0) + part.tokens
        body["usage"] = usage(tokens, any(part.truncated for part in parts))
        metadata["embedding_dimension"] = dimension or model.dimension
    return body
