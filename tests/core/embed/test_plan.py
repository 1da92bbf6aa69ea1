"""Plans: requests, media minutes and days counted before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import media
from tests.support.service import Service
from twelvelabs_core import Audio, InvalidInputError, RateLimits

FREE = RateLimits.free()


def test_a_plan_counts_requests_minutes_and_days_and_sends_nothing() -> None:
    service = Service()
    texts = [f"text {i}" for i in range(7000)]
    plan = service.client(rate_limits=FREE).plan([*texts, "text 0", Audio(media.wav(440, 30, 0.5))])
    assert service.requests == []
    assert (plan.items, plan.deduplicated, plan.cached, plan.total_requests) == (7002, 1, 0, 7001)
    assert dict(plan.requests) == {"text": 7000, "audio": 1}
    assert plan.minutes["audio"] == pytest.approx(0.5)
    assert (plan.seconds, plan.days) == (2 * 86_400, 3)  # 3,000 a day: the third burst starts after two days
    assert "7001 requests" in str(plan)
    assert "3 days of quota" in str(plan)


def test_a_plan_counts_cached_items_and_chunks(tmp_path: Any) -> None:
    service = Service()
    client = service.client(cache=tmp_path / "c.sqlite", truncate="average")
    client.embed("known")
    plan = client.plan(["known", "word " * 1200])
    assert (plan.cached, plan.total_requests) == (1, 3)
    assert plan.seconds is None
    assert plan.days is None


def test_a_plan_counts_media_of_unknown_length_and_checks_items() -> None:
    plan = Service().client().plan([Audio("https://h.example/a.mp3")])
    assert plan.unknown_minutes == 1
    with pytest.raises(InvalidInputError, match=r"items\[1\]"):
        Service().client().plan(["a", ""])
