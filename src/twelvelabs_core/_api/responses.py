"""Responses to results, checked: number of vectors, length, finite numbers, errors inside a 200."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json

from .._errors import InvalidInputError, MalformedResponseError
from .._results import Segment, Usage
from .errors import error_from_message, one_line
from .large_json import LARGE_ANSWER, Numbers, parse_in_pieces

A = TypeVar("A")
T = TypeVar("T")

# Stores keep vectors as 32-bit floats and divide by their length. Within these bounds, the square of the length is a
# normal number there, and so is every element; embeddings have a length of about 1.
SHORTEST, LONGEST = 1e-18, 1e18
LARGEST_UNCERTAINTY = 3.4e38  # of a 32-bit float


# Accepts floats and whole numbers that are finite, and gives floats; in less time than Python needs to look at types.
_LIST_OF_FLOATS = core_schema.list_schema(core_schema.float_schema(strict=True, allow_inf_nan=False))
_FLOATS = SchemaValidator(_LIST_OF_FLOATS)


def _one_text() -> SchemaValidator:
    """The response to one text as the API documents it: one vector, of which there is nothing to say but its labels."""
    labels = core_schema.nullable_schema(core_schema.str_schema(strict=True))
    nothing = core_schema.none_schema()
    kinds = {
        **dict.fromkeys(("embedding_option", "embedding_scope"), labels),
        **dict.fromkeys(("start_sec", "end_sec", "start_page_number", "quadrant", "chunk_index"), nothing),
    }
    optional = {name: core_schema.typed_dict_field(schema, required=False) for name, schema in kinds.items()}
    entry = core_schema.typed_dict_schema({"embedding": core_schema.typed_dict_field(_LIST_OF_FLOATS), **optional})
    entries = core_schema.list_schema(entry, min_length=1, max_length=1)
    usage = core_schema.typed_dict_field(core_schema.any_schema(), required=False)
    return SchemaValidator(
        core_schema.typed_dict_schema({"data": core_schema.typed_dict_field(entries), "usage": usage})
    )


_ONE_TEXT = _one_text()


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a response. A large one is for a thread to parse.

    Raises:
        MalformedResponseError: not JSON, or not an object.
    """
    try:
        response = from_json(body) if len(body) <= LARGE_ANSWER else parse_in_pieces(body)
    except ValueError as error:
        raise MalformedResponseError(f"The response is not JSON ({len(body)} bytes): {error}.") from error
    if not isinstance(response, dict):
        raise MalformedResponseError(f"The response is a JSON {type(response).__name__}, not an object.")
    return response


def read_with(read: Callable[[A], T], found: A) -> T:
    """What a reader makes of a response. Whatever it stumbles over is a response that the API does not document.

    Raises:
        MalformedResponseError: the response is not usable.
    """
    try:
        return read(found)
    except (TypeError, LookupError, AttributeError, ArithmeticError, ValueError) as error:
        raise MalformedResponseError(f"The response is not what the API documents: {error!r:.200}.") from error


def v2_text(body: bytes, dimensions: int) -> tuple[list[float], Usage | None]:
    """The vector of a v2 response to one text, and what it used.

    The documented form is parsed and checked in one pass, which takes two thirds of the time of :func:`parse_json` and
    :func:`v2_segments` (measured); any other is read by these.

    Raises:
        MalformedResponseError: as they do, or there are several vectors.
    """
    try:
        found = _ONE_TEXT.validate_json(body)
    except ValidationError:
        response = parse_json(body)
        return single(v2_segments(response, dimensions), "text").vector, usage(response)
    vector: list[float] = found["data"][0]["embedding"]
    _check_count(vector, dimensions)
    _check_length(vector)
    return vector, usage(found)


def v2_segments(response: dict[str, Any], dimensions: int) -> list[Segment]:
    """All vectors of a v2 response, sorted by time: the server's order is not guaranteed (SDK, ``chunk_index``).

    Raises:
        MalformedResponseError: there are no vectors, one is not of ``dimensions`` finite numbers or is all zero, or a
            label is not of its documented type.
    """
    segments = []
    for entry in _entries(response.get("data"), "'data'"):
        segments.append(
            Segment(
                _vector(entry.get("embedding"), dimensions),
                _time(entry.get("start_sec")),
                _time(entry.get("end_sec")),
                _label(entry, "embedding_option"),
                _label(entry, "embedding_scope"),
                _number(entry, "start_page_number"),
                _label(entry, "quadrant"),
                _number(entry, "chunk_index"),
                _uncertainty(entry.get("embedding_uncertainty"), dimensions),
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
        raise error_from_message(one_line(found["error_message"]))
    segments = []
    for entry in _entries(found.get("segments"), f"segments of '{part}_embedding'"):
        scope = _label(entry, "embedding_scope")
        segments.append(
            Segment(
                _vector(entry.get("float"), dimensions),
                _time(entry.get("start_offset_sec")),
                _time(entry.get("end_offset_sec")),
                _label(entry, "embedding_option"),
                "asset" if scope == "video" else scope,
            )
        )
    segments.sort(key=_by_time)
    return segments


def with_scope(segments: list[Segment]) -> list[Segment]:
    """Some responses have no scope; a segment with a time range is a clip."""
    return [
        replace(segment, scope="clip") if segment.scope is None and segment.start_sec is not None else segment
        for segment in segments
    ]


def v1_metadata(response: dict[str, Any]) -> dict[str, dict[str, str]]:
    """``input_filename`` and ``input_url`` of the image and the audio, by part."""
    parts = {part: _dict(_dict(response.get(f"{part}_embedding")).get("metadata")) for part in ("image", "audio")}
    return {part: {k: v for k, v in found.items() if isinstance(v, str)} for part, found in parts.items() if found}


def usage(response: dict[str, Any]) -> Usage | None:
    """The ``usage`` object, if the server sent one (marengo3.5)."""
    found = response.get("usage")
    if not isinstance(found, dict):
        return None
    tokens = {k: v for k, v in _dict(found.get("input_tokens")).items() if type(v) is int and 0 <= v < 2**63}
    reason = found.get("truncation_reason")
    return Usage(tokens, found.get("truncated") is True, reason if isinstance(reason, str) else None)


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


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _label(entry: dict[str, Any], name: str) -> str | None:
    """A label of a segment. They decide which vector it is, so one of an unknown type is not left out."""
    found = entry.get(name)
    if found is None or type(found) is str:
        return found
    raise _odd(name, found)


def _number(entry: dict[str, Any], name: str) -> int | None:
    found = entry.get(name)
    if found is None or (type(found) is int and 0 <= found < 2**31):
        return found
    raise _odd(name, found)


def _odd(name: str, found: Any) -> MalformedResponseError:
    return MalformedResponseError(f"The response has an entry whose {name!r} is {_shown(found)}.")


def _time(found: Any) -> float | None:
    if found is None:
        return None
    if isinstance(found, (int, float)) and not isinstance(found, bool) and -1e12 < found < 1e12:  # false for NaN
        return found
    raise MalformedResponseError(f"The response has a time that is not a number: {_shown(found)}.")


def _shown(found: Any) -> str:
    return one_line(repr(found) if isinstance(found, str) else found, 40)


def _vector(found: Any, dimensions: int) -> list[float]:
    if not isinstance(found, (list, Numbers)):
        raise MalformedResponseError("The response has an entry without a vector.")
    vector = _floats(found)
    if vector is None:
        raise MalformedResponseError("The response has a vector with something that is not a finite number.")
    _check_count(vector, dimensions)
    _check_length(vector)
    return vector


def _check_count(found: list[Any], dimensions: int) -> None:
    if len(found) != dimensions:
        raise MalformedResponseError(f"The response has a vector of {len(found)} numbers, expected {dimensions}.")


def _check_length(vector: list[float]) -> None:
    length = math.hypot(*vector)
    if not SHORTEST < length < LONGEST:
        wrong = "of zeros alone" if length <= SHORTEST else "with numbers larger than an embedding has"
        raise MalformedResponseError(f"The response has a vector {wrong} (length {length:.1g}).")


def _floats(found: list[Any] | Numbers) -> list[float] | None:
    """The numbers as floats; None if something else is among them, or one that is not finite."""
    vector: list[float]
    try:
        if isinstance(found, Numbers):
            vector = _FLOATS.validate_json(found.json)
            return vector
        vector = _FLOATS.validate_python(found)  # JSON writers may drop ".0", and stores ask for floats
    except ValidationError:
        return None
    return vector


def _uncertainty(found: Any, dimensions: int) -> list[float] | None:
    """An uncertainty for each element; None if there is none that can be used: the vector is good without."""
    if not isinstance(found, (list, Numbers)):
        return None
    numbers = _floats(found)
    if numbers is None or len(numbers) != dimensions:
        return None
    return numbers if all(abs(x) <= LARGEST_UNCERTAINTY for x in numbers) else None
