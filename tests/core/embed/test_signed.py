"""Signed URLs that the server cannot fetch: no signature in the error, and what to do about it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.service import Service, sent_json
from twelvelabs_core import BatchError, Composed, EmbeddingClient, Image, InvalidInputError, TwelveLabsError, Video

PLACE = "https://bucket.s3.amazonaws.com/videos/a%20b.mp4"
SIGNED = f"{PLACE}?X-Amz-Date=20260101T000000Z&X-Amz-Security-Token=s3cret1&X-Amz-Signature=s3cret2"
REMEDY = "Its URL is signed, and the signature may have expired: sign it again"


def refusing(message: str, status: int = 400) -> Service:
    return Service(lambda _: httpx.Response(status, json={"code": "parameter_invalid", "message": message}))


def error_of(call: Any) -> TwelveLabsError:
    with pytest.raises(TwelveLabsError) as caught:
        call()
    error = caught.value
    return next(iter(error.errors.values())) if isinstance(error, BatchError) else error


@pytest.mark.parametrize(
    "echo",
    [
        SIGNED,
        SIGNED[:-5],
        SIGNED.replace("&", "\\u0026"),
        SIGNED.replace("&", "&amp;"),
        quote(SIGNED),
        quote(SIGNED, safe=""),
        SIGNED.replace("https", "HTTPS"),
        "no URL",
    ],
)
def test_an_error_has_no_signature_and_the_remedy(echo: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service = refusing(f"The media at '{echo}' could not be accessed.")
    client = service.client(max_retries=0)
    calls: list[Any] = [
        lambda: client.embed(Video(SIGNED)),
        lambda: client.embed_many([Video(SIGNED)]),
        lambda: client.rows(Video(SIGNED)),
        lambda: client.embed_segments(Video(SIGNED)),
        lambda: client.embed(Composed("red", [Image(SIGNED)])),
        lambda: list(client.stream([Video(SIGNED)])),
    ]
    for call in calls:
        error = error_of(call)
        assert isinstance(error, InvalidInputError)
        for text in (str(error), repr(error), repr(error.args), caplog.text):
            assert "s3cret" not in text
        assert REMEDY in str(error)
        assert str(error).count(REMEDY) == 1
    assert SIGNED in json.dumps(sent_json(service.requests[0])), "the request has the whole"


def test_parts_of_v1() -> None:
    client = refusing(f"image_url {SIGNED} could not be fetched.").client(api_version="v1", max_retries=0)
    error = error_of(lambda: client.embed_parts(image=SIGNED))
    assert "s3cret" not in str(error)
    assert REMEDY in str(error)


@pytest.mark.parametrize(
    ("url", "message", "status"),
    [
        (PLACE, "The media at the URL could not be accessed.", 400),
        (f"{PLACE}?page=2", "The media at the URL could not be accessed.", 400),
        (SIGNED, "The video is too long.", 400),
        (SIGNED, "The media could not be accessed.", 500),
    ],
)
def test_other_errors_have_no_remedy_of_signatures(url: str, message: str, status: int) -> None:
    client = refusing(message, status).client(max_retries=0)
    assert REMEDY not in str(error_of(lambda: client.embed(Video(url))))


def test_a_server_error_has_no_signature_either() -> None:
    client = refusing(f"timeout for {SIGNED}", 500).client(max_retries=0)
    error = error_of(lambda: client.embed(Video(SIGNED)))
    assert str(error).startswith(f"timeout for {PLACE}")


def test_a_new_signature_is_not_paid_again(tmp_path: Path) -> None:
    service = Service()
    client: EmbeddingClient = service.client(cache=tmp_path / "vectors.sqlite")
    again = SIGNED.replace("s3cret", "renewed")
    first = client.embed(Video(SIGNED))
    assert client.embed(Video(again)).vector == first.vector
    one, two = client.rows(Image(SIGNED)), client.rows(Image(again))
    assert [(row.id, row.metadata) for row in one] == [(row.id, row.metadata) for row in two]
    assert one[0].metadata["source"] == PLACE
    assert len(service.requests) == 2
    client.embed_many([Image(SIGNED), Image(again), Image(f"{again}&versionId=2")])
    assert len(service.requests) == 3, "another version is another object"
