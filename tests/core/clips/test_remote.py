"""A file at a URL: read in ranges, and its signature shows nowhere."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from twelvelabs_core import Image, InvalidInputError, Video, clip, frames
from twelvelabs_core._clips import remote

from .test_frames import color

pytestmark = pytest.mark.network

VIDEO = media.mp4((("red", 4, 440), ("blue", 4, 880), ("lime", 4, 0)))
SIGNED = "?X-Amz-Signature=5ec2e7&X-Amz-Date=1"


class Files(ThreadingHTTPServer):
    """Serves ``content``, with what a test says in ``answers`` instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = VIDEO
        self.ranges = True
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str = "/a.mp4", user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_port}{path}"

    @property
    def sent(self) -> int:
        """Bytes asked for in ranges."""
        found = [re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", "")) for _, headers in self.requests]
        return sum(int(match[2]) - int(match[1]) + 1 for match in found if match)


class Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        answer = self.server.answers.get(self.path.partition("?")[0])
        if answer:
            return answer(self)
        content = self.server.content
        start, end = (int(number) for number in re.findall(r"\d+", self.headers["Range"]))
        if not self.server.ranges:
            return self.answer(200, content)
        if start >= len(content):
            return self.answer(416)
        part = content[start : end + 1]
        return self.answer(206, part, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"})

    def answer(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def files() -> Iterator[Files]:
    with Files() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def everything_in(error: BaseException | None) -> str:
    """All that an error tracker could show of an error and those behind it."""
    found = ""
    while error is not None:
        found += f"{error!r}{error}{vars(error)!r}"
        error = error.__cause__ or error.__context__
    return found


def test_frames_of_a_signed_address(files: Files) -> None:
    assert [color(frame) for frame in frames(files.url("/a.mp4" + SIGNED), n=3)] == ["red", "blue", "lime"]
    assert all(path.endswith(SIGNED) for path, _ in files.requests)


def test_only_what_is_needed_is_fetched(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK_BYTES", 4096)
    files.content = media.mp4((("red", 60, 440), ("blue", 4, 440)), size=(160, 120), fps=4, moving=True)
    cut = clip(Video(files.url()), 61, 62)
    assert cut.start_sec <= 61
    assert files.sent < len(files.content) / 3


def test_a_server_without_ranges(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.ranges = False
    assert [color(frame) for frame in frames(files.url(), n=3)] == ["red", "blue", "lime"]
    assert len(files.requests) == 1
    monkeypatch.setattr(remote, "LARGEST_DOWNLOAD", 1000)
    with pytest.raises(InvalidInputError, match="larger than"):
        frames(files.url())


def test_an_image(files: Files) -> None:
    files.content = media.png("blue")
    assert frames(Image(files.url("/a.png")))[0].data == files.content


def test_a_user_and_password(files: Files) -> None:
    frames(files.url(user="ann:s3cret@"), n=1)
    assert {headers["authorization"] for _, headers in files.requests} == {"Basic YW5uOnMzY3JldA=="}


def test_a_redirect_is_followed_without_the_password(files: Files) -> None:
    files.answers["/old.mp4"] = lambda handler: handler.answer(302, headers={"Location": "/a.mp4"})  # type: ignore[attr-defined]
    assert frames(files.url("/old.mp4", user="ann:s3cret@"), n=1)
    path, headers = files.requests[-1]
    assert path == "/a.mp4"
    assert "authorization" not in headers


def test_a_redirect_to_a_file_is_not_followed(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(VIDEO)
    to = {"Location": f"file://{tmp_path / 'a.mp4'}"}
    files.answers["/a.mp4"] = lambda handler: handler.answer(302, headers=to)  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match="cannot be fetched"):
        frames(files.url())


@pytest.mark.parametrize(
    ("status", "message"), [(403, "answered 403.*sign it again"), (404, "answered 404"), (500, "500")]
)
def test_a_refusal_does_not_show_the_signature(files: Files, status: int, message: str) -> None:
    files.answers["/a.mp4"] = lambda handler: handler.answer(status)  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match=message) as caught:
        frames(files.url("/a.mp4" + SIGNED, user="ann:s3cret@"))
    assert "a.mp4" in str(caught.value)
    assert not {"5ec2e7", "s3cret"} & set(re.findall(r"\w+", everything_in(caught.value)))


def test_a_host_that_is_not_there(files: Files) -> None:
    url = files.url("/a.mp4" + SIGNED)
    files.server_close()
    with pytest.raises(InvalidInputError, match="cannot be fetched") as caught:
        frames(url)
    assert "5ec2e7" not in everything_in(caught.value)


def test_another_range_than_was_asked_for(files: Files) -> None:
    headers = {"Content-Range": "bytes 5-9/100"}
    files.answers["/a.mp4"] = lambda handler: handler.answer(206, b"12345", headers)  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match="another range"):
        frames(files.url())


def test_a_file_that_changes_while_it_is_read(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK_BYTES", 4096)
    with remote.open_url(files.url(), "a.mp4") as file:
        assert file.read(8) == VIDEO[:8]
        assert file.seek(-8, 2) == len(VIDEO) - 8
        assert file.read() == VIDEO[-8:]
        files.content = VIDEO + b"more"
        file.seek(70_000)
        with pytest.raises(InvalidInputError, match="changed while it was read"):
            file.read(10)


def test_a_page_instead_of_the_file(files: Files) -> None:
    files.content = b"<html>Please sign in</html>"
    with pytest.raises(InvalidInputError, match=r"a\.mp4.*cannot be read as video"):
        frames(files.url())
