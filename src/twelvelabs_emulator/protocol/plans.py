"""The published limits of each plan, as of 2026-07.

Requests a minute and a day, minutes of media an hour and a day. Free and Developer tier 1 are the same;
Enterprise has its own.
"""

from __future__ import annotations

__all__ = ["CATEGORIES", "MINUTES", "REQUESTS", "Windows"]

#: ``(how much, in how many seconds)``, any number of them.
Windows = tuple[tuple[float, float], ...]

CATEGORIES = ("text", "image", "audio", "video", "upload")

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


def _requests(text: tuple[int, int], media: tuple[int, int], upload: tuple[int, int]) -> dict[str, Windows]:
    def both(pair: tuple[int, int]) -> Windows:
        return ((pair[0], _MINUTE), (pair[1], _DAY))

    return {
        "text": both(text),
        "image": both(text),
        "audio": both(media),
        "video": both(media),
        "upload": both(upload),
    }


def _minutes(an_hour: int, a_day: int) -> dict[str, Windows]:
    windows: Windows = ((an_hour, _HOUR), (a_day, _DAY))
    return {"audio": windows, "video": windows}


_FIRST = _requests((600, 3_000), (25, 3_000), (60, 3_000))

REQUESTS: dict[str, dict[str, Windows]] = {
    "free": _FIRST,
    "tier1": _FIRST,
    "tier2": _requests((1_200, 12_000), (50, 6_000), (120, 6_000)),
    "tier3": _requests((2_400, 30_000), (75, 9_000), (240, 12_000)),
}

MINUTES: dict[str, dict[str, Windows]] = {
    "free": _minutes(600, 3_000),
    "tier1": _minutes(600, 3_000),
    "tier2": _minutes(1_200, 6_000),
    "tier3": _minutes(2_400, 12_000),
}
