"""Results as bytes: a header, then every vector as little-endian doubles."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence

from .._results import Embedding, Segment

_MAGIC = b"TL1"
_TRUNCATED = 1
_SEGMENTS = b"S"


def encode(result: Embedding | Sequence[Segment]) -> bytes:
    """A result as bytes."""
    return _encode_vector(result) if isinstance(result, Embedding) else _encode_segments(result)


def _encode_vector(embedding: Embedding) -> bytes:
    flags = _TRUNCATED if embedding.truncated else 0
    return _MAGIC + bytes([flags]) + embedding.pooled.to_bytes(4, "little") + encode_floats(embedding.vector)


def decode(value: bytes, space: str) -> Embedding | list[Segment] | None:
    """A result from bytes; None if they are damaged or of another format.

    Args:
        space: the vector space of the cache.
    """
    if not isinstance(value, bytes) or value[:3] != _MAGIC:
        return None
    if value[3:4] == _SEGMENTS:
        try:
            return _decode_segments(value)
        except (ValueError, TypeError, KeyError):
            return None
    if len(value) % 8 or len(value) == 8:
        return None
    pooled = int.from_bytes(value[4:8], "little")
    return Embedding(decode_floats(value[8:]), space, bool(value[3] & _TRUNCATED), pooled, cached=True)


def _encode_segments(segments: Sequence[Segment]) -> bytes:
    """One line of JSON with everything but the vectors, then the vectors."""
    heads = [
        {name: getattr(s, name) for name in _SEGMENT_FIELDS}
        | {"floats": len(s.vector), "uncertainty": s.uncertainty is not None}
        for s in segments
    ]
    numbers = [encode_floats(s.vector) + (encode_floats(s.uncertainty) if s.uncertainty else b"") for s in segments]
    return _MAGIC + _SEGMENTS + json.dumps(heads).encode() + b"\n" + b"".join(numbers)


def _decode_segments(value: bytes) -> list[Segment]:
    line, _, numbers = value[4:].partition(b"\n")
    segments, at = [], 0
    for head in json.loads(line):
        length = 8 * head["floats"]
        vector, uncertainty = decode_floats(numbers[at : at + length]), None
        at += length
        if head["uncertainty"]:
            uncertainty = decode_floats(numbers[at : at + length])
            at += length
        known = {name: head.get(name) for name in _SEGMENT_FIELDS}
        segments.append(Segment(vector, **known, uncertainty=uncertainty))
    if len(numbers) != at:
        raise ValueError("the entry is truncated, or longer than its heads say")
    return segments


_SEGMENT_FIELDS = ("start_sec", "end_sec", "option", "scope", "page", "quadrant", "chunk")


def encode_floats(numbers: Sequence[float]) -> bytes:
    """Numbers as little-endian doubles, so that a cached vector equals the one the server sent."""
    found = array("d", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def decode_floats(data: bytes) -> list[float]:
    """Numbers from little-endian doubles.

    Raises:
        ValueError: the length is not a multiple of 8 bytes.
    """
    found = array("d")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tolist()
