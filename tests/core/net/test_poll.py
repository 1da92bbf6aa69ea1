"""Polling: until there is a result, ever more slowly, and no longer than the timeout."""

from __future__ import annotations

import pytest

from tests.support.sender import Clock, Pauses
from twelvelabs_core import ServerError
from twelvelabs_core._net.poll import poll


class Check:
    """Has a result at the given check."""

    def __init__(self, ready_at: int) -> None:
        self.checks, self.ready_at = 0, ready_at

    async def __call__(self) -> str | None:
        self.checks += 1
        return "ready" if self.checks >= self.ready_at else None


async def test_a_result_at_once_needs_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.poll")
    assert await poll(Check(1), first=1, slowest=10, timeout=0) == "ready"
    assert pauses.seconds == []


async def test_waits_grow_by_half_up_to_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.poll", Clock(monkeypatch))
    assert await poll(Check(7), first=1, slowest=4, timeout=60) == "ready"
    assert pauses.seconds == [1, 1.5, 2.25, 3.375, 4, 4]


async def test_after_the_timeout_there_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(100)
    pauses = Pauses(monkeypatch, "_net.poll", Clock(monkeypatch))
    assert await poll(check, first=4, slowest=4, timeout=10) is None
    assert pauses.seconds == [4, 4, 4]
    assert check.checks == 4


async def test_an_error_of_the_check_ends_the_poll() -> None:
    async def check() -> None:
        raise ServerError("m")

    with pytest.raises(ServerError):
        await poll(check, first=1, slowest=1, timeout=10)
