"""A file's segments as rows of a store: flat metadata, deterministic ids, and time ranges put together again after a
search.

Both frameworks' adapters make their documents and nodes from these rows, so that a collection means the same in either.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._errors import InvalidInputError
from ._inputs import Media, describe
from ._options import SegmentOptions
from ._results import Segment

__all__ = ["Moment", "Row", "check_space", "clock", "merge_moments", "rows_of"]

_NAMESPACE = uuid.UUID("6c9e2f5e-3b1d-5b52-9d0e-0f2f0d7a3a11")


@dataclass(frozen=True, slots=True)
class Row:
    """One segment as a store keeps it.

    Attributes:
        id: UUID made from content, option, scope, place and space: the same file gives the same ids, another file never
            does.
        text: what a person reads: ``film.mp4 00:01:12-00:01:18 visual``.
        metadata: ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec``,
            ``embedding_option``, ``embedding_scope``, ``page``, ``quadrant``, ``chunk``, ``content_digest``,
            ``space``; strings and numbers alone, absent where there is none.
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
        content_digest: of the file's bytes; a changed file has other rows.
        duration_sec: the file's length, to keep merged ranges inside it; the last segment's end if None.
        source: what to call it; its path or URL by default.
        options: how it was divided: chunk 0 of five sentences is not chunk 0 of one, and notes change a fused vector.
    """
    where = source or _source(media)
    name = media.filename or Path(where.partition("?")[0]).name or media.kind
    ends = [s.end_sec for s in segments if s.end_sec is not None]
    length = duration_sec if duration_sec is not None else max(ends, default=None)
    rows = []
    for segment in segments:
        # JSON writes 6.0 as 6 too, and a store's filter may tell the two apart.
        start, end = (None if at is None else float(at) for at in (segment.start_sec, segment.end_sec))
        place: tuple[object, ...] = (start, end, segment.page, segment.quadrant, segment.chunk)
        if options is not None and segment.chunk is not None:
            place = (*place, repr(options.segmentation))
        if options is not None and segment.option == "fused":
            place = (*place, repr(options.time_based_metadata))
        identity = "|".join(map(str, (content_digest, segment.option, segment.scope, *place, space)))
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
        rows.append(Row(str(uuid.uuid5(_NAMESPACE, identity)), _words(name, segment), known, segment.vector))
    return rows


def _source(media: Media) -> str:
    source = media.source
    if isinstance(source, str) and not source.startswith("data:"):
        return source
    if hasattr(source, "__fspath__"):
        return str(source.__fspath__())
    return media.filename or describe(media)


def _words(name: str, segment: Segment) -> str:
    words = [name]
    if segment.scope == "asset":
        words.append("whole")
    elif segment.start_sec is not None and segment.end_sec is not None:
        words.append(f"{clock(segment.start_sec)}-{clock(segment.end_sec)}")
    if segment.page is not None:
        words.append(f"page {segment.page}" + (f" {segment.quadrant}" if segment.quadrant else ""))
    if segment.chunk is not None:
        words.append(f"part {segment.chunk}")
    return " ".join([*words, *([segment.option] if segment.option else [])])


def clock(seconds: float) -> str:
    """``00:01:12``, with tenths where there are any."""
    tenths = round(seconds * 10)
    whole = f"{tenths // 36000:02d}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}"
    return whole + (f".{tenths % 10}" if tenths % 10 else "")


def check_space(metadatas: Iterable[Mapping[str, Any]], space: str) -> None:
    """Refuse vectors of another space: equally long ones are found without an error, and mean nothing.

    Raises:
        InvalidInputError: naming both spaces.
    """
    for metadata in metadatas:
        other = metadata.get("space")
        if other is not None and other != space:
            raise InvalidInputError(
                f"The collection holds vectors of {other}, the embeddings are {space}; the two do not compare. "
                "Use the model it was written with, or embed everything again."
            )


@dataclass(frozen=True)
class Moment:
    """A time range of one source, found by a search.

    Attributes:
        source: path or URL.
        start_sec, end_sec: seconds; inside the file.
        score: the best of its hits'.
        hits: what was joined, in the order given.
        metadata: the best hit's.
    """

    source: str
    start_sec: float
    end_sec: float
    score: float
    hits: tuple[Any, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.source}, {clock(self.start_sec)}-{clock(self.end_sec)}"

    @property
    def fragment(self) -> str:
        """Media fragment of a player's address: ``#t=72,78``."""
        return f"#t={self.start_sec:g},{self.end_sec:g}"


def merge_moments(
    hits: Iterable[tuple[Any, Mapping[str, Any], float]],
    *,
    gap: float = 3.0,
    pad: float = 0.0,
    higher_is_better: bool = True,
) -> list[Moment]:
    """Join neighbouring hits of one source into time ranges, best first. Hits without a time range are left out.

    Args:
        hits: hit, its metadata (``source``, ``start_sec``, ``end_sec``, and ``duration_sec`` if known), its score.
        gap: seconds between two hits that still belong together.
        pad: seconds added on both sides afterwards; never over the file's ends, nor into the next range.
        higher_is_better: False for distances.
    """
    if gap < 0 or pad < 0:
        raise InvalidInputError("gap and pad must be 0 or more seconds.")
    by_source: dict[str, list[tuple[float, float, Any, Mapping[str, Any], float]]] = {}
    for hit, metadata, score in hits:
        start, end = metadata.get("start_sec"), metadata.get("end_sec")
        if start is not None and end is not None and metadata.get("embedding_scope") != "asset":
            key = str(metadata.get("content_digest") or metadata.get("source"))
            by_source.setdefault(key, []).append((float(start), float(end), hit, metadata, score))
    best = max if higher_is_better else min
    moments: list[Moment] = []
    for found in by_source.values():
        groups: list[list[tuple[float, float, Any, Mapping[str, Any], float]]] = []
        for entry in sorted(found, key=lambda e: e[:2]):
            if groups and entry[0] - max(e[1] for e in groups[-1]) <= gap:
                groups[-1].append(entry)
            else:
                groups.append([entry])
        edges = [(g[0][0], max(e[1] for e in g)) for g in groups]
        for i, group in enumerate(groups):
            top = best(group, key=lambda e: e[4])
            lowest = (edges[i - 1][1] + edges[i][0]) / 2 if i else 0.0
            duration = top[3].get("duration_sec")
            highest = (edges[i][1] + edges[i + 1][0]) / 2 if i + 1 < len(edges) else edges[i][1] + pad
            start = min(edges[i][0], max(lowest, edges[i][0] - pad))
            end = max(edges[i][1], min(highest, edges[i][1] + pad))
            if duration is not None:
                end = min(end, float(duration))
            source = str(top[3].get("source", ""))
            moments.append(Moment(source, start, end, top[4], tuple(e[2] for e in group), top[3]))
    return sorted(moments, key=lambda m: m.score, reverse=higher_is_better)
