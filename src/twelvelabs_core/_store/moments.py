"""Neighbouring hits of a search, merged into time ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from .._errors import InvalidInputError
from .rows import clock, joined_options

T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """A time range of one source, found by a search.

    Attributes:
        source: path or URL.
        start_sec, end_sec: seconds; inside the file.
        score: the best score among its hits.
        hits: what was merged, in order of time.
        metadata: of the best hit.
        options: what the hits' vectors were made from: ``audio,visual``.
    """

    source: str
    start_sec: float
    end_sec: float
    score: float
    hits: tuple[Any, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    options: str = ""

    def __str__(self) -> str:
        return f"{self.source}, {clock(self.start_sec)}-{clock(self.end_sec)}"

    @property
    def fragment(self) -> str:
        """Media fragment of a player's address: ``#t=72,78``."""
        return f"#t={self.start_sec:g},{self.end_sec:g}"

    @property
    def text(self) -> str:
        """Text for a store's document: ``beach.mp4 00:00:34.6-00:01:04 audio,visual``."""
        name = self.metadata.get("file_name") or self.source
        return f"{name} {clock(self.start_sec)}-{clock(self.end_sec)} {self.options}".strip()

    def as_metadata(self) -> dict[str, Any]:
        """Metadata for a store's document or node: the best hit's, with ``start_sec`` and ``end_sec`` of the range,
        ``embedding_option`` of all hits, ``hits`` (their number) and ``fragment``.
        """
        return {
            **self.metadata,
            "start_sec": self.start_sec,
            "end_sec": self.end_sec,
            "hits": len(self.hits),
            "fragment": self.fragment,
            **({"embedding_option": self.options} if self.options else {}),
        }


class _Hit(NamedTuple):
    start: float
    end: float
    hit: Any
    metadata: Mapping[str, Any]
    score: float


def merge_moments(
    hits: Iterable[tuple[Any, Mapping[str, Any], float]],
    *,
    gap: float = 3.0,
    pad: float = 0.0,
    higher_is_better: bool = True,
) -> list[Moment]:
    """Merge neighbouring hits of one source into time ranges, best first. Hits without a time range are left out.

    Args:
        hits: hit, its metadata (``source``, ``start_sec``, ``end_sec``, and ``duration_sec`` if known), its score.
        gap: longest time in seconds between two hits of one range.
        pad: seconds added on both sides, within the file and not into a neighbouring range.
        higher_is_better: False for distances.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` is negative.
    """
    if gap < 0 or pad < 0:
        raise InvalidInputError("gap and pad must be 0 or more seconds.")
    by_source: dict[str, list[_Hit]] = {}
    for hit, metadata, score in hits:
        start, end = metadata.get("start_sec"), metadata.get("end_sec")
        if start is not None and end is not None and metadata.get("embedding_scope") != "asset":
            key = str(metadata.get("content_digest") or metadata.get("source"))
            by_source.setdefault(key, []).append(_Hit(float(start), float(end), hit, metadata, score))
    best = max if higher_is_better else min
    moments: list[Moment] = []
    for found in by_source.values():
        groups = _neighbours(found, gap)
        ranges = [(group[0].start, max(hit.end for hit in group)) for group in groups]
        for group, (start, end) in zip(groups, _padded(ranges, pad), strict=True):
            top = best(group, key=lambda hit: hit.score)
            duration = top.metadata.get("duration_sec")
            if duration is not None:
                end = min(end, float(duration))
            moments.append(
                Moment(
                    str(top.metadata.get("source", "")),
                    start,
                    end,
                    top.score,
                    tuple(hit.hit for hit in group),
                    top.metadata,
                    joined_options(hit.metadata for hit in group),
                )
            )
    return sorted(moments, key=lambda m: m.score, reverse=higher_is_better)


def _padded(ranges: Sequence[tuple[float, float]], pad: float) -> list[tuple[float, float]]:
    """Ranges, in order, with ``pad`` seconds on both sides: from 0, and at most half way to the next range."""
    found = []
    for i, (start, end) in enumerate(ranges):
        lowest = (ranges[i - 1][1] + start) / 2 if i else 0.0
        highest = (end + ranges[i + 1][0]) / 2 if i + 1 < len(ranges) else end + pad
        found.append((min(start, max(lowest, start - pad)), max(end, min(highest, end + pad))))
    return found


def _neighbours(hits: Iterable[_Hit], gap: float) -> list[list[_Hit]]:
    groups: list[list[_Hit]] = []
    for hit in sorted(hits, key=lambda h: (h.start, h.end)):
        if groups and hit.start - max(h.end for h in groups[-1]) <= gap:
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return groups


def merge_hits(
    hits: Sequence[tuple[T, Mapping[str, Any], float | None]],
    *,
    gap: float = 3.0,
    pad: float = 0.0,
    higher_is_better: bool = True,
) -> list[T | Moment]:
    """Merge neighbouring hits of a search into time ranges; hits without a time range are kept. Best first.

    Args:
        hits: hit, its metadata and score, best first. If any has no score, they are ranked by their order.
        gap, pad, higher_is_better: as for :func:`merge_moments`.

    Returns:
        A :class:`Moment` for each range (its ``hits`` are those passed in), and every other hit as it is. Equal scores
        keep their order.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` is negative.
    """
    if any(score is None for *_, score in hits):
        scores, higher_is_better = [-float(rank) for rank in range(len(hits))], True
    else:
        scores = [float(score or 0.0) for *_, score in hits]
    places = ((place, metadata, scores[place]) for place, (_, metadata, _) in enumerate(hits))
    moments = merge_moments(places, gap=gap, pad=pad, higher_is_better=higher_is_better)
    merged = {place for moment in moments for place in moment.hits}
    found: list[tuple[float, int, T | Moment]] = [
        (moment.score, min(moment.hits), replace(moment, hits=tuple(hits[place][0] for place in moment.hits)))
        for moment in moments
    ]
    found += [(scores[place], place, hit) for place, (hit, *_) in enumerate(hits) if place not in merged]
    sign = -1 if higher_is_better else 1
    return [hit for *_, hit in sorted(found, key=lambda f: (sign * f[0], f[1]))]
