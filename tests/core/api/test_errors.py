"""Error responses: which exception each becomes, whatever the shape of its body, and that none contains the key."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.service import KEY, Service, v2_answer, vector
from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    InvalidInputError,
    RateLimitError,
    ServerError,
    TextTooLongError,
    TwelveLabsError,
)
from twelvelabs_core._api.errors import error_from_status, read_error_body

MESSAGE = "The server's own message."


def flat(code: str = "some_code", message: str = MESSAGE) -> bytes:
    return json.dumps({"code": code, "message": message, "docs_url": "https://docs"}).encode()


def nested(code: str = "some_code", message: str = MESSAGE) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "details": {"retryAfter": "60"}}}).encode()


EMPTY = b""
HTML = b"<html><body><h1>503 Service Unavailable</h1>nginx</body></html>"
SHAPES = {"flat": flat(), "nested": nested(), "empty": EMPTY, "html": HTML}
ERRORS: dict[int, type[TwelveLabsError]] = {
    400: InvalidInputError,
    401: AuthenticationError,
    402: AuthenticationError,
    403: AuthenticationError,
    404: InvalidInputError,
    409: InvalidInputError,
    413: InvalidInputError,
    422: InvalidInputError,
    408: ServerError,
    429: RateLimitError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize("api_version", ["v1", "v2"])
def test_each_status_in_each_shape(api_version: str, status: int, shape: str) -> None:
    service = Service(lambda _: httpx.Response(status, content=SHAPES[shape], headers={"x-trace-id": "t-1"}))

    with pytest.raises(TwelveLabsError) as caught:
        service.client(api_version=api_version, max_retries=0).embed("a")

    error = caught.value
    assert type(error) is ERRORS[status]
    assert (error.status, error.trace_id) == (status, "t-1")
    assert error.item == ("text" if isinstance(error, InvalidInputError) else None)
    assert str(status) in str(error)
    assert "<html>" not in str(error)
    assert error.message.strip()
    if shape in ("flat", "nested"):
        assert error.code == "some_code"
        assert status == 401 or MESSAGE in error.message
    else:
        assert error.code is None
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "parameter_invalid", InvalidInputError),
        (400, "parameter_not_provided", InvalidInputError),
        (400, "video_filesize_too_large", InvalidInputError),
        (400, "token_limit_exceeded", TextTooLongError),
        (400, "api_key_invalid", AuthenticationError),
        (401, "api_key_invalid", AuthenticationError),
        (401, "unauthorized", AuthenticationError),
        (400, "api_not_allowed", AuthenticationError),
        (403, "api_allowed_for_paid_plan", AuthenticationError),
        (400, "region_not_allowed", AuthenticationError),
        (403, "read_not_allowed", InvalidInputError),
        (404, "resource_not_exist", InvalidInputError),
        (429, "too_many_requests", RateLimitError),
        (429, "RATE_LIMIT_EXCEEDED", RateLimitError),
        (500, "INTERNAL_SERVER_ERROR", ServerError),
        (400, "usage_limit_exceeded", AuthenticationError),
        (402, "usage_limit_exceeded", AuthenticationError),
        (403, "usage_limit_exceeded", AuthenticationError),
        (429, "usage_limit_exceeded", AuthenticationError),
    ],
)
@pytest.mark.parametrize("shape", [flat, nested])
def test_the_server_s_code_decides_where_the_status_does_not(
    status: int, code: str, kind: type[TwelveLabsError], shape: Any
) -> None:
    error = error_from_status(status, shape(code))
    assert type(error) is kind
    assert (error.code, error.status) == (code, status)


def test_a_used_up_account_gets_no_retry() -> None:
    body = flat("usage_limit_exceeded", "Your free credit is used up.")
    service = Service(lambda _: httpx.Response(429, content=body))
    with pytest.raises(AuthenticationError, match=r"usage limit.*free credit is used up"):
        service.client().embed("a")
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "message",
    [
        "The text parameter is invalid. The text is too long.",
        "The `text` token length must be less than or equal to 77.",
        "Text exceeds the maximum length of 500 tokens.",
        "input_text has 2113 tokens, which exceeds the limit of 2000",
        "The maximum number of tokens is 500",
    ],
)
@pytest.mark.parametrize("shape", [flat, nested])
def test_an_overlong_text_is_recognized_by_the_message(message: str, shape: Any) -> None:
    assert type(error_from_status(400, shape("parameter_invalid", message))) is TextTooLongError


@pytest.mark.parametrize(
    "message",
    [
        "The image is too large.",
        "The video_url parameter is invalid.",
        "The text_truncate parameter is invalid. Use one of none, start, end.",
        "The audio is too long: 700 seconds, the maximum is 600.",
        "text is required",
    ],
)
def test_other_messages_are_not_taken_for_an_overlong_text(message: str) -> None:
    assert type(error_from_status(400, flat("parameter_invalid", message))) is InvalidInputError


def test_a_404_without_a_code_points_to_the_base_url() -> None:
    assert "base URL" in error_from_status(404, b"404 page not found").message
    assert "No such asset" in error_from_status(404, flat("resource_not_exist", "No such asset")).message


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_points_to_the_base_url(status: int) -> None:
    error = error_from_status(status, b"")
    assert type(error) is InvalidInputError  # so that it is not sent again
    assert "base URL" in error.message


@pytest.mark.parametrize(
    "body",
    [b"null", b"[]", b"7", b'"no"', b"{}", b'{"error": null}', b'{"error": []}', b'{"error": {}}', b"\xff", b"{" * 500],
)
def test_a_body_of_unknown_shape_has_no_code_and_no_message(body: bytes) -> None:
    found = read_error_body(body)
    assert (found.code, found.message, found.details) == (None, "", {})


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": "too bad"}', None, "too bad"),
        (b'{"message": "too bad"}', None, "too bad"),
        (b'{"code": 17, "message": null}', "17", ""),
        (b'{"error": {"code": "c", "message": {"why": "x"}, "details": "d"}}', "c", "{'why': 'x'}"),
    ],
)
def test_odd_bodies_are_read_as_far_as_possible(body: bytes, code: str | None, message: str) -> None:
    found = read_error_body(body)
    assert (found.code, found.message) == (code, message)


def test_a_long_message_is_cut() -> None:
    assert len(read_error_body(flat(message="x" * 100_000)).message) <= 500


@pytest.mark.parametrize(
    "odd", ["c" * 100_000, ["c"] * 10_000, {"c": "c" * 10_000}, int("9" * 4000), "a\nb\x00\x1b[31m"]
)
@pytest.mark.parametrize("name", ["code", "message"])
def test_a_code_or_message_of_any_type_is_one_short_line(name: str, odd: Any) -> None:
    text = str(error_from_status(400, json.dumps({"code": "c", "message": "m", name: odd}).encode()))
    assert len(text) < 700
    assert text.isprintable()


def test_the_retry_after_header_is_in_the_error() -> None:
    service = Service(lambda _: httpx.Response(429, content=flat(), headers={"retry-after": "7"}))
    with pytest.raises(RateLimitError) as caught:
        service.client(max_retries=0).embed("a")
    assert caught.value.retry_after == 7


# -- the key ---------------------------------------------------------------------------------------------------


def echoes(status: int) -> Iterator[Any]:
    """Responses of a server that repeats the key in every place it can."""
    yield pytest.param(status, flat(message=f"Key {KEY} is not valid."), {}, id=f"{status} flat message")
    yield pytest.param(status, nested(message=f"{KEY}: no, {KEY}!"), {}, id=f"{status} nested message")
    yield pytest.param(status, f"<html>{KEY}</html>".encode(), {}, id=f"{status} html")


def everything_in(error: BaseException) -> str:
    """All an error shows, alone or with what led to it, in a traceback or a log."""
    shown = []
    at: BaseException | None = error
    while at is not None:
        shown += [str(at), repr(at), repr(at.args), repr(vars(at))]
        at = at.__cause__ or at.__context__
    return "\n".join([*shown, *traceback.format_exception(error)])


ECHOES = [p for status in (400, 401, 403, 404, 429, 500) for p in echoes(status)]


def refused(status: int, body: bytes, headers: dict[str, str]) -> TwelveLabsError:
    service = Service(lambda _: httpx.Response(status, content=body, headers=headers))
    with pytest.raises(TwelveLabsError) as caught:
        service.client(api_key=KEY, max_retries=0).embed("a")
    return caught.value


@pytest.mark.parametrize(("status", "body", "headers"), ECHOES)
def test_a_key_that_the_server_repeats_is_in_no_message(
    status: int, body: bytes, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        error = refused(status, body, headers)
    assert KEY not in str(error)
    assert KEY not in error.message
    assert KEY not in caplog.text


def test_a_key_that_the_server_repeats_is_not_in_the_arguments() -> None:
    assert KEY not in everything_in(refused(400, flat(message=f"Key {KEY} is not valid."), {}))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (flat(code=f"bad_{KEY}"), {}),
        (flat(), {"x-trace-id": f"trace-{KEY}"}),
        # the message is cut to 500 letters in the middle of the key
        (flat(message="x" * (500 - len(KEY) + 1) + KEY), {}),
    ],
    ids=["code", "trace id", "cut in the middle"],
)
def test_a_key_repeated_in_an_odd_place_is_not_shown(body: bytes, headers: dict[str, str]) -> None:
    assert KEY[:-1] not in str(everything_in(refused(400, body, headers)))


def test_a_key_repeated_inside_a_200_is_not_shown() -> None:
    answer = {"text_embedding": {"error_message": f"Key {KEY} has no access."}}
    with pytest.raises(InvalidInputError) as caught:
        Service(lambda _: answer).client(api_key=KEY, api_version="v1").embed("a")
    assert KEY not in str(caught.value)


def test_a_batch_s_error_does_not_show_the_key() -> None:
    def answer(request: httpx.Request) -> Any:
        if b"bad" in request.content:
            return httpx.Response(400, content=flat(message=f"{KEY} may not"))
        return v2_answer(vector("a"))

    with pytest.raises(BatchError) as caught:
        Service(answer).client(api_key=KEY).embed_many(["good", "bad"])
    assert KEY not in str(caught.value)
    assert "*** may not" in str(caught.value)
