"""The key is in no message, cause, local variable of a frame, log, pickle or figure of a call that fails, and is
sent to no other host.

Each kind of failure goes through both adapters, sync and async.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import pickle
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from tests.support import media
from tests.support.adapters import Model
from tests.support.raw_server import Writer, answering, raw_server, response
from tests.support.secrets import shown_in
from tests.support.service import v1_answer, v2_answer, vector
from twelvelabs_core import EmbeddingClient, Image, InvalidInputError, TwelveLabsError, no_waiting
from twelvelabs_core._api import assets
from twelvelabs_core._media.streamed import StreamedFile
from twelvelabs_core._net.key import Key
from twelvelabs_core._stats import Run
from twelvelabs_core.adapter import run

KEY = 'tlk_0123/abc+DEF="secret"~7'

# -- failures ----------------------------------------------------------------------------------------------------------


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()


async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


ESCAPED = "".join(f"\\u{ord(char):04x}" for char in KEY)
ECHOES = {
    "as it is": json.dumps(KEY)[1:-1],
    "upper case": json.dumps(KEY.upper())[1:-1],
    "lower case": json.dumps(KEY.lower())[1:-1],
    "escaped": ESCAPED,
    "escaped by PHP": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "escaped twice": json.dumps(json.dumps(KEY))[3:-3],
    "percent-encoded": quote(KEY, safe=""),
    "wholly percent-encoded": "".join(f"%{ord(char):02x}" for char in KEY),
    **{
        f"base64 after {offset}": base64.b64encode(b"x" * offset + KEY.encode() + b"yz").decode() for offset in range(3)
    },
    "base64 for addresses": base64.urlsafe_b64encode(b"key " + KEY.encode()).decode(),
}


def echoing(form: str, status: str) -> bytes:
    body = f'{{"code": "c_{form}", "message": "Your key {form} is bad", "details": {{"k": "{form}"}}}}'
    return response(body.encode(), status, x_trace_id=re.sub(r"[^ -~]", "", f"t-{form}"))


ANSWER = json.dumps(v2_answer(vector("a"))).encode()
FAILURES: dict[str, Writer] = {
    "reset": reset,
    "timeout": silent,
    "closed": answering(b""),
    "not http": answering(f"I am not HTTP: {KEY}\r\n\r\n".encode()),
    "bad header": answering(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode()),
    "bad gzip": answering(response(b"nonsense", content_encoding="gzip")),
    "401": answering(echoing(ECHOES["as it is"], "401 Unauthorized")),
    "not json": answering(response(f"<html>{KEY}".encode())),
    "zeros": answering(response(json.dumps(v2_answer([0.0] * 512)).encode())),
    "odd label": answering(response(json.dumps({"data": [{"embedding": vector("a"), "start_sec": KEY}]}).encode())),
    "redirect": answering(response(b"", "302 Found", location=f"http://127.0.0.1:9/{quote(KEY)}")),
    "cookie": answering(response(b"{}", set_cookie=f"{KEY}@=\x01")),
    **{f"500 {name}": answering(echoing(form, "500 Oops")) for name, form in ECHOES.items()},
    **{f"400 {name}": answering(echoing(form, "400 Bad Request")) for name, form in ECHOES.items()},
}


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with no_waiting():
        yield


def call(model: Model, how: str) -> TwelveLabsError:
    """The error of a call."""
    with pytest.raises(TwelveLabsError) as caught:
        if how == "sync":
            model.text("a")
        elif how == "batch":
            model.texts(["a", "b"])
        else:
            asyncio.run(model.atext("a"))
    return caught.value


def assert_not_shown(error: BaseException, model: Model, caplog: pytest.LogCaptureFixture) -> None:
    client = model.adapter.client
    assert not shown_in(KEY, error, *caplog.records)
    assert not shown_in(KEY, model.adapter, client, client.stats, client.last_run, client._sender.settings)
    assert not shown_in(KEY, pickle.loads(pickle.dumps(error)))


@pytest.mark.parametrize("how", ["sync", "batch", "async"])
@pytest.mark.parametrize("name", list(FAILURES))
def test_a_failure_does_not_show_the_key(framework: str, name: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with raw_server(FAILURES[name]) as server:
        model = Model.make(framework, api_key=KEY, base_url=server.base_url, max_retries=1, total_timeout=0.3)
        error = call(model, how)
        assert len(server.requests) >= 1
        assert_not_shown(error, model, caplog)


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("name", ["reset", "timeout", "bad header", "not http", "500 escaped"])
def test_a_failure_of_httpx_does_not_show_the_key(
    framework: str, name: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "twelvelabs_embeddings")
    with raw_server(FAILURES[name]) as server:
        transport = httpx.AsyncHTTPTransport()
        settings: dict[str, Any] = {"transport": transport, "total_timeout": 0.3, "max_retries": 0}
        model = Model.make(framework, api_key=KEY, base_url=server.base_url, **settings)
        assert_not_shown(call(model, how), model, caplog)
        run(transport.aclose())


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_an_unreachable_host(framework: str, host: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    model = Model.make(framework, api_key=KEY, base_url=f"http://{host}:{port}/v1.3", max_retries=0)
    error = call(model, "sync")
    assert error.code == "unreachable"
    assert_not_shown(error, model, caplog)


class _Broken(httpx.AsyncBaseTransport):
    """Raises an error that holds the request, as a library's bug would."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers)
        raise KeyError(f"bug at {headers}", request)


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_transport_that_raises_the_request(framework: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    model = Model.make(framework, api_key=KEY, transport=_Broken(), max_retries=0)
    assert_not_shown(call(model, how), model, caplog)


@pytest.mark.parametrize("form", list(ECHOES))
def test_a_key_repeated_in_a_good_answer_is_kept_nowhere(form: str, tmp_path: Path) -> None:
    echo = json.loads(f'"{ECHOES[form]}"')
    entry = {"embedding": vector("a"), "embedding_option": echo, "embedding_scope": echo, "quadrant": echo}
    body = json.dumps({"data": [entry], "usage": {"truncated": True, "truncation_reason": echo}})
    body = body.replace(json.dumps(echo)[1:-1], ECHOES[form])
    with raw_server(answering(response(body.encode()))) as server:
        client = EmbeddingClient(api_key=KEY, base_url=server.base_url, cache=tmp_path / "cache.sqlite")
        found = client.embed("a")
        assert found.vector == vector("a")
        segments = client.embed_segments(Image(media.png("red")))
        assert segments[0].vector == vector("a")
        assert not shown_in(KEY, found, repr(found.usage), [repr(vars_of(segment)) for segment in segments])
        assert not shown_in(KEY, tmp_path)


def vars_of(thing: Any) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in type(thing).__dataclass_fields__}


def test_metadata_that_repeat_the_key_do_not_keep_it() -> None:
    answer = v1_answer("marengo3.0", image=vector("i"))
    answer["image_embedding"]["metadata"] = {"input_filename": KEY, "input_url": quote(KEY, safe="")}
    with raw_server(answering(response(json.dumps(answer).encode()))) as server:
        client = EmbeddingClient(api_key=KEY, base_url=server.base_url)
        parts = client.embed_parts(image="https://h.example/i.jpg")
        assert parts.metadata["image"] == {"input_filename": "***", "input_url": "***"}


# -- only the configured host gets it ----------------------------------------------------------------------------------


def test_redirects_are_not_followed() -> None:
    with raw_server(answering(response(b"{}"))) as other:
        to = f"http://127.0.0.1:{other.port}/v1.3/embed-v2"
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
            with raw_server(answering(response(b"", status, location=to))) as server:
                client = EmbeddingClient(api_key=KEY, base_url=server.base_url)
                with pytest.raises(InvalidInputError, match="check the base URL"):
                    client.embed("a")
                assert len(server.requests) == 1
        assert other.requests == []


@pytest.mark.parametrize("storage_answers", [b"", response(b"no", "403 Forbidden"), response(b"no", "500 Oops")])
def test_the_parts_of_an_upload_are_sent_without_the_key(
    storage_answers: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The storage fails and repeats what it was sent; the server's addresses lead there."""
    caplog.set_level(logging.DEBUG)
    with raw_server(answering(storage_answers)) as storage:
        part = f"http://127.0.0.1:{storage.port}/part?X-Amz-Signature=5ignature"
        client = EmbeddingClient(api_key=KEY, base_url="http://127.0.0.1:9/v1.3", max_retries=0)
        with pytest.raises(TwelveLabsError) as caught:
            send_part(client, tmp_path, part)
        assert storage.requests
        assert not shown_in(KEY, storage.requests)
        assert not shown_in(KEY, caught.value, *caplog.records)
        assert "5ignature" not in str(caught.value)


def send_part(client: EmbeddingClient, folder: Path, address: str) -> None:
    file = folder / "file"
    file.write_bytes(bytes(400_000))
    request = assets.part(address, StreamedFile(file, 400_000, "file"), {})
    run(client._sender.send(request, Run(1)))


@pytest.mark.parametrize(
    "address", ["http://[broken/", "http://h:99999999/", "https://", "http://a b/", "http://\x00/"]
)
def test_an_address_that_cannot_be_used_is_an_error_of_ours(address: str, tmp_path: Path) -> None:
    with pytest.raises(TwelveLabsError) as caught:
        send_part(EmbeddingClient(api_key=KEY, max_retries=0), tmp_path, address)
    assert not shown_in(KEY, caught.value)


# -- making a client ---------------------------------------------------------------------------------------------------

WRONG: list[dict[str, Any]] = [
    {"dimensions": 7},
    {"dimensions": "many"},
    {"model": "marengo9"},
    {"truncate": "middle"},
    {"max_retries": -1},
    {"total_timeout": 0},
    {"base_url": "ftp://x"},
    {"base_url": "http://user:passw0rd@h/v1.3"},
    {"api_version": "v9"},
    {"no_such_setting": 1},
    {"cache": 5},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: next(iter(wrong)))
@pytest.mark.parametrize("source", ["argument", "environment"])
def test_a_client_that_cannot_be_made_shows_no_key(
    framework: str, wrong: dict[str, Any], source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dict(wrong)
    if source == "argument":
        settings["api_key"] = KEY
    else:
        monkeypatch.setenv("TWELVELABS_API_KEY", KEY)
    makers: list[Callable[..., Any]] = [EmbeddingClient, lambda **s: Model.make(framework, **s)]
    for make in makers:
        try:
            made = make(**settings)
        except Exception as error:
            assert not shown_in(KEY, error)
        else:
            assert not shown_in(KEY, made)


@pytest.mark.parametrize("key", [f"{KEY}\u00e9", f"{KEY}\n{KEY}", f"{KEY}\x00"])
def test_a_key_that_cannot_be_sent_is_not_shown(framework: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    makers: list[Callable[[], Any]] = [
        lambda: EmbeddingClient(api_key=key),
        lambda: Model.make(framework, api_key=key),
    ]
    for make in makers:
        with pytest.raises(TwelveLabsError) as caught:
            make()
        assert not shown_in(KEY, caught.value)


# -- the searching itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*ECHOES.values(), json.loads(f'"{ESCAPED}"')])
def test_each_writing_is_found_and_masked(form: str) -> None:
    assert shown_in(KEY, f"before {form} after")
    masked = Key(SecretStr(KEY)).mask(f"before {form} after")
    assert not shown_in(KEY, masked)
    assert masked.startswith("before ") and masked.endswith(" after")


def test_the_search_goes_into_causes_frames_logs_and_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(KEY)
    assert shown_in(KEY, tmp_path) == ["file file"]
    assert shown_in(KEY, {"a": [{"b": KEY}]})
    try:
        json.loads(f"[{KEY}")  # a frame of another package, with the key in its locals
    except ValueError as error:
        assert any("local 's'" in place for place in shown_in(KEY, error))
        wrapped = TwelveLabsError("m")
        wrapped.__cause__ = error
        assert shown_in(KEY, wrapped)
    record = logging.LogRecord("x", 10, "f", 1, "%s", (KEY,), None)
    assert shown_in(KEY, record)
    assert not shown_in(KEY, "nothing", os.sep, KeyError("x"))
