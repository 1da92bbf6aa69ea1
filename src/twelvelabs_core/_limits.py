"""What an account may send: windows of requests and of media minutes, by category. Values only; the limiter enforces
them.

The numbers are TwelveLabs' published limits since 2026-01-12 (rate limits page). They count for an organization, across
its keys.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from ._errors import InvalidInputError
from ._models import Kind
from ._redis import redis_url

Category = Literal["text", "image", "audio", "video", "upload"]

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


@dataclass(frozen=True)
class Window:
    """At most ``limit`` within any ``seconds``.

    Attributes:
        limit: requests, or minutes of media.
        seconds: length of the sliding window.
        unit: what is counted.
    """

    limit: float
    seconds: float
    unit: Literal["requests", "minutes"] = "requests"

    def __post_init__(self) -> None:
        if not (0 < self.limit < math.inf and 0 < self.seconds < math.inf):
            raise InvalidInputError(f"A limit and its seconds must be above 0, got {self.limit} in {self.seconds} s.")


@dataclass(frozen=True)
class RateLimits:
    """The windows of each category; an empty tuple = no declared limit, only what the server reports.

    A window may be used up in one burst: a new free account may send its 600 texts at once.

    Attributes:
        text: texts and documents, and images unless ``image`` is given. The API does not say whether texts and images
            share a counter; assuming one counter is safe.
        image: images, if they have a counter of their own.
        audio, video: audio and video.
        upload: uploads of assets.
        interactive_share: share of each window of up to an hour that batches leave to interactive requests, 0 to 0.5:
            at least two requests unless it is 0, at most half of the window. None = 5 %, while there are such requests.
        reserve: requests of each window of a day or longer that batches leave to interactive requests.
        shared: where processes (path of a SQLite file, on a local disk) or machines (``redis://…``, ``rediss://…``,
            ``unix://…``) share these limits; None = this process keeps them alone. A path becomes absolute, a URL a
            ``SecretStr``, as it may hold a password.

    Raises:
        InvalidInputError: a share or reserve is out of its range, or ``shared`` is neither a path nor a URL of Redis.
    """

    text: tuple[Window, ...] = ()
    image: tuple[Window, ...] | None = None
    audio: tuple[Window, ...] = ()
    video: tuple[Window, ...] = ()
    upload: tuple[Window, ...] = ()
    interactive_share: float | None = field(default=None, kw_only=True)
    reserve: int = field(default=0, kw_only=True)
    shared: str | os.PathLike[str] | SecretStr | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shared", _address(self.shared))
        share, reserve = self.interactive_share, self.reserve
        if share is not None and not (isinstance(share, (int, float)) and 0 <= share <= 0.5):
            raise InvalidInputError(
                f"RateLimits: interactive_share={share!r} must be 0 to 0.5: the part of a window that batches leave."
            )
        if not isinstance(reserve, int) or reserve < 0:
            raise InvalidInputError(f"RateLimits: reserve={reserve!r} must be a whole number of requests, 0 or more.")

    @classmethod
    def free(
        cls,
        *,
        interactive_share: float | None = None,
        reserve: int = 0,
        shared: str | os.PathLike[str] | SecretStr | None = None,
    ) -> RateLimits:
        """The free plan: 600 texts and images a minute, 3,000 a day; 25 audio and 25 video requests a minute, with 600
        media minutes an hour each.
        """
        return cls.developer(tier=1, interactive_share=interactive_share, reserve=reserve, shared=shared)

    @classmethod
    def developer(
        cls,
        tier: Literal[1, 2, 3] = 1,
        *,
        interactive_share: float | None = None,
        reserve: int = 0,
        shared: str | os.PathLike[str] | SecretStr | None = None,
    ) -> RateLimits:
        """The developer plan: tier 1 with a payment method (the free plan's numbers), 2 and 3 by monthly spending."""
        if tier not in _TIERS:
            raise InvalidInputError(f"tier={tier!r} is not one of 1, 2, 3.")
        (per_minute, per_day), (media_minute, media_day, minutes_hour, minutes_day), (up_minute, up_day) = _TIERS[tier]
        media = (
            Window(media_minute, MINUTE),
            Window(media_day, DAY),
            Window(minutes_hour, HOUR, "minutes"),
            Window(minutes_day, DAY, "minutes"),
        )
        return cls(
            text=(Window(per_minute, MINUTE), Window(per_day, DAY)),
            audio=media,
            video=media,
            upload=(Window(up_minute, MINUTE), Window(up_day, DAY)),
            interactive_share=interactive_share,
            reserve=reserve,
            shared=shared,
        )

    @classmethod
    def own(
        cls,
        *,
        per_minute: float | None = None,
        per_day: float | None = None,
        interactive_share: float | None = None,
        reserve: int = 0,
        shared: str | os.PathLike[str] | SecretStr | None = None,
    ) -> RateLimits:
        """The same numbers for every category, for example this program's share of an account's limits."""
        windows = tuple(Window(n, s) for n, s in ((per_minute, MINUTE), (per_day, DAY)) if n is not None)
        return cls(
            text=windows,
            audio=windows,
            video=windows,
            upload=windows,
            interactive_share=interactive_share,
            reserve=reserve,
            shared=shared,
        )

    def windows(self, category: Category) -> tuple[Window, ...]:
        """The windows of one category."""
        return (self.text if self.image is None else self.image) if category == "image" else getattr(self, category)

    def category(self, kind: Kind) -> Category:
        """The category in which a kind of input is counted."""
        if kind in ("audio", "video"):
            return kind
        return "image" if kind == "image" and self.image is not None else "text"

    def categories(self, kinds: Iterable[Kind]) -> tuple[Category, ...]:
        """Every category in which a request is counted: a text with a video counts in both."""
        return tuple(sorted({self.category(kind) for kind in kinds}))


def _address(shared: object) -> str | SecretStr | None:
    """Where limits are shared: an absolute path, or a URL of Redis as a secret.

    Raises:
        InvalidInputError: it is something else.
    """
    if shared is None:
        return None
    given = shared.get_secret_value() if isinstance(shared, SecretStr) else shared
    if not isinstance(given, (str, os.PathLike)) or isinstance(os.fspath(given), bytes) or not os.fspath(given).strip():
        raise InvalidInputError("shared= takes the path of a SQLite file or a URL of Redis (redis://host:6379/0).")
    text = os.fspath(given)
    return redis_url(SecretStr(text), "shared") or str(Path(text).expanduser().absolute())


# (text per minute, day), (media requests per minute, day; media minutes per hour, day), (uploads per minute, day)
_TIERS: dict[int, tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]] = {
    1: ((600, 3_000), (25, 3_000, 600, 3_000), (60, 3_000)),
    2: ((1_200, 12_000), (50, 6_000, 1_200, 6_000), (120, 6_000)),
    3: ((2_400, 30_000), (75, 9_000, 2_400, 12_000), (240, 12_000)),
}


def checked_limits(given: Any) -> RateLimits:
    """What the argument ``rate_limits`` got, if it is that.

    Raises:
        InvalidInputError: it is something else, such as the name of a plan.
    """
    if isinstance(given, RateLimits):
        return given
    raise InvalidInputError(f"rate_limits= takes RateLimits, such as RateLimits.free(), got {given!r}.")
