"""Parts of ``/embed-v2`` responses: ``data``, ``metadata`` and ``usage``."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from ...features.media.source import Source
from ...features.requests import Span, TimeRequest
from ...features.vectors import Embedding, Vector, response_vector, uncertainty
from ...protocol.formats import json_seconds
from ...protocol.settings import Settings

# How many tokens media count as is not published: these numbers are invented.
IMAGE_TOKENS = PAGE_TOKENS = 258
_AUDIO_TOKENS_PER_SEC = 25
_VIDEO_TOKENS_PER_SEC = 258


def data_item(
    vector: Sequence[float],
    option: str | None = None,
    scope: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> dict[str, Any]:
    """Return one item of ``data``; what does not apply is null."""
    return {
        "embedding": vector,
        "embedding_option": option,
        "embedding_scope": scope,
        "start_sec": None if start is None else json_seconds(start),
        "end_sec": None if end is None else json_seconds(end),
    }


def single_vector(
    vector: Vector, settings: Settings, dimension: int | None = None, *, with_uncertainty: bool = False
) -> list[dict[str, Any]]:
    """Return ``data`` with one vector for the whole request."""
    item = data_item(response_vector(vector, settings, dimension))
    if with_uncertainty:
        item["embedding_uncertainty"] = uncertainty(vector, dimension)
    return [item]


def data_items(
    embeddings: Sequence[Embedding], settings: Settings, dimension: int | None = None, *, with_uncertainty: bool = False
) -> list[dict[str, Any]]:
    """Return ``data``, in order unless the settings shuffle it."""
    data = []
    for found in embeddings:
        vector = response_vector(found.vector, settings, dimension)
        item = data_item(vector, found.option, found.scope, found.start, found.end) | dict(found.place)
        if with_uncertainty:
            item["embedding_uncertainty"] = uncertainty(found.vector, dimension)
        data.append(item)
    if settings.shuffle_segments:
        random.shuffle(data)
    return data


def media_metadata(kind: str, source: Source, options: Sequence[str], scopes: Sequence[str]) -> dict[str, Any]:
    """Return ``metadata`` for one media input."""
    return {
        "input_type": kind,
        **source.metadata(),
        "embedding_options": list(options),
        "embedding_scopes": list(scopes),
    }


def timed_metadata(kind: str, source: Source, request: TimeRequest, duration: float, span: Span) -> dict[str, Any]:
    """Return ``metadata`` for audio or video."""
    metadata = media_metadata(kind, source, request.options, request.scopes) | {
        "duration": json_seconds(duration),
        "start_offset_sec": json_seconds(span[0]),
        "end_offset_sec": json_seconds(span[1]),
    }
    if kind == "video" and request.strategy == "fixed":
        metadata["clip_length"] = json_seconds(request.clip_sec)
    return metadata


def audio_tokens(seconds: float) -> int:
    """Return the tokens of audio."""
    return math.ceil(_AUDIO_TOKENS_PER_SEC * seconds)


def video_tokens(seconds: float) -> int:
    """Return the tokens of video."""
    return math.ceil(_VIDEO_TOKENS_PER_SEC * seconds)


def usage(tokens: dict[str, int], truncated: bool = False) -> dict[str, Any]:
    """Return ``usage``, with the tokens of each kind of input."""
    body: dict[str, Any] = {"input_tokens": tokens, "truncated": truncated}
    if truncated:
        body["truncation_reason"] = "model_context_window"
    return body
