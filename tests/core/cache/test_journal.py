"""The journal: what is found again, for how long, and by whom."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from twelvelabs_core._cache.entries import Entries
from twelvelabs_core._cache.journal import MAX_AGE_SEC, Journal


class Store:
    """Values by key, as LangChain's stores keep them."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        self.values.update(key_value_pairs)


@pytest.fixture(params=["memory", "store"])
def store(request: pytest.FixtureRequest) -> Entries | None:
    return Entries(Store()) if request.param == "store" else None


async def test_an_entry_is_found_until_it_is_deleted(store: Entries | None) -> None:
    journal = Journal(store)
    assert await journal.find("a") is None
    await journal.write("a", task_id="1")
    await journal.write("b", task_id="2")
    found = await journal.find("a")
    assert found is not None and found["task_id"] == "1"
    await journal.delete("a")
    assert await journal.find("a") is None
    assert await journal.find("b") is not None
    await journal.delete("never written")


async def test_a_later_entry_replaces_the_whole_one_before(store: Entries | None) -> None:
    journal = Journal(store)
    await journal.write("a", upload_id="1", asset_id="2")
    await journal.write("a", asset_id="3")
    found = await journal.find("a")
    assert found is not None and found["asset_id"] == "3"
    assert "upload_id" not in found


async def test_an_entry_is_too_old_when_the_server_has_deleted_the_task(
    store: Entries | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("twelvelabs_core._cache.journal.time.time", lambda: now)
    journal = Journal(store)
    await journal.write("a", task_id="1")
    now += MAX_AGE_SEC - 1
    assert await journal.find("a") is not None
    now += 1
    assert await journal.find("a") is None


async def test_entries_in_a_store_are_there_for_another_journal_and_have_names_of_their_own() -> None:
    store = Store()
    await Journal(Entries(store)).write("task/a", task_id="1")
    found = await Journal(Entries(store)).find("task/a")
    assert found is not None and found["task_id"] == "1"
    assert list(store.values) == ["journal/task/a"]
    assert b'"task_id": "1"' in store.values["journal/task/a"]


@pytest.mark.parametrize("lasting", [True, False])
async def test_only_a_store_lasts(lasting: bool) -> None:
    journal = Journal(Entries(Store()) if lasting else None)
    assert journal.lasting == lasting
    await journal.write("a", task_id="1")
    assert await Journal(None).find("a") is None
