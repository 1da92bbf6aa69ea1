"""A plan: the requests, media minutes and time that embedding some items would take. Nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._cache.cache import Cache
from .._embed.embedder import Embedder
from .._embed.jobs import Job
from .._limits import DAY, RateLimits
from .batch import equal_jobs, keys_of


@dataclass(frozen=True)
class Plan:
    """What :meth:`EmbeddingClient.plan` found; nothing was sent.

    Attributes:
        items: items given.
        deduplicated: items equal to another one, which are sent once.
        cached: items the cache already has.
        requests: requests to send, by category (``text``, ``image``, ``audio``, ``video``); a request may count in two.
        total_requests: requests to send, each counted once.
        minutes: minutes of media to send, by category, as far as known.
        unknown_minutes: media of unknown length (a URL, or PyAV is missing).
        seconds: the shortest time the declared limits allow from unused windows; None without declared limits. The
            network's time is not included.
        days: days of quota it takes, 1 or more; None without a declared daily limit.
    """

    items: int
    deduplicated: int
    cached: int
    requests: Mapping[str, int]
    total_requests: int
    minutes: Mapping[str, float]
    unknown_minutes: int
    seconds: float | None
    days: int | None

    def __str__(self) -> str:
        known = f"{self.cached} cached, {self.deduplicated} equal to another"
        by = ", ".join(f"{n} {category}" for category, n in self.requests.items())
        text = f"{self.items} items ({known}): {self.total_requests} requests" + (f" ({by})" if by else "")
        if any(self.minutes.values()) or self.unknown_minutes:
            text += f", {sum(self.minutes.values()):.1f} minutes of media"
            text += f" and {self.unknown_minutes} of unknown length" if self.unknown_minutes else ""
        if self.seconds is not None:
            text += f", at least {_format_seconds(self.seconds)} under the limits"
        return text + (f", {self.days} days of quota" if self.days and self.days > 1 else "")


async def make_plan(embedder: Embedder, jobs: Sequence[Job], cache: Cache | None) -> Plan:
    """Count what checked items would take: equal ones once, cached ones not at all."""
    groups, errors = equal_jobs(await keys_of(embedder, jobs, for_cache=cache is not None))
    for error in errors.values():
        raise error
    found = await cache.get_many(list(groups)) if cache is not None else {}
    known = {key for key, result in found.items() if embedder.accepts(jobs[groups[key][0]], result)}
    limits = embedder.sender.settings.limits
    requests: dict[str, int] = {}
    minutes: dict[str, float] = {}
    total = unknown = 0
    for key, indices in groups.items():
        if key in known:
            continue
        job = jobs[indices[0]]
        count, length = embedder.request_count(job), job.minutes
        total += count
        unknown += length is None
        for category in limits.categories(job.kinds):
            requests[category] = requests.get(category, 0) + count
            minutes[category] = minutes.get(category, 0.0) + (length or 0.0)
    seconds, days = shortest_time(limits, requests, minutes)
    cached = sum(len(groups[key]) for key in known)
    return Plan(len(jobs), len(jobs) - len(groups), cached, requests, total, minutes, unknown, seconds, days)


def shortest_time(
    limits: RateLimits, requests: Mapping[str, int], minutes: Mapping[str, float]
) -> tuple[float | None, int | None]:
    """The shortest time the declared limits allow, in seconds and in days of quota; None without such a limit.

    All windows are unused at the start, and each is used up in one burst.

    Args:
        requests, minutes: by category.
    """
    seconds: float | None = None
    days: int | None = None
    for category, count in requests.items():
        for window in limits.windows(category):  # type: ignore[arg-type]
            amount = count if window.unit == "requests" else minutes.get(category, 0.0)
            bursts = max(1, math.ceil(amount / window.limit - 1e-9))
            seconds = max(seconds or 0.0, (bursts - 1) * window.seconds)
            if window.seconds == DAY:
                days = max(days or 1, bursts)
    return seconds, days


def _format_seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
