"""Calls from loops and threads, cancelled calls, copies of clients, and child processes."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.processes import QUIET_FORK
from tests.support.service import KEY, Counter, Service, right_answer, scripted, sent_json, v2_answer, vector
from twelvelabs_core import (
    EmbeddingClient,
    Stats,
    UnexpectedError,
)
from twelvelabs_core._net import loop as net_loop

# -- loops, threads, cancelling ------------------------------------------------------------------------------------


async def test_sync_calls_work_inside_a_running_loop() -> None:
    client = Service().client()
    assert client.embed("a").vector == vector("a")
    assert [f.vector for f in client.embed_many(["b", "c"])] == [vector("b"), vector("c")]


async def test_async_calls_give_the_same() -> None:
    service = Service()
    client = service.client()
    assert (await client.aembed("a")).vector == client.embed("a").vector
    assert [f.vector for f in await client.aembed_many(["b", "c"])] == [vector("b"), vector("c")]


def test_a_client_works_from_one_loop_after_another() -> None:
    client = Service().client()
    for text in ("a", "b", "c"):
        assert asyncio.run(client.aembed(text)).vector == vector(text)


async def test_the_loop_is_free_while_an_async_call_waits() -> None:
    client = Service(Counter(0.1)).client()
    call = asyncio.ensure_future(client.aembed("a"))
    ticks = 0
    while not call.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks >= 3


class Stuck:
    """Never responds; has events for a request and for its cancellation."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.cancelled = threading.Event()
        self.count = 0

    async def __call__(self, request: httpx.Request) -> Any:
        self.count += 1
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


@pytest.mark.parametrize("way", ["batch", "stream"])
async def test_a_cancellation_that_does_not_wake_the_loop_is_noticed(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Jupyter's interrupt of a cell: a signal's handler calls ``call_soon`` on the loop, which goes on sleeping."""
    monkeypatch.setattr(net_loop, "AWAKE_SEC", 0.02)
    stuck = Stuck()
    client = Service(stuck).client()

    async def cell() -> None:
        if way == "batch":
            await client.aembed_many(["a", "b"])
        async for _ in client.astream(["a", "b"]):
            pass

    call = asyncio.ensure_future(cell())
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        stuck.asked.wait(2)
        loop.call_soon(call.cancel)

    thread = threading.Thread(target=interrupt)
    thread.start()
    # Wakes the loop long after, so that the test ends where nothing else does.
    late = loop.call_later(5, call.cancel, "late")
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await call
    late.cancel()
    thread.join()
    assert cancelled.value.args == () and loop.time() < late.when()
    assert await asyncio.to_thread(stuck.cancelled.wait, 2)


async def test_cancelling_the_await_cancels_the_request() -> None:
    stuck = Stuck()
    call = asyncio.ensure_future(Service(stuck).client().aembed("a"))
    await asyncio.to_thread(stuck.asked.wait, 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(stuck.cancelled.wait, 2)


def test_a_call_that_the_end_of_the_interpreter_cancels_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(coroutine: Any) -> Future[Any]:
        coroutine.close()
        cancelled: Future[Any] = Future()
        cancelled.cancel()
        return cancelled

    monkeypatch.setattr("twelvelabs_core._net.loop.submit", submit)
    with pytest.raises(UnexpectedError, match="ending"):
        Service().client().embed("a")


async def test_cancelling_a_batch_starts_no_other_request() -> None:
    stuck = Stuck()
    client = Service(stuck).client(max_concurrency=2)
    call = asyncio.ensure_future(client.aembed_many([f"text {i}" for i in range(20)]))
    await asyncio.to_thread(stuck.asked.wait, 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(stuck.cancelled.wait, 2)
    await asyncio.sleep(0.02)
    assert stuck.count <= 2


async def test_a_client_goes_on_after_a_cancelled_call() -> None:
    service = Service(scripted([asyncio.Event().wait(), None]))
    client = service.client(max_concurrency=1)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.aembed("a"), 0.05)
    assert (await client.aembed("b")).vector == vector("b")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for one thread")
def test_ctrl_c_ends_a_sync_call_and_its_request() -> None:
    stuck = Stuck()
    main = threading.main_thread().ident
    assert main is not None
    # The terminal's signal goes to the main thread, which waits for the response by then.
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        Service(stuck).client().embed("a")
    timer.join()
    assert stuck.cancelled.wait(2)


def test_a_sync_call_on_the_client_s_own_thread_is_an_error_and_not_a_deadlock() -> None:
    found: list[BaseException] = []
    inner = Service().client()

    def answer(request: httpx.Request) -> Any:
        try:
            inner.embed("b")
        except RuntimeError as error:
            found.append(error)
        return right_answer(request)

    Service(answer).client().embed("a")
    assert "would wait for itself" in str(found[0])


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_a_callback_that_ends_the_program_ends_its_own_call_alone(end: type[BaseException]) -> None:
    class Ends:
        def update(self, stats: Stats) -> None:
            raise end

        def close(self, stats: Stats) -> None:
            pass

    client = Service(Counter(0.2)).client()
    with ThreadPoolExecutor() as threads:
        other = threads.submit(client.embed_many, ["a", "b"])
        with pytest.raises(end):
            client.embed_each(["c"], progress=Ends())
        assert [found.vector for found in other.result(5)] == [vector("a"), vector("b")]
    assert client.embed("d").vector == vector("d")


def test_many_threads_may_share_a_client() -> None:
    client = Service().client()
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda i: client.embed(f"text {i}").vector, range(64)))
    assert found == [vector(f"text {i}") for i in range(64)]


# -- copies and processes ------------------------------------------------------------------------------------------


class Fixed(httpx.AsyncBaseTransport):
    """A transport that can be pickled; rejects any other key."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["x-api-key"] != KEY:
            return httpx.Response(401)
        return httpx.Response(200, json=v2_answer(vector(sent_json(request)["text"]["input_text"])))


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda client: pickle.loads(pickle.dumps(client))],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("used", [False, True])
def test_a_copy_has_the_settings_and_connections_of_its_own(again: Callable[[Any], Any], used: bool) -> None:
    client = EmbeddingClient(
        api_key=KEY, base_url="https://h.example/v1.3/", transport=Fixed(), truncate="start", timeout=3
    )
    if used:
        client.embed("a")
    other: EmbeddingClient = again(client)
    assert other is not client
    assert other.embed("b").vector == vector("b")
    assert (other.base_url, other.space) == ("https://h.example/v1.3", "marengo3.0/512")
    assert client.embed("c").vector == vector("c")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_client_works_in_a_forked_child(script: Callable[..., Any]) -> None:
    """In a process of its own: one that other tests have used may hold threads and media that survive no fork."""
    script(
        """
import json, os
import httpx
from twelvelabs_core import EmbeddingClient

def answer(request):
    number = float(json.loads(request.content)["text"]["input_text"])
    entry = {"embedding": [1.0, *[number] * 511], "embedding_option": None}
    return httpx.Response(200, json={"data": [entry]})

client = EmbeddingClient(api_key="k", transport=httpx.MockTransport(answer))
assert client.embed("1").vector[1] == 1.0
child = os.fork()
if child == 0:
    os._exit(0 if client.embed("2").vector[1] == 2.0 else 7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert client.embed("3").vector[1] == 3.0
""",
        *QUIET_FORK,
    )
