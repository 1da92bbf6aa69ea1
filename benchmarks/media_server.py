"""A bare server for requests with media: bodies are counted and dropped, answers are made beforehand.

It speaks the HTTP that clients send here and no more, and reads every body into one buffer, so that it is not what is
measured. ``python -m benchmarks.media_server`` serves on a free port, prints
``{"port": …}``, and ends when its standard input does.

``POST /embed-v2`` answers after the latency with the vector of the image it was sent (:func:`answer_of`), or, where the
body asks for a video, with :data:`SEGMENTS` segments. ``/assets`` takes uploads, whole and in parts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import socket
import sys
import threading
import zlib
from collections.abc import Callable
from typing import Any

import orjson
import uvloop

__all__ = ["ANSWERS", "PART", "SEGMENTS", "answer_of"]

DIMENSIONS, ANSWERS, SEGMENTS = 512, 256, 5_000
PART = 20_000_000
_BASE64, _HEAD = b'"base64_string":"', 4_000  # bytes of a body that are kept to tell its image


def answer_of(image: bytes) -> float:
    """The first number of an image's vector: it tells images apart whose first 750 bytes differ."""
    return _answer_index(base64.b64encode(image[:750])) / 1000


def _answer_index(encoded: bytes) -> int:
    return zlib.crc32(encoded) % ANSWERS


def _vector(numbers: random.Random, first: float) -> list[float]:
    return [first, *(round(numbers.gauss(0, 0.044), 5) for _ in range(DIMENSIONS - 1))]


def _entry(vector: list[float], option: str | None = None, start: float | None = None) -> dict[str, Any]:
    times = {"start_sec": start, "end_sec": None if start is None else start + 6}
    scope = None if start is None else "clip"
    return {"embedding": vector, "embedding_option": option, "embedding_scope": scope, **times}


def _answers() -> list[bytes]:
    numbers = random.Random(1)
    return [orjson.dumps({"data": [_entry(_vector(numbers, i / 1000))]}) for i in range(ANSWERS)]


def _segments() -> bytes:
    """20 MB, as of eight hours of video in clips of six seconds."""
    numbers = random.Random(2)
    entries = [_entry(_vector(numbers, i / 10_000), "visual", 6.0 * i) for i in range(SEGMENTS)]
    return orjson.dumps({"data": entries})


class Answers:
    """What is answered, and what was counted."""

    def __init__(self, latency_sec: float) -> None:
        self.images, self.segments, self.latency_sec = _answers(), _segments(), latency_sec
        self.bytes = self.uploads = 0

    def of(self, method: str, path: str, head: bytes, size: int, host: str) -> tuple[float, bytes, bytes]:
        """Seconds until a request is answered, more headers, and the body."""
        if path.startswith("/part/"):
            self.bytes += size
            return self.latency_sec, b'etag: "e"\r\n', b""
        if path == "/counts":
            return 0, b"", json.dumps({"bytes": self.bytes}).encode()
        if path.endswith("/embed-v2"):
            at = head.find(_BASE64)
            at = at if at >= 0 else head.find(_BASE64.replace(b":", b": "))
            if at < 0:
                return 0, b"", self.segments
            encoded = head[head.index(b'"', at + len(_BASE64) - 1) + 1 :][:1000]
            return self.latency_sec, b"", self.images[_answer_index(encoded)]
        if path.endswith("/assets/multipart-uploads"):
            total = json.loads(head)["total_size"]
            parts = -(-total // PART)
            plan = {"upload_id": "u1", "asset_id": "a1", "total_chunks": parts, "chunk_size": PART}
            return 0, b"", json.dumps({**plan, "upload_urls": _urls(1, min(parts, 50), host)}).encode()
        if path.endswith("/presigned-urls"):
            asked = json.loads(head)
            return 0, b"", json.dumps({"upload_urls": _urls(asked["start"], asked["count"], host)}).encode()
        if path.endswith("/assets") and method == "POST":
            self.bytes += size
            self.uploads += 1
            return self.latency_sec, b"", json.dumps({"_id": f"a{self.uploads}", "status": "ready"}).encode()
        return 0, b"", b'{"_id": "a1", "status": "ready"}'


def _urls(start: int, count: int, host: str) -> list[dict[str, Any]]:
    return [{"chunk_index": i, "url": f"http://{host}/part/{i}"} for i in range(start, start + count)]


class Connection(asyncio.BufferedProtocol):
    """Reads every body into the same buffer."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._buffer = memoryview(bytearray(1 << 20))
        self._head = b""
        self._left = -1  # bytes of the body; -1 = the head is not complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._left < 0:
            self._head += bytes(self._buffer[:nbytes])
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
            lower = {name.lower(): value for name, value in lines.items()}
            self._method, self._path = (part.decode() for part in head.split(b" ", 2)[:2])
            self._host = lower[b"host"].decode()
            self._size = int(lower.get(b"content-length", 0))
            self._left, self._head = self._size - len(body), body[:_HEAD]
        else:
            self._left -= nbytes
            if len(self._head) < _HEAD:
                self._head += bytes(self._buffer[: min(nbytes, _HEAD - len(self._head))])
        if self._left == 0:
            self._left = -1
            path = self._path.partition("?")[0]
            seconds, headers, body = self._answers.of(self._method, path, self._head, self._size, self._host)
            self._head = b""
            length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            answer = b"HTTP/1.1 200 OK\r\n" + headers + length + body
            write: Callable[[bytes], None] = self._transport.write
            if seconds:
                asyncio.get_running_loop().call_later(seconds, write, answer)
            else:
                write(answer)


async def _serve() -> None:
    answers = Answers(float(sys.argv[1]))
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    await asyncio.get_running_loop().create_server(lambda: Connection(answers), sock=bound, backlog=2048)
    print(json.dumps({"port": bound.getsockname()[1]}), flush=True)
    await asyncio.Event().wait()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    uvloop.run(_serve())
