"""The order of hits with equal scores: the same, whatever order a store returns them in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

from .._errors import InvalidInputError

T = TypeVar("T")

Order: TypeAlias = tuple[Any, ...]
"""Sort key of a hit among others with equal scores."""


def order_of(metadata: Mapping[str, Any], hit: Any = None) -> Order:
    """A sort key: by source, time, then the other positions, then id.

    Args:
        metadata: of the hit.
        hit: its ``id``, ``node_id`` or itself if it is a text or number, decides between equal metadata.
    """
    start, end = time_range(metadata) or (-1.0, -1.0)
    rest = [metadata.get(name) for name in ("page", "chunk")]
    position = "/".join(f"{value:09}" if isinstance(value, int) else str(value or "") for value in rest)
    names = (str(metadata.get(name) or "") for name in ("quadrant", "embedding_option", "content_digest"))
    return (str(metadata.get("source") or ""), start, end, position, *names, id_of(hit))


def order_ties(hits: Iterable[tuple[T, float]], order: Callable[[T], Order]) -> list[tuple[T, float]]:
    """Hits of a search, best first, with equal scores in order. Hits that are not sorted by score stay as they are:
    whoever ranked them had another reason.

    Args:
        hits: with their scores, higher is better.
        order: sort key for hits with equal scores.
    """
    found = list(hits)
    if any(score < following for (_, score), (_, following) in pairwise(found)):
        return found
    return sorted(found, key=lambda entry: (-entry[1], order(entry[0])))


def distance_to_score(distance: float) -> float:
    """A distance (0 = equal) as a score from 1 (equal) down to 0."""
    return 1.0 / (1.0 + max(0.0, distance))


def are_distances(scores: Iterable[float]) -> bool:
    """Whether the scores of hits that came best first are distances: they rise from the first to the last."""
    known = [score for score in scores if not math.isnan(score)]
    return all(score <= following for score, following in pairwise(known)) and known[:1] != known[-1:]


def normalize_scores(found: Iterable[tuple[T, float | None]], *, best_first: bool = True) -> list[tuple[T, float]]:
    """Hits of one search with a score of which higher is better.

    Args:
        found: with scores. If one has none, all are given ``1 / (1 + place)``, from place 0.
        best_first: so the hits come. Scores that rise are then distances, and become ``1 / (1 + distance)``.
    """
    hits = list(found)
    scores = [float(score) for _, score in hits if score is not None]
    if len(scores) < len(hits):
        return [(hit, distance_to_score(place)) for place, (hit, _) in enumerate(hits)]
    if best_first and are_distances(scores):
        scores = [distance_to_score(score) for score in scores]
    return [(hit, score) for (hit, _), score in zip(hits, scores, strict=True)]


def id_of(hit: Any) -> str:
    """The id of a document or node (``id``, ``node_id``); of anything else its representation."""
    for name in ("node_id", "id"):
        found = getattr(hit, name, None)
        if isinstance(found, str):
            return found
    return repr(hit)


def time_range(metadata: Mapping[str, Any]) -> tuple[float, float] | None:
    """The time range of a segment, in seconds; None if the metadata has none that can be.

    Numbers may be text, as some stores return them. Not a range: a number missing or not finite, a start before 0 or
    after the end, and the range of a whole file (scope ``asset``).
    """
    start, end = number(metadata.get("start_sec")), number(metadata.get("end_sec"))
    if start is None or end is None or not 0 <= start <= end or metadata.get("embedding_scope") == "asset":
        return None
    return start, end


def number(value: Any) -> float | None:
    """A value of metadata as a finite number; None if it is none."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def score_of(score: Any) -> float:
    """A score as a float.

    Raises:
        InvalidInputError: it is not a number, or NaN, which has no place in an order.
    """
    try:
        found = float(score)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if math.isnan(found):
        raise InvalidInputError(f"A hit has the score {score!r}; a score must be a number. Leave such hits out.")
    return found
