"""Answers to results, checked: count, dimension, finite numbers, failures inside a 200."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic_core import from_json

from .._errors import InvalidInputError, MalformedResponseError
from .._results import Segment, Usage
from .errors import error_from_message

__all__ = ["parse_json", "single", "usage", "v1_metadata", "v1_segments", "v2_segments"]


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        MalformedResponseError: not JSON, or not an object.
    """
    try:
        answer = from_json(body)
    except ValueError as error:
        raise MalformedResponseError(f"The answer is not JSON ({len(body)} bytes): {error}.") from error
    if not isinstance(answer, dict):
        raise MalformedResponseError(f"The answer is a JSON {type(answer).__name__}, not an object.")
    return answer


def v2_segments(answer: dict[str, Any], dimensions: int) -> list[Segment]:
    """All vectors of a v2 answer, sorted by time: the server's order is not guaranteed (SDK, ``chunk_index``)."""
    data = answer.get("data")
    if not isinstance(data, list) or not data:
        raise MalformedResponseError("The answer has no 'data'.")
    segments = []
    for entry in data:
        if not isinstance(entry, dict):
            raise MalformedResponseError("An entry of 'data' is not an object.")
        segments.append(
            Segment(
                _vector(entry.get("embedding"), dimensions),
                _time(entry.get("start_sec")),
                _time(entry.get("end_sec")),
                entry.get("embedding_option"),
                entry.get("embedding_scope"),
                entry.get("start_page_number"),
                entry.get("quadrant"),
                entry.get("chunk_index"),
                entry.get("embedding_uncertainty"),
            )
        )
    if len(segments) > 1:
        segments.sort(key=_by_time)
    return segments


def v1_segments(answer: dict[str, Any], part: str, dimensions: int) -> list[Segment]:
    """All vectors of one part (``text``, ``image``, ``audio``) of a v1 answer, sorted by time.

    Raises:
        InvalidInputError, TextTooLongError: the part holds an ``error_message``; the API answers 200 all the same.
        MalformedResponseError: the part is missing or has no vectors.
    """
    found = answer.get(f"{part}_embedding")
    if not isinstance(found, dict):
        raise MalformedResponseError(f"The answer has no '{part}_embedding'.")
    if found.get("error_message"):
        raise error_from_message(str(found["error_message"]))
    entries = found.get("segments")
    if not isinstance(entries, list) or not entries:
        raise MalformedResponseError(f"'{part}_embedding' of the answer has no segments.")
    segments = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise MalformedResponseError("A segment of the answer is not an object.")
        segments.append(
            Segment(
                _vector(entry.get("float"), dimensions),
                _time(entry.get("start_offset_sec")),
                _time(entry.get("end_offset_sec")),
                entry.get("embedding_option"),
                "asset" if entry.get("embedding_scope") == "video" else entry.get("embedding_scope"),
            )
        )
    segments.sort(key=_by_time)
    return segments


def v1_metadata(answer: dict[str, Any]) -> dict[str, dict[str, str]]:
    """``input_filename`` and ``input_url`` of the picture and the sound, by part."""
    parts = {part: (answer.get(f"{part}_embedding") or {}).get("metadata") for part in ("image", "audio")}
    return {
        part: {k: v for k, v in found.items() if v is not None}
        for part, found in parts.items()
        if isinstance(found, dict) and found
    }


def usage(answer: dict[str, Any]) -> Usage | None:
    """The ``usage`` object, if the server sent one (3.5)."""
    found = answer.get("usage")
    if not isinstance(found, dict):
        return None
    counts = found.get("input_tokens")
    tokens = {k: v for k, v in counts.items() if isinstance(v, int)} if isinstance(counts, dict) else {}
    return Usage(tokens, bool(found.get("truncated")), found.get("truncation_reason"))


def single(segments: list[Segment], what: str) -> Segment:
    """The one vector that was asked for.

    Raises:
        MalformedResponseError: there are several, and none stands for the whole.
    """
    if len(segments) == 1:
        return segments[0]
    whole = [s for s in segments if s.scope == "asset"]
    if len(whole) == 1:
        return whole[0]
    raise MalformedResponseError(f"Expected one vector for {what}, the answer has {len(segments)}.")


def is_media_too_long(error: InvalidInputError) -> bool:
    """The refusal of a synchronous request whose media are too long: a task may take them."""
    if error.status not in (400, 413):
        return False
    return error.code == "video_duration_too_long" or bool(_DURATION.search(error.message))


_DURATION = re.compile(r"\bduration\b|\btoo long\b|\blonger than\b|\b(seconds|minutes)\b", re.IGNORECASE)


def _by_time(segment: Segment) -> tuple[float, float]:
    # Whole-file vectors come after the segments; documents go by page or chunk.
    start = segment.start_sec if segment.start_sec is not None else segment.page or segment.chunk
    whole = segment.scope == "asset" or (start is None and segment.chunk is None)
    return (math.inf if whole else start or 0.0, segment.end_sec or math.inf)


def _time(found: Any) -> float | None:
    if found is None or (isinstance(found, (int, float)) and math.isfinite(found)):
        return found
    raise MalformedResponseError(f"The answer has a time that is no number: {found!r:.40}.")


def _vector(found: Any, dimensions: int) -> list[float]:
    if not isinstance(found, list):
        raise MalformedResponseError("The answer has an entry without a vector.")
    if len(found) != dimensions:
        raise MalformedResponseError(f"The answer has a vector of {len(found)} numbers, expected {dimensions}.")
    types = set(map(type, found))
    if types <= {float, int}:
        try:
            # JSON writers may drop ".0": whole numbers arrive as int, and stores ask for floats.
            vector = found if types == {float} else [float(x) for x in found]
            # A finite sum has finite terms; an infinite one may have overflowed, so that each must be looked at.
            if math.isfinite(sum(vector)) or all(map(math.isfinite, vector)):
                return vector
        except OverflowError:
            pass
    raise MalformedResponseError("The answer has a vector with something that is not a finite number.")
