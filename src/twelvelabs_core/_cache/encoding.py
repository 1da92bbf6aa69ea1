"""Entries of a store as bytes: a header with a checksum, then the content.

The checksum covers the key and the content, so that neither damage nor a value under another key is believed. Nothing
is decoded that is not a vector: of the right length, finite, not all zero.
"""

from __future__ import annotations

import json
import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from .._results import Embedding, Segment

_MAGIC = b"TLE1"
_HEADER = len(_MAGIC) + 4
_VECTOR, _SEGMENTS, _KEPT, _JSON = b"V", b"S", b"R", b"J"
_TRUNCATED = 1
_SEGMENT_FIELDS = ("start_sec", "end_sec", "option", "scope", "page", "quadrant", "chunk")


# -- the envelope ----------------------------------------------------------------------------------------------------


def seal(key: str, content: bytes) -> bytes:
    """A content with its checksum, as it is stored under ``key``."""
    return _MAGIC + _checksum(key, content).to_bytes(4, "little") + content


def unseal(key: str, value: Any) -> bytes | None:
    """The content of a stored value; None if it is damaged, of another key, or not in this format."""
    if not isinstance(value, bytes) or value[:4] != _MAGIC:
        return None
    content = value[_HEADER:]
    return content if _checksum(key, content) == int.from_bytes(value[4:_HEADER], "little") else None


def _checksum(key: str, content: bytes) -> int:
    # CRC-32 finds every burst of damage up to 32 bits and misses other damage once in 4 billion. It takes a quarter of
    # the time of a cryptographic hash, which would be a third of the time of a cached read.
    return crc32(content, crc32(key.encode("utf-8", "surrogatepass")))


# -- results ---------------------------------------------------------------------------------------------------------


def encode(result: Embedding | Sequence[Segment]) -> bytes:
    """A result as the content of an entry."""
    return _encode_vector(result) if isinstance(result, Embedding) else _encode_segments(result)


def decode(content: bytes, space: str, dimensions: int) -> Embedding | list[Segment] | None:
    """A result from the content of an entry; None if it is not a result of this length.

    Args:
        space: the vector space of the cache.
        dimensions: length of every vector of it.
    """
    kind = content[:1]
    if kind == _VECTOR:
        if len(content) != 6 + 8 * dimensions:
            return None
        vector = decode_floats(content[6:])
        if not is_vector(vector):
            return None
        return Embedding(
            vector, space, bool(content[1] & _TRUNCATED), int.from_bytes(content[2:6], "little"), cached=True
        )
    if kind == _SEGMENTS:
        try:
            return _decode_segments(content[1:], dimensions)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
    return None


def _encode_vector(embedding: Embedding) -> bytes:
    flags = _TRUNCATED if embedding.truncated else 0
    return _VECTOR + bytes([flags]) + embedding.pooled.to_bytes(4, "little") + encode_floats(embedding.vector)


def _encode_segments(segments: Sequence[Segment]) -> bytes:
    """One line of JSON with everything but the vectors, then the vectors."""
    heads = [
        {name: getattr(s, name) for name in _SEGMENT_FIELDS} | {"uncertainty": len(s.uncertainty or ())}
        for s in segments
    ]
    numbers = [encode_floats(s.vector) + encode_floats(s.uncertainty or ()) for s in segments]
    return _SEGMENTS + json.dumps(heads).encode() + b"\n" + b"".join(numbers)


def _decode_segments(content: bytes, dimensions: int) -> list[Segment]:
    line, _, numbers = content.partition(b"\n")
    segments, at = [], 0
    for head in json.loads(line):
        vector = decode_floats(numbers[at : at + 8 * dimensions])
        at += 8 * dimensions
        uncertainty = decode_floats(numbers[at : at + 8 * head["uncertainty"]])
        at += 8 * head["uncertainty"]
        if not (len(vector) == dimensions and is_vector(vector) and all(map(math.isfinite, uncertainty))):
            raise ValueError("not a vector")
        known = {name: head.get(name) for name in _SEGMENT_FIELDS}
        segments.append(Segment(vector, **known, uncertainty=uncertainty or None))
    if len(numbers) != at:
        raise ValueError("the entry is truncated, or longer than its heads say")
    return segments


# -- vectors kept by id, entries of the journal ----------------------------------------------------------------------


def encode_kept(vector: Sequence[float]) -> bytes:
    """A vector alone."""
    return _KEPT + encode_floats(vector)


def decode_kept(content: bytes, dimensions: int) -> list[float] | None:
    """A vector alone; None if the content is not one of this length."""
    if content[:1] != _KEPT or len(content) != 1 + 8 * dimensions:
        return None
    vector = decode_floats(content[1:])
    return vector if is_vector(vector) else None


def encode_json(entry: dict[str, Any]) -> bytes:
    """A small dictionary."""
    return _JSON + json.dumps(entry).encode()


def decode_json(content: bytes) -> dict[str, Any] | None:
    """A small dictionary; None if the content is not one."""
    try:
        entry = json.loads(content[1:]) if content[:1] == _JSON else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


# -- numbers ---------------------------------------------------------------------------------------------------------


def is_vector(numbers: Sequence[float]) -> bool:
    """Whether numbers are finite and not all zero."""
    # A sum is five times as fast as a look at each; it is not finite if one of them is not, or if it overflows.
    return any(numbers) and (math.isfinite(sum(numbers)) or all(map(math.isfinite, numbers)))


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
