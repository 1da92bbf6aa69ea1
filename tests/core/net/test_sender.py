"""How many requests are in flight, the order of the results, and what stops a batch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import media
from tests.support.sender import sender_of
from tests.support.service import (
    Counter,
    Service,
    refusal,
    right_answer,
    scripted,
    text_of,
    v2_answer,
    vector,
    words,
)
from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    Budget,
    Image,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimits,
    RetryPolicy,
    TwelveLabsError,
    UnexpectedError,
    Window,
)
from twelvelabs_core._api.requests import MediaPayload, Request, json_request
from twelvelabs_core._media.streamed import HeldContent, MadeContent
from twelvelabs_core._net import loop, pace
from twelvelabs_core._stats import Run

# -- order and concurrency -----------------------------------------------------------------------------------------


def test_results_are_in_the_items_order_whatever_the_responses_order() -> None:
    rng = random.Random(0)

    async def answer(request: httpx.Request) -> Any:
        await asyncio.sleep(rng.random() / 100)
        return right_answer(request)

    texts = [f"text {i}" for i in range(200)]
    found = Service(answer).client().embed_many(texts)
    assert [f.vector for f in found] == [vector(text) for text in texts]


@pytest.mark.parametrize("most", [1, 3, 16, 64])
def test_as_many_requests_are_in_flight_as_allowed_and_no_more(most: int) -> None:
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
    Service(counter).client(max_concurrency=3, truncate="average").embed(words(500 * 10))
    assert counter.most == 3


IMAGE = media.png("red", (128, 128))
HELD = len(IMAGE) + 1 + (len(IMAGE) + 1) * 4 // 3


@pytest.mark.parametrize(("max_media_bytes", "most"), [(256_000_000, 20), (3 * HELD, 3), (4 * HELD - 1, 3), (1, 1)])
@pytest.mark.parametrize("api_version", ["v1", "v2"])
def test_requests_with_media_are_bounded_by_the_bytes_they_hold(
    max_media_bytes: int, most: int, api_version: str
) -> None:
    counter = Counter(0.01)
    service = Service(counter)
    items = [Image(IMAGE + bytes([i])) for i in range(20)]
    service.client(api_version=api_version, max_media_bytes=max_media_bytes).embed_many(items)
    assert len(service.requests) == 20
    assert counter.most == most


def media_request(size: int) -> Request:
    payload = MediaPayload("image", content=HeldContent(bytes(size)))
    return json_request("embed-v2", frozenset({"image"}), {"image": payload.source()}, [payload])


async def test_a_query_has_bytes_of_its_own_while_a_batch_holds_all() -> None:
    async def many() -> None:
        began, goes_on = asyncio.Event(), asyncio.Event()
        order: list[str] = []

        async def answer(request: httpx.Request) -> httpx.Response:
            order.append("batch" if len(await request.aread()) > 1000 else "query")
            began.set()
            if order[-1] == "batch":
                await goes_on.wait()
            return httpx.Response(200, json={})

        sender = sender_of(Service(), transport=httpx.MockTransport(answer), max_media_bytes=10_000)
        bulk = [asyncio.ensure_future(sender.send(media_request(4_000), Run(2))) for _ in range(2)]
        await began.wait()
        session = sender._session.get()
        assert session.media.in_use == media_request(4_000).memory
        await asyncio.wait_for(sender.send(media_request(300), Run(1, lane="interactive")), 5)
        assert order == ["batch", "query"]
        goes_on.set()
        await asyncio.gather(*bulk)
        assert session.media.in_use == 0

    await loop.arun(many())


@pytest.mark.parametrize("fails", ["status", "connection", "file", "cancelled"])
async def test_bytes_are_given_back_however_an_attempt_ends(fails: str) -> None:
    def changed() -> bytes:
        raise InvalidInputError("has changed")

    async def answer(_: httpx.Request) -> httpx.Response:
        if fails == "connection":
            raise httpx.ReadError("reset")
        if fails == "cancelled":
            await asyncio.sleep(60)
        return httpx.Response(400, json={"message": "no"})

    async def send() -> None:
        sender = sender_of(Service(), transport=httpx.MockTransport(answer), max_media_bytes=100)
        request = media_request(500)
        if fails == "file":
            payload = MediaPayload("image", content=MadeContent(changed, size=500, memory=0))
            request = json_request("embed-v2", frozenset({"image"}), {"image": payload.source()}, [payload])
        with pace.no_waiting(), pytest.raises((TwelveLabsError, asyncio.TimeoutError)):
            await asyncio.wait_for(sender.send(request, Run(1)), 0.3 if fails == "cancelled" else 10)
        session = sender._session.get()
        assert (session.media.in_use, session.slots.in_use) == (0, 0)

    await loop.arun(send())


async def test_a_retry_reads_again() -> None:
    contents = iter([b"first", b"again"])
    payload = MediaPayload("image", content=MadeContent(lambda: next(contents), size=5, memory=0))
    request = json_request("embed-v2", frozenset({"image"}), {"image": payload.source()}, [payload])
    service = Service(lambda r: httpx.Response(500) if len(service.requests) == 1 else {})
    with pace.no_waiting():
        await loop.arun(sender_of(service).send(request, Run(1)))
    found = [json.loads(r.content)["image"]["base64_string"] for r in service.requests]
    assert found == ["Zmlyc3Q=", "YWdhaW4="]


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


def test_items_may_be_any_iterable() -> None:
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


# -- batches that fail in part -------------------------------------------------------------------------------------


def failing(bad: dict[str, Any]) -> Callable[[httpx.Request], Any]:
    return lambda request: bad.get(text_of(request)) or right_answer(request)


def test_one_bad_item_leaves_the_others_results() -> None:
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
        str(error)
        == "2 of 6 items failed; the others are in .results. First: texts[1]: m [400 c] (and 1 more in .errors)"
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
def test_an_account_s_error_stops_the_batch_and_has_the_finished_results(
    answer: Any, kind: type[TwelveLabsError]
) -> None:
    service = Service(failing({"text 5": answer}))
    texts = [f"text {i}" for i in range(50)]
    with pytest.raises(kind) as caught:
        service.client(max_concurrency=1).embed_many(texts)
    results = caught.value.results
    assert [f.vector for f in results[:5]] == [vector(text) for text in texts[:5]]
    assert results[5:] == [None] * 45
    assert len(service.requests) == 6


def test_a_quota_error_has_the_time_it_reopens() -> None:
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


def test_by_default_no_wait_is_longer_than_two_minutes() -> None:
    assert Service(scripted([refusal(429, retry_after="119"), None])).client().embed("a").vector == vector("a")
    with pytest.raises(QuotaExceededError):
        Service(scripted([refusal(429, retry_after="120.5"), None])).client().embed("a")


def test_the_time_at_which_a_full_window_opens_is_known_while_a_request_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_waiting", True)
    sender = sender_of(Service(), limits=RateLimits.own(per_minute=1))
    request = json_request("embed-v2", frozenset({"text"}), {"input_type": "text", "text": {"input_text": "a"}})

    async def opens_at() -> float | None:
        assert sender.opens_at() is None
        await sender.send(request, Run(1))
        waiting = asyncio.ensure_future(sender.send(request, Run(1)))
        for _ in range(20):
            await asyncio.sleep(0)
        found = sender.opens_at()
        waiting.cancel()
        await asyncio.wait([waiting])
        return found

    found = loop.run(opens_at())
    assert found is not None
    assert found - time.time() == pytest.approx(60, abs=5)


# -- a server's numbers ------------------------------------------------------------------------------------------------

ODD = ["inf", "1e400", "nan", "-nan", "1e300", "999999999999", "-1", "-inf", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"]


def then_right(first: httpx.Response) -> Callable[[httpx.Request], Any]:
    answers = iter([first])
    return lambda request: next(answers, None) or right_answer(request)


@pytest.mark.parametrize("status", [200, 400, 429, 503])
@pytest.mark.parametrize("value", ODD)
async def test_an_odd_number_of_the_server_s_holds_up_and_breaks_nothing(value: str, status: int) -> None:
    """Neither the call itself, nor the later ones, nor another client of the account."""
    names = ("retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-duration-remaining", "date")
    body = v2_answer(vector("a")) if status == 200 else {"code": "c", "message": "m"}
    service = Service(then_right(httpx.Response(status, json=body, headers=dict.fromkeys(names, value))))
    first = service.client()
    refused = pytest.raises(InvalidInputError) if status == 400 else contextlib.nullcontext()
    with refused:
        await asyncio.wait_for(first.aembed("a"), 5)
    for client in (first, service.client()):
        found = await asyncio.wait_for(client.aembed_many(["b", "c"]), 5)
        assert [f.vector for f in found] == [vector("b"), vector("c")]


@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e400", "1e300", "1" * 4000, '"inf"', "[1]", "true"])
async def test_an_odd_number_in_a_body_holds_up_and_breaks_nothing(value: str) -> None:
    body = b'{"error": {"code": "c", "message": "after 9999-12-31T23:59:59Z", "details": {"retryAfter": %s}}}'
    service = Service(then_right(httpx.Response(429, content=body % value.encode())))
    for client in (service.client(), service.client()):
        assert (await asyncio.wait_for(client.aembed("a"), 5)).vector == vector("a")


@given(
    st.sampled_from([200, 202, 400, 404, 408, 425, 429, 500, 503, 504]),
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "date", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-request-reset"]
        ),
        st.floats().map(str) | st.integers().map(str) | st.text(st.characters(codec="ascii", exclude_categories=["C"])),
    ),
    st.binary(max_size=30) | st.floats().map(lambda n: b'{"details": {"retryAfter": %s}}' % json.dumps(n).encode()),
)
def test_whatever_a_server_sends_only_our_errors_come_out(status: int, headers: dict[str, str], body: bytes) -> None:
    service = Service(then_right(httpx.Response(status, content=body, headers=headers)))
    for client in (service.client(), service.client()):
        with contextlib.suppress(TwelveLabsError):
            asyncio.run(asyncio.wait_for(client.aembed("a"), 5))


def test_a_clock_that_is_an_hour_off_makes_no_quota_error() -> None:
    """The limit resets in a second by the server's clock, an hour ahead of ours."""
    server = time.time() + 3600
    headers = {
        "date": formatdate(server, usegmt=True),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": f"{server + 1:.0f}",
    }
    for status in (200, 429):
        body = v2_answer(vector("a")) if status == 200 else {}
        service = Service(then_right(httpx.Response(status, json=body, headers=headers)))
        found = service.client(max_wait=10).embed_many(["a", "b"])
        assert [f.vector for f in found] == [vector("a"), vector("b")]


# -- slots -------------------------------------------------------------------------------------------------------------


async def test_every_slot_is_free_again_whatever_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that count in two windows; some are cancelled, some fail, are rejected, or refused before sending."""
    monkeypatch.setattr(pace, "_waiting", True)
    rng = random.Random(5)

    async def answer(request: httpx.Request) -> Any:
        await asyncio.sleep(rng.random() / 200)
        ends = [right_answer(request)] * 4 + [
            refusal(503),
            refusal(400),
            refusal(429, retry_after="0.01", x_ratelimit_remaining="99"),
            ValueError("odd"),
        ]
        end = rng.choice([*ends, httpx.ReadError("reset"), httpx.ConnectError("refused")])
        if isinstance(end, Exception):
            raise end
        return end

    class Fragile:
        async def aacquire(self) -> None:
            if rng.random() < 0.1:
                raise ValueError("odd")

    windows = (Window(20, 0.02), Window(30.0, 0.02, "minutes"))
    sender = sender_of(
        Service(answer),
        limits=RateLimits(text=windows, video=windows),
        retry=RetryPolicy(base=0.001, max_retries=2),
        rate_limiter=Fragile(),
        budget=Budget(requests=450),
    )
    kinds: list[frozenset[Any]] = [frozenset({"text"}), frozenset({"video"}), frozenset({"text", "video"})]

    async def one(number: int) -> None:
        body: dict[str, Any] = {"input_type": "text", "text": {"input_text": "a"}}
        payloads = [] if number % 2 else [MediaPayload("image", content=HeldContent(bytes(5000)))]
        if payloads:
            body["image"] = payloads[0].source()
        request = json_request("embed-v2", kinds[number % 3], body, payloads)
        minutes = rng.choice([0.0, 0.1, 3.3, math.nan, math.inf, -1.0])
        await sender.send(request, Run(1), minutes=minutes)

    async def many() -> None:
        tasks = [asyncio.ensure_future(one(n)) for n in range(300)]
        for task in rng.sample(tasks, 100):
            asyncio.get_running_loop().call_later(rng.random() * 0.3, task.cancel)
        ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
        assert {type(end) for end in ends} > {type(None), asyncio.CancelledError, UnexpectedError, InvalidInputError}
        session = sender._session.get()
        for limiter in session.account._by_category.values():
            assert (limiter._bulk_in_flight, bool(limiter._turns)) == (0, False)
            for window in (*limiter._requests, *limiter._minutes):
                assert window.in_flight == pytest.approx(0, abs=1e-6)
        assert (session.slots.in_use, session.media.in_use) == (0, 0)

    await loop.arun(many())


async def test_a_reader_that_stumbles_is_a_malformed_response() -> None:
    def read(response: dict[str, Any]) -> str:
        return response["data"]["odd"].strip()  # type: ignore[no-any-return]

    service = Service(lambda _: {"data": []})
    with pytest.raises(MalformedResponseError, match="not what the API documents: TypeError"):
        await loop.arun(sender_of(service).send(Request("tasks/a", method="GET"), Run(1), read=read))
    assert len(service.requests) == 3
