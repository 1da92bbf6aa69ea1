from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from twelvelabs import TwelveLabs

from twelvelabs_emulator import Emulator

Post = Callable[..., httpx.Response]


@pytest.fixture
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    """Plain HTTP with the right key."""
    headers = {"x-api-key": emulator.api_key}
    # Reading the system's certificates takes longer than most tests, and nothing here speaks TLS.
    with httpx.Client(base_url=emulator.base_url + "/", headers=headers, timeout=30, verify=False) as client:
        yield client


@pytest.fixture
def sdk(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwelveLabs]:
    """The official client, unchanged."""
    monkeypatch.delenv("TWELVELABS_BASE_URL", raising=False)  # It would win over base_url.
    with httpx.Client(timeout=30, verify=False) as transport:
        yield TwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url, httpx_client=transport)


@pytest.fixture
def v1(http: httpx.Client) -> Post:
    """Send fields as a multipart form; bytes are sent as a file."""

    def post(**fields: Any) -> httpx.Response:
        parts = {
            name: (f"{name}.bin", value) if isinstance(value, bytes) else (None, str(value))
            for name, value in fields.items()
        }
        return http.post("embed", files=parts)

    return post


@pytest.fixture
def v2(http: httpx.Client) -> Post:
    """Send a JSON body."""

    def post(**body: Any) -> httpx.Response:
        return http.post("embed-v2", json=body)

    return post


@pytest.fixture
def serve_file() -> Iterator[Callable[[bytes], str]]:
    """Serve bytes on this machine and return their URL."""
    held: dict[str, bytes] = {}

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/away":
                self.send_response(302)
                self.send_header("location", "http://example.com/a.png")
                self.end_headers()
            elif self.path in held:
                self.send_response(200)
                self.send_header("content-length", str(len(held[self.path])))
                self.end_headers()
                self.wfile.write(held[self.path])
            else:
                self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def serve(content: bytes) -> str:
        path = f"/{len(held)}.bin"
        held[path] = content
        return f"http://127.0.0.1:{server.server_port}{path}"

    try:
        yield serve
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
