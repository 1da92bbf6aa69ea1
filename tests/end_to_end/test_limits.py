"""An account's limits, kept: what the service refused, what was sent, what was kept. Counts, not times."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.support.adapters import Model
from twelvelabs_core import EmbeddingClient, QuotaExceededError, RateLimitError, RateLimits, Window
from twelvelabs_emulator import Emulator

LIMIT, SECONDS = 20, 0.3
TEXTS = [f"text number {i} of a hundred" for i in range(100)]


@pytest.fixture
def make(framework: str, account: dict[str, Any]) -> Callable[..., Model]:
    def make(**settings: Any) -> Model:
        return Model.make(framework, **{**account, "max_retries": 0, **settings})

    return make


def answered(emulator: Emulator) -> int:
    return sum(request.status == 200 for request in emulator.requests)


def limited(emulator: Emulator) -> int:
    return sum(request.status == 429 for request in emulator.requests)


def assert_each_its_own(vectors: list[list[float]]) -> None:
    assert len(vectors) == len(TEXTS)
    assert len({tuple(vector) for vector in vectors}) == len(TEXTS)


@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_a_declared_limit_is_never_hit(make: Callable[..., Model], emulator: Emulator, window: str) -> None:
    emulator.configure(
        limits={"text": [(LIMIT, SECONDS)]}, window=window, limit_headers="none", retry_after="none", latency_sec=0.01
    )
    model = make(rate_limits=RateLimits(text=(Window(LIMIT, SECONDS),)))
    assert_each_its_own(model.texts(TEXTS))
    assert (answered(emulator), limited(emulator)) == (100, 0)


def test_several_windows_hold_at_once(emulator: Emulator, account: dict[str, Any]) -> None:
    windows = ((LIMIT, SECONDS), (45, 0.8))
    emulator.configure(limits={"text": list(windows)}, limit_headers="none")
    limits = RateLimits(text=tuple(Window(count, seconds) for count, seconds in windows))
    client = EmbeddingClient(**account, rate_limits=limits, max_retries=0)
    assert_each_its_own([found.vector for found in client.embed_many(TEXTS)])
    assert (answered(emulator), limited(emulator)) == (100, 0)


def test_clients_of_one_account_keep_its_limit_together(emulator: Emulator, account: dict[str, Any]) -> None:
    emulator.configure(limits={"text": [(LIMIT, SECONDS)]}, limit_headers="none")
    limits = RateLimits(text=(Window(LIMIT, SECONDS),))

    def embed(texts: list[str]) -> int:
        client = EmbeddingClient(**account, rate_limits=limits, max_retries=0)
        return len(client.embed_many(texts))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(embed, [TEXTS[i::4] for i in range(4)])) == 100
    assert (answered(emulator), limited(emulator)) == (100, 0)


@pytest.mark.parametrize("window", ["sliding", "fixed"])
@pytest.mark.parametrize("headers", ["dimensions", "old"])
def test_a_limit_in_headers_is_kept_from_the_first_response_on(
    make: Callable[..., Model], emulator: Emulator, headers: str, window: str
) -> None:
    emulator.configure(
        limits={"text": [(LIMIT, SECONDS)]},
        window=window,
        limit_headers=headers,
        reset_fraction=True,
        latency_sec=0.01,
    )
    # Five more than the window holds go out before the first answer can tell.
    model = make(max_concurrency=LIMIT + 5, max_retries=5)
    assert_each_its_own(model.texts(TEXTS))
    assert answered(emulator) == 100
    assert limited(emulator) <= 8


def test_a_limit_is_learned_from_refusals_alone(make: Callable[..., Model], emulator: Emulator) -> None:
    emulator.configure(limits={"text": [(40, SECONDS)]}, limit_headers="none", retry_after="seconds", latency_sec=0.01)
    model = make(max_concurrency=20, max_retries=5)
    assert_each_its_own(model.texts(TEXTS))
    assert answered(emulator) == 100
    # One full set of refusals teaches; without learning every opening of the gate would end in one.
    assert limited(emulator) <= 25


def test_requests_refused_together_close_the_gate_once(emulator: Emulator, account: dict[str, Any]) -> None:
    """Without any hint the gate closes for a second, not for one, two, four … because ten were refused at once."""
    emulator.configure(limits={"text": [(LIMIT, SECONDS)]}, limit_headers="none", retry_after="none")
    client = EmbeddingClient(**account, max_concurrency=30)
    assert len(client.embed_many(TEXTS[:30])) == 30
    assert answered(emulator) == 30
    assert limited(emulator) <= 10
    assert client.last_run.limited == limited(emulator)
    assert client.last_run.elapsed_sec < 4


def test_a_used_up_daily_quota_fails_at_once_and_keeps_results(
    make: Callable[..., Model], emulator: Emulator, tmp_path: Path
) -> None:
    emulator.configure(quota_after=30, retry_after=11382, limit_headers="none", latency_sec=0.005)
    settings: dict[str, Any] = {"cache": str(tmp_path / "vectors.sqlite"), "max_concurrency": 16, "max_retries": 5}

    with pytest.raises(QuotaExceededError) as caught:
        make(**settings).texts(TEXTS)
    error = caught.value
    kept = {i: vector for i, vector in enumerate(error.results) if vector is not None}
    assert len(error.results) == 100 and len(kept) == answered(emulator) == 30
    assert 1 <= limited(emulator) <= 16  # what was under way when the first refusal came
    assert error.reopens_at is not None
    wait = error.reopens_at - datetime.now(timezone.utc)
    assert timedelta(seconds=11300) < wait <= timedelta(seconds=11383)

    sent = len(emulator.requests)
    with pytest.raises(QuotaExceededError) as again:
        make(**settings).texts(TEXTS)
    assert {i: v for i, v in enumerate(again.value.results) if v is not None} == kept
    assert len(emulator.requests) == sent

    emulator.reset()  # another account, or another day
    settings["api_key"] = emulator.api_key
    vectors = make(**settings).texts(TEXTS)
    assert_each_its_own(vectors)
    assert answered(emulator) == len(emulator.requests) == 70
    assert all(vectors[i] == vector for i, vector in kept.items())

    make(**settings).texts(TEXTS)
    assert len(emulator.requests) == 70


def test_a_daily_quota_known_to_be_used_up_is_not_tried(make: Callable[..., Model], emulator: Emulator) -> None:
    emulator.configure(quota_after=30, limit_headers="dimensions")
    with pytest.raises(QuotaExceededError) as caught:
        make(max_concurrency=10).texts(TEXTS)
    assert answered(emulator) == sum(vector is not None for vector in caught.value.results) == 30
    assert limited(emulator) == 0


def test_a_wait_longer_than_max_wait_is_refused_though_it_is_declared(
    emulator: Emulator, account: dict[str, Any]
) -> None:
    limits = RateLimits(text=(Window(LIMIT, 3600),))
    client = EmbeddingClient(**account, rate_limits=limits, max_wait=1)
    with pytest.raises(QuotaExceededError) as caught:
        client.embed_many(TEXTS)
    assert answered(emulator) == len(emulator.requests) == LIMIT
    assert sum(found is not None for found in caught.value.results) == LIMIT


def test_endless_refusals_end_in_an_error(emulator: Emulator, account: dict[str, Any]) -> None:
    from twelvelabs_core import no_waiting

    emulator.configure(quota_after=0, retry_after="none")
    client = EmbeddingClient(**account, max_retries=2)
    with no_waiting(), pytest.raises(RateLimitError):
        client.embed("a text")
    assert 3 <= limited(emulator) <= 12
