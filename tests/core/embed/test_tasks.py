"""Tasks: polled, resumed, created again after a failure, and not created twice when a response is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.anyjson import answer_of, anything
from tests.support.sender import Clock, Pauses, sender_of
from tests.support.service import Service, refusal
from twelvelabs_core import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    RetryPolicy,
    ServerError,
    TwelveLabsError,
)
from twelvelabs_core._api.names import unique_name
from twelvelabs_core._api.requests import Request, StreamedBody
from twelvelabs_core._cache.journal import Journal
from twelvelabs_core._embed.tasks import MAX_LIST_PAGES, NewTask, Tasks, Work
from twelvelabs_core._media.streamed import MadeContent
from twelvelabs_core._net import loop
from twelvelabs_core._net.limits.circuit import CIRCUIT_OPEN, FAILURES, Gate
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
        shows_names: lists show the name of a task's file.
    """

    def __init__(self, path: str = PATH, **settings: Any) -> None:
        self.path = path
        self.polls = 1
        self.failures: list[str] = []
        self.faults: list[Any] = []
        self.lost = False
        self.shows_names = True
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
            return self._create(json.loads(request.content)) if request.method == "POST" else self._list()
        task_id, _, status_only = path.removeprefix(f"{self.path}/").partition("/")
        if task_id not in self.tasks:
            return refusal(404)
        task = self.tasks[task_id]
        if status_only or self.path == PATH:
            task["polls"] -= 1
            if task["polls"] < 0 and task["status"] == "processing":
                self._finish(task)
        return {"_id": task_id, "status": task["status"]} if status_only else task

    def _create(self, body: dict[str, Any]) -> Any:
        self.on_create()
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or self.lost:
            task_id = self.add(of=body["of"], name=body["filename"])
        if isinstance(fault, BaseException):
            raise fault
        return fault or {"_id": task_id, "status": "processing"}

    def _list(self) -> Any:
        listed = [self._listed(task) for task in reversed(self.tasks.values())]
        return {"data": listed, "page_info": {"page": 1, "total_page": 1}}

    def _listed(self, task: dict[str, Any]) -> dict[str, Any]:
        shown = {name: task[name] for name in ("_id", "status", "created_at", "model_name")}
        name = {"input_filename": task.get("name")} if self.shows_names else {}
        return {**shown, "video_embedding": {"metadata": {"duration": 12, **name}}}

    def _finish(self, task: dict[str, Any]) -> None:
        if self.failures:
            task.update(status="failed", error={"message": self.failures.pop(0)})
        else:
            task.update(status="ready", data=[{"embedding": [0.5]}])

    def count(self, line: str) -> int:
        return self.asked.count(line)


class Client:
    """Runs tasks on a server; another one with the same journal stands for the next process.

    Args:
        named: its files have a name that no other has.
    """

    def __init__(
        self,
        server: TaskServer,
        journal: Journal | None = None,
        timeout: float = 60,
        named: bool = True,
        **settings: Any,
    ) -> None:
        self.journal = journal or Journal(None)
        self.run_state = Run(1)
        self.created = 0
        self.read_file: Callable[[], bytes] = lambda: b""  # that is sent with each creation
        self.read: Callable[[dict[str, Any]], dict[str, Any]] = lambda response: response
        self._named = named
        self._path = server.path
        self._tasks = Tasks(sender_of(server.service, **settings), self.journal, scope="s", timeout=timeout)

    def run(self, key: str = "k") -> dict[str, Any]:
        return loop.run(self.running(key))

    async def running(self, key: str) -> dict[str, Any]:
        work = Work(key, f"video {key}", lambda: self._create(key), self.read)
        found = await self._tasks.run(work, self.run_state)
        await self._tasks.forget(key)
        return found

    def entry(self, key: str = "k") -> dict[str, Any] | None:
        return loop.run(self.journal.find(f"task/s/{key}"))

    @property
    def paid_again(self) -> int:
        return self.run_state.stats.paid_again

    async def _create(self, key: str) -> NewTask:
        self.created += 1
        name = unique_name("same.mp4", ".mp4") if self._named else None
        body = json.dumps({"model_name": MODEL, "of": key, "filename": name}).encode()
        body = body[:-1] + b', "file": "'
        file = MadeContent(lambda: self.read_file(), size=5, memory=0)
        streamed = StreamedBody((body, file, b'"}'), content_type="application/json")
        return NewTask(Request(self._path, frozenset({"video"}), streamed=streamed), 2.0, name)


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


# -- creating: a response that is lost -----------------------------------------------------------------------------


LOST = [refusal(503), httpx.ReadError("reset"), httpx.Response(200, content=b"<html>"), {"status": "processing"}]
NAMES = ["503", "reset", "html", "no id"]


@pytest.mark.parametrize("fault", LOST, ids=NAMES)
def test_a_task_whose_response_is_lost_is_found_by_its_name_and_not_created_again(fault: Any) -> None:
    server = TaskServer(faults=[fault], lost=True)
    client = Client(server)
    assert client.run()["_id"] == "task1"
    assert server.asked[:2] == [f"POST {PATH}", f"GET {PATH}"]
    assert server.count(f"POST {PATH}") == 1
    assert client.paid_again == 0


@pytest.mark.parametrize("fault", LOST, ids=NAMES)
@pytest.mark.parametrize(("named", "shown"), [(False, True), (True, False)])
def test_without_proof_it_is_created_again_counted_and_logged(
    fault: Any, named: bool, shown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A 503 is documented as a failure, so that nothing was paid."""
    server = TaskServer(faults=[fault], lost=True, shows_names=shown)
    client = Client(server, named=named)
    with caplog.at_level(logging.WARNING):
        assert client.run()["_id"] == "task2"
    paid_again = int(not isinstance(fault, httpx.Response) or fault.status_code != 503)
    assert client.paid_again == paid_again
    assert ("video k: its task is created again" in caplog.text) is bool(paid_again)
    assert server.count(f"GET {PATH}") == int(named)
    assert client.run_state.stats.retries == 1


@pytest.mark.parametrize("shown", [True, False])
def test_a_task_of_another_client_is_never_taken(shown: bool) -> None:
    """Same model, same length, created in the same moment, and the only one in the list."""
    server = TaskServer(faults=[httpx.ReadError("reset")], shows_names=shown)
    server.add(of="another client's", name=unique_name("same.mp4", ".mp4"))
    assert Client(server).run()["of"] == "k"


@given(
    creations=st.lists(st.sampled_from(["answered", "lost", "html", "503", "dropped"]), min_size=2, max_size=6),
    shown=st.booleans(),
    named=st.booleans(),
    others=st.sets(st.integers(0, 8)),
    order=st.randoms(use_true_random=False),
)
def test_whatever_is_lost_each_video_gets_its_own_vectors_and_each_payment_is_counted(
    creations: list[str], shown: bool, named: bool, others: set[int], order: Any
) -> None:
    """All files have the same length and options, other clients create tasks of the same kind in between, and answers
    are lost with the task created (lost, html) or not (503, dropped).
    """
    server = TaskServer(shows_names=shown)
    faults: dict[str, Callable[[], Any]] = {
        "lost": lambda: httpx.ReadError("reset"),
        "html": lambda: httpx.Response(200, content=b"<html>"),
        "503": lambda: refusal(503),
        "dropped": lambda: httpx.ReadError("reset"),
    }
    first = {f"k{i}": kind for i, kind in enumerate(creations)}
    bought: list[str] = []

    def create(body: dict[str, Any]) -> Any:
        kind = first.pop(body["of"], "answered")
        if len(bought) in others:
            server.add(of="another client's", name="same.mp4")
        if kind in ("answered", "lost", "html"):
            bought.append(body["of"])
            task_id = server.add(of=body["of"], name=body["filename"])
        if kind == "answered":
            return {"_id": task_id, "status": "processing"}
        fault = faults[kind]()
        if isinstance(fault, Exception):
            raise fault
        return fault

    server._create = create  # type: ignore[method-assign]
    client = Client(server, named=named)
    keys = list(first)
    order.shuffle(keys)

    async def all_at_once() -> list[dict[str, Any]]:
        return await asyncio.gather(*(client.running(key) for key in keys))

    found = loop.run(all_at_once())
    assert [task["of"] for task in found] == keys
    proven = shown and named
    assert client.paid_again == sum(k == "dropped" or (k in ("lost", "html") and not proven) for k in creations)
    assert len(bought) == len(keys) + client.paid_again - creations.count("dropped")


def test_a_task_that_an_attempt_long_ago_created_is_found_too() -> None:
    """The list did not show it at first, and shows both when the second response is lost."""
    server = TaskServer(faults=[httpx.ReadError("reset"), httpx.ReadError("reset")], lost=True)
    shown = server._list
    server._list = lambda: {"data": []} if len(server.tasks) < 2 else shown()  # type: ignore[method-assign]
    client = Client(server)
    assert client.run()["of"] == "k"
    assert server.count(f"POST {PATH}") == 2
    assert client.paid_again == 1


def test_a_name_that_the_list_shows_changed_is_known_by_its_unique_part() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True)
    shown = server._listed

    def changed(task: dict[str, Any]) -> dict[str, Any]:
        listed = shown(task)
        metadata = listed["video_embedding"]["metadata"]
        metadata["input_filename"] = "/tmp/" + metadata["input_filename"].upper()
        return listed

    server._listed = changed  # type: ignore[method-assign]
    assert Client(server).run()["_id"] == "task1"


def test_a_failed_task_is_not_taken_if_another_of_the_name_did_not_fail() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")])

    def two() -> None:
        server.on_create = lambda: None

    server.on_create = two
    create = server._create

    def twice(body: dict[str, Any]) -> Any:
        server.add(of="k", name=body["filename"])
        server.add(of="k", name=body["filename"], status="failed")
        return create(body)

    server._create = twice  # type: ignore[method-assign]
    assert Client(server).run()["_id"] == "task1"


def test_a_list_that_cannot_be_read_is_no_proof() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True)
    server._list = lambda: refusal(400)  # type: ignore[method-assign]
    client = Client(server)
    assert client.run()["_id"] == "task2"
    assert client.paid_again == 1


@pytest.mark.parametrize("listed", [{"data": 5}, {"data": [5, None, {"_id": 5}, {"_id": "../x"}]}, {}, {"data": None}])
def test_a_list_of_nonsense_is_no_proof(listed: Any) -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True)
    server._list = lambda: listed  # type: ignore[method-assign]
    assert Client(server).run()["_id"] == "task2"


@pytest.mark.parametrize(("age_sec", "pages"), [(60, MAX_LIST_PAGES), (7200, 1)])
def test_the_list_is_searched_as_far_back_as_the_creation(age_sec: int, pages: int) -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")])
    created_at = (datetime.now(timezone.utc) - timedelta(seconds=age_sec)).isoformat()
    others = [{"_id": f"other{i}", "created_at": created_at} for i in range(50)]
    server._list = lambda: {"data": others}  # type: ignore[method-assign]
    Client(server).run()
    assert server.count(f"GET {PATH}") == pages


def test_an_unreachable_host_needs_no_search_and_is_given_up_as_for_any_request() -> None:
    server = TaskServer(faults=[httpx.ConnectError("refused")] * 20)
    client = Client(server)
    with pytest.raises(ConnectionFailedError):
        client.run()
    assert server.asked == [f"POST {PATH}"] * 3
    assert client.entry() is None


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_task_is_not_tried_again(status: int) -> None:
    server = TaskServer(faults=[refusal(status)])
    client = Client(server)
    with pytest.raises(TwelveLabsError):
        client.run()
    assert server.asked == [f"POST {PATH}"]
    assert client.entry() is None
    assert client.paid_again == 0


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


# -- creating: the journal knows before the server does -----------------------------------------------------------


NO_RETRY = RetryPolicy(max_retries=0)


def test_no_retries_still_search_once() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True)
    assert Client(server, retry=NO_RETRY).run()["_id"] == "task1"
    assert server.count(f"POST {PATH}") == 1


def test_a_run_that_could_not_find_its_task_leaves_its_name_to_the_next() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True)
    shown = server._list
    server._list = lambda: {"data": []}  # type: ignore[method-assign]
    client = Client(server, retry=NO_RETRY)
    with pytest.raises(ConnectionFailedError):
        client.run()
    server._list = shown  # type: ignore[method-assign]
    later = Client(server, client.journal, retry=NO_RETRY)
    assert later.run()["_id"] == "task1"
    assert later.created == later.paid_again == 0


def test_while_the_server_is_down_no_task_is_created_again_and_the_next_run_finds_it() -> None:
    def goes_down() -> None:
        for _ in range(FAILURES):
            gate.failed(ServerError("down", status=503), probe=False)
        gate.circuit._probe_at += 1e6

    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True, on_create=goes_down)
    client = Client(server)

    async def gate_of() -> Gate:
        return client._tasks._sender._session.get().account.gate

    gate = loop.run(gate_of())
    with pytest.raises(TwelveLabsError) as caught:
        client.run()
    assert caught.value.code == CIRCUIT_OPEN
    gate.circuit.succeed()
    later = Client(server, client.journal)
    assert later.run()["_id"] == "task1"
    assert server.count(f"POST {PATH}") == 1
    assert client.paid_again == later.paid_again == 0


@pytest.mark.parametrize(("fault", "paid_again"), [(httpx.ReadError("reset"), 1), (refusal(503), 0)])
def test_without_proof_the_next_run_creates_it_again(fault: Any, paid_again: int) -> None:
    server = TaskServer(faults=[fault], shows_names=False)
    client = Client(server, retry=NO_RETRY)
    with pytest.raises(TwelveLabsError):
        client.run()
    later = Client(server, client.journal)
    later.run()
    assert later.paid_again == paid_again
    assert later.entry() is None


@pytest.mark.parametrize("shown", [True, False])
def test_a_process_killed_before_the_response_is_followed_by_one_that_knows(shown: bool) -> None:
    server = TaskServer(shows_names=shown)
    client = Client(server)
    create = server._create

    async def killed(body: dict[str, Any]) -> Any:
        create(body)
        running[0].cancel()
        await asyncio.sleep(1)

    running: list[asyncio.Task[Any]] = []

    async def run_and_kill() -> None:
        running.append(asyncio.ensure_future(client.running("k")))
        await asyncio.gather(*running, return_exceptions=True)

    server._create = killed  # type: ignore[method-assign]
    loop.run(run_and_kill())
    server._create = create  # type: ignore[method-assign]
    later = Client(server, client.journal)
    assert later.run()["of"] == "k"
    assert server.count(f"POST {PATH}") == (1 if shown else 2)
    assert later.paid_again == (0 if shown else 1)


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../indexes", "task_id": "x"},
        {"path": PATH, "task_id": "../../../v1.3/indexes/x"},
        {"path": PATH, "task_id": 5},
        {"path": PATH, "filename": 5, "begun_at": "x"},
        {},
    ],
)
def test_a_journal_entry_that_cannot_be_one_is_not_followed(entry: dict[str, Any]) -> None:
    server = TaskServer()
    client = Client(server)
    loop.run(client.journal.write("task/s/k", **entry))
    assert client.run()["_id"] == "task1"
    assert server.asked[0] == f"POST {PATH}"


def test_a_task_is_waited_for_also_when_the_batch_stops() -> None:
    """It is paid for; no other is created."""
    server = TaskServer()
    client = Client(server)

    def stop() -> None:
        client.run_state.stopping = True

    server.on_create = stop
    assert client.run()["_id"] == "task1"
    assert client.run_state.stats.tasks_waiting == 0
    with pytest.raises(ConnectionFailedError, match="the batch was stopped"):
        client.run("another")
    assert server.count(f"POST {PATH}") == 1


def test_a_task_whose_response_was_lost_when_the_batch_stops_is_looked_for() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset")], lost=True)
    client = Client(server)

    def stop() -> None:
        client.run_state.stopping = True

    server.on_create = stop
    assert client.run()["_id"] == "task1"


def test_a_task_that_was_created_before_a_refusal_is_looked_for_once_more() -> None:
    server = TaskServer(faults=[httpx.ReadError("reset"), refusal(400)], lost=True)
    shown = server._list
    server._list = lambda: shown() if len(server.tasks) > 1 else {"data": []}  # type: ignore[method-assign]
    client = Client(server)
    assert client.run()["of"] == "k"
    assert server.count(f"POST {PATH}") == 2


def test_a_file_that_has_changed_is_not_waited_for() -> None:
    server = TaskServer()
    client = Client(server)

    def changed() -> bytes:
        raise InvalidInputError("has changed")

    client.read_file = changed
    with pytest.raises(InvalidInputError, match="has changed"):
        client.run()
    assert server.asked == []
    assert client.entry() is None
    contents = iter([b"first"])
    client.read_file = lambda: next(contents, b"") or changed()
    server.faults = [httpx.ReadError("reset")]
    with pytest.raises(InvalidInputError, match="has changed"):
        client.run()
    assert server.asked[0] == f"POST {PATH}" and server.count(f"POST {PATH}") == 1
    assert client.entry() is None


# -- reading -------------------------------------------------------------------------------------------------------


def unusable(times: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    left = iter(range(times))

    def read(response: dict[str, Any]) -> dict[str, Any]:
        if next(left, None) is not None:
            raise MalformedResponseError("NaN")
        return response

    return read


def test_a_finished_task_whose_vectors_are_not_usable_is_read_again() -> None:
    server = TaskServer(polls=0)
    client = Client(server)
    client.read = unusable(2)
    assert client.run()["_id"] == "task1"
    assert server.asked == [f"POST {PATH}", *[f"GET {PATH}/task1"] * 3]
    assert client.paid_again == 0


def test_after_three_readings_it_is_an_error_and_the_next_run_reads_again() -> None:
    server = TaskServer(polls=0)
    client = Client(server)
    client.read = unusable(3)
    with pytest.raises(MalformedResponseError):
        client.run()
    assert server.count(f"GET {PATH}/task1") == 3
    later = Client(server, client.journal)
    assert later.run()["_id"] == "task1"
    assert later.created == 0


def test_an_error_in_place_of_vectors_is_the_end_of_the_task() -> None:
    client = Client(TaskServer(polls=0))

    def refused(_: dict[str, Any]) -> dict[str, Any]:
        raise InvalidInputError("no sound")

    client.read = refused
    with pytest.raises(InvalidInputError, match="no sound"):
        client.run()
    assert client.entry() is None


def test_a_new_task_that_the_server_does_not_know_yet_is_asked_for_again() -> None:
    server = TaskServer()
    real = server.answer
    unknown = iter(range(3))

    def answer(request: httpx.Request) -> Any:
        if "/task1" in request.url.path and next(unknown, None) is not None:
            return refusal(404)
        return real(request)

    server.service = Service(answer)
    assert Client(server).run()["_id"] == "task1"
    assert server.count(f"POST {PATH}") == 1


def test_a_new_task_that_stays_unknown_is_an_error() -> None:
    server = TaskServer()
    real = server.answer
    server.service = Service(lambda r: refusal(404) if "/task1" in r.url.path else real(r))
    with pytest.raises(InvalidInputError):
        Client(server).run()
    assert server.count(f"POST {PATH}") == 1


def test_an_account_error_while_waiting_keeps_the_task() -> None:
    server = TaskServer()
    real = server.answer
    server.service = Service(lambda r: refusal(401) if "/task1" in r.url.path else real(r))
    client = Client(server)
    with pytest.raises(AuthenticationError):
        client.run()
    entry = client.entry()
    assert entry is not None and entry["task_id"] == "task1"


# -- any JSON ------------------------------------------------------------------------------------------------------

words = st.sampled_from(["ready", "processing", "failed", "x", "../x"]) | anything


@given(
    answers=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "_id": words,
                "status": words,
                "error": anything | st.fixed_dictionaries({"message": anything}),
                "created_at": anything,
                "data": anything,
                "video_embedding": anything | st.fixed_dictionaries({"metadata": anything}),
            },
        )
        | st.dictionaries(st.text(max_size=5), anything, max_size=2),
        min_size=1,
        max_size=8,
    )
)
def test_any_json_gives_a_result_or_one_of_our_errors(answers: list[dict[str, Any]]) -> None:
    server = TaskServer()
    asked: list[str] = []
    script = itertools.cycle(answers)

    def answer(request: httpx.Request) -> Any:
        asked.append(request.url.path)
        return answer_of(next(script))

    server.service = Service(answer)
    client = Client(server, timeout=0, retry=RetryPolicy(max_retries=1))
    with contextlib.suppress(TwelveLabsError):
        client.run()
    assert all(".." not in path and path.startswith(f"/v1.3/{PATH}") for path in asked)
