"""The server's other end: start it in a process of its own, set its rules, ask for its counts, find its ceiling."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from .server import PREFIX, Rules

__all__ = ["Server", "machine_speed"]


class Server:
    """A running server, as a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.origin = ""

    @property
    def base_url(self) -> str:
        """With the API's version."""
        return self.origin + PREFIX

    def set(self, **rules: Any) -> None:
        """New rules (those of :class:`Rules`; the rest as at the start); counts start anew."""
        self._control(json.dumps(dataclasses.asdict(Rules(**rules))).encode())

    def counts(self) -> dict[str, Any]:
        """What came in since the rules were set."""
        return self._control(None)

    def _control(self, body: bytes | None) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.origin}/control", body, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.origin = f"http://127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"
        for _ in range(200):
            try:
                self.counts()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise RuntimeError("the server did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=10)


@dataclasses.dataclass(frozen=True)
class Ceiling:
    """Attributes: answers a second as measured; as the server's own CPU time per answer would allow."""

    measured: float
    by_cpu: float


def ceiling(server: Server, *, requests: int = 8_000, connections: int = 64) -> Ceiling:
    """What the server can do: bare sockets, a request made beforehand, nothing parsed but the length."""
    server.set()
    asyncio.run(_flood(server.origin, connections, connections))
    before, started = server.counts()["cpu_sec"], time.perf_counter()
    asyncio.run(_flood(server.origin, requests, connections))
    elapsed, after = time.perf_counter() - started, server.counts()["cpu_sec"]
    return Ceiling(requests / elapsed, requests / (after - before))


def machine_speed(server: Server) -> str:
    """How fast the machine is, in words: figures of another one compare only as ratios."""
    loops, top = 2_000_000, ceiling(server)
    best = math.inf
    for _ in range(5):
        started = time.process_time()
        for _ in range(loops):
            pass
        best = min(best, time.process_time() - started)
    return (
        f"the server answers bare sockets {top.measured:,.0f} times a second ({top.by_cpu:,.0f} by its CPU time), "
        f"Python does {loops / best / 1e6:.0f} million empty loops a second"
    )


async def _flood(origin: str, requests: int, connections: int) -> None:
    host, port = origin.removeprefix("http://").split(":")
    body = json.dumps({"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "a text"}}).encode()
    head = f"POST {PREFIX}/embed-v2 HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    todo = iter(range(requests))
    clients = [_Client(head.encode() + body, todo, loop.create_future()) for _ in range(connections)]
    await asyncio.gather(*(loop.create_connection(lambda c=client: c, host, int(port)) for client in clients))  # type: ignore[misc]
    await asyncio.gather(*(client.done for client in clients))


class _Client(asyncio.Protocol):
    """Sends the same request as often as there is something to do; all answers are equally long."""

    def __init__(self, request: bytes, todo: Iterator[int], done: asyncio.Future[None]) -> None:
        self.request, self.todo, self.done = request, todo, done
        self.size = self.missing = 0
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._next()

    def _next(self) -> None:
        if next(self.todo, None) is None:
            self.transport.close()
            self.done.set_result(None)
        else:
            self.missing = self.size
            self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if not self.size:
            self.head += data
            if b"\r\n\r\n" not in self.head:
                return
            head, data = self.head.split(b"\r\n\r\n", 1)
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            self.size = len(head) + 4 + length
            self.missing = length
        self.missing -= len(data)
        if self.missing == 0:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))
