"""Plans: requests, media minutes and days counted before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import media
from tests.support.service import Service
from twelvelabs_core import Audio, InvalidInputError, Plan, RateLimits
from twelvelabs_core._batch.plan import shortest_time

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


# -- the shortest time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "minutes", "seconds", "days"),
    [
        ({}, {}, None, None),
        ({"text": 1}, {}, 0.0, 1),
        ({"text": 600}, {}, 0.0, 1),
        ({"text": 601}, {}, 60.0, 1),
        ({"text": 1201}, {}, 120.0, 1),
        ({"text": 3000}, {}, 240.0, 1),
        ({"text": 3001}, {}, 86_400.0, 2),
        ({"audio": 25}, {"audio": 600.0}, 0.0, 1),
        ({"audio": 26}, {"audio": 600.0}, 60.0, 1),
        ({"audio": 1}, {"audio": 600.5}, 3600.0, 1),
        ({"audio": 1}, {"audio": 3000.5}, 86_400.0, 2),
        ({"audio": 1}, {}, 0.0, 1),
        ({"text": 3001, "audio": 6001}, {}, 2 * 86_400.0, 3),
    ],
)
def test_shortest_time_on_the_free_plan(
    requests: dict[str, int], minutes: dict[str, float], seconds: float | None, days: int | None
) -> None:
    assert shortest_time(FREE, requests, minutes) == (seconds, days)


def test_shortest_time_without_a_daily_limit_has_no_days() -> None:
    assert shortest_time(RateLimits.own(per_minute=10), {"text": 11}, {}) == (60.0, None)
    assert shortest_time(RateLimits(), {"text": 11}, {}) == (None, None)


# -- text --------------------------------------------------------------------------------------------------------


def plan(**values: Any) -> Plan:
    known: dict[str, Any] = {
        "items": 3,
        "deduplicated": 1,
        "cached": 2,
        "requests": {"text": 2, "audio": 1},
        "total_requests": 3,
        "minutes": {"text": 0.0, "audio": 0.0},
        "unknown_minutes": 0,
        "seconds": None,
        "days": None,
    }
    return Plan(**{**known, **values})


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (plan(), ""),
        (plan(minutes={"audio": 1.25, "video": 2.0}), ", 3.2 minutes of media"),
        (plan(unknown_minutes=2), ", 0.0 minutes of media and 2 of unknown length"),
        (plan(seconds=0.0, days=1), ", at least 0 s under the limits"),
        (plan(seconds=119.4), ", at least 119 s under the limits"),
        (plan(seconds=120.0), ", at least 2 min under the limits"),
        (plan(seconds=7_199.0), ", at least 120 min under the limits"),
        (plan(seconds=7_200.0), ", at least 2.0 h under the limits"),
        (plan(seconds=172_799.0), ", at least 48.0 h under the limits"),
        (plan(seconds=86_400.0, days=2), ", at least 24.0 h under the limits, 2 days of quota"),
        (plan(seconds=172_800.0, days=3), ", at least 2.0 days under the limits, 3 days of quota"),
    ],
)
def test_text_of_a_plan(found: Plan, shown: str) -> None:
    assert str(found) == f"3 items (2 cached, 1 equal to another): 3 requests (2 text, 1 audio){shown}"


def test_text_of_a_plan_without_requests() -> None:
    assert str(plan(requests={}, total_requests=0)) == "3 items (2 cached, 1 equal to another): 0 requests"


async def test_aplan_equals_plan() -> None:
    client = Service().client(rate_limits=FREE)
    assert await client.aplan(["a", "b"]) == client.plan(["a", "b"])
