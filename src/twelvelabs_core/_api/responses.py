"""Responses to results, checked: number of vectors, length, finite numbers, errors inside a 200."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic_core import from_json

from .._errors import InvalidInputError, MalformedResponseError
from .._results import Segment, Usage
from .errors import error_from_message


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a response.

    Raises:
        MalformedResponseError: not JSON, or not an object.
    """
    try:
        response = from_json(body)
    except ValueError as error:
        raise MalformedResponseError(f"The response is not JSON ({len(body)} bytes): {error}.") from error
    if not isinstance(response, dict):
        raise MalformedResponseError(f"The response is a JSON {type(response).__name__}, not an object.")
    return response


def v2_segments(response: dict[str, Any], dimensions: int) -> list[Segment]:
    """All vectors of a v2 response, sorted by time: the server's order is not guaranteed (SDK, ``chunk_index``).

    Raises:
        MalformedResponseError: there are no vectors, or they are not of ``dimensions`` finite numbers.
    """
    segments = []
    for entry in _entries(response.get("data"), "'data'"):
        uncertainty = entry.get("embedding_uncertainty")
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
                uncertainty if isinstance(uncertainty, list) and len(uncertainty) == dimensions else None,
            )
        )
    if len(segments) > 1:
        segments.sort(key=_by_time)
    return segments


def v1_segments(response: dict[str, Any], part: str, dimensions: int) -> list[Segment]:
    """All vectors of one part (``text``, ``image``, ``audio``, ``video``) of a v1 response, sorted by time.

    marengo3.0 sends two vectors for each time span of audio, without labels (API page). They keep the server's order.

    Raises:
        InvalidInputError, TextTooLongError: the part holds an ``error_message``, in a response of status 200.
        MalformedResponseError: the part is missing or has no vectors.
    """
    found = response.get(f"{part}_embedding")
    if not isinstance(found, dict):
        raise MalformedResponseError(f"The response has no '{part}_embedding'.")
    if found.get("error_message"):
        raise error_from_message(str(found["error_message"]))
    segments = []
    for entry in _entries(found.get("segments"), f"segments of '{part}_embedding'"):
        scope = entry.get("embedding_scope")
        segments.append(
            Segment(
                _vector(entry.get("float"), dimensions),
                _time(entry.get("start_offset_sec")),
                _time(entry.get("end_offset_sec")),
                entry.get("embedding_option"),
                "asset" if scope == "video" else scope,
            )
        )
    segments.sort(key=_by_time)
    return segments


def v1_metadata(response: dict[str, Any]) -> dict[str, dict[str, str]]:
    """``input_filename`` and ``input_url`` of the image and the audio, by part."""
    parts = {part: (response.get(f"{part}_embedding") or {}).get("metadata") for part in ("image", "audio")}
    return {
        part: {k: v for k, v in found.items() if v is not None}
        for part, found in parts.items()
        if isinstance(found, dict) and found
    }


def usage(response: dict[str, Any]) -> Usage | None:
    """The ``usage`` object, if the server sent one (marengo3.5)."""
    found = response.get("usage")
    if not isinstance(found, dict):
        return None
    counts = found.get("input_tokens")
    tokens = {k: v for k, v in counts.items() if isinstance(v, int)} if isinstance(counts, dict) else {}
    return Usage(tokens, bool(found.get("truncated")), found.get("truncation_reason"))


def single(segments: list[Segment], what: str) -> Segment:
    """The one vector that was asked for.

    Raises:
        MalformedResponseError: there are several, and none is of scope ``asset``.
    """
    if len(segments) == 1:
        return segments[0]
    whole = [s for s in segments if s.scope == "asset"]
    if len(whole) == 1:
        return whole[0]
    raise MalformedResponseError(f"Expected one vector for {what}, the response has {len(segments)}.")


# The API documents the code; its messages are not fixed. A message that mentions seconds need not be about the length:
# those about bad options ("segmentation must be between 2 and 10 seconds") do too.
_MEDIA_TOO_LONG = re.compile(
    r"\b(video|audio|media|file|asset|input)\b[^.;]*\b(too long|longer than)\b"
    r"|\bduration\b[^.;]*\b(exceed\w*|too long|longer than|at most|maximum|up to|limit)\b"
    r"|\bexceed\w*\b[^.;]*\bduration\b"
    r"|\b(maximum|limit)\b[^.;]*\bduration\b",
    re.IGNORECASE,
)
_ABOUT_OPTIONS = re.compile(r"segment|clip|_sec\b|offset|strategy", re.IGNORECASE)


def is_media_too_long(error: InvalidInputError) -> bool:
    """Whether a synchronous request was refused because its media is too long, so that a task may be tried."""
    if error.status not in (400, 413):
        return False
    if error.code in ("video_duration_too_long", "audio_duration_too_long"):
        return True
    return bool(_MEDIA_TOO_LONG.search(error.message)) and not _ABOUT_OPTIONS.search(error.message)


def _entries(found: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not found:
        raise MalformedResponseError(f"The response has no {what}.")
    if not all(isinstance(entry, dict) for entry in found):
        raise MalformedResponseError(f"An entry of {what} in the response is not an object.")
    return found


def _by_time(segment: Segment) -> tuple[float, float]:
    # Whole-file vectors come after the segments; documents go by page or chunk.
    start = segment.start_sec if segment.start_sec is not None else segment.page or segment.chunk
    whole = segment.scope == "asset" or (start is None and segment.chunk is None)
    return (math.inf if whole else start or 0.0, segment.end_sec or math.inf)


def _time(found: Any) -> float | None:
    if found is None or (isinstance(found, (int, float)) and math.isfinite(found)):
        return found
    raise MalformedResponseError(f"The response has a time that is not a number: {found!r:.40}.")


def _vector(found: Any, dimensions: int) -> list[float]:
    if not isinstance(found, list):
        raise MalformedResponseError("The response has an entry without a vector.")
    if len(found) != dimensions:
        raise MalformedResponseError(f"The response has a vector of {len(found)} numbers, expected {dimensions}.")
    types = set(map(type, found))
    if types <= {float, int}:
        try:
            # JSON writers may drop ".0": whole numbers arrive as int, and stores ask for floats.
            vector = found if types == {float} else [float(x) for x in found]
            # A finite sum has finite terms; an infinite one may have overflowed, so that each must be checked.
            if math.isfinite(sum(vector)) or all(map(math.isfinite, vector)):
                return vector
        except OverflowError:
            pass
    raise MalformedResponseError("The response has a vector with something that is not a finite number.")
