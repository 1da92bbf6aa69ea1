"""Tasks: polled, resumed, created again after a failure, and not created twice when a response is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from tests.support.sender import Clock, Pauses, sender_of
from tests.support.service import Service, refusal
from twelvelabs_core import (
    ConnectionFailedError,
    InvalidInputError,
    RetryPolicy,
    ServerError,
    TwelveLabsError,
)
from twelvelabs_core._api.requests import Request
from twelvelabs_core._cache.journal import Journal
from twelvelabs_core._embed.tasks import Tasks
from twelvelabs_core._net import loop
from twelvelabs_core._stats import Run

MODEL = "marengo3.5"
PATH = "embed-v2/tasks"


class TaskServer:
    """Keeps tasks, and answers as the API does.

    Attributes:
        polls: polls that find a task processing before it is finished.
        failures: messages of tasks that fail, one each, before others succeed.
        faults: of the requests to create a task, one each: a response or exception instead; with ``lost``, the task is
            created all the same.
        on_create: called before each creation.
    """

    def __init__(self, path: str = PATH, **settings: Any) -> None:
        self.path = path
        self.polls = 1
        self.failures: list[str] = []
        self.faults: list[Any] = []
        self.lost = False
        self.on_create: Callable[[], None] = lambda: None
        self.__dict__.update(settings)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self._ids = itertools.count(1)
        self.service = Service(self.answer)

    def add(self, **fields: Any) -> str:
        task_id = f"task{next(self._ids)}"
        now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        task = {"_id": task_id, "status": "processing", "created_at": now, "model_name": MODEL, "polls": self.polls}
        self.tasks[task_id] = {**task, **fields}
        return task_id

    def answer(self, request: httpx.Request) -> Any:
        path = request.url.path.partition("/v1.3/")[2]
        self.asked.append(f"{request.method} {path}")
        if path == self.path:
            return self._create() if request.method == "POST" else self._list()
        task_id, _, status_only = path.removeprefix(f"{self.path}/").partition("/")
        if task_id not in self.tasks:
            return refusal(404)
        task = self.tasks[task_id]
        if status_only or self.path == PATH:
            task["polls"] -= 1
            if task["polls"] < 0 and task["status"] == "processing":
                self._finish(task)
        return {"_id": task_id, "status": task["status"]} if status_only else task

    def _create(self) -> Any:
        self.on_create()
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or self.lost:
            task_id = self.add()
        if isinstance(fault, BaseException):
            raise fault
        return fault or {"_id": task_id, "status": "processing"}

    def _list(self) -> Any:
        return {"data": list(reversed(self.tasks.values()))}

    def _finish(self, task: dict[str, Any]) -> None:
        if self.failures:
            task.update(status="failed", error={"message": self.failures.pop(0)})
        else:
            task.update(status="ready", data=[{"embedding": [0.5]}])

    def count(self, line: str) -> int:
        return self.asked.count(line)


class Client:
    """Runs tasks on a server; another one with the same journal stands for the next process."""

    def __init__(self, server: TaskServer, journal: Journal | None = None, timeout: float = 60, **settings: Any):
        self.journal = journal or Journal(None)
        self.run_state = Run(1)
        self.created = 0
        self._path = server.path
        self._tasks = Tasks(sender_of(server.service, **settings), self.journal, scope="s", timeout=timeout)

    def run(self, key: str = "k") -> dict[str, Any]:
        return loop.run(self._tasks.run(key, self._create, self.run_state))

    def entry(self, key: str = "k") -> dict[str, Any] | None:
        return loop.run(self.journal.find(f"task/s/{key}"))

    async def _create(self) -> tuple[Request, bool, float]:
        self.created += 1
        body = f'{{"model_name": "{MODEL}"}}'.encode()
        return Request(self._path, frozenset({"video"}), json=body), False, 2.0


# -- polling -------------------------------------------------------------------------------------------------------


def test_a_task_is_created_polled_and_its_response_returned() -> None:
    server = TaskServer(polls=3)
    client = Client(server)
    assert client.run()["data"] == [{"embedding": [0.5]}]
    assert server.asked == [f"POST {PATH}", *[f"GET {PATH}/task1"] * 4]
    assert client.entry() is None
    assert client.run_state.stats.tasks_waiting == 0
    assert client.run_state.stats.minutes == 2.0


def test_v1_is_polled_by_status_and_its_vectors_are_fetched_once() -> None:
    server = TaskServer(path="embed/tasks", polls=2)
    assert Client(server).run()["data"]
    polls = ["GET embed/tasks/task1/status"] * 3
    assert server.asked == ["POST embed/tasks", *polls, "GET embed/tasks/task1"]


def test_waits_between_polls_grow_up_to_15_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.poll", Clock(monkeypatch))
    Client(TaskServer(polls=9), timeout=1000).run()
    assert pauses.seconds[:3] == [1, 1.5, 2.25]
    assert max(pauses.seconds) == pauses.seconds[-1] == 15
    assert len(pauses.seconds) == 9


def test_a_task_that_is_not_ready_in_time_stays_in_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    Pauses(monkeypatch, "_net.poll", Clock(monkeypatch))
    server = TaskServer(polls=20)
    client = Client(server, timeout=30)
    with pytest.raises(ServerError, match=r"task1 is not ready after 30 s.*the next run resumes it"):
        client.run()
    assert client.run_state.stats.tasks_waiting == 0
    entry = client.entry()
    assert entry is not None and (entry["task_id"], entry["path"]) == ("task1", PATH)

    later = Client(server, client.journal, timeout=1000)
    assert later.run()["data"]
    assert later.created == 0
    assert server.count(f"POST {PATH}") == 1


# -- resuming and failing ------------------------------------------------------------------------------------------


def test_a_task_the_server_no_longer_has_is_created_again() -> None:
    server = TaskServer()
    client = Client(server)
    loop.run(client.journal.write("task/s/k", task_id="expired", path=PATH))
    assert client.run()["_id"] == "task1"
    assert server.asked[:2] == [f"GET {PATH}/expired", f"POST {PATH}"]


def test_another_key_is_another_task() -> None:
    server = TaskServer()
    client = Client(server)
    loop.run(client.journal.write("task/s/other", task_id=server.add(), path=PATH))
    client.run()
    assert server.count(f"POST {PATH}") == 1


def test_a_failure_that_may_pass_creates_another_task_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_embed.tasks")
    server = TaskServer(failures=["Service unstable, try again later"] * 2)
    policy = RetryPolicy(base=1, jitter=0)
    assert Client(server, retry=policy).run()["_id"] == "task3"
    assert pauses.seconds == [1, 2]

    server = TaskServer(failures=["Service unstable, try again later"] * 3)
    client = Client(server, retry=policy)
    with pytest.raises(ServerError, match="unstable"):
        client.run()
    assert server.count(f"POST {PATH}") == 3
    assert client.entry() is None


def test_a_failure_because_of_the_file_does_not() -> None:
    server = TaskServer(failures=["The media could not be processed"])
    client = Client(server)
    with pytest.raises(InvalidInputError, match="could not be processed"):
        client.run()
    assert server.count(f"POST {PATH}") == 1
    assert client.entry() is None


# -- creating ------------------------------------------------------------------------------------------------------


LOST = [refusal(503), httpx.ReadError("reset"), httpx.Response(200, content=b"<html>"), {"status": "processing"}]


@pytest.mark.parametrize("fault", LOST, ids=["503", "reset", "html", "no id"])
def test_a_task_whose_response_is_lost_is_found_and_not_created_again(fault: Any) -> None:
    server = TaskServer(faults=[fault], lost=True)
    assert Client(server).run()["_id"] == "task1"
    assert server.asked[:2] == [f"POST {PATH}", f"GET {PATH}"]
    assert server.count(f"POST {PATH}") == 1


@pytest.mark.parametrize("fault", LOST, ids=["503", "reset", "html", "no id"])
def test_a_task_that_is_not_found_is_created_again(fault: Any) -> None:
    server = TaskServer(faults=[fault])
    client = Client(server)
    assert client.run()["_id"] == "task1"
    assert server.asked[:3] == [f"POST {PATH}", f"GET {PATH}", f"POST {PATH}"]
    assert client.run_state.stats.retries == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": (datetime.now(timezone.utc) - timedelta(seconds=30)).isoformat()},
        {"model_name": "marengo2.7"},
        {"created_at": "2020-01-01T00:00:00.12Z"},
        {"created_at": "2020-01-01T00:00:00.123456789+00:00"},
        {"created_at": None},
    ],
    ids=["older", "another model", "two decimals", "nine decimals", "unknown age"],
)
def test_a_task_that_does_not_fit_is_not_taken(fields: dict[str, Any]) -> None:
    server = TaskServer(faults=[refusal(503)])
    server.add(**fields)
    assert Client(server).run()["_id"] == "task2"


@pytest.mark.parametrize(("seconds", "expected"), [(-1, "task1"), (-2, "task2")])
def test_a_task_is_found_by_a_timestamp_in_whole_seconds(
    seconds: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    server = TaskServer(faults=[refusal(503)])
    server.add(created_at=datetime.fromtimestamp(1_800_000_000 + seconds, timezone.utc).isoformat())
    assert Client(server).run()["_id"] == expected


def test_a_task_that_another_key_of_ours_has_is_not_taken() -> None:
    server = TaskServer()
    client = Client(server)
    client.run("a")
    server.faults = [refusal(503)]
    assert client.run("b")["_id"] == "task2"


def test_a_list_that_cannot_be_read_finds_nothing() -> None:
    server = TaskServer(faults=[refusal(503)])

    def listing() -> Any:
        return refusal(400)

    server._list = listing  # type: ignore[method-assign]
    assert Client(server).run()["_id"] == "task1"
    assert server.count(f"POST {PATH}") == 2


def test_the_list_is_searched_for_some_pages_only() -> None:
    server = TaskServer(faults=[refusal(503)])
    others = [{"_id": f"other{i}", "model_name": "marengo2.7"} for i in range(50)]
    server._list = lambda: {"data": others}  # type: ignore[method-assign]
    Client(server).run()
    assert server.count(f"GET {PATH}") == 5


def test_an_unreachable_host_needs_no_search_and_is_given_up_as_for_any_request() -> None:
    server = TaskServer(faults=[httpx.ConnectError("refused")] * 20)
    with pytest.raises(ConnectionFailedError):
        Client(server).run()
    assert server.asked == [f"POST {PATH}"] * 3


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_task_is_not_tried_again(status: int) -> None:
    server = TaskServer(faults=[refusal(status)])
    with pytest.raises(TwelveLabsError):
        Client(server).run()
    assert server.asked == [f"POST {PATH}"]


def test_creations_are_counted() -> None:
    server = TaskServer(faults=[refusal(503)] * 20)
    with pytest.raises(ServerError):
        Client(server, retry=RetryPolicy(max_retries=2)).run()
    assert server.count(f"POST {PATH}") == 3


def test_no_creation_starts_after_max_elapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def takes_a_while() -> None:
        clock.now += 40

    server = TaskServer(faults=[refusal(503)] * 20, on_create=takes_a_while)
    with pytest.raises(ServerError):
        Client(server, retry=RetryPolicy(max_retries=10, max_elapsed=100)).run()
    assert server.count(f"POST {PATH}") == 3
