"""Claims: who obtains a result, between clients and processes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.stores import InMemoryByteStore

from twelvelabs_core import Embedding
from twelvelabs_core._cache import claims
from twelvelabs_core._cache.backend import SqliteStore
from twelvelabs_core._cache.cache import Cache, Claimed
from twelvelabs_core._cache.entries import Entries, open_cache
from twelvelabs_core._cache.owners import is_dead, new_owner
from twelvelabs_core._cache.store import ClaimingStore

RESULT = Embedding([1.0, 2.0], "space")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


def client(place: str | Path) -> Cache:
    entries = open_cache(place)
    assert entries is not None
    return Cache(entries, "space", 2)


def store_of(place: str) -> ClaimingStore:
    entries = open_cache(place)
    assert entries is not None and isinstance(entries.store, ClaimingStore)
    return entries.store


def claimed(place: str) -> set[str]:
    """The keys that are claimed."""
    if "://" not in place:
        return set(rows(Path(place)))
    from redis import Redis

    with Redis.from_url(place) as redis:
        return {key.decode().removeprefix("twelvelabs:claim:") for key in redis.scan_iter("twelvelabs:claim:*")}


def rows(path: Path) -> dict[str, float]:
    """The claims of a file and when they end."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT key, expires FROM claims").fetchall())


async def test_a_claimed_key_is_another_one_s_until_its_result_is_there(shared_place: str) -> None:
    one, two = client(shared_place), client(shared_place)
    assert await one.claim(["a", "b"]) == Claimed(ours={"a", "b"})
    assert await two.claim(["b", "c"]) == Claimed(ours={"c"}, theirs={"b"})
    assert await one.claim(["a"]) == Claimed(ours={"a"})  # its own
    await one.put("b", RESULT)
    found = await two.claim(["a", "b"])
    assert (found.ours, found.theirs) == (set(), {"a"})
    assert found.found == {"b": Embedding([1.0, 2.0], "space", cached=True)}
    assert claimed(shared_place) == {"space/a", "space/c"}


async def test_a_released_key_is_free(shared_place: str) -> None:
    one, two = client(shared_place), client(shared_place)
    await one.claim(["a", "b"])
    await two.release(["a"])  # not its own
    assert (await two.claim(["a"])).theirs == {"a"}
    await one.release(["a", "never claimed"])
    assert await two.claim(["a", "b"]) == Claimed(ours={"a"}, theirs={"b"})


async def test_claims_that_come_together_share_a_transaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    claim = SqliteStore.claim

    def counted(self: SqliteStore, keys: list[str], **how: Any) -> list[bytes | bool]:
        calls.append(len(keys))
        return claim(self, keys, **how)

    monkeypatch.setattr(SqliteStore, "claim", counted)
    one = client(path)
    found = await asyncio.gather(*(one.claim([f"{i}", f"{i}+"]) for i in range(20)))
    assert calls == [40]
    assert [claimed.ours for claimed in found] == [{f"{i}", f"{i}+"} for i in range(20)]
    await one.put("1", RESULT)
    found = await asyncio.gather(*(one.get_or_claim([f"{i}", f"{i}++"]) for i in range(20)))
    assert calls == [40, 39]
    assert found[1].found == {"1": Embedding([1.0, 2.0], "space", cached=True)}
    assert [claimed.ours for claimed in found] == [{f"{i}", f"{i}++"} - {"1"} for i in range(20)]


async def test_more_keys_than_one_statement_takes(shared_place: str) -> None:
    keys = [f"{i}" for i in range(1201)]
    assert (await client(shared_place).claim(keys)).ours == set(keys)
    assert (await client(shared_place).claim(keys)).theirs == set(keys)


async def test_only_one_of_many_threads_gets_a_key(shared_place: str) -> None:
    store = store_of(shared_place)
    owners = [new_owner() for _ in range(8)]
    found = await asyncio.gather(*(asyncio.to_thread(store.claim, ["a"], owner, 30.0) for owner in owners))
    assert sorted(outcome for (outcome,) in found) == [False] * 7 + [True]


async def test_claims_are_renewed_while_they_are_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE_SEC", 0.06)
    one, two = client(path), client(path)
    await one.claim(["a", "b"])
    await one.release(["b"])
    await asyncio.sleep(0.15)
    assert await two.claim(["a", "b"]) == Claimed(ours={"b"}, theirs={"a"})


async def test_a_renewal_that_fails_is_not_the_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renew, failed = SqliteStore.renew, asyncio.Event()

    def fail_once(self: SqliteStore, *given: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        renew(self, *given)

    monkeypatch.setattr(claims, "LEASE_SEC", 0.3)
    monkeypatch.setattr(SqliteStore, "renew", fail_once)
    one, two = client(path), client(path)
    await one.claim(["a"])
    await asyncio.sleep(0.6)
    assert failed.is_set()
    assert (await two.claim(["a"])).theirs == {"a"}


async def test_a_claim_that_ends_while_it_is_renewed_stays_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The renewal of a store that makes lost claims again comes after the release."""
    begun, released = threading.Event(), threading.Event()

    def late(self: SqliteStore, keys: list[str], owner: str, lease_sec: float) -> None:
        begun.set()
        released.wait(5)
        self.claim(keys, owner, lease_sec)

    monkeypatch.setattr(SqliteStore, "renew", late)
    one, two = client(path), client(path)
    await one.claim(["a", "b"])
    renewal = asyncio.ensure_future(one._claims.get().renew_once())  # type: ignore[union-attr]
    await asyncio.to_thread(begun.wait, 5)
    await one.release(["a"])
    released.set()
    await renewal
    assert await two.claim(["a", "b"]) == Claimed(ours={"a"}, theirs={"b"})


async def test_claims_of_a_client_that_is_gone_expire(shared_place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE_SEC", 0.06)
    one, two = client(shared_place), client(shared_place)
    await one.claim(["a"])
    del one
    gc.collect()
    await asyncio.sleep(0.15)
    assert (await two.claim(["a"])).ours == {"a"}


def test_a_claim_ends_with_its_lease(shared_place: str) -> None:
    """Its owner may be frozen: it is alive, and does not renew."""
    store = store_of(shared_place)
    assert store.claim(["a"], new_owner(), 0.01) == [True]
    time.sleep(0.02)
    other = new_owner()
    assert store.claim(["a"], other, 30.0) == [True]
    assert store.claim(["a"], new_owner(), 30.0) == [False]


def test_an_owner_that_comes_too_late_renews_and_releases_nothing(path: Path) -> None:
    store, late, other = SqliteStore(path), new_owner(), new_owner()
    store.claim(["a"], late, -1.0)
    store.claim(["a"], other, 30.0)
    before = rows(path)
    store.renew(["a"], late, 300.0)
    store.release(["a"], late)
    assert rows(path) == before


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_clock_that_jumps_holds_nobody_up(path: Path, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    store = SqliteStore(path)
    store.claim(["a"], new_owner(), 30.0)
    now = time.time() + 3600 * hours
    monkeypatch.setattr("twelvelabs_core._cache.backend.time.time", lambda: now)
    assert store.claim(["a"], new_owner(), 30.0) == [True]


async def test_a_damaged_entry_can_be_claimed(shared_place: str) -> None:
    one, two = client(shared_place), client(shared_place)
    await one.put("a", RESULT)
    await one.put("b", Embedding([1.0, 2.0, 3.0], "space"))  # whole, but of another length
    store_of(shared_place).mset([("space/a", bytes(30))])
    assert await one.claim(["a", "b"]) == Claimed(ours={"a", "b"})
    assert await two.claim(["a", "b"]) == Claimed(theirs={"a", "b"})


async def test_a_store_of_the_users_has_no_claims() -> None:
    one, two = (Cache(Entries(InMemoryByteStore()), "space", 2) for _ in range(2))
    assert await one.claim(["a", "b"]) == Claimed(ours={"a", "b"}, written=False)
    assert await two.claim(["a", "b"]) == Claimed(ours={"a", "b"}, written=False)
    await one.release(["a"])


# -- owners ------------------------------------------------------------------------------------------------------

CLAIM = """
import sys, time
from twelvelabs_core._cache.entries import open_cache
from twelvelabs_core._cache.owners import new_owner
owner = new_owner()
assert open_cache(sys.argv[1]).store.claim(["a"], owner, 3600.0) == [True]
print(owner, flush=True)
time.sleep(60)
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def other(shared_place: str) -> Any:
    """A process that has claimed a key for an hour."""
    with subprocess.Popen([sys.executable, "-c", CLAIM, shared_place], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        yield process, owner
        process.kill()


@needs_proc
def test_a_killed_process_s_claims_are_free_at_once(shared_place: str, other: Any) -> None:
    process, owner = other
    store = store_of(shared_place)
    assert store.claim(["a"], new_owner(), 3600.0) == [False]
    assert not is_dead(owner)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not asked for its status
    assert is_dead(owner)
    assert store.claim(["a"], new_owner(), 3600.0) == [True]
    process.wait()
    assert is_dead(owner)


@needs_proc
@pytest.mark.parametrize(
    ("change", "dead"),
    [
        (lambda machine, pid, started, rest: (machine, pid, started, rest), False),
        (lambda machine, pid, started, rest: (machine, pid, "1", rest), True),  # the number was given again
        (lambda machine, pid, started, rest: (machine, pid, "-", rest), False),
        (lambda machine, pid, started, rest: (machine, "1", started + "0", rest), True),
        (lambda machine, pid, started, rest: ("another/pid:[1]", "99999999", started, rest), False),
        (lambda machine, pid, started, rest: ("", pid, "1", rest), False),
        (lambda machine, pid, started, rest: (machine, "9" * 30, started, rest), False),
        (lambda machine, pid, started, rest: (machine, "x", started, rest), False),
        (lambda machine, pid, started, rest: ("",), False),
    ],
)
def test_who_is_dead(change: Callable[..., tuple[str, ...]], dead: bool) -> None:
    assert is_dead(" ".join(change(*new_owner().split(" ")))) == dead


def test_where_processes_cannot_be_told_apart_nobody_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twelvelabs_core._cache.owners._machine", lambda: "")
    owner = new_owner()
    assert owner != new_owner()
    assert not is_dead(owner)


# -- one client, several calls -------------------------------------------------------------------------------------


class Slow(SqliteStore):
    """A store that is as slow as a test wants: a step waits, on one side of its transaction, until it may go on."""

    def __init__(self, path: Path, slow: str) -> None:
        super().__init__(path)
        self._slow = slow
        self.reached, self.go_on = threading.Event(), threading.Event()

    def _wait(self, step: str) -> None:
        if step == self._slow and not self.reached.is_set():
            self.reached.set()
            assert self.go_on.wait(10)

    def claim(self, keys: Sequence[str], *args: Any, **how: Any) -> list[bytes | bool]:
        found = super().claim(keys, *args, **how)
        if keys[0].endswith("slow"):
            self._wait("after claim")
        return found

    def release(self, keys: Iterable[str], owner: str) -> None:
        self._wait("before release")
        super().release(keys, owner)


async def test_a_key_that_is_claimed_while_it_is_released_stays_claimed(path: Path) -> None:
    store = Slow(path, "before release")
    one = Cache(Entries(store), "space", 2)
    await one.claim(["a"])
    released = asyncio.ensure_future(one.release(["a"]))
    await asyncio.to_thread(store.reached.wait, 10)
    claimed = asyncio.ensure_future(one.claim(["a"]))
    await asyncio.wait([claimed], timeout=0.05)
    store.go_on.set()
    await released
    assert await claimed == Claimed(ours={"a"})
    assert await client(path).claim(["a"]) == Claimed(theirs={"a"})


@pytest.mark.parametrize("other_first", [False, True])
async def test_a_key_that_is_released_while_it_is_claimed_is_claimed_again(path: Path, other_first: bool) -> None:
    store = Slow(path, "after claim")
    one, two = Cache(Entries(store), "space", 2), client(path)
    await one.claim(["a"])
    claimed = asyncio.ensure_future(one.claim(["slow", "a"]))
    await asyncio.to_thread(store.reached.wait, 10)
    await one.release(["a"])
    if other_first:
        assert await two.claim(["a"]) == Claimed(ours={"a"})
    store.go_on.set()
    found = await claimed
    assert found.ours == ({"slow"} if other_first else {"slow", "a"})
    assert one.holds("a") is not other_first
    if not other_first:
        assert await two.claim(["a"]) == Claimed(theirs={"a"})


async def test_a_key_whose_result_comes_while_it_is_claimed_has_it(path: Path) -> None:
    store = Slow(path, "after claim")
    one = Cache(Entries(store), "space", 2)
    await one.claim(["a"])
    claimed = asyncio.ensure_future(one.claim(["slow", "a"]))
    await asyncio.to_thread(store.reached.wait, 10)
    await one.put("a", RESULT)
    store.go_on.set()
    found = await claimed
    assert found.ours == {"slow"}
    assert found.found == {"a": Embedding([1.0, 2.0], "space", cached=True)}
    assert not one.holds("a")
