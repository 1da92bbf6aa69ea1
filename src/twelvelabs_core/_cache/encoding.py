"""Entries of a store as bytes: a mark of the format, the content, a checksum.

The checksum covers the key and the content, so that neither damage nor a value under another key is believed. Nothing
is decoded that is not a vector: of the right length, finite, not all zero.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from zlib import crc32

from .._results import Embedding, Segment

T = TypeVar("T")

_MAGIC = b"TLE1"
_START, _END = len(_MAGIC), -4  # of the content
# What CRC-32 gives for anything that ends with its own CRC-32, in little-endian order.
_RESIDUE = 0x2144DF1C
_VECTOR, _SEGMENTS, _KEPT, _JSON = b"V", b"S", b"R", b"J"
_TRUNCATED = 1
_AS_IT_IS = b"\x00\x01\x00\x00\x00"  # of a vector: not truncated, of one piece
_SEGMENT_FIELDS = ("start_sec", "end_sec", "option", "scope", "page", "quadrant", "chunk")


# -- the envelope ----------------------------------------------------------------------------------------------------


def seal(key: str, content: bytes) -> bytes:
    """A content as the value that is stored under ``key``."""
    # CRC-32 finds every burst of damage up to 32 bits and misses other damage once in 4 billion. It takes a quarter of
    # the time of a cryptographic hash, which would be a fifth of the time of a cached read.
    checksum = crc32(content, crc32(_MAGIC, _key_checksum(key)))
    return b"".join((_MAGIC, content, checksum.to_bytes(4, "little")))


def is_whole(key: str, value: Any) -> bool:
    """Whether a value is what :func:`seal` made for this key: not damaged, not of another key or format."""
    return isinstance(value, bytes) and value.startswith(_MAGIC) and crc32(value, _key_checksum(key)) == _RESIDUE


def _key_checksum(key: str) -> int:
    return crc32(key.encode("utf-8", "surrogatepass"))


# -- results ---------------------------------------------------------------------------------------------------------


def encode(result: Embedding | Sequence[Segment]) -> bytes:
    """A result as the content of an entry."""
    return _encode_vector(result) if isinstance(result, Embedding) else _encode_segments(result)


def decode(dimensions: int, empty: Callable[[], Embedding], value: bytes) -> Embedding | list[Segment] | None:
    """A result from a whole entry; None if it is not a result with vectors of this length.

    Args:
        dimensions: length of every vector of the cache's space.
        empty: returns an embedding of that space without numbers, to be filled; see :func:`made_together`.
        value: see :func:`is_whole`.
    """
    kind = value[_START : _START + 1]
    if kind == _VECTOR:
        found = empty()
        if not fill(found.vector, value[_START + 6 : _END], dimensions):
            return None
        head = value[_START + 1 : _START + 6]
        if head == _AS_IT_IS:
            return found
        return replace(found, truncated=bool(head[0] & _TRUNCATED), pooled=int.from_bytes(head[1:], "little"))
    if kind == _SEGMENTS:
        try:
            return _decode_segments(value[_START + 1 : _END], dimensions)
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
    numbers = (encode_floats(numbers) for s in segments for numbers in (s.vector, s.uncertainty or ()))
    return b"".join((_SEGMENTS, json.dumps(heads).encode(), b"\n", *numbers))


def _decode_segments(content: bytes, dimensions: int) -> list[Segment]:
    line, _, numbers = content.partition(b"\n")
    segments, at = [], 0
    for head in json.loads(line):
        vector: list[float] = []
        whole = fill(vector, numbers[at : at + 8 * dimensions], dimensions)
        at += 8 * dimensions
        uncertainty = decode_floats(numbers[at : at + 8 * head["uncertainty"]]).tolist()
        at += 8 * head["uncertainty"]
        if not whole or not all(map(math.isfinite, uncertainty)):
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


def decode_kept(dimensions: int, empty: Callable[[], list[float]], value: bytes) -> list[float] | None:
    """A vector alone from a whole entry; None if it is not one of this length. Arguments as for :func:`decode`."""
    if not value.startswith(_KEPT, _START):
        return None
    vector = empty()
    return vector if fill(vector, value[_START + 1 : _END], dimensions) else None


def encode_json(entry: dict[str, Any]) -> bytes:
    """A small dictionary."""
    return _JSON + json.dumps(entry).encode()


def decode_json(value: bytes) -> dict[str, Any] | None:
    """A small dictionary from a whole entry; None if it is not one."""
    if not value.startswith(_JSON, _START):
        return None
    try:
        entry = json.loads(value[_START + 1 : _END])
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


# -- numbers ---------------------------------------------------------------------------------------------------------


def made_together(count: int, make: Callable[[], T]) -> Iterator[T]:
    """Makes some objects, all of them when the first is asked for: lists that are filled afterwards.

    Python's garbage collector, which runs after every few hundred new lists, looks at each number in them. Over lists
    filled as they are made it spends a third of the time of a cached read (measured), over empty ones next to none.
    """
    yield from [make() for _ in range(count)]


def fill(vector: list[float], data: bytes, dimensions: int) -> bool:
    """Put the numbers of a vector into an empty list; False if they are not as many, not finite, or all zero."""
    if len(data) != 8 * dimensions:
        return False
    vector.extend(decode_floats(data))
    return any(vector) and _is_finite(data, vector)


def _is_finite(data: bytes, numbers: Sequence[float]) -> bool:
    # The last byte of a number is its sign and most of its exponent, and is 127 or 255 for those that are not finite
    # and for some near the largest. Looking at these bytes takes a tenth of the time of looking at each number.
    last = data[7::8]
    return (127 not in last and 255 not in last) or all(map(math.isfinite, numbers))


def encode_floats(numbers: Sequence[float]) -> bytes:
    """Numbers as little-endian doubles, so that a cached vector equals the one the server sent."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def decode_floats(data: bytes) -> array[float]:
    """Numbers from little-endian doubles.

    Raises:
        ValueError: the length is not a multiple of 8 bytes.
    """
    found = array("d", data)
    if sys.byteorder == "big":
        found.byteswap()
    return found
