"""Statistics of a run and of a client, and budgets."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, right_answer
from twelvelabs_core import Audio, Budget, InvalidInputError, QuotaExceededError

# -- budgets ---------------------------------------------------------------------------------------------


def test_a_used_up_budget_stops_the_batch_and_returns_what_is_done() -> None:
    service = Service()
    client = service.client(budget=5, max_concurrency=2)
    with pytest.raises(QuotaExceededError, match="budget") as caught:
        client.embed_many([f"{i}" for i in range(20)])
    assert len(service.requests) == 5
    assert sum(found is not None for found in caught.value.results) == 5
    assert caught.value.reopens_at is None


def test_a_request_without_media_spends_no_minutes() -> None:
    budget = Budget(requests=1, minutes=0)
    budget.spend()
    assert (budget.spent_requests, budget.spent_minutes) == (1, 0)
    with pytest.raises(QuotaExceededError):
        budget.spend()


def test_a_budget_counts_retries_and_minutes() -> None:
    service = Service(lambda _: httpx.Response(503))
    with pytest.raises(QuotaExceededError):
        service.client(budget=Budget(requests=2)).embed("a")
    assert len(service.requests) == 2
    audio_service = Service()
    with pytest.raises(QuotaExceededError, match="minutes"):
        audio_service.client(budget=Budget(minutes=0.6), max_concurrency=1).embed_many(
            [Audio(media.wav(440, 30, 0.5)), Audio(media.wav(220, 30, 0.5))]
        )
    assert len(audio_service.requests) == 1
    with pytest.raises(InvalidInputError):
        Budget(requests=-1)


# -- statistics ------------------------------------------------------------------------------------------


def test_items_that_cannot_be_sent_are_counted_as_failed() -> None:
    client = Service().client()
    with pytest.raises(InvalidInputError):
        client.embed_many(["a", "", "b", " "])
    assert (client.last_run.items, client.last_run.done, client.last_run.failed) == (4, 0, 2)
    with pytest.raises(InvalidInputError):
        client.embed_segments(Audio("no-such.wav"))
    assert (client.stats.items, client.stats.failed) == (5, 3)


def test_stats_of_the_last_run_and_of_the_client() -> None:
    answers = iter([503, 429, 200, 200])

    def answer(request: httpx.Request) -> Any:
        status = next(answers)
        headers = {"retry-after": "0"}
        return right_answer(request) if status == 200 else httpx.Response(status, headers=headers)

    client = Service(answer).client(max_concurrency=1)
    client.embed_many(["a", "b", "a"])
    run = client.last_run
    assert (run.items, run.done, run.failed, run.requests, run.retries, run.limited) == (3, 3, 0, 4, 2, 1)
    assert run.deduplicated == 1
    assert client.stats == run
