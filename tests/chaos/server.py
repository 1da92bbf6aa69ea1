"""The misbehaving server: ``POST /v1.3/embed-v2`` and ``/v1.3/embed`` on raw asyncio, some thousand requests a second.

``python -m tests.chaos.server`` serves on a free port of 127.0.0.1 and takes commands as lines of JSON on standard
input, answered by a line each on standard output; it ends when its input does. It shares no code with the client.
"""

from __future__ import annotations

import asyncio
import base64
import email.parser
import email.policy
import hashlib
import json
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from time import time
from typing import Any

from .faults import KINDS, Did, Kind, usable_answer
from .truth import identity_of_media, identity_of_text, written

__all__ = ["Rules"]

_REASONS = {200: b"OK"}


@dataclass(frozen=True)
class Rules:
    """How the server behaves.

    Attributes:
        rate: share of requests that meet a fault.
        kinds: those drawn from; empty = all that may come in a mix.
        most: most faults an item meets; None = no bound.
        named: a text that ends in ``meets KIND.`` meets that kind, once.
        seed: decides which attempt at which item meets what.
        latency_sec: before each good answer.
        clock_sec: how far the ``Date`` of answers is ahead.
        window: ``(count, seconds)``, a rate limit with ``X-Ratelimit`` headers in the server's time; None = none.
        remember: keep counts by item (a run of a million items needs none).
    """

    rate: float = 0.0
    kinds: Sequence[str] = ()
    most: int | None = None
    named: bool = False
    seed: int = 0
    latency_sec: float = 0.0
    clock_sec: float = 0.0
    window: tuple[int, float] | None = None
    remember: bool = True


class Service:
    """Rules, counts and the listening socket."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._bound: socket.socket | None = None
        self.port = 0
        self.set(Rules())

    def set(self, rules: Rules) -> None:
        """New rules, new counts."""
        self.rules = rules
        kinds = [KINDS[name] for name in rules.kinds] or [kind for kind in KINDS.values() if kind.mix]
        self._kinds = kinds
        self._weights = [sum(k.weight for k in kinds[: i + 1]) for i in range(len(kinds))]
        self.requests = 0
        self.faults: Counter[str] = Counter()
        self.did: Counter[str] = Counter()
        self.performed: Counter[str] = Counter()
        self.untold: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.last: dict[str, Did] = {}
        self.keys: Counter[str] = Counter()
        self.window_used, self.window_started = 0, 0.0

    def fault_for(self, identity: str) -> Kind | None:
        """What this attempt at the item meets: the same in every run with the same seed."""
        rules = self.rules
        if rules.named:
            kind = KINDS.get(identity.rstrip(".").rpartition(" ")[2])
            return kind if self.attempts[identity] == 0 else None
        if not rules.rate:
            return None
        attempt = self.attempts[identity]
        if rules.most is not None and self.met[identity] >= rules.most:
            return None
        seed = f"{rules.seed}|{attempt}|{identity}".encode("utf-8", "surrogatepass")
        one, two = struct.unpack("<II", hashlib.blake2b(seed, digest_size=8).digest())
        if one / 2**32 >= rules.rate:
            return None
        drawn = two / 2**32 * self._weights[-1]
        return next(kind for kind, edge in zip(self._kinds, self._weights, strict=True) if drawn < edge)

    def note(self, identity: str, did: Did, kind: Kind | None) -> None:
        """Count what was done with a request."""
        self.requests += 1
        self.did[did] += 1
        if kind is not None:
            self.faults[kind.name] += 1
        if self.rules.remember:
            self.attempts[identity] += 1
            self.last[identity] = did
            if kind is not None:
                self.met[identity] += 1
            if did == "performed":
                self.performed[identity] += 1
            elif did == "untold":
                self.untold[identity] += 1

    def counts(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            **{did: self.did[did] for did in ("performed", "untold", "refused")},
            "items": len(self.performed),
            "faults": dict(self.faults),
            "open": len(self.connections),
            "keys": dict(self.keys),
        }

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        bound.listen(2048)
        self.port = bound.getsockname()[1]
        bound.setblocking(False)
        self._bound = bound
        self._listener = await loop.create_server(lambda: Connection(self), sock=bound)

    def stop_listening(self, seconds: float) -> None:
        if self._listener is None or self._bound is None:
            return
        loop = asyncio.get_running_loop()
        # Whoever has connected already is served: closing the socket would drop a request that nobody has counted.
        while True:
            try:
                waiting, _ = self._bound.accept()
            except OSError:
                break
            waiting.setblocking(False)
            _keep(loop.create_task(loop.connect_accepted_socket(lambda: Connection(self), waiting)))
        self._listener.close()
        self._listener = self._bound = None
        loop.call_later(seconds, lambda: _keep(asyncio.ensure_future(self.listen())))

    def go_away(self, seconds: float) -> None:
        """Refuse connections for so long, and end those there are."""
        self.stop_listening(seconds)
        for connection in list(self.connections):
            connection.abort()

    def command(self, given: dict[str, Any]) -> dict[str, Any]:
        """Obey a line of standard input."""
        if "set" in given:
            self.set(Rules(**given["set"]))
        if "away" in given:
            self.go_away(given["away"])
        found = self.counts()
        if "last" in given:
            found["last"] = [(self.last.get(identity), self.attempts[identity]) for identity in given["last"]]
        if "paid" in given:
            found["paid"] = self.performed[given["paid"]] + self.untold[given["paid"]]
        if "performed_each" in given:
            found["performed_each"] = dict(self.performed)
        return found


class Connection(asyncio.Protocol):
    """One connection: parses requests, and does with each what the rules say."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.buffer = bytearray()
        self.transport: Any = None
        self.ended = False
        self.numbers, self.version, self.key = "", "v2", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.service.connections.discard(self)

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            split = self.buffer.find(b"\r\n\r\n")
            if split < 0:
                return
            head = bytes(self.buffer[:split])
            length = 0
            kind = key = ""
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                name = name.lower()
                if name == b"content-length":
                    length = int(value)
                elif name == b"content-type":
                    kind = value.decode("latin-1").strip()
                elif name == b"x-api-key":
                    key = value.decode("latin-1").strip()
            if len(self.buffer) < split + 4 + length:
                return
            body = bytes(self.buffer[split + 4 : split + 4 + length])
            del self.buffer[: split + 4 + length]
            self.key = key
            self.service.keys[key] += 1
            self._handle(head, kind, body)

    def _handle(self, head: bytes, kind: str, body: bytes) -> None:
        service = self.service
        identity, self.version = _identify(head, kind, body)
        if self.ended:  # we have closed our side: what comes now is dropped, and the client cannot know
            service.note(identity, "untold", None)
            return
        self.numbers = written(identity)
        fault = service.fault_for(identity)
        if fault is not None:
            service.note(identity, fault.did, fault)
            fault.act(self)
            return
        limits = self._limit()
        if limits is None:
            service.note(identity, "refused", None)
            return
        service.note(identity, "performed", None)
        good = usable_answer(self.numbers, self.version)
        if self.version == "v1" and "|image|" in identity:
            good = good.replace(b'"text_embedding"', b'"image_embedding"')
        if service.rules.latency_sec:
            self.later(service.rules.latency_sec, lambda: self.answer(200, good, limits))
        else:
            self.answer(200, good, limits)

    def _limit(self) -> list[tuple[str, str]] | None:
        """Headers of the rate limit; None = refused by it, and answered."""
        service = self.service
        if service.rules.window is None:
            return []
        count, seconds = service.rules.window
        now = time()
        if now >= service.window_started + seconds:
            service.window_started, service.window_used = now, 0
        reset = service.window_started + seconds + service.rules.clock_sec
        full = service.window_used >= count
        service.window_used += not full
        headers = [
            ("x-ratelimit-request-limit", str(count)),
            ("x-ratelimit-request-remaining", str(count - service.window_used)),
            ("x-ratelimit-request-reset", f"{reset:.3f}"),
        ]
        if full:
            self.answer(429, b'{"code":"too_many_requests","message":"Too many."}', headers)
            return None
        return headers

    # -- what a fault can do: see faults.Reply ---------------------------------------------------------------------

    def answer(self, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        lines = [b"HTTP/1.1 %d %s" % (status, _REASONS.get(status, b"X"))]
        if not any(name == "content-type" for name, _ in headers):
            lines.append(b"content-type: application/json")
        if self.service.rules.clock_sec:
            lines.append(b"date: " + formatdate(time() + self.service.rules.clock_sec, usegmt=True).encode())
        lines += [f"{name}: {value}".encode("latin-1") for name, value in headers]
        lines.append(b"content-length: %d\r\n\r\n" % len(body))
        self.raw(b"\r\n".join(lines) + body)

    def raw(self, data: bytes) -> None:
        if not self.ended:
            self.transport.write(data)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        def then() -> None:
            if not self.ended:
                do()

        asyncio.get_running_loop().call_later(seconds, then)

    def close(self) -> None:
        if not self.ended:
            self.ended = True
            self.transport.write_eof()
            asyncio.get_running_loop().call_later(1.0, self.transport.close)

    def reset(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.ended = True
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def refuse_connections(self, seconds: float) -> None:
        self.service.stop_listening(seconds)


def _identify(head: bytes, kind: str, body: bytes) -> tuple[str, str]:
    """Which item a request is about, and the version of the API that it speaks."""
    path = head.split(b" ", 2)[1]
    if path.endswith(b"/embed-v2"):
        asked = json.loads(body)
        model, form = asked["model_name"], asked["input_type"]
        part = asked[form]
        if form == "text":
            return identity_of_text(part["input_text"], model), "v2"
        if form == "image":
            return identity_of_media("image", base64.b64decode(part["media_source"]["base64_string"]), model), "v2"
        sources = part.get("media_sources", [part["media_source"]] if "media_source" in part else [])
        media = "".join(identity_of_media("part", base64.b64decode(s["base64_string"])) for s in sources)
        return identity_of_text(part.get("input_text", "") + media, model), "v2"
    if path.endswith(b"/embed"):
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b"content-type: " + kind.encode() + b"\r\n\r\n" + body
        )
        fields: dict[str, bytes] = {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)  # type: ignore[misc]
            for part in message.iter_parts()
        }
        model = fields["model_name"].decode()
        if "text" in fields:
            return identity_of_text(fields["text"].decode(), model), "v1"
        return identity_of_media("image", fields["image_file"], model), "v1"
    return f"unknown {path.decode('latin-1')}", "v2"


_tasks: set[Any] = set()


def _keep(task: Any) -> None:
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    service = Service()
    await service.listen()
    print(json.dumps({"port": service.port}), flush=True)
    lines = asyncio.StreamReader(limit=1 << 28)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        print(json.dumps(service.command(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
