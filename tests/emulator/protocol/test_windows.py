"""Windows of rate limits."""

from __future__ import annotations

import pytest

from twelvelabs_emulator import Settings
from twelvelabs_emulator.protocol.errors import ApiError
from twelvelabs_emulator.protocol.rate_limits import Limiter, Window


def test_sliding() -> None:
    window = Window(2, 100, sliding=True)
    window.add(0, 1)
    window.add(60, 1)
    assert window.full(61) and window.reset(61) == 100
    assert not window.full(100) and window.remaining(100) == 1
    assert window.used(160) == 0


def test_fixed() -> None:
    window = Window(2, 100, sliding=False)
    window.add(10, 1)
    window.add(60, 1)
    assert window.full(109) and window.reset(61) == 110
    assert window.used(110) == 0


def test_more_than_the_limit() -> None:
    window = Window(2, 100, sliding=True)
    window.add(0, 1.5)
    window.add(50, 1.5)
    assert (window.used(60), window.remaining(60), window.reset(60)) == (3, 0, 100)


@pytest.mark.parametrize(
    ("window", "brief", "sentence"),
    [
        (Window(100, 86_400, True), "100req/1day", "100 requests per day"),
        (Window(5, 20, True), "5req/20seconds", "5 requests per 20 seconds"),
        (Window(600, 3600, True, "min"), "10min/1hour", "10 minutes of media per hour"),
    ],
)
def test_texts(window: Window, brief: str, sentence: str) -> None:
    assert (window.brief(), window.sentence()) == (brief, sentence)


def test_refused_requests_are_counted_nowhere() -> None:
    limiter, settings = Limiter(), Settings(limits={"text": (1, 60), "audio": (5, 60)})
    limiter.admit(["text"], settings)
    with pytest.raises(ApiError) as error:
        limiter.admit(["text", "audio"], settings)
    assert error.value.status == 429 and 58 <= int(error.value.headers["Retry-After"]) <= 60
    assert limiter.admit(["audio"], settings).headers()["X-Ratelimit-Request-Used"] == "1"
