"""Several rankings of one query, fused by rank."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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
    constant: int = RANK_CONSTANT,
) -> list[Fused[T]]:
    """Reciprocal rank fusion: for rankings whose scores do not compare, such as visual and audio similarities.

    Args:
        rankings: by name: hits with their scores (higher is better), best first.
        weights: by name of the ranking; 1 for a ranking without one.
        key: identifies a hit's result, equal in all rankings; None = no two hits are the same result.
        constant: added to each rank; the higher, the smaller the advantage of the first ranks.

    Returns:
        Best first; of equal sums, the result whose hit has the higher score.
    """
    weights = weights or {}
    found: dict[Hashable, dict[str, tuple[float, float, T]]] = {}
    for name, hits in rankings.items():
        for rank, (hit, score) in enumerate(hits, start=1):
            same = (name, rank) if key is None else key(hit)
            share = weights.get(name, 1.0) / (constant + rank)
            # A store returns a segment twice if its vector was added twice: it counts once, by its best rank.
            found.setdefault(same, {}).setdefault(name, (share, score, hit))
    fused: list[tuple[float, float, Fused[T]]] = []
    for shares in found.values():
        ordered = sorted(shares.values(), key=lambda entry: entry[:2], reverse=True)
        total = sum(share for share, *_ in shares.values())
        fused.append((total, max(score for _, score, _ in ordered), Fused(tuple(hit for *_, hit in ordered), total)))
    return [result for *_, result in sorted(fused, key=lambda entry: entry[:2], reverse=True)]
