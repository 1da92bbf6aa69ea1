"""A file's segments as rows of a vector store: deterministic ids, readable text, flat metadata.

Every adapter makes its documents or nodes from these rows, so that a collection means the same in each framework.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInputError
from .._inputs import Media, describe, file_name
from .._options import SegmentOptions
from .._results import Segment

# Changing it would give every stored row a new id.
_NAMESPACE = uuid.UUID("6c9e2f5e-3b1d-5b52-9d0e-0f2f0d7a3a11")


@dataclass(frozen=True, slots=True)
class Row:
    """One segment as a store keeps it.

    Attributes:
        id: UUID made from content, option, scope, position and space; equal for equal files.
        text: for people and text search: ``beach.mp4 00:01:12-00:01:18 visual``.
        metadata: ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec``,
            ``embedding_option``, ``embedding_scope``, ``page``, ``quadrant``, ``chunk``, ``content_digest``,
            ``space``. Strings and numbers only; a key without a value is left out.
        vector: the segment's.
    """

    id: str
    text: str
    metadata: dict[str, str | int | float]
    vector: list[float]


def rows_of(
    media: Media,
    segments: Sequence[Segment],
    *,
    space: str,
    content_digest: str,
    duration_sec: float | None = None,
    source: str | None = None,
    options: SegmentOptions | None = None,
) -> list[Row]:
    """The rows of one file.

    Args:
        media: the file.
        segments: its segments, with their vectors.
        space: the vector space, for example ``marengo3.0/512``.
        content_digest: digest of the file's bytes; a changed file has other rows.
        duration_sec: length of the file in seconds, which bounds merged ranges; by default the end of the last segment.
        source: value of the ``source`` key; by default the path or URL.
        options: how the file was divided. Part of the id where it changes the vector at a position: a chunk's number
            depends on the segmentation, a fused vector on the timed texts.
    """
    where = source or _source(media)
    name = media.filename or file_name(where) or media.kind
    ends = [s.end_sec for s in segments if s.end_sec is not None]
    length = duration_sec if duration_sec is not None else max(ends, default=None)
    rows: list[Row] = []
    seen: Counter[str] = Counter()
    for segment in segments:
        # JSON writes 6.0 as 6 too, and a store's filter may tell the two apart.
        start, end = (None if at is None else float(at) for at in (segment.start_sec, segment.end_sec))
        position: tuple[object, ...] = (start, end, segment.page, segment.quadrant, segment.chunk)
        if options is not None and segment.chunk is not None:
            position = (*position, repr(options.segmentation))
        if options is not None and segment.option == "fused":
            position = (*position, repr(options.time_based_metadata))
        identity = "|".join(map(str, (content_digest, segment.option, segment.scope, *position, space)))
        seen[identity] += 1
        if seen[identity] > 1:  # v1 returns two vectors without labels for each time range of audio (marengo3.0)
            identity += f"|{seen[identity]}"
        metadata = {
            "source": where,
            "file_name": name,
            "media_type": media.kind,
            "start_sec": start,
            "end_sec": end,
            "duration_sec": None if length is None else float(length),
            "embedding_option": segment.option,
            "embedding_scope": segment.scope,
            "page": segment.page,
            "quadrant": segment.quadrant,
            "chunk": segment.chunk,
            "content_digest": content_digest,
            "space": space,
        }
        known: dict[str, Any] = {key: value for key, value in metadata.items() if value is not None}
        rows.append(Row(str(uuid.uuid5(_NAMESPACE, identity)), _text(name, segment), known, segment.vector))
    return rows


def _source(media: Media) -> str:
    source = media.source
    if isinstance(source, str) and not source.startswith("data:"):
        return source
    if hasattr(source, "__fspath__"):
        return str(source.__fspath__())
    return media.filename or describe(media)


def _text(name: str, segment: Segment) -> str:
    parts = [name]
    if segment.scope == "asset":
        parts.append("whole")
    elif segment.start_sec is not None and segment.end_sec is not None:
        parts.append(f"{clock(segment.start_sec)}-{clock(segment.end_sec)}")
    if segment.page is not None:
        parts.append(f"page {segment.page}" + (f" {segment.quadrant}" if segment.quadrant else ""))
    if segment.chunk is not None:
        parts.append(f"part {segment.chunk}")
    return " ".join([*parts, *([segment.option] if segment.option else [])])


def clock(seconds: float) -> str:
    """A time as ``HH:MM:SS``, with tenths where there are any: ``00:01:12.5``."""
    tenths = round(seconds * 10)
    whole = f"{tenths // 36000:02d}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}"
    return whole + (f".{tenths % 10}" if tenths % 10 else "")


def segment_key(metadata: Mapping[str, Any]) -> Hashable | None:
    """The identity of a row's segment, equal for its vectors of all options; None if the metadata is not a row's."""
    if "content_digest" not in metadata:
        return None
    position = ("start_sec", "end_sec", "page", "quadrant", "chunk", "embedding_scope")
    return (metadata["content_digest"], *(metadata.get(name) for name in position))


def joined_options(metadatas: Iterable[Mapping[str, Any]]) -> str:
    """All ``embedding_option`` values of some rows, sorted: ``audio,visual``; empty if there are none."""
    return ",".join(sorted({str(m["embedding_option"]) for m in metadatas if m.get("embedding_option")}))


def check_space(metadatas: Iterable[Mapping[str, Any]], space: str | None) -> None:
    """Refuse vectors of another space. If they are equally long, a search would return meaningless results silently.

    Args:
        metadatas: metadata of rows, documents or nodes; those without a ``space`` are not checked.
        space: the expected space; None = any, but the same for all.

    Raises:
        InvalidInputError: there is a vector of another space; the message names both.
    """
    for metadata in metadatas:
        other = metadata.get("space")
        if other is None or other == space:
            continue
        if space is None:
            space = other
            continue
        raise InvalidInputError(
            f"The collection holds vectors of {other}, the embeddings are {space}; the two do not compare. "
            "Use the model it was written with, or embed everything again."
        )
