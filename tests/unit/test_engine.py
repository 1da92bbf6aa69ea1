"""How requests are sent: how many at a time, how often, in which order the results come, and what stops a batch."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

import media
from service import KEY, Service, right_answer, scripted, sent_json, text_of, v2_answer, vector
from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    ConnectionFailedError,
    EmbeddingClient,
    Image,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    TextTooLongError,
    TwelveLabsError,
    no_waiting,
)


def refusal(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={"code": "c", "message": "m"}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


# -- order and concurrency -----------------------------------------------------------------------------------------


def test_results_are_in_the_items_order_whatever_the_answers_order() -> None:
    rng = random.Random(0)

    async def answer(request: httpx.Request) -> Any:
        await asyncio.sleep(rng.random() / 100)
        return right_answer(request)

    texts = [f"text {i}" for i in range(200)]
    found = Service(answer).client().embed_many(texts)
    assert [f.vector for f in found] == [vector(text) for text in texts]


class Counter:
    """Answers after a moment and remembers how many it had at a time."""

    def __init__(self, seconds: float = 0.002) -> None:
        self.now = self.most = 0
        self.seconds = seconds

    async def __call__(self, request: httpx.Request) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return right_answer(request)


@pytest.mark.parametrize("most", [1, 3, 16, 64])
def test_as_many_at_a_time_as_allowed_and_no_more(most: int) -> None:
    counter = Counter()
    Service(counter).client(max_concurrency=most).embed_many([f"text {i}" for i in range(3 * most + 5)])
    assert counter.most == most


def test_the_bound_holds_for_all_threads_of_a_client_together() -> None:
    counter = Counter()
    client = Service(counter).client(max_concurrency=4)
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(client.embed_many, [f"{t} {i}" for i in range(10)]) for t in range(8)]
        for t, call in enumerate(calls):
            assert [f.vector for f in call.result()] == [vector(f"{t} {i}") for i in range(10)]
    assert counter.most == 4


def test_pieces_of_one_text_count_too() -> None:
    counter = Counter()
    Service(counter).client(max_concurrency=3, truncate="average").embed("x" * 5 * 500 * 10)
    assert counter.most == 3


def test_few_requests_with_files_are_held_in_memory_at_a_time() -> None:
    counter = Counter(0.01)
    service = Service(counter)
    items = [Image(media.png((i, 0, 0), (128, 128))) for i in range(20)]
    service.client().embed_many(items)
    assert len(service.requests) == 20
    assert counter.most == 8


def test_a_batch_is_faster_than_its_parts() -> None:
    client = Service(Counter(0.05)).client()
    client.embed("warm up")
    started = time.perf_counter()
    client.embed_many([f"text {i}" for i in range(40)])
    assert time.perf_counter() - started < 40 * 0.05 / 3


@pytest.mark.parametrize("items", [[], (), iter(())])
def test_no_items_are_no_requests(items: Any) -> None:
    service = Service()
    assert service.client().embed_many(items) == []
    assert service.requests == []


def test_any_iterable_of_items_will_do() -> None:
    found = Service().client().embed_many(text for text in ("a", "b"))
    assert [f.vector for f in found] == [vector("a"), vector("b")]


def test_equal_items_are_sent_once() -> None:
    service = Service()
    found = service.client().embed_many(["a", "b", "a", "a"])
    assert sorted(service.texts) == ["a", "b"]
    assert [f.vector for f in found] == [vector("a"), vector("b"), vector("a"), vector("a")]


def test_every_item_is_checked_before_the_first_is_sent() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=r"texts\[2\]: is an empty text"):
        service.client().embed_many(["a", "b", " ", "c", ""], name="texts")
    assert service.requests == []


# -- retries -------------------------------------------------------------------------------------------------------

PASSING: list[Any] = [
    *(refusal(status) for status in (408, 500, 502, 503, 504, 599)),
    refusal(429, retry_after="0"),
    httpx.Response(503, html="<html>Service Unavailable</html>"),
    httpx.Response(200, html="<html>Please log in</html>"),
    httpx.Response(200, content=b""),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("broken pipe"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
    ConnectionResetError("reset"),
    TimeoutError(),
]


@pytest.mark.parametrize("failure", PASSING, ids=lambda f: str(getattr(f, "status_code", type(f).__name__)))
def test_what_may_pass_is_tried_again(failure: Any) -> None:
    service = Service(scripted([failure, failure, None]))
    assert service.client().embed("a").vector == vector("a")
    assert len(service.requests) == 3
    assert service.texts == ["a", "a", "a"]


LASTING = [400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451]


@pytest.mark.parametrize("status", LASTING)
def test_what_will_not_pass_is_not(status: int) -> None:
    service = Service(lambda _: refusal(status))
    with pytest.raises(TwelveLabsError) as caught:
        service.client().embed("a")
    assert caught.value.status == status
    assert len(service.requests) == 1


def test_a_vector_of_the_wrong_length_is_not_paid_for_again() -> None:
    service = Service(lambda _: v2_answer([0.5]))
    with pytest.raises(MalformedResponseError):
        service.client().embed("a")
    assert len(service.requests) == 1


def test_an_address_that_is_none_is_not_tried_again() -> None:
    service = Service(scripted([httpx.UnsupportedProtocol("Request URL is missing a protocol.")]))
    with pytest.raises(InvalidInputError, match="cannot be sent to"):
        service.client().embed("a")


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refusal(503), ServerError),
        (httpx.ReadError("reset"), ConnectionFailedError),
        (httpx.Response(200, content=b"<html>"), MalformedResponseError),
    ],
    ids=["503", "reset", "html"],
)
def test_tries_are_counted(failure: Any, kind: type[TwelveLabsError], retries: int) -> None:
    service = Service(scripted([failure] * 10))
    with pytest.raises(kind):
        service.client(max_retries=retries).embed("a")
    assert len(service.requests) == retries + 1


def test_an_address_where_nobody_answers_is_given_up_sooner() -> None:
    service = Service(scripted([httpx.ConnectError("Connection refused")] * 10))
    with pytest.raises(
        ConnectionFailedError, match=r"Cannot reach https://api\.twelvelabs\.io/v1\.3: .*refused"
    ) as caught:
        service.client(max_retries=5).embed("a")
    assert len(service.requests) == 3
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_a_limit_that_never_lifts_is_given_up() -> None:
    service = Service(lambda _: refusal(429, retry_after="0"))
    with pytest.raises(RateLimitError):
        service.client(max_retries=1).embed("a")
    assert 2 <= len(service.requests) <= 10


def test_no_retries_means_one_request_for_a_limit_too() -> None:
    service = Service(lambda _: refusal(429))
    with pytest.raises(RateLimitError):
        service.client(max_retries=0).embed("a")
    assert len(service.requests) == 1


def test_no_answer_in_time_says_how_long_it_waited() -> None:
    service = Service(scripted([httpx.ReadTimeout("")]))
    with pytest.raises(ConnectionFailedError, match=r"No answer from https://api\.twelvelabs\.io/v1\.3 within 7 s"):
        service.client(max_retries=0, timeout=7).embed("a")


def test_the_timeout_goes_with_the_request() -> None:
    service = Service()
    service.client(timeout=7).embed("a")
    assert service.requests[0].extensions["timeout"] == {"connect": 7, "read": 7, "write": 7, "pool": None}


def test_a_form_with_files_is_sent_again_whole() -> None:
    service = Service(scripted([refusal(503), None]))
    service.client(api_version="v1").embed(Image(media.png()))
    first, second = service.requests
    assert first.content == second.content or len(first.content) == len(second.content)
    assert media.png() in second.content
    assert second.headers["content-type"].startswith("multipart/form-data; boundary=")


# -- the policy by itself ------------------------------------------------------------------------------------------


class Half(random.Random):
    """Always in the middle."""

    def random(self) -> float:
        return 0.5


def waits(policy: RetryPolicy, error: TwelveLabsError, **more: Any) -> Iterator[float]:
    tries = 1
    while (wait := policy.wait(error, tries, 0, rng=Half(), **more)) is not None:
        yield wait
        tries += 1


def test_waits_double_up_to_the_cap() -> None:
    policy = RetryPolicy(max_retries=6, base=1, cap=10, jitter=0)
    assert list(waits(policy, ServerError("m"))) == [1, 2, 4, 8, 10, 10]


def test_a_share_of_a_wait_is_random() -> None:
    policy = RetryPolicy(base=1, jitter=0.5)
    found = {policy.wait(ServerError("m"), 1, 0) for _ in range(50)}
    assert len(found) > 10
    assert all(wait is not None and 0.5 <= wait <= 1 for wait in found)


def test_the_server_s_own_wait_goes_before() -> None:
    policy = RetryPolicy(base=1)
    wait = policy.wait(RateLimitError("m", retry_after=30), 1, 0)
    assert wait is not None and 30 <= wait < 31


def test_no_try_starts_after_the_whole_time() -> None:
    policy = RetryPolicy(max_elapsed=10, base=1, jitter=0)
    assert policy.wait(ServerError("m"), 1, 9) == 1
    assert policy.wait(ServerError("m"), 1, 9.5) is None
    assert policy.wait(RateLimitError("m", retry_after=60), 1, 0) is None


@pytest.mark.parametrize(
    "error", [InvalidInputError("m"), TextTooLongError("m"), AuthenticationError("m"), TwelveLabsError("m")]
)
def test_errors_that_last_have_no_wait(error: TwelveLabsError) -> None:
    assert RetryPolicy().wait(error, 1, 0) is None


def test_retries_really_wait() -> None:
    service = Service(scripted([refusal(503), refusal(503), None]))
    client = service.client(retry=RetryPolicy(base=0.1, jitter=0))
    from twelvelabs_core import _pace

    before, _pace._waiting = _pace._waiting, True
    try:
        started = time.perf_counter()
        client.embed("a")
        assert 0.3 <= time.perf_counter() - started < 1.5
    finally:
        _pace._waiting = before


def test_waiting_is_back_after_no_waiting() -> None:
    from twelvelabs_core import _pace

    before = _pace.waiting()
    with no_waiting():
        assert not _pace.waiting()
    assert _pace.waiting() == before


# -- batches that fail in part -------------------------------------------------------------------------------------


def failing(bad: dict[str, Any]) -> Callable[[httpx.Request], Any]:
    return lambda request: bad.get(text_of(request)) or right_answer(request)


def test_one_bad_item_does_not_cost_the_others() -> None:
    service = Service(failing({"b": refusal(400), "d": httpx.Response(200, json={"data": []})}))
    with pytest.raises(BatchError) as caught:
        service.client().embed_many(list("abcdef"), name="texts")
    error = caught.value
    assert [None if f is None else f.vector for f in error.results] == [
        None if text in "bd" else vector(text) for text in "abcdef"
    ]
    assert {i: type(e) for i, e in error.errors.items()} == {1: InvalidInputError, 3: MalformedResponseError}
    assert {e.item for e in error.errors.values()} == {"texts[1]", "texts[3]"}
    assert (
        str(error) == "2 of 6 items failed; the rest is in .results. First: texts[1]: m [400 c] (and 1 more in .errors)"
    )


def test_equal_items_fail_together() -> None:
    with pytest.raises(BatchError) as caught:
        Service(failing({"b": refusal(400)})).client().embed_many(["a", "b", "b"])
    assert set(caught.value.errors) == {1, 2}


def test_a_batch_of_one_fails_with_its_own_error() -> None:
    with pytest.raises(InvalidInputError, match=r"items\[0\]: m"):
        Service(lambda _: refusal(400)).client().embed_many(["a"])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401), AuthenticationError),
        (refusal(403), AuthenticationError),
        (httpx.Response(400, json={"code": "usage_limit_exceeded", "message": "m"}), AuthenticationError),
        (refusal(429, retry_after="11382"), QuotaExceededError),
    ],
    ids=["401", "403", "usage", "quota"],
)
def test_an_account_s_error_stops_the_batch_and_carries_what_is_done(answer: Any, kind: type[TwelveLabsError]) -> None:
    service = Service(failing({"text 5": answer}))
    texts = [f"text {i}" for i in range(50)]
    with pytest.raises(kind) as caught:
        service.client(max_concurrency=1).embed_many(texts)
    results = caught.value.results
    assert [f.vector for f in results[:5]] == [vector(text) for text in texts[:5]]
    assert results[5:] == [None] * 45
    assert len(service.requests) == 6


def test_a_quota_says_when_it_reopens() -> None:
    with pytest.raises(QuotaExceededError) as caught:
        Service(lambda _: refusal(429, retry_after="3600")).client(max_wait=60).embed("a")
    reopens = caught.value.reopens_at
    assert reopens is not None
    assert 3500 < (reopens - datetime.now(timezone.utc)).total_seconds() < 3700


def test_a_wrong_key_in_many_requests_at_once_is_one_error() -> None:
    service = Service(lambda _: refusal(401))
    with pytest.raises(AuthenticationError):
        service.client(max_concurrency=8).embed_many([f"text {i}" for i in range(100)])
    assert len(service.requests) <= 8


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
    assert ticks >= 5


class Stuck:
    """Never answers, and tells when it is given up."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.given_up = threading.Event()
        self.count = 0

    async def __call__(self, request: httpx.Request) -> Any:
        self.count += 1
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()


async def test_cancelling_the_await_cancels_the_request() -> None:
    stuck = Stuck()
    call = asyncio.ensure_future(Service(stuck).client().aembed("a"))
    await asyncio.to_thread(stuck.asked.wait, 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(stuck.given_up.wait, 2)


async def test_cancelling_a_batch_begins_no_other_request() -> None:
    stuck = Stuck()
    client = Service(stuck).client(max_concurrency=2)
    call = asyncio.ensure_future(client.aembed_many([f"text {i}" for i in range(20)]))
    await asyncio.to_thread(stuck.asked.wait, 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(stuck.given_up.wait, 2)
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
    # The terminal's signal goes to the main thread, which waits for the answer by then.
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        Service(stuck).client().embed("a")
    timer.join()
    assert stuck.given_up.wait(2)


def test_a_sync_call_from_inside_the_client_s_own_loop_is_refused_and_not_a_deadlock() -> None:
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


def test_many_threads_may_share_a_client() -> None:
    client = Service().client()
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda i: client.embed(f"text {i}").vector, range(64)))
    assert found == [vector(f"text {i}") for i in range(64)]


# -- copies and processes ------------------------------------------------------------------------------------------


class Fixed(httpx.AsyncBaseTransport):
    """A transport that can be pickled; answers with the key it was sent as the trace."""

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
def test_a_client_works_in_a_forked_child() -> None:
    client = EmbeddingClient(api_key=KEY, transport=Fixed())
    client.embed("a")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and up: a fork beside threads
        child = os.fork()
    if child == 0:
        try:
            right = client.embed("b").vector == vector("b")
        except BaseException:
            right = False
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert client.embed("c").vector == vector("c")


# -- errors --------------------------------------------------------------------------------------------------------

ERRORS: list[TwelveLabsError] = [
    TwelveLabsError("m", item="texts[3]", status=418, code="c", trace_id="t"),
    InvalidInputError("m", item="x"),
    TextTooLongError("m", status=400),
    AuthenticationError("m", status=401, code="api_key_invalid"),
    RateLimitError("m", retry_after=7.5, status=429),
    QuotaExceededError("m", reopens_at=datetime(2026, 11, 22, tzinfo=timezone.utc), retry_after=9.0),
    ServerError("m", status=503),
    ConnectionFailedError("m", code="unreachable"),
    MalformedResponseError("m"),
    BatchError([[0.5], None], {1: InvalidInputError("no", item="texts[1]")}),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"]
)
def test_errors_cross_process_borders_whole(error: TwelveLabsError, again: Callable[[Any], Any]) -> None:
    found = again(error)
    assert type(found) is type(error)
    assert str(found) == str(error)

    def plain(e: TwelveLabsError) -> dict[str, Any]:
        return {k: {i: str(x) for i, x in v.items()} if k == "errors" else v for k, v in vars(e).items()}

    assert plain(found) == plain(error)


def test_all_errors_are_one_family() -> None:
    assert all(isinstance(error, TwelveLabsError) for error in ERRORS)
    assert not any(isinstance(error, ValueError) for error in ERRORS)
    assert issubclass(TextTooLongError, InvalidInputError)
    assert issubclass(QuotaExceededError, RateLimitError)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (TwelveLabsError("went wrong."), "went wrong."),
        (TwelveLabsError("went wrong.", item="texts[3]"), "texts[3]: went wrong."),
        (TwelveLabsError("went wrong.", status=400, code="c"), "went wrong. [400 c]"),
        (TwelveLabsError("went wrong.", item="i", status=500), "i: went wrong. [500]"),
    ],
)
def test_an_error_in_one_line(error: TwelveLabsError, shown: str) -> None:
    assert str(error) == shown
