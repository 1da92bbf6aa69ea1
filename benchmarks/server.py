"""A bare server for ``POST /embed-v2``: answers made beforehand, limits, and exact counts of what came in.

It does as little as a server can, so that it is not what is measured. ``python -m benchmarks.server`` serves on a free
port, prints ``{"port": …}``, and ends when its standard input does.

``POST /control`` with :class:`Rules` as JSON sets them and starts the counts anew; ``GET /control`` tells the counts.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import socket
import sys
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import uvicorn

__all__ = ["PREFIX", "Rules", "answer_index"]

PREFIX = "/v1.3"
DIMENSIONS = 512
ANSWERS = 256

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Rules:
    """How the server behaves.

    Attributes:
        latency_ms: time between a request's arrival and its answer.
        windows: ``(count, seconds)``; all of them hold. What is refused does not count.
        sliding: a window forgets each request as it grows old; else it starts with its first and forgets all at once.
        headers: what answers tell: nothing; ``X-Ratelimit-Request-*`` (and ``Retry-After`` with a 429); or
            ``Retry-After`` with a 429 alone. Resets are epoch seconds with a fraction, ``Retry-After`` whole seconds.
        quota_after: everything after so many requests is refused.
        quota_retry_after: ``Retry-After`` of those refusals.
    """

    latency_ms: float = 0.0
    windows: tuple[tuple[int, float], ...] = ()
    sliding: bool = True
    headers: Literal["none", "remaining", "retry-after"] = "none"
    quota_after: int | None = None
    quota_retry_after: int = 11_382


@dataclass
class Counts:
    """What came in since the rules were set. Times are ``time.monotonic()``, which all processes here share."""

    requests: int = 0
    limited: int = 0
    open: int = 0
    most_open: int = 0
    first_at: float | None = None
    last_at: float | None = None
    first_limited_at: float | None = None
    texts: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Texts: those asked for without a refusal."""
        return {
            "requests": self.requests,
            "limited": self.limited,
            "answered": self.requests - self.limited - self.open,
            "most_open": self.most_open,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "first_limited_at": self.first_limited_at,
            "texts": len(self.texts),
            "texts_again": sum(self.texts.values()) - len(self.texts),
            "cpu_sec": time.process_time(),
        }


class Window:
    """Requests let through within some seconds."""

    def __init__(self, count: int, seconds: float, sliding: bool) -> None:
        self.count, self.seconds, self.sliding = count, seconds, sliding
        self.times: deque[float] = deque()

    def left(self, now: float) -> int:
        """Requests that would be let through now."""
        if self.sliding:
            while self.times and self.times[0] + self.seconds <= now:
                self.times.popleft()
        elif self.times and self.times[0] + self.seconds <= now:
            self.times.clear()
        return self.count - len(self.times)

    def reset(self, now: float) -> float:
        """When room comes back: the oldest request's age ends."""
        return self.times[0] + self.seconds if self.times else now


class Service:
    """The ASGI application."""

    def __init__(self) -> None:
        self.answers = _answers()
        self.set(Rules())

    def set(self, rules: Rules) -> None:
        """New rules, new counts."""
        self.rules = rules
        self.windows = [Window(count, seconds, rules.sliding) for count, seconds in rules.windows]
        self.counts = Counts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"] == "/control":
            if scope["method"] == "POST":
                given = json.loads(body)
                self.set(Rules(**{**given, "windows": tuple(map(tuple, given.get("windows", ())))}))
            await _answer(send, 200, json.dumps(self.counts.as_json()).encode(), [])
        else:
            await self._embed(body, send)

    async def _embed(self, body: bytes, send: Send) -> None:
        rules, counts, now = self.rules, self.counts, time.monotonic()
        counts.requests += 1
        counts.last_at = now
        if counts.first_at is None:
            counts.first_at = now
        text = orjson.loads(body)["text"]["input_text"]
        wait = self._refused_for(now)
        if wait is not None:
            counts.limited += 1
            if counts.first_limited_at is None:
                counts.first_limited_at = now
            answer, status = b'{"error":{"code":"too_many_requests","message":"You have sent too many requests."}}', 429
        else:
            for window in self.windows:
                window.times.append(now)
            counts.texts[text] += 1
            answer, status = self.answers[answer_index(text)], 200
        headers = self._headers(now, wait)
        counts.open += 1
        counts.most_open = max(counts.most_open, counts.open)
        try:
            if rules.latency_ms and status == 200:
                await asyncio.sleep(rules.latency_ms / 1000)
            await _answer(send, status, answer, headers)
        finally:
            counts.open -= 1

    def _refused_for(self, now: float) -> float | None:
        """Seconds until it makes sense to come back, None if the request is let through."""
        quota = self.rules.quota_after
        if quota is not None and self.counts.requests - self.counts.limited > quota:
            return self.rules.quota_retry_after
        full = [window.reset(now) - now for window in self.windows if window.left(now) < 1]
        return max(full) if full else None

    def _headers(self, now: float, wait: float | None) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        if self.rules.headers == "none":
            return headers
        if self.rules.headers == "remaining" and self.windows:
            tight = min(self.windows, key=lambda window: window.left(now))
            reset = time.time() + tight.reset(now) - now
            headers = [
                (b"x-ratelimit-request-limit", b"%d" % tight.count),
                (b"x-ratelimit-request-remaining", b"%d" % tight.left(now)),
                (b"x-ratelimit-request-reset", b"%.3f" % (math.ceil(reset * 1000) / 1000)),
            ]
        if wait is not None:
            headers.append((b"retry-after", b"%d" % math.ceil(wait)))
        return headers


def answer_index(text: str) -> int:
    """Which of the answers a text gets. The first number of its vector is this, times a thousandth."""
    return zlib.crc32(text.encode()) % ANSWERS


def _answers() -> list[bytes]:
    """As the API writes them, with eight digits a number."""
    numbers = random.Random(1)
    found = []
    for index in range(ANSWERS):
        vector = [index / 1000] + [round(numbers.gauss(0, 0.044), 9) for _ in range(DIMENSIONS - 1)]
        entry = {"embedding": vector, "embedding_option": None, "embedding_scope": None}
        found.append(orjson.dumps({"data": [{**entry, "start_sec": None, "end_sec": None}]}))
    return found


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", b"%d" % len(body))
    head = [(b"content-type", b"application/json"), length, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until standard input ends, so that no server outlives the run that started it."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    bound.listen(2048)
    config = uvicorn.Config(
        Service(),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
    )
    print(json.dumps({"port": bound.getsockname()[1]}), flush=True)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    uvicorn.Server(config).run(sockets=[bound])


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
