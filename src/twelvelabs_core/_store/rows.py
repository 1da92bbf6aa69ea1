"""A file's segments as rows of a vector store: deterministic ids, readable text, flat metadata.

Every adapter makes its documents or nodes from these rows, so that a collection means the same in each framework.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._assets import asset_of
from .._errors import InvalidInputError
from .._inputs import Media, describe, file_name
from .._options import SegmentOptions
from .._results import Segment
from .identity import IdFrom, checked_id_from, content_id, name_of, row_id, source_of
from .metadata import RESERVED, own_metadata


@dataclass(frozen=True, slots=True)
class Row:
    """One segment as a store keeps it.

    Attributes:
        id: UUID made from place and content (or as ``id_from`` says), option, scope, position and space.
        text: for people and text search: ``beach.mp4 00:01:12-00:01:18 visual``.
        metadata: ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec``,
            ``embedding_option``, ``embedding_scope``, ``page``, ``quadrant``, ``chunk``, ``content_digest``,
            ``space``: strings and numbers only, a key without a value is left out; and what the caller gave.
        vector: the segment's.
        content_id: what the id would be with ``id_from="content"``: equal for the rows of copies.
    """

    id: str
    text: str
    metadata: dict[str, Any]
    vector: list[float]
    content_id: str = ""


def segment_texts(media: Media, segments: Iterable[Segment]) -> list[str]:
    """What the rows of a file's segments have as :attr:`Row.text`."""
    name = known_of(media, None)["file_name"]
    return [_text(name, segment) for segment in segments]


def known_of(media: Media, metadata: Mapping[str, Any] | None, label: str | None = None) -> dict[str, Any]:
    """The metadata that all rows of a file have and that is known before it is embedded: ``source``, ``file_name``,
    ``media_type``, and the caller's.

    Raises:
        InvalidInputError: the caller's has a key that rows use.
    """
    own = own_metadata(metadata, label)
    source = own.pop("source", None) or source_of(media)
    asset = asset_of(media.source)
    name = own.pop("file_name", None) or media.filename or (asset.filename if asset else None)
    name = name or file_name(source or describe(media)) or media.kind
    return {**({"source": source} if source else {}), "file_name": name, "media_type": media.kind, **own}


def name_for_ids(
    media: Media, metadata: Mapping[str, Any] | None, id_from: IdFrom, label: str | None = None
) -> str | None:
    """What the ids of a file's rows are made of beside its content; None = nothing.

    Raises:
        InvalidInputError, UnexpectedError: as :func:`rows_of`, which this finds before anything is sent.
    """
    return name_of(media, known_of(media, metadata, label), checked_id_from(id_from), label)


def names_for_ids(
    media: Sequence[Media], metadata: Sequence[Mapping[str, Any]] | None, id_from: IdFrom, labels: Sequence[str]
) -> list[str | None]:
    """:func:`name_for_ids` of some files.

    Args:
        metadata: for each file; None = of none.
        labels: what to call each in errors.
    """
    return [
        name_for_ids(item, given, id_from, label)
        for item, given, label in zip(media, one_each(metadata, len(media)), labels, strict=True)
    ]


def one_each(metadata: Sequence[Mapping[str, Any]] | None, count: int) -> Sequence[Mapping[str, Any] | None]:
    """The metadata of each of ``count`` files; None = it has none.

    Raises:
        InvalidInputError: there is not one for each.
    """
    if metadata is not None and len(metadata) != count:
        raise InvalidInputError(f"metadata= has {len(metadata)} entries for {count} files; it needs one for each.")
    return [None] * count if metadata is None else metadata


def rows_of(
    media: Media,
    segments: Sequence[Segment],
    *,
    space: str,
    content_digest: str,
    duration_sec: float | None = None,
    source: str | None = None,
    options: SegmentOptions | None = None,
    metadata: Mapping[str, Any] | None = None,
    id_from: IdFrom = "source",
) -> list[Row]:
    """The rows of one file.

    Args:
        media: the file.
        segments: its segments, with their vectors.
        space: the vector space, for example ``marengo3.0/512``.
        content_digest: digest of the file's bytes; a changed file has other rows.
        duration_sec: length of the file in seconds, which bounds merged ranges; by default the end of the last segment.
        source: value of the ``source`` key; by default that of ``metadata``, or the path or URL. A URL's signature is
            left out.
        options: how the file was divided. Part of the id where it changes the vector at a position: a chunk's number
            depends on the segmentation, a fused vector on the timed texts.
        metadata: of your own, for every row. ``source`` and ``file_name`` in it replace those of the file.
        id_from: what tells the ids of files with equal content apart: ``source``, ``content``, or a function; see
            :data:`IdFrom`.

    Raises:
        InvalidInputError: ``metadata`` has a key that rows use, or ``id_from`` returned no name.
        UnexpectedError: ``id_from`` raised.
    """
    known: dict[str, Any] = known_of(media, metadata if source is None else {**(metadata or {}), "source": source})
    file = name_of(media, known, checked_id_from(id_from))
    where, name = known.pop("source", None) or describe(media), known.pop("file_name")
    ends = [s.end_sec for s in segments if s.end_sec is not None]
    length = duration_sec if duration_sec is not None else max(ends, default=None)
    part = (getattr(media, "start_sec", None), getattr(media, "end_sec", None))
    rows: list[Row] = []
    seen: Counter[tuple[object, ...]] = Counter()
    for segment in segments:
        # JSON writes 6.0 as 6 too, and a store's filter may tell the two apart.
        start, end = (None if at is None else float(at) for at in (segment.start_sec, segment.end_sec))
        position: tuple[object, ...] = (start, end, segment.page, segment.quadrant, segment.chunk)
        if options is not None and segment.chunk is not None:
            position = (*position, repr(options.segmentation))
        if options is not None and segment.option == "fused":
            position = (*position, repr(options.time_based_metadata))
        if part != (None, None):  # two parts of one file have its digest, and their vectors may have no times
            position = (*position, *(None if at is None else float(at) for at in part))
        identity: tuple[object, ...] = (content_digest, segment.option, segment.scope, *position, space)
        seen[identity] += 1
        if seen[identity] > 1:  # v1 returns two vectors without labels for each time range of audio (marengo3.0)
            identity = (*identity, seen[identity])
        about = {
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
        kept = {key: value for key, value in about.items() if value is not None}
        content = content_id(identity)
        rows.append(
            Row(row_id(content, file), _text(name, segment), {**kept, **known}, segment.vector, content_id=content)
        )
    return rows


def rows_of_copy(
    rows: Iterable[Row], media: Media, metadata: Mapping[str, Any] | None = None, id_from: IdFrom = "source"
) -> list[Row]:
    """The rows of a file, made from those of another one with the same content and kind.

    Args:
        rows: the other file's.
        media, metadata, id_from: as for :func:`rows_of`.
    """
    known = known_of(media, metadata)
    file = name_of(media, known, checked_id_from(id_from))
    where, name = known.pop("source", None) or describe(media), known.pop("file_name")
    copies = []
    for row in rows:
        kept = {key: value for key, value in row.metadata.items() if key in RESERVED}
        text = name + row.text.removeprefix(row.metadata["file_name"])
        about = {"source": where, "file_name": name, **kept, **known}
        copies.append(Row(row_id(row.content_id, file), text, about, row.vector, content_id=row.content_id))
    return copies


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


def joined_options(metadatas: Iterable[Mapping[str, Any]]) -> str:
    """All ``embedding_option`` values of some rows, sorted: ``audio,visual``; empty if there are none."""
    return ",".join(sorted({str(m["embedding_option"]) for m in metadatas if m.get("embedding_option")}))
