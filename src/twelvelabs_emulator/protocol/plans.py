"""The published rate limits of each plan, as of 2026-07.

Requests per minute and day, minutes of media per hour and day. Free and Developer tier 1 are the same;
Enterprise limits are not published.
"""

from __future__ import annotations

from typing import Literal

#: ``(limit, seconds)`` of each window.
Windows = tuple[tuple[float, float], ...]
Category = Literal["text", "image", "audio", "video", "upload"]

_MINUTE, _HOUR, DAY = 60.0, 3600.0, 86_400.0


def _requests(text: tuple[int, int], media: tuple[int, int], upload: tuple[int, int]) -> dict[str, Windows]:
    """Build the windows of a plan from its limits per minute and per day."""
    by_category = {"text": text, "image": text, "audio": media, "video": media, "upload": upload}
    return {name: ((minute, _MINUTE), (day, DAY)) for name, (minute, day) in by_category.items()}


def _minutes(per_hour: int, per_day: int) -> dict[str, Windows]:
    windows: Windows = ((per_hour, _HOUR), (per_day, DAY))
    return {"audio": windows, "video": windows}


_FREE = _requests((600, 3_000), (25, 3_000), (60, 3_000))

REQUESTS: dict[str, dict[str, Windows]] = {
    "free": _FREE,
    "tier1": _FREE,
    "tier2": _requests((1_200, 12_000), (50, 6_000), (120, 6_000)),
    "tier3": _requests((2_400, 30_000), (75, 9_000), (240, 12_000)),
}

MINUTES: dict[str, dict[str, Windows]] = {
    "free": _minutes(600, 3_000),
    "tier1": _minutes(600, 3_000),
    "tier2": _minutes(1_200, 6_000),
    "tier3": _minutes(2_400, 12_000),
}
