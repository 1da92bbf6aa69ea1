"""Several rankings of one query, fused by rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .order import id_of, score_of

T = TypeVar("T")

# From the paper that introduced reciprocal rank fusion (Cormack, Clarke, Büttcher 2009).
RANK_CONSTANT = 60


@dataclass(frozen=True)
class Fused(Generic[T]):
    """One result of :func:`fuse_ranks`.

    Attributes:
        hits: one hit of each ranking that has this result; the one that contributes most comes first.
        score: sum of ``weight / (constant + rank)``; higher is better.
    """

    hits: tuple[T, ...]
    score: float


def fuse_ranks(
    rankings: Mapping[str, Sequence[tuple[T, float]]],
    weights: Mapping[str, float] | None = None,
    *,
    key: Callable[[T], Hashable] | None = None,
    order: Callable[[T], Any] | None = None,
    constant: int = RANK_CONSTANT,
) -> list[Fused[T]]:
    """Reciprocal rank fusion: for rankings whose scores do not compare, such as visual and audio similarities.

    The result does not depend on the order of the hits in a ranking, nor of the rankings.

    Args:
        rankings: by name: hits with their scores. Higher is better; a ranking's ranks are those of its scores.
        weights: by name of the ranking; 1 for a ranking without one.
        key: identifies a hit's result, equal in all rankings; None = no two hits are the same result.
        order: sort key of a hit among others with equal scores; by default its ``id`` or ``node_id``, or how it prints.
        constant: added to each rank; the higher, the smaller the advantage of the first ranks.

    Returns:
        Best first; of equal sums, the result whose hit has the higher score, then by ``order``.

    Raises:
        InvalidInputError: a score is not a number.
    """
    weights, order = weights or {}, order or id_of
    found: dict[Hashable, dict[str, tuple[float, float, Any, str, T]]] = {}
    for name, hits in rankings.items():
        ranked = sorted(((-score_of(score), order(hit), hit) for hit, score in hits), key=lambda entry: entry[:2])
        for rank, (negative, place, hit) in enumerate(ranked, start=1):
            same = (name, rank) if key is None else key(hit)
            share = weights.get(name, 1.0) / (constant + rank)
            # A store returns a segment twice if its vector was added twice: it counts once, by its best rank.
            found.setdefault(same, {}).setdefault(name, (-share, negative, place, name, hit))
    fused: list[tuple[tuple[Any, ...], Fused[T]]] = []
    for shares in found.values():
        ordered = sorted(shares.values(), key=lambda entry: entry[:4])
        total = math.fsum(-share for share, *_ in ordered)
        best = min(negative for _, negative, *_ in ordered)
        fused.append(((-total, best, *ordered[0][2:4]), Fused(tuple(hit for *_, hit in ordered), total)))
    return [result for _, result in sorted(fused, key=lambda entry: entry[0])]
