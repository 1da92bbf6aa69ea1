"""Shared limits in a SQLite file: transactions, clocks, and files that cannot be used."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.support.reports import a_report, ask
from twelvelabs_core._net.limits.shared import sqlite
from twelvelabs_core._net.limits.shared.sqlite import Clock, SqliteStore, elapsed
from twelvelabs_core._net.limits.shared.store import StoreError

WINDOW = [[100, 3600.0, 0, 0, 0]]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a folder" / "limits.sqlite")


async def lease(store: SqliteStore, worker: str, slots: int, name: str = "limit") -> int:
    grant = await store.report(name, a_report(worker=worker, windows=WINDOW, ask=ask(slots)))
    return grant["slots"][1]


async def test_two_stores_of_one_file_share_a_limit(path: str) -> None:
    first, second = SqliteStore(path), SqliteStore(path)
    assert await lease(first, "a", 70) == 70
    assert await lease(second, "b", 70) == 30
    assert await lease(second, "b", 70, name="another") == 70
    await first.aclose()
    await second.aclose()
    third = SqliteStore(path)
    assert await lease(third, "c", 1) == 0
    await third.aclose()


async def test_many_threads_lose_no_report(path: str) -> None:
    stores = [SqliteStore(path) for _ in range(4)]

    async def work(index: int) -> int:
        return sum([await lease(stores[index], f"{index}-{turn}", 1) for turn in range(30)])

    assert sum(await asyncio.gather(*map(work, range(4)))) == 100
    for store in stores:
        await store.aclose()


async def test_a_new_file_of_the_same_name_is_used(path: str) -> None:
    store = SqliteStore(path)
    assert await lease(store, "a", 100) == 100
    for beside in Path(path).parent.iterdir():
        beside.unlink()
    assert await lease(store, "b", 60) == 60
    other = SqliteStore(path)
    assert await lease(other, "c", 60) == 40
    await store.aclose()
    await other.aclose()


async def test_the_file_is_open_again_after_it_was_closed_for_a_fork(path: str) -> None:
    store = SqliteStore(path)
    assert await lease(store, "a", 60) == 60
    store.close()
    assert await lease(store, "b", 60) == 40
    await store.aclose()


@pytest.mark.skipif(os.name != "posix", reason="no such permissions here")
def test_the_file_is_nobody_else_s(path: str) -> None:
    store = SqliteStore(path)
    asyncio.run(lease(store, "a", 1))
    store.close()
    assert Path(path).stat().st_mode & 0o077 == 0


async def test_what_cannot_be_used_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but a text that is long enough to be taken for one" * 20)
    (tmp_path / "folder").mkdir()
    for name, said in {"text": "of a new one", "folder": "must be writable", "text/below": "must be writable"}.items():
        store = SqliteStore(str(tmp_path / name))
        with pytest.raises(StoreError, match=said) as caught:
            await lease(store, "a", 1)
        assert repr(str(tmp_path / name)) in str(caught.value)
        assert not caught.value.passing
        await store.aclose()


@pytest.mark.parametrize("state", ["{", "{}", "[]", "7", '{"now": "then"}'])
async def test_a_state_that_cannot_be_read_is_an_error(path: str, state: str) -> None:
    store = SqliteStore(path)
    await lease(store, "a", 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE limits SET state = ?", (state,))
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        await lease(store, "a", 1)
    await store.aclose()


async def test_a_locked_file_passes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SEC", 0.01)
    store = SqliteStore(path)
    await lease(store, "a", 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        await lease(store, "a", 1)
    assert caught.value.passing
    other.execute("ROLLBACK")
    other.close()
    assert await lease(store, "a", 1) == 1
    await store.aclose()


async def test_reports_run_in_a_thread_of_their_own(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def read_clock() -> Clock:
        threads.append(threading.current_thread().name)
        return Clock(1.0, 1.0, "boot")

    monkeypatch.setattr(sqlite, "read_clock", read_clock)
    store = SqliteStore(path)
    await lease(store, "a", 1)
    await lease(store, "a", 1)
    await store.aclose()
    assert threads[0].startswith("twelvelabs-limits") and set(threads) == {threads[0]}


# -- the clock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "seconds"),
    [
        pytest.param(Clock(10.0, 1e9, "a"), Clock(12.5, 1e9 - 3600, "a"), 2.5, id="the wall clock was put back"),
        pytest.param(Clock(10.0, 1e9, "a"), Clock(12.5, 1e9 + 3600, "a"), 2.5, id="the wall clock was put forward"),
        pytest.param(Clock(9e4, 1e9, "a"), Clock(5.0, 1e9 + 60, "b"), 60.0, id="the machine was restarted"),
        pytest.param(Clock(9e4, 1e9, ""), Clock(5.0, 1e9 + 60, ""), 60.0, id="it was, and cannot be told apart"),
        pytest.param(Clock(9e4, 1e9, "a"), Clock(9e5, 1e9 + 60, "b"), 60.0, id="a container with a clock of its own"),
        pytest.param(Clock(9e4, 1e9, "a"), Clock(5.0, 1e9 - 60, "b"), 0.0, id="restarted with a wrong clock"),
    ],
)
def test_the_time_between_two_reports(before: Clock, now: Clock, seconds: float) -> None:
    assert elapsed(before, now) == pytest.approx(seconds)


async def test_a_day_goes_on_after_a_restart(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([Clock(9e4, 1e9, "a"), Clock(9e4 + 1, 1e9 + 1, "a"), Clock(7.0, 1e9 + 1801, "b")])
    monkeypatch.setattr(sqlite, "read_clock", lambda: next(readings))
    store = SqliteStore(path)
    assert await lease(store, "a", 100) == 100
    await store.report("limit", a_report(seq=1, settled=[[0.0, 100, 0]], windows=WINDOW))
    grant = await store.report("limit", a_report(windows=WINDOW, seq=1, ask=ask(1)))
    assert grant["wait"][1] == pytest.approx(1800)
    await store.aclose()
