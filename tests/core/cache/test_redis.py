"""A cache in a real Redis: addresses, values, errors, claims' leases, and its password, which shows nowhere."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support.redis import MISSING, RedisName, RedisServer, fail_over, is_installed
from tests.support.secrets import shown_in
from tests.support.service import Service
from twelvelabs_core import AuthenticationError, CacheError, EmbeddingClient, InvalidInputError
from twelvelabs_core._cache import redis as cache_redis
from twelvelabs_core._cache.backend import SqliteStore
from twelvelabs_core._cache.entries import open_cache
from twelvelabs_core._cache.owners import new_owner
from twelvelabs_core._cache.redis import RedisStore

needs_redis = pytest.mark.skipif(not is_installed(), reason=MISSING)
pytestmark = pytest.mark.network

PASSWORD = "Sesame-Open-7391"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


def store_at(url: str) -> RedisStore:
    return RedisStore(SecretStr(url))


# -- values ------------------------------------------------------------------------------------------------------------


@needs_redis
@pytest.mark.parametrize("make", [str, SecretStr])
def test_clients_of_one_address_pay_for_a_text_once(server: RedisServer, make: Callable[[str], Any]) -> None:
    service = Service()
    first = service.client(cache=make(server.url)).embed_many(["a", "b"])
    second = service.client(cache=make(f"unix://{server.socket}")).embed_many(["b", "a", "c"])
    assert len(service.requests) == 3
    assert [found.cached for found in second] == [True, True, False]
    assert [found.vector for found in second[:2]] == [first[1].vector, first[0].vector]


@needs_redis
@pytest.mark.parametrize("size", [1, 500, 1_201])
def test_values_come_in_the_order_of_their_keys(server: RedisServer, size: int) -> None:
    store = store_at(server.url + "?decode_responses=true")
    names = [f"{i:04}" for i in range(size)]
    store.mset([(name, b"\xff" + name.encode()) for name in names])
    assert store.mget([*names[::-1], "missing"]) == [*(b"\xff" + name.encode() for name in names[::-1]), None]


@needs_redis
def test_values_stay_and_no_claim_does(server: RedisServer) -> None:
    from redis import Redis

    Service().client(cache=server.url).embed_many([f"{i}" for i in range(20)])
    with Redis.from_url(server.url) as redis:
        keys = redis.keys("*")
        assert len(keys) == 20
        assert all(key.startswith(b"twelvelabs:cache:") and redis.ttl(key) == -1 for key in keys)


@needs_redis
def test_a_damaged_entry_is_paid_again(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    from redis import Redis

    service = Service()
    service.client(cache=server.url).embed("a")
    with Redis.from_url(server.url) as redis:
        (key,) = redis.keys("*")
        redis.setrange(key, 20, b"xxxx")
    assert not service.client(cache=server.url).embed("a").cached
    assert service.client(cache=server.url).embed("a").cached
    assert len(service.requests) == 2
    assert "damaged" in caplog.text


@needs_redis
def test_a_value_that_comes_while_a_damaged_one_is_looked_at_is_taken(server: RedisServer) -> None:
    store = store_at(server.url)
    store.mset([("a", b"damaged")])

    def usable(key: str, value: bytes) -> bool:
        if value == b"damaged":
            store.mset([(key, b"whole")])
        return value == b"whole"

    assert store.claim(["a"], new_owner(), 30.0, usable) == [b"whole"]
    assert store.claim(["a"], new_owner(), 30.0, lambda key, value: False) == [True]  # nothing holds it


# -- claims ------------------------------------------------------------------------------------------------------------


@needs_redis
def test_only_the_owner_renews_and_releases(server: RedisServer) -> None:
    from redis import Redis

    store, late, owner = store_at(server.url), new_owner(), new_owner()
    assert store.claim(["a", "b"], owner, 30.0) == [True, True]
    store.renew(["a"], owner, 300.0)
    store.renew(["b"], late, 300.0)
    store.release(["a"], late)
    with Redis.from_url(server.url) as redis:
        assert 30_000 < redis.pttl("twelvelabs:claim:a") <= 300_000
        assert 0 < redis.pttl("twelvelabs:claim:b") <= 30_000
        store.release(["a", "b"], owner)
        assert redis.keys("*") == []


# -- errors ------------------------------------------------------------------------------------------------------------


@needs_redis
def test_a_claim_that_redis_has_lost_is_made_again(server: RedisServer) -> None:
    from redis import Redis

    store, owner, other = store_at(server.url), new_owner(), new_owner()
    assert store.claim(["a", "b", "c"], owner, 30.0) == [True, True, True]
    with Redis.from_url(server.url) as redis:
        redis.flushdb()
    assert store.claim(["b"], other, 30.0) == [True]
    store.renew(["a", "b"], owner, 30.0)
    store.release(["c"], owner)
    assert store.claim(["a", "b", "c"], new_owner(), 30.0) == [False, False, True]
    store.release(["a", "b"], owner)
    assert store.claim(["a", "b"], new_owner(), 30.0) == [True, False]


@needs_redis
def test_a_redis_that_is_gone_stops_the_call_before_it_pays(server: RedisServer) -> None:
    service = Service()
    client = service.client(cache=server.url)
    client.embed("a")
    server.stop()
    with pytest.raises(CacheError, match=rf"redis://127\.0\.0\.1:{server.port}/0 cannot be .*Is it running"):
        client.embed_many(["b", "c"])
    assert len(service.requests) == 1
    server.start()  # another connection than the one before
    assert len(client.embed_many(["b", "c"])) == 2


@needs_redis
def test_a_redis_that_is_gone_can_be_ignored(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    client = Service().client(cache=server.url, cache_errors="ignore")
    server.stop()
    assert len(client.embed_many(["b", "c"])) == 2
    assert [record.levelname for record in caplog.records if "Is it running" in record.message] == ["WARNING"]


@needs_redis
def test_a_connection_that_was_closed_is_made_anew(server: RedisServer) -> None:
    from redis import Redis

    store = store_at(server.url)
    store.mset([("a", b"1")])
    with Redis.from_url(server.url) as redis:
        redis.client_kill_filter(_type="normal", skipme=True)
    assert store.mget(["a"]) == [b"1"]


@needs_redis
def test_the_primary_is_found_again_after_a_failover(server: RedisServer) -> None:
    with RedisServer() as other, closing(RedisName(server)) as name:
        service = Service()
        client = service.client(cache=name.url)
        client.embed("a")
        fail_over(server, other)
        name.leads_to = other
        client.embed_many(["a", "b"])
        assert service.texts == ["a", "b"]
        assert [found.cached for found in service.client(cache=other.url).embed_many(["a", "b"])] == [True, True]


@needs_redis
def test_a_redis_that_does_not_answer_is_an_error(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_redis, "TIMEOUT_SEC", 0.2)
    store = store_at(server.url)
    server.freeze()
    started = time.monotonic()
    with pytest.raises(CacheError, match="TimeoutError"):
        store.mget(["a"])
    assert time.monotonic() - started >= 0.2
    server.go_on()


@needs_redis
def test_a_full_redis_says_so() -> None:
    full = RedisServer("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    with full, pytest.raises(CacheError, match="maxmemory"):
        store_at(full.url).mset([("a", b"1")])


def test_a_missing_package_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.exceptions", None)
    with pytest.raises(InvalidInputError, match=r"cache='redis://host/0' needs .*'twelvelabs-embeddings\[redis\]'"):
        EmbeddingClient(api_key="k", cache="redis://host/0")


@pytest.mark.parametrize("place", ["postgres://host/db", "file:///tmp/a.sqlite", "REDIS://host"])
def test_another_scheme_is_refused(place: str) -> None:
    with pytest.raises(InvalidInputError, match=r"cache= does not know .*SQLite file.*redis://, rediss://, unix://"):
        EmbeddingClient(api_key="k", cache=place)


def test_a_secret_may_be_a_path(tmp_path: Any) -> None:
    entries = open_cache(SecretStr(str(tmp_path / "a.sqlite")))
    assert entries is not None and isinstance(entries.store, SqliteStore)


# -- the password ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:a/{PASSWORD}@host/0",
        f"redis://:a#{PASSWORD}@host/0",
        f"redis://:a?{PASSWORD}@host/0",
        f"redis://:{PASSWORD}@host:port/0",
        f"mysql://user:{PASSWORD}@host/0",
    ],
)
@pytest.mark.parametrize("make", [EmbeddingClient, TwelveLabsEmbeddings, TwelveLabsEmbedding])
def test_a_url_that_is_refused_is_not_shown(make: Callable[..., Any], url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make(api_key="k", cache=url)
    assert shown_in(PASSWORD, caught.value) == []


@needs_redis
@pytest.mark.parametrize("make", [EmbeddingClient, TwelveLabsEmbeddings, TwelveLabsEmbedding])
def test_the_password_is_shown_nowhere(make: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RedisServer("--requirepass", PASSWORD) as server:
        place = f"127.0.0.1:{server.port}"
        right = store_at(f"redis://:{PASSWORD}@{place}/0")
        right.mset([("a", b"1")])
        assert pickle.loads(pickle.dumps(right)).mget(["a"]) == [b"1"]
        for url in (f"redis://:{PASSWORD}x@{place}/0", f"redis://{place}/0?password={PASSWORD}x"):
            model = make(api_key="k", cache=url, transport=Service().transport)
            client: EmbeddingClient = model if isinstance(model, EmbeddingClient) else model.client
            assert client._store is not None
            with pytest.raises(CacheError, match="user and password") as caught:
                client.embed_many(["a", "b"])
            assert shown_in(PASSWORD, caught.value, *caplog.records) == []
            assert shown_in(PASSWORD, model, client, vars(client), client._store.store, vars(client._store.store)) == []
            if model is not client:
                assert shown_in(PASSWORD, model.model_dump(), model.model_copy(update={"cache": url}).client) == []


@pytest.mark.parametrize("make", [EmbeddingClient, TwelveLabsEmbeddings, TwelveLabsEmbedding])
def test_an_error_of_another_setting_does_not_show_the_password(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWELVELABS_API_KEY", raising=False)
    with pytest.raises(AuthenticationError) as caught:
        make(cache=f"redis://:{PASSWORD}@host/0")
    assert shown_in(PASSWORD, caught.value) == []


# -- processes ---------------------------------------------------------------------------------------------------------


@needs_redis
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(server: RedisServer) -> None:
    store = store_at(server.url)
    store.mset([("a", b"1")])
    child = os.fork()
    if child == 0:
        code = 7
        try:
            found = [store.mget(["a"]) for _ in range(200)]
            store.mset([("child", b"2")])
            code = 0 if found == [[b"1"]] * 200 else 8
        finally:
            os._exit(code)
    assert [store.mget(["a"]) for _ in range(200)] == [[b"1"]] * 200
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.mget(["child"]) == [b"2"]
