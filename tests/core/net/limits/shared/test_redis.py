"""Shared limits in a real Redis: addresses, passwords, errors, its clock."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr

from tests.support.redis import MISSING, RedisName, RedisServer, fail_over, is_installed
from tests.support.reports import a_report, ask
from tests.support.secrets import shown_in
from twelvelabs_core._net.limits.shared.redis import RedisStore
from twelvelabs_core._net.limits.shared.store import StoreError
from twelvelabs_core._redis import without_password

needs_redis = pytest.mark.skipif(not is_installed(), reason=MISSING)
pytestmark = pytest.mark.network

PASSWORD = "Sesame-Open-7391"
WINDOW = [[100, 3600.0, 0, 0, 0]]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


async def lease(store: RedisStore, worker: str, slots: int, name: str = "limit") -> int:
    grant = await store.report(name, a_report(worker=worker, windows=WINDOW, ask=ask(slots)))
    return grant["slots"][1]


@needs_redis
@pytest.mark.parametrize("scheme", ["redis", "unix"])
async def test_two_stores_of_one_server_share_a_limit(server: RedisServer, scheme: str) -> None:
    url = server.url if scheme == "redis" else f"unix://{server.socket}"
    first, second = RedisStore(SecretStr(url)), RedisStore(SecretStr(server.url))
    assert await lease(first, "a", 70, scheme) == 70
    assert await lease(second, "b", 70, scheme) == 30
    assert (await first.report("without windows", a_report(ask=ask(1))))["free"] == []
    await first.aclose()
    await second.aclose()


@needs_redis
async def test_the_clock_is_the_server_s(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisStore(SecretStr(server.url))
    before = await store.report("clock", a_report())
    started = time.perf_counter()
    monkeypatch.setattr(time, "time", lambda: 1e12)
    after = await store.report("clock", a_report())
    monkeypatch.undo()
    assert 0 <= after["age"] - before["age"] <= time.perf_counter() - started + 0.05
    assert after["born"] == before["born"]
    await store.aclose()


@needs_redis
async def test_a_state_ends_some_time_after_its_longest_window(server: RedisServer) -> None:
    from redis.asyncio import Redis

    store = RedisStore(SecretStr(server.url))
    await lease(store, "a", 1, "ends")
    async with Redis.from_url(server.url) as client:
        left = await client.ttl("twelvelabs:limits:ends")
    assert 3600 < left <= 3600 + 86_400
    await store.aclose()


@needs_redis
async def test_a_server_that_was_started_again_is_used_at_once() -> None:
    with RedisServer() as server:
        store = RedisStore(SecretStr(server.url))
        assert await lease(store, "a", 100) == 100
        server.stop()
        with pytest.raises(StoreError, match=f"redis://127.0.0.1:{server.port}/0.*Is it running") as caught:
            await lease(store, "a", 1)
        assert caught.value.passing
        server.start()
        assert await lease(store, "a", 1) == 1  # what it knew is gone
        await store.aclose()


@needs_redis
async def test_the_primary_is_found_again_after_a_failover() -> None:
    with RedisServer() as primary, RedisServer() as replica, closing(RedisName(primary)) as name:
        store = RedisStore(SecretStr(name.url))
        assert await lease(store, "a", 70) == 70
        await asyncio.to_thread(fail_over, primary, replica)
        name.leads_to = replica
        with pytest.raises(StoreError, match="replica"):
            await lease(store, "b", 70)
        assert await lease(store, "b", 70) == 30
        await store.aclose()


@needs_redis
async def test_a_wrong_password_is_refused_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with RedisServer("--requirepass", PASSWORD) as server:
        place = f"127.0.0.1:{server.port}"
        right = RedisStore(SecretStr(f"redis://:{PASSWORD}@{place}/0"))
        assert await lease(right, "a", 1) == 1
        await right.aclose()
        for url in (f"redis://:{PASSWORD}x@{place}/0", f"redis://{place}/0?password={PASSWORD}x"):
            wrong = RedisStore(SecretStr(url))
            with pytest.raises(StoreError, match="user and password") as caught:
                await lease(wrong, "a", 1)
            assert not caught.value.passing
            assert shown_in(PASSWORD, caught.value, wrong.shown, vars(wrong), *caplog.records) == []
            await wrong.aclose()


async def test_a_host_that_does_not_exist_is_named_without_the_password() -> None:
    store = RedisStore(SecretStr(f"rediss://user:{PASSWORD}@127.0.0.1:9/0"))
    with pytest.raises(StoreError, match=r"rediss://127\.0\.0\.1:9/0") as caught:
        await lease(store, "a", 1)
    assert shown_in(PASSWORD, caught.value) == []
    await store.aclose()


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StoreError, match=r"pip install 'twelvelabs-embeddings\[redis\]'"):
        RedisStore(SecretStr("redis://localhost"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{PASSWORD}@host:6379/0", "redis://host:6379/0"),
        (f"redis://user:{PASSWORD}@host/0?password={PASSWORD}", "redis://host/0"),
        (f"unix://user:{PASSWORD}@/tmp/redis.sock?db=0", "unix:///tmp/redis.sock"),
        (f"redis://user:not/encoded{PASSWORD}@host/0", "redis://…"),
        (f"redis://user:not?encoded{PASSWORD}@host/0", "redis://…"),
        (f"redis://user:not#encoded{PASSWORD}@host/0", "redis://…"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
