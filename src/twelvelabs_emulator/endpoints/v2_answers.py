"""The pieces that ``/embed-v2`` answers are made of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from ..features.media.source import Source
from ..features.segments import Row, TimeRequest
from ..features.vectors import finished, uncertainty
from ..protocol.bodies import number
from ..protocol.settings import Settings

__all__ = ["entries", "entry", "timed_metadata"]


def entry(
    numbers: Sequence[float],
    option: str | None = None,
    scope: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> dict[str, Any]:
    """Return one item of an answer's ``data``; what does not apply is null."""
    return {
        "embedding": numbers,
        "embedding_option": option,
        "embedding_scope": scope,
        "start_sec": None if start is None else number(start),
        "end_sec": None if end is None else number(end),
    }


def entries(
    rows: Sequence[Row], settings: Settings, dimension: int | None = None, *, with_uncertainty: bool = False
) -> list[dict[str, Any]]:
    """Return ``data``, in the order of the rows unless the settings shuffle it."""
    data = []
    for row in rows:
        numbers = finished(row.vector, settings, dimension)
        item = entry(numbers, row.option, row.scope, row.start, row.end) | dict(row.place)
        if with_uncertainty:
            item["embedding_uncertainty"] = uncertainty(row.vector, settings, dimension)
        data.append(item)
    if settings.shuffle_segments:
        random.shuffle(data)
    return data


def timed_metadata(
    kind: str, source: Source, asked: TimeRequest, duration: float, span: tuple[float, float]
) -> dict[str, Any]:
    """Return an answer's ``metadata`` for audio or video."""
    metadata = {
        "input_type": kind,
        **source.metadata(),
        "embedding_options": asked.options,
        "embedding_scopes": asked.scopes,
        "duration": number(duration),
        "start_offset_sec": number(span[0]),
        "end_offset_sec": number(span[1]),
    }
    if kind == "video" and asked.strategy == "fixed":
        metadata["clip_length"] = number(asked.clip_sec)
    return metadata
