"""Neighbouring hits of a search, merged into time ranges."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from .._errors import InvalidInputError
from .identity import file_key
from .order import Order, are_distances, number, order_of, score_of, time_range
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
        best: the hit with the best score; of equal ones, the first in time.
    """

    source: str
    start_sec: float
    end_sec: float
    score: float
    hits: tuple[Any, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    options: str = ""
    best: Any = None

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
        ``embedding_option`` of all hits, ``hits`` (their number), ``fragment``, and where the best hit's segment, whose
        vector stands for the range, begins and ends: ``best_start_sec``, ``best_end_sec``.
        """
        best = time_range(self.metadata) or (self.start_sec, self.end_sec)
        return {
            **self.metadata,
            "start_sec": self.start_sec,
            "end_sec": self.end_sec,
            "best_start_sec": self.metadata.get("best_start_sec", best[0]),  # of a range that is merged again
            "best_end_sec": self.metadata.get("best_end_sec", best[1]),
            "hits": len(self.hits),
            "fragment": self.fragment,
            **({"embedding_option": self.options} if self.options else {}),
        }


class _Hit(NamedTuple):
    start: float
    end: float
    order: Order
    score: float
    hit: Any
    metadata: Mapping[str, Any]


def merge_moments(
    hits: Iterable[tuple[Any, Mapping[str, Any], float]],
    *,
    gap: float = 3.0,
    pad: float = 0.0,
    higher_is_better: bool = True,
) -> list[Moment]:
    """Merge neighbouring hits of one file into time ranges, best first. Hits without a time range are left out.

    Two files of equal content at two places are two files; so are hits that have neither a source nor a digest, which
    cannot be known to be of one file. The result does not depend on the order of the hits: equal scores are ordered by
    source, time and id.

    Args:
        hits: hit, its metadata (``source``, ``content_digest``, ``start_sec``, ``end_sec``, and ``duration_sec`` if
            known), its score. Times may be numbers as text. What is no range (not a number, the start after the end)
            counts as none.
        gap: longest time in seconds between two hits of one range.
        pad: seconds added on both sides, within the file and not into a neighbouring range.
        higher_is_better: False for distances.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` is negative, or a score is not a number.
    """
    scored = ((hit, metadata, score_of(score)) for hit, metadata, score in hits)
    timed = (_timed(hit, metadata, score, order_of(metadata, hit)) for hit, metadata, score in scored)
    return _merged([hit for hit in timed if hit is not None], gap, pad, higher_is_better)


def _timed(hit: Any, metadata: Mapping[str, Any], score: float, order: Order) -> _Hit | None:
    at = time_range(metadata)
    return None if at is None else _Hit(*at, order, score, hit, metadata)


def _merged(hits: Sequence[_Hit], gap: float, pad: float, higher_is_better: bool) -> list[Moment]:
    if not (gap >= 0 and pad >= 0):
        raise InvalidInputError("gap and pad must be 0 or more seconds.")
    sign = -1.0 if higher_is_better else 1.0
    by_file: dict[Hashable, list[_Hit]] = {}
    for index, hit in enumerate(hits):
        by_file.setdefault(file_key(hit.metadata) or index, []).append(hit)
    moments: list[tuple[float, Order, Moment]] = []
    for found in by_file.values():
        groups = _neighbours(found, gap)
        ranges = [(group[0].start, max(hit.end for hit in group)) for group in groups]
        for group, (start, end) in zip(groups, _padded(ranges, pad), strict=True):
            top = min(group, key=lambda hit: (sign * hit.score, hit.order))
            duration = number(top.metadata.get("duration_sec"))
            if duration is not None and duration > group[-1].start:  # else it is of something else
                end = min(end, duration)
            moment = Moment(
                str(top.metadata.get("source") or ""),
                start,
                end,
                top.score,
                tuple(hit.hit for hit in group),
                top.metadata,
                joined_options(hit.metadata for hit in group),
                top.hit,
            )
            moments.append((sign * top.score, top.order, moment))
    return [moment for *_, moment in sorted(moments, key=lambda entry: entry[:2])]


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
    last = 0.0
    for hit in sorted(hits, key=lambda h: (h.start, h.end, h.order)):
        if groups and hit.start - last <= gap:
            groups[-1].append(hit)
            last = max(last, hit.end)
        else:
            groups.append([hit])
            last = hit.end
    return groups


def merge_hits(
    hits: Sequence[tuple[T, Mapping[str, Any], float | None]],
    *,
    gap: float = 3.0,
    pad: float = 0.0,
    higher_is_better: bool | None = True,
    ranked: bool = False,
) -> list[T | Moment]:
    """Merge neighbouring hits of a search into time ranges; hits without a time range are kept. Best first.

    Args:
        hits: hit, its metadata and score. If any has no score, they are ranked by their order, best first; else their
            order makes no difference.
        gap, pad: as for :func:`merge_moments`.
        higher_is_better: False for distances; None = the hits come best first, and are distances if their scores rise.
        ranked: the hits come in an order that decides between equal scores.

    Returns:
        A :class:`Moment` for each range (its ``hits`` are those passed in), and every other hit as it is. Equal scores
        are ordered by source, time and id, or as they came if ``ranked``.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` is negative, or a score is not a number.
    """
    if any(score is None for *_, score in hits):
        scores, higher_is_better = [-float(rank) for rank in range(len(hits))], True
    else:
        scores = [score_of(score) for *_, score in hits]
        higher_is_better = not are_distances(scores) if higher_is_better is None else higher_is_better
    orders: list[Order] = [
        (place,) if ranked else order_of(metadata, hit) for place, (hit, metadata, _) in enumerate(hits)
    ]
    timed = (_timed(place, hits[place][1], scores[place], orders[place]) for place in range(len(hits)))
    sign = -1.0 if higher_is_better else 1.0
    moments = _merged([hit for hit in timed if hit is not None], gap, pad, bool(higher_is_better))
    merged = {place for moment in moments for place in moment.hits}
    found: list[tuple[float, Order, T | Moment]] = [
        (
            sign * moment.score,
            orders[moment.best],
            replace(moment, hits=tuple(hits[place][0] for place in moment.hits), best=hits[moment.best][0]),
        )
        for moment in moments
    ]
    found += [(sign * scores[place], orders[place], hit) for place, (hit, *_) in enumerate(hits) if place not in merged]
    return [hit for *_, hit in sorted(found, key=lambda entry: entry[:2])]
