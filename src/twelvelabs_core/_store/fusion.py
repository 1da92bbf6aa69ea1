"""Several rankings of one query, fused into one list: by rank, or by score."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .order import id_of, score_of

T = TypeVar("T")

# From the paper that introduced reciprocal rank fusion (Cormack, Clarke, Büttcher 2009).
RANK_CONSTANT = 60


@dataclass(frozen=True)
class Fused(Generic[T]):
    """One result of :func:`fuse_ranks` or :func:`fuse_scores`.

    Attributes:
        hits: one hit of each ranking that has this result; the one that contributes most comes first.
        score: the sum of what the rankings contribute; higher is better.
        ranks: its rank in each ranking that has it, from 1, by the ranking's name.
        scores: its score in each of them.
    """

    hits: tuple[T, ...]
    score: float
    ranks: Mapping[str, int] = field(default_factory=dict, hash=False)
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)

    def as_metadata(self) -> dict[str, float]:
        """``score``, and for each ranking that has the result ``visual_score`` and ``visual_rank``."""
        ranks = {f"{name}_rank": rank for name, rank in self.ranks.items()}
        return {"score": self.score, **{f"{name}_score": score for name, score in self.scores.items()}, **ranks}


def fuse_ranks(
    rankings: Mapping[str, Sequence[tuple[T, float]]],
    weights: Mapping[str, float] | None = None,
    *,
    key: Callable[[T], Hashable] | None = None,
    order: Callable[[T], Any] | None = None,
    constant: int = RANK_CONSTANT,
) -> list[Fused[T]]:
    """Reciprocal rank fusion: for rankings whose scores do not compare, such as visual and audio similarities.

    A result's score is the sum of ``weight / (constant + rank)``. It does not depend on the order of the hits in a
    ranking, nor of the rankings.

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
    return _fused(rankings, weights or {}, key, order, lambda weight, rank, _: weight / (constant + rank))


def fuse_scores(
    rankings: Mapping[str, Sequence[tuple[T, float]]],
    weights: Mapping[str, float] | None = None,
    *,
    key: Callable[[T], Hashable] | None = None,
    order: Callable[[T], Any] | None = None,
) -> list[Fused[T]]:
    """Weighted score fusion: for rankings whose scores compare, or whose weights make them comparable.

    A result's score is the mean of its scores in all rankings, by weight, and therefore of their size. In a ranking
    that does not have it, it counts as 0: fetch enough hits.

    Args:
        rankings, weights, key, order: as for :func:`fuse_ranks`.

    Returns:
        Best first; of equal means, the result whose hit has the higher score, then by ``order``.

    Raises:
        InvalidInputError: a score is not a number.
    """
    weights = weights or {}
    total = math.fsum(weights.get(name, 1.0) for name in rankings) or 1.0
    return _fused(rankings, weights, key, order, lambda weight, _, score: weight * score / total)


def _fused(
    rankings: Mapping[str, Sequence[tuple[T, float]]],
    weights: Mapping[str, float],
    key: Callable[[T], Hashable] | None,
    order: Callable[[T], Any] | None,
    contribution: Callable[[float, int, float], float],
) -> list[Fused[T]]:
    """Fuse by what each ranking contributes, given its weight, the hit's rank and its score."""
    order = order or id_of
    found: dict[Hashable, dict[str, tuple[float, float, Any, str, int, T]]] = {}
    for name, hits in rankings.items():
        ranked = sorted(((-score_of(score), order(hit), hit) for hit, score in hits), key=lambda entry: entry[:2])
        for rank, (negative, place, hit) in enumerate(ranked, start=1):
            same = (name, rank) if key is None else key(hit)
            share = contribution(weights.get(name, 1.0), rank, -negative)
            # A store returns a segment twice if its vector was added twice: it counts once, by its best rank.
            found.setdefault(same, {}).setdefault(name, (-share, negative, place, name, rank, hit))
    fused: list[tuple[tuple[Any, ...], Fused[T]]] = []
    for shares in found.values():
        ordered = sorted(shares.values(), key=lambda entry: entry[:4])
        total = math.fsum(-share for share, *_ in ordered)
        result = Fused(
            tuple(hit for *_, hit in ordered),
            total,
            {entry[3]: entry[4] for entry in ordered},
            {entry[3]: -entry[1] for entry in ordered},
        )
        best = min(negative for _, negative, *_ in ordered)
        fused.append(((-total, best, *ordered[0][2:4]), result))
    return [result for _, result in sorted(fused, key=lambda entry: entry[0])]
