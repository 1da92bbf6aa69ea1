"""Requests that no client of ours sends: each gets an answer in the 400s, never the emulator's own failure."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

TEXT = b'{"input_type":"text","model_name":"marengo3.0","text":{"input_text":%s},"more":%s}'
URLS = [
    "http://[",
    "http://[::1",
    "http://127.0.0.1:abc/",
    "http://127.0.0.1:1/\n x",
    "http://127.0.0.1:99999/",
    "",
    " ",
]


@pytest.fixture(autouse=True)
def _nothing_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The server logs each error of the emulator's own."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "body",
    [
        TEXT % (b'"\\ud800"', b"1"),
        TEXT % (b'"a"', b'"\\udfff"'),
        TEXT % (b'"a"', b"NaN"),
        TEXT % (b'"a"', b"9" * 40),
        TEXT % (b'"a"', b"9" * 5000),
        *(TEXT % (b'"a"', b"[" * depth + b"null" + b"]" * depth) for depth in (150, 600, 100_000)),
        *(TEXT % (b'{"a":' * depth + b"1" + b"}" * depth, b"1") for depth in (150, 600)),
        b'{"input_type":"image","model_name":"marengo3.0","image":{"media_source":{"asset_id":"\\ud800"}}}',
        b"\xff",
        b"",
    ],
)
def test_json(emulator: Emulator, http: httpx.Client, body: bytes) -> None:
    answer = http.post("embed-v2", content=body)
    assert answer.status_code == 400 and answer.json()["error"]["code"]
    assert httpx.get(f"{emulator.origin}/_emulator/requests").json()["data"][0]["status"] == 400


def test_a_large_number_is_logged(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(unknown_fields="ignore")
    assert http.post("embed-v2", content=TEXT % (b'"a"', b"9" * 40)).status_code == 200
    logged = httpx.get(f"{emulator.origin}/_emulator/requests").json()["data"]
    assert logged[0]["body"]["more"] == int("9" * 40)


@pytest.mark.parametrize("url", URLS)
def test_urls(http: httpx.Client, url: str) -> None:
    image = {"input_type": "image", "model_name": "marengo3.0", "image": {"media_source": {"url": url}}}
    assert http.post("embed-v2", json=image).status_code == 400
    form = {"model_name": (None, "marengo3.0"), "image_url": (None, url)}
    assert http.post("embed", files=form).status_code == 400
    made = http.post("assets", data={"method": "url", "url": url})
    if made.status_code == 201:  # Whether it can be fetched is found out later.
        assert [http.get(f"assets/{made.json()['_id']}").json()["status"] for _ in range(2)][1] == "failed"
    else:
        assert made.status_code == 400


def test_a_url_whose_server_does_not_speak_http(http: httpx.Client) -> None:
    def greet() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"SSH-2.0-a server of another kind\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet).start()
        source = {"url": f"http://127.0.0.1:{server.getsockname()[1]}/"}
        image = {"input_type": "image", "model_name": "marengo3.0", "image": {"media_source": source}}
        answer = http.post("embed-v2", json=image)
    assert answer.status_code == 400 and "could not be accessed" in answer.text


@pytest.mark.parametrize(
    "metadata", ['{"a":NaN}', '{"a":1e999}', "[" * 100_000, '{"a":' * 100_000, '{"\\ud800":1}', '{"a":"\\ud800"}', "{"]
)
def test_user_metadata(emulator: Emulator, http: httpx.Client, metadata: str) -> None:
    form = {"method": "direct", "user_metadata": metadata}
    assert http.post("assets", data=form, files={"file": ("a.txt", b"hello")}).status_code == 400
    made = http.post("assets", data={"method": "direct"}, files={"file": ("a.txt", b"hello")}).json()
    for method in ("PUT", "PATCH"):
        body = f'{{"user_metadata":{metadata}}}'.encode()
        assert http.request(method, f"assets/{made['_id']}/user-metadata", content=body).status_code == 400
    assert http.get("assets").status_code == 200
    refused = httpx.post(f"{emulator.origin}/_emulator/settings", content=metadata.encode())
    assert refused.status_code == 400


def test_metadata_with_a_large_number(http: httpx.Client) -> None:
    form = {"method": "direct", "user_metadata": '{"a":' + "9" * 40 + "}"}
    made = http.post("assets", data=form, files={"file": ("a.txt", b"hello")})
    assert made.status_code == 201 and made.json()["user_metadata"] == {"a": int("9" * 40)}


@pytest.mark.parametrize("index", ["0", "-1", "x", "9" * 5000])
def test_parts(emulator: Emulator, http: httpx.Client, index: str) -> None:
    upload = http.post("assets/multipart-uploads", json={"filename": "a.mp4", "type": "video", "total_size": 5}).json()
    query = upload["upload_urls"][0]["url"].partition("?")[2]
    answer = httpx.put(f"{emulator.origin}/upload-part/{upload['upload_id']}/{index}?{query}", content=b"12345")
    assert answer.status_code == 403 and "AccessDenied" in answer.text


def test_clocks_stay_in_the_calendar(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="clock_offset_sec"):
        emulator.configure(clock_offset_sec=1e12)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1.3/embed", "POST"),
        ("/v1.3/assets", "GET, HEAD, POST"),
        ("/v1.3/assets/x", "DELETE, GET, HEAD"),
        ("/v1.3/assets/x/user-metadata", "DELETE, PATCH, PUT"),
        ("/_emulator/settings", "GET, HEAD, POST"),
        ("/upload-part/x/1", "PUT"),
    ],
)
def test_other_methods(emulator: Emulator, path: str, allowed: str) -> None:
    for method in ("OPTIONS", "TRACE"):
        answer = httpx.request(method, emulator.origin + path)
        assert answer.status_code == 405 and answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/v1.3/nothing", "/v1.2/embed", "/v1.3/assets/x", "/_emulator/health"])
def test_a_large_body_for_a_path_or_method_that_is_not_there(emulator: Emulator, path: str) -> None:
    """It is read to its end: otherwise the client sees a broken connection in place of the answer."""
    with httpx.Client() as client:
        for _ in range(3):
            assert client.post(emulator.origin + path, content=bytes(20_000_000)).status_code in (404, 405)


@pytest.mark.parametrize("name", ["a.svg", "a.png", "a.mp4"])
def test_a_file_without_a_decoder(http: httpx.Client, name: str) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='300' height='300'/>"
    made = http.post("assets", data={"method": "direct"}, files={"file": (name, svg)})
    assert made.status_code == 201
    assert [http.get(f"assets/{made.json()['_id']}").json()["status"] for _ in range(2)] == ["processing", "failed"]
    refused = http.post("embed/tasks", data={"model_name": "marengo3.0"}, files={"video_file": (name, svg)})
    assert refused.status_code == 400


# --- what happens meanwhile -------------------------------------------------------------------------------


def begin(emulator: Emulator, path: str, body: bytes, key: str) -> socket.socket:
    """Send a form but for its last ten bytes; return the connection."""
    host, port = emulator.origin.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    before = len(emulator.requests)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nx-api-key: {key}\r\nconnection: close\r\n"
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body[:-10])
    for _ in range(500):
        if len(emulator.requests) > before or path.startswith("/_emulator"):
            return connection
        time.sleep(0.01)
    raise AssertionError("the request has not arrived")


def form(**parts: bytes) -> bytes:
    begun = b'--b\r\ncontent-disposition: form-data; name="%s"; filename="a.mp4"\r\n\r\n%s\r\n'
    return b"".join(begun % (name.encode(), value) for name, value in parts.items()) + b"--b--\r\n"


@pytest.mark.parametrize(
    ("path", "parts", "status"),
    [
        ("assets", {"method": b"direct", "file": media.mp4([("red", 5, 220)])}, 201),
        ("embed/tasks", {"model_name": b"marengo3.0", "video_file": media.mp4([("red", 5, 220)])}, 200),
    ],
)
def test_reset_while_a_file_arrives(
    emulator: Emulator, http: httpx.Client, path: str, parts: dict[str, bytes], status: int
) -> None:
    """The request is served to its end; what it has made is forgotten, as if the reset came after it."""
    assert http.post(path, files={name: ("a.mp4", value) for name, value in parts.items()}).status_code == status
    body = form(**parts)
    with begin(emulator, f"/v1.3/{path}", body, emulator.api_key) as connection:
        emulator.reset()
        connection.sendall(body[-10:])
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(f"HTTP/1.1 {status}".encode())
    assert http.get(path).json()["data"] == []


@pytest.mark.parametrize("path", ["/v1.3/embed", "/v1.3/assets", "/v1.3/nothing", "/_emulator/settings"])
def test_clients_that_go_away(emulator: Emulator, http: httpx.Client, path: str) -> None:
    for key in (emulator.api_key, "another"):
        begin(emulator, path, form(file=bytes(1_000_000)), key).close()
    for _ in range(200):
        served = http.post("embed-v2", content=TEXT % (b'"a"', b"null")).status_code
        if served == 200 and emulator._state.log._open == 0:
            break
        time.sleep(0.01)
    assert emulator._state.log._open == 0


def test_an_asset_that_is_deleted_while_it_is_used(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(asset_polls=0)
    made = http.post("assets", data={"method": "direct"}, files={"file": ("a.png", media.png())}).json()
    stored = emulator._state.assets.find(made["_id"])
    assert stored is not None and stored.path is not None
    stored.path.unlink()  # What the other request does, between the look at the asset and that into its file.
    image = {"input_type": "image", "model_name": "marengo3.0"}
    answer = http.post("embed-v2", json=image | {"image": {"media_source": {"asset_id": made["_id"]}}})
    assert answer.status_code in (400, 404)
    assert http.get(f"assets/{made['_id']}").status_code == 404
