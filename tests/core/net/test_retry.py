"""Which failures are retried, how often, and after how long."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.sender import Clock, Pauses, sender_of
from tests.support.service import Service, refusal, right_answer, scripted, v2_answer, vector, words
from twelvelabs_core import (
    AuthenticationError,
    Composed,
    ConnectionFailedError,
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
from twelvelabs_core._api.requests import Request
from twelvelabs_core._net import loop, pace
from twelvelabs_core._net.retry import retry
from twelvelabs_core._stats import Run

# -- retries -------------------------------------------------------------------------------------------------------

PASSING: list[Any] = [
    *(refusal(status) for status in (408, 425, 500, 502, 503, 504, 599)),
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
def test_a_failure_that_may_pass_is_retried(failure: Any) -> None:
    service = Service(scripted([failure, failure, None]))
    assert service.client().embed("a").vector == vector("a")
    assert len(service.requests) == 3
    assert service.texts == ["a", "a", "a"]


LASTING = [400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451]


@pytest.mark.parametrize("status", LASTING)
def test_a_failure_that_lasts_is_not_retried(status: int) -> None:
    service = Service(lambda _: refusal(status))
    with pytest.raises(TwelveLabsError) as caught:
        service.client().embed("a")
    assert caught.value.status == status
    assert len(service.requests) == 1


UNUSABLE = [
    httpx.Response(200, html="<html>Please log in</html>"),
    v2_answer([0.5]),
    {"data": []},
    {},
    {"data": [{"embedding": None}]},
    httpx.Response(200, content=b'{"data": [{"embedding": [%s]}]}' % b",".join([b"NaN"] * 512)),
]


@pytest.mark.parametrize("unusable", UNUSABLE, ids=["html", "short", "empty", "missing", "null", "nan"])
def test_an_unusable_response_is_asked_for_again_twice(unusable: Any) -> None:
    service = Service(scripted([unusable, unusable, None]))
    assert service.client().embed("a").vector == vector("a")
    lasting = Service(scripted([unusable] * 9))
    with pytest.raises(MalformedResponseError):
        lasting.client().embed("a")
    assert len(lasting.requests) == 3


@pytest.mark.parametrize("retries", [0, 1])
def test_an_unusable_response_is_asked_for_again_no_more_than_any_other_failure(retries: int) -> None:
    service = Service(scripted([{"data": []}] * 9))
    with pytest.raises(MalformedResponseError):
        service.client(max_retries=retries).embed("a")
    assert len(service.requests) == retries + 1


@pytest.mark.parametrize(
    ("item", "options"),
    [
        (Image(media.png()), {}),
        (Image(media.png()), {"api_version": "v1"}),
        (Composed("a", [Image(media.png())]), {}),
        (words(500 * 2), {"truncate": "average"}),
    ],
    ids=["image", "image by v1", "composed", "average"],
)
@pytest.mark.parametrize("unusable", [{"data": []}, {"data": v2_answer(vector("a"))["data"] * 2}], ids=["no", "two"])
def test_every_kind_of_item_is_asked_for_again(item: Any, options: dict[str, Any], unusable: Any) -> None:
    first: Iterator[Any] = iter([unusable])
    service = Service(lambda request: next(first, None) or right_answer(request))
    assert len(service.client(**options).embed(item).vector) == 512
    assert len(service.requests) == (3 if options.get("truncate") else 2)


def test_parts_are_asked_for_again() -> None:
    first: Iterator[Any] = iter([{"text_embedding": {"segments": []}}])
    service = Service(lambda request: next(first, None) or right_answer(request))
    parts = service.client(api_version="v1").embed_parts(text="a", image=media.png())
    assert parts.text is not None and parts.image is not None
    assert len(service.requests) == 2


def test_an_invalid_address_is_not_retried() -> None:
    service = Service(scripted([httpx.UnsupportedProtocol("Request URL is missing a protocol.")]))
    with pytest.raises(InvalidInputError, match="cannot be sent to"):
        service.client().embed("a")


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refusal(503), ServerError),
        (httpx.ReadError("reset"), ConnectionFailedError),
    ],
    ids=["503", "reset"],
)
def test_attempts_are_counted(failure: Any, kind: type[TwelveLabsError], retries: int) -> None:
    service = Service(scripted([failure] * 10))
    with pytest.raises(kind):
        service.client(max_retries=retries).embed("a")
    assert len(service.requests) == retries + 1


def test_an_unreachable_host_is_given_up_sooner() -> None:
    service = Service(scripted([httpx.ConnectError("Connection refused")] * 10))
    with pytest.raises(
        ConnectionFailedError, match=r"Cannot reach https://api\.twelvelabs\.io/v1\.3: .*refused"
    ) as caught:
        service.client(max_retries=5).embed("a")
    assert len(service.requests) == 3
    assert caught.value.code == "unreachable"


def test_rejections_without_end_are_given_up() -> None:
    service = Service(lambda _: refusal(429, retry_after="0"))
    with pytest.raises(RateLimitError):
        service.client(max_retries=1).embed("a")
    assert 2 <= len(service.requests) <= 10


def test_no_retries_means_one_request_for_a_limit_too() -> None:
    service = Service(lambda _: refusal(429))
    with pytest.raises(RateLimitError):
        service.client(max_retries=0).embed("a")
    assert len(service.requests) == 1


def test_a_timeout_has_its_seconds_in_the_message() -> None:
    service = Service(scripted([httpx.ReadTimeout("")]))
    with pytest.raises(ConnectionFailedError, match=r"No response from https://api\.twelvelabs\.io/v1\.3 within 7 s"):
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


# -- the loop by itself --------------------------------------------------------------------------------------------


class Attempts:
    """Ends one attempt after another as given, and keeps the number of attempts before each."""

    def __init__(self, *ends: Any) -> None:
        self.ends = list(ends)
        self.before: list[int] = []

    async def __call__(self, attempts_before: int) -> Any:
        self.before.append(attempts_before)
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


async def test_attempts_are_made_until_one_succeeds() -> None:
    attempts, run = Attempts(ServerError("m"), ConnectionFailedError("m"), "found"), Run(1)
    assert await retry(attempts, RetryPolicy(), run) == "found"
    assert attempts.before == [0, 1, 2]
    assert run.stats.retries == 2


async def test_no_attempt_starts_after_max_elapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pauses = Pauses(monkeypatch, "_net.retry", clock)
    with pytest.raises(ServerError):
        await retry(Attempts(*[ServerError("m")] * 9), RetryPolicy(max_elapsed=10, base=1, jitter=0), Run(1))
    assert pauses.seconds == [1, 2, 4]  # and 8 more would be 15


async def test_a_search_comes_after_the_wait_and_before_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.retry")
    results = [None, "recovered"]

    async def recover() -> Any:
        assert len(pauses.seconds) == 3 - len(results)
        return results.pop(0)

    attempts = Attempts(*[ServerError("m")] * 9)
    assert await retry(attempts, RetryPolicy(), Run(1), recover=recover) == "recovered"
    assert attempts.before == [0, 1]


async def test_an_error_that_is_not_repeatable_is_raised() -> None:
    attempts = Attempts(ServerError("m"), "found")
    with pytest.raises(ServerError):
        await retry(attempts, RetryPolicy(), Run(1), repeatable=lambda error: False)


async def test_a_quota_is_raised() -> None:
    attempts = Attempts(QuotaExceededError("m", retry_after=0.1), "found")
    with pytest.raises(QuotaExceededError):
        await retry(attempts, RetryPolicy(), Run(1), limited=True)


@pytest.mark.parametrize("limited", [True, False])
async def test_a_rejection_is_waited_out_by_the_limiter_or_else_by_the_loop(
    monkeypatch: pytest.MonkeyPatch, limited: bool
) -> None:
    pauses = Pauses(monkeypatch, "_net.retry")
    attempts = Attempts(RateLimitError("m", retry_after=7), "found")
    assert await retry(attempts, RetryPolicy(jitter=0, base=1), Run(1), limited=limited) == "found"
    assert pauses.seconds == ([] if limited else [pytest.approx(7.1)])


async def test_a_stopped_batch_makes_no_attempt() -> None:
    run, attempts = Run(1), Attempts("found")
    run.stopping = True
    with pytest.raises(ConnectionFailedError, match="the batch was stopped"):
        await retry(attempts, RetryPolicy(), run)
    assert attempts.before == []


async def test_a_batch_stopped_during_an_attempt_makes_no_other() -> None:
    run = Run(1)

    async def attempt(_: int) -> None:
        run.stopping = True
        raise ServerError("m")

    with pytest.raises(ServerError):
        await retry(attempt, RetryPolicy(), run)


def test_a_rejected_request_that_no_limiter_counts_waits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.retry")
    service = Service(scripted([refusal(429, retry_after="3"), {"status": "ready"}]))
    request, run = Request("assets/a", frozenset(), method="GET"), Run(1)
    assert loop.run(sender_of(service).send(request, run)) == {"status": "ready"}
    assert len(pauses.seconds) == 1 and pauses.seconds[0] >= 3
    assert (run.stats.limited, run.stats.retries) == (1, 1)


# -- the server's own time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_retry_after_counts_for_every_status_that_is_retried(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    pauses = Pauses(monkeypatch, "_net.retry")
    assert Service(scripted([refusal(status, retry_after="2"), None])).client().embed("a").vector == vector("a")
    assert len(pauses.seconds) == 1 and 2 <= pauses.seconds[0] < 2.1


def test_a_server_that_asks_to_wait_too_long_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.retry")
    service = Service(lambda _: refusal(503, retry_after="3600"))
    with pytest.raises(ServerError) as caught:
        service.client().embed("a")
    assert caught.value.retry_after == 3600
    assert (len(service.requests), pauses.seconds) == (1, [])


def test_a_wait_over_max_wait_is_a_quota_where_no_limiter_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Pauses(monkeypatch, "_net.retry")
    service = Service(lambda _: refusal(429, retry_after="61"))
    with pytest.raises(QuotaExceededError) as caught:
        loop.run(sender_of(service, max_wait=60).send(Request("assets/a", frozenset(), method="GET"), Run(1)))
    assert caught.value.retry_after == 61
    assert (len(service.requests), pauses.seconds) == (1, [])


# -- rejections are bounded ----------------------------------------------------------------------------------------


async def test_rejections_end_with_the_longer_of_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    attempts = 0

    async def rejected(_: int) -> None:
        nonlocal attempts
        attempts += 1
        clock.now += 45  # in the limiter
        raise RateLimitError("m", status=429)

    with pytest.raises(RateLimitError):
        await retry(rejected, RetryPolicy(max_elapsed=100), Run(1), limited=True, max_wait=130)
    assert attempts == 4  # at 0, 45, 90 and 135 s after the first


@pytest.mark.parametrize("hint", [{}, {"retry_after": "0.02"}], ids=["no hint", "hint"])
async def test_a_server_that_accepts_nothing_is_a_quota_error_after_max_wait(
    monkeypatch: pytest.MonkeyPatch, hint: dict[str, str]
) -> None:
    """Real waits, of a hundredth."""
    monkeypatch.setattr(pace, "_waiting", True)
    monkeypatch.setattr("twelvelabs_core._net.limits.limiter.DEFAULT_BLOCK", 0.01)
    service = Service(lambda _: refusal(429, **hint))
    started = time.perf_counter()
    with pytest.raises(QuotaExceededError):
        await service.client(max_wait=0.2, max_retries=50).aembed_many([f"text {i}" for i in range(200)])
    assert time.perf_counter() - started < 3
    assert len(service.requests) < 64 + 20


async def test_the_wait_for_the_first_attempt_s_turn_is_not_taken_from_the_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)

    async def attempt(before: int) -> str:
        if before == 0:
            clock.now += 500  # for its turn
            raise ServerError("m", status=503)
        return "found"

    assert await retry(attempt, RetryPolicy(max_elapsed=10), Run(1), queued=lambda: 500.0) == "found"


# -- what may have been paid twice ---------------------------------------------------------------------------------

MAYBE_PERFORMED = [
    httpx.ReadError("reset"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
    httpx.Response(200, content=b"<html>"),
    {"data": []},
    v2_answer([math.nan] * 512),
    refusal(408),
    refusal(504),
]
NOT_PERFORMED = [refusal(500), refusal(503), refusal(425), refusal(429, retry_after="0"), httpx.ConnectError("refused")]


@pytest.mark.parametrize(("failure", "count"), [*((f, 1) for f in MAYBE_PERFORMED), *((f, 0) for f in NOT_PERFORMED)])
def test_what_may_have_been_performed_counts_as_paid_again(failure: Any, count: int) -> None:
    if isinstance(failure, dict):
        failure = httpx.Response(200, content=json.dumps(failure).encode())
    client = Service(scripted([failure, refusal(503), None])).client()
    client.embed("a")
    assert client.stats.paid_again == count
    assert client.stats.retries == 2


def test_what_is_not_sent_again_is_not_paid_again() -> None:
    client = Service(lambda _: {"data": []}).client()
    with pytest.raises(MalformedResponseError):
        client.embed("a")
    assert client.stats.requests == 3
    assert client.stats.paid_again == 2


def test_a_request_that_embeds_nothing_is_not_paid() -> None:
    run = Run(1)
    service = Service(scripted([httpx.ReadError("reset"), {"status": "ready"}]))
    loop.run(sender_of(service).send(Request("assets/a", frozenset(), method="GET"), run))
    assert (run.stats.retries, run.stats.paid_again) == (1, 0)


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


def test_the_server_s_retry_after_takes_precedence() -> None:
    policy = RetryPolicy(base=1)
    wait = policy.wait(RateLimitError("m", retry_after=30), 1, 0)
    assert wait is not None and 30 <= wait < 31


def test_the_policy_gives_up_after_max_elapsed() -> None:
    policy = RetryPolicy(max_elapsed=10, base=1, jitter=0)
    assert policy.wait(ServerError("m"), 1, 9) == 1
    assert policy.wait(ServerError("m"), 1, 9.5) is None
    assert policy.wait(RateLimitError("m", retry_after=60), 1, 0) is None


@pytest.mark.parametrize(
    "error", [InvalidInputError("m"), TextTooLongError("m"), AuthenticationError("m"), TwelveLabsError("m")]
)
def test_errors_that_last_have_no_wait(error: TwelveLabsError) -> None:
    assert RetryPolicy().wait(error, 1, 0) is None


def test_a_host_that_was_reached_before_has_all_retries() -> None:
    policy, error = RetryPolicy(), ConnectionFailedError("m", code="unreachable")
    assert policy.wait(error, 3, 0) is None
    assert policy.wait(error, 5, 0, reached=True) is not None
    assert policy.wait(error, 6, 0, reached=True) is None


def test_any_number_of_retries_has_a_wait() -> None:
    policy = RetryPolicy(max_retries=10**9, max_elapsed=math.inf, jitter=0)
    assert policy.wait(ServerError("m"), 10**8, 0) == policy.cap


@pytest.mark.parametrize("wrong", [-1, math.nan])
@pytest.mark.parametrize("name", ["max_retries", "max_malformed_retries", "max_elapsed", "base", "cap", "jitter"])
def test_a_policy_of_wrong_numbers_is_refused(name: str, wrong: float) -> None:
    with pytest.raises(InvalidInputError, match=name):
        RetryPolicy(**{name: wrong})  # type: ignore[arg-type]


def test_retries_really_wait() -> None:
    service = Service(scripted([refusal(503), refusal(503), None]))
    client = service.client(retry=RetryPolicy(base=0.1, jitter=0))
    before, pace._waiting = pace._waiting, True
    try:
        started = time.perf_counter()
        client.embed("a")
        assert 0.3 <= time.perf_counter() - started < 1.5
    finally:
        pace._waiting = before


def test_waiting_is_back_after_no_waiting() -> None:
    before = pace.waiting()
    with no_waiting():
        assert not pace.waiting()
    assert pace.waiting() == before
