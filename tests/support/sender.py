"""A sender for tests of tasks and uploads, a clock that tests set, and a record of the waits."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.service import BASE, Service
from twelvelabs_core import RateLimits, RetryPolicy
from twelvelabs_core._net.sender import Sender
from twelvelabs_core._net.settings import SenderSettings


def sender_of(service: Service, **settings: Any) -> Sender:
    """A sender whose requests go to the service."""
    defaults: dict[str, Any] = {
        "base_url": BASE,
        "api_key": SecretStr(service.key),
        "max_concurrency": 8,
        "max_wait": 60.0,
        "timeout": 7.0,
        "retry": RetryPolicy(),
        "limits": RateLimits(),
        "transport": service.transport,
    }
    return Sender(SenderSettings(**{**defaults, **settings}))


class Clock:
    """Replaces the clock of the retry loop and of polls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("retry", "poll"):
            monkeypatch.setattr(f"twelvelabs_core._net.{module}.monotonic", lambda: self.now)


class Pauses:
    """Replaces the waits of a module, and keeps their seconds.

    Args:
        clock: moved on by each wait.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: str, clock: Clock | None = None) -> None:
        self.seconds: list[float] = []
        self._clock = clock
        monkeypatch.setattr(f"twelvelabs_core.{module}.pause", self._pause)

    async def _pause(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self._clock is not None:
            self._clock.now += seconds
