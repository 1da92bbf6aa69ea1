"""Random answers, headers and items for fuzz tests, and what must hold for every one of them.

Unit tests run a few dozen cases of each (``test_fuzz.py`` in the folder of what they attack);
``python -m tests.chaos --only fuzz`` runs the same functions a hundred thousand times. Whatever comes in, only this
package's errors come out, in time.
"""

from __future__ import annotations

import copy
import json
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from hypothesis import strategies as st

from tests.support.service import v1_answer, v2_answer, vector
from twelvelabs_core import TwelveLabsError

CASE_SEC = 20.0
MOST_REQUESTS = 400
STORAGE = "https://storage.example"


@contextmanager
def ours_alone(seconds: float = CASE_SEC) -> Iterator[None]:
    """Let this package's errors pass for an outcome; any other exception, and no end after so long, is a failure."""

    def ring(number: int, frame: object) -> None:
        raise AssertionError(f"no end after {seconds} s")

    timed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, ring) if timed else None
    if timed:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TwelveLabsError as error:
        str(error), repr(error)
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


# -- JSON -------------------------------------------------------------------------------------------------------------

_NUMBERS: list[Any] = [
    0, -1, 1, 2, 10**8, 10**18, 10**30, -(10**400), 0.0, -0.0, 0.5, 1e39, 1.7e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), True, False,
]  # fmt: skip
_STRINGS = [
    "", " ", "x", "ready", "processing", "failed", "active", "\ud800", "\0", "é", "🙂" * 50, "../../../v1.3/indexes/X",
    "http://[", "https://elsewhere.example/x", "//elsewhere.example", "file:///etc/passwd", "\r\nx-evil: 1", "a" * 5000,
    "nan", "1e400", "-5", "2026-01-01T00:00:00Z", "99999-01-01T00:00:00Z", "NaN", "%00", "?", "#", "a/b", "..", ".",
]  # fmt: skip
NAMES = [
    "data", "embedding", "_id", "status", "error", "message", "code", "details", "retryAfter", "start_sec", "end_sec",
    "text_embedding", "segments", "float", "usage", "upload_urls", "chunk_index", "url", "total_chunks", "chunk_size",
    "upload_headers", "upload_id", "asset_id", "page_info", "total_page", "uploaded_chunks", "created_at", "metadata",
]  # fmt: skip

leaves = st.none() | st.sampled_from(_NUMBERS) | st.sampled_from(_STRINGS) | st.integers() | st.floats() | st.text()
names = st.sampled_from(NAMES) | st.text(max_size=5)
json_values: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


def dumped(value: Any) -> bytes:
    """JSON as careless servers write it: NaN, lone surrogates and numbers of any length."""
    return json.dumps(value).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a JSON value. Of the numbers of a vector, the first and the last."""
    found: list[tuple[Any, Any]] = []
    queue = [value]
    while queue:
        one = queue.pop()
        keys: list[Any] = []
        if isinstance(one, dict):
            keys = list(one)
        elif isinstance(one, list):
            keys = list(range(len(one))) if len(one) < 10 else [0, len(one) - 1]
        found += [(one, key) for key in keys]
        queue += [one[key] for key in keys]
    return found


class Mutator:
    """Changes good JSON values in a few places, at random but the same for one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def odd(self, depth: int = 0) -> Any:
        """Some JSON value."""
        pick = self.random.randrange(10)
        if pick < 4 or depth > 2:
            return self.random.choice(_NUMBERS)
        if pick < 7:
            return self.random.choice(_STRINGS)
        if pick == 7:
            return None
        if pick == 8:
            return [self.odd(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(NAMES): self.odd(depth + 1) for _ in range(self.random.randrange(4))}

    def changed(self, good: Any, *, most: int = 3) -> Any:
        """A copy with up to ``most`` places changed: replaced, removed, repeated or wrapped."""
        value = copy.deepcopy(good)
        for _ in range(self.random.randrange(most + 1)):
            places = _places(value)
            if not places:
                return self.odd()
            holder, key = self.random.choice(places)
            how = self.random.randrange(6)
            if how < 3:
                holder[key] = self.odd()
            elif how == 3:
                del holder[key]
            elif how == 4:
                holder[key] = [holder[key], copy.deepcopy(holder[key])]
            elif isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            else:
                holder[self.random.choice(NAMES)] = self.odd()
        return value

    def body(self, good: Any) -> bytes:
        """A changed answer as bytes, which are changed too now and then."""
        content = dumped(self.changed(good))
        pick = self.random.randrange(20)
        if pick == 0:
            return content[: self.random.randrange(len(content) + 1)]
        if pick == 1 and content:
            place = self.random.randrange(len(content))
            return content[:place] + bytes([self.random.randrange(256)]) + content[place + 1 :]
        if pick == 2:
            return self.random.randbytes(self.random.randrange(40))
        return content

    def damaged(self, content: bytes) -> bytes:
        """Bytes with some changed, cut or inserted."""
        found = bytearray(content)
        for _ in range(self.random.randrange(1, 4)):
            place = self.random.randrange(len(found) + 1)
            how = self.random.randrange(5)
            if how < 2 and place < len(found):
                found[place] ^= 1 << self.random.randrange(8)
            elif how == 2:
                del found[place:]
            elif how == 3:
                found[place:place] = self.random.randbytes(self.random.randrange(1, 9))
            else:
                found[place : place + 4] = self.random.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        return bytes(found)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Response headers, those about rate limits most of all, with odd values."""
        return [
            (self.random.choice(HEADER_NAMES).encode(), self.header_value()) for _ in range(self.random.randrange(5))
        ]

    def header_value(self) -> bytes:
        pick = self.random.randrange(4)
        if pick == 0:
            return b"%d" % self.random.choice([0, 1, 2, 60, 10**9, 2 * 10**9, 10**12, 10**15, 10**40, -1])
        if pick == 1:
            return bytes(self.random.choice(range(32, 256)) for _ in range(self.random.randrange(8)))
        return self.random.choice(HEADER_VALUES).encode()


# -- headers ----------------------------------------------------------------------------------------------------------

HEADER_NAMES = [
    "Retry-After", "retry-after", "X-Ratelimit-Request-Remaining", "X-Ratelimit-Request-Reset", "Date",
    "X-Ratelimit-Request-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Duration-Remaining",
    "X-Ratelimit-Duration-Reset", "X-Ratelimit-Dimensions", "x-trace-id", "Content-Type", "ETag", "Location", "x-other",
]  # fmt: skip
HEADER_VALUES = [
    "", " ", "nan", "NaN", "inf", "-inf", "Infinity", "1e400", "1e300", "-1", "-0", "0", "1", "2.5", "1_000", "0x10",
    "٣",
    "9" * 400, "253402300799", "999999999999", "1e18", "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 99999 23:59:59 GMT", "Thu, 32 Foo 2026 25:61:61 GMT", "Thu, 01 Jan 0001 00:00:00 -2400", "soon",
    "\xff",
    "Thu, 01 Jan 2026 00:00:00 +9999", "1; 2", "1,2", "text=5;window=1", "request,duration", "application/json",
]  # fmt: skip

header_values = (
    st.sampled_from(HEADER_VALUES) | st.text(max_size=12) | st.integers().map(str) | st.floats().map(str)
).map(lambda value: value.encode("utf-8", "surrogateescape" if value.isascii() else "replace"))
header_lists = st.lists(st.tuples(st.sampled_from(HEADER_NAMES).map(str.encode), header_values), max_size=6)
statuses = st.sampled_from(
    [200, 200, 200, 201, 202, 204, 400, 401, 403, 404, 408, 413, 425, 429, 500, 502, 503, 504, 599]
)


# -- a service whose answers are odd ----------------------------------------------------------------------------------


class OddService:
    """Answers every request of the API and of its storage rightly, but for changes at random.

    Attributes:
        share: of the answers that are changed.
        asked: requests so far; more than ``MOST_REQUESTS`` for one item is a client that does not give up.
    """

    def __init__(self, seed: int, *, share: float = 0.5, statuses: bool = True) -> None:
        self.mutator = Mutator(seed)
        self.share, self.statuses = share, statuses
        self.asked: list[str] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = str(request.url) if str(request.url).startswith(STORAGE) else request.url.path.partition("/v1.3/")[2]
        self.asked.append(f"{request.method} {path}")
        assert len(self.asked) <= MOST_REQUESTS, f"does not give up: {self.asked[-3:]}"
        assert request.url.host in ("api.twelvelabs.io", "storage.example") or "x-api-key" not in request.headers, (
            f"the key was sent to {request.url.host}"
        )
        good = self.good(request, path)
        change = self.mutator.random
        if change.random() >= self.share:
            return httpx.Response(200, content=dumped(good), headers={"ETag": '"etag"'})
        status = 200
        if self.statuses and change.random() < 0.3:
            status = change.choice([201, 204, 302, 400, 404, 408, 413, 425, 429, 500, 502, 503, 504])
        return httpx.Response(status, content=self.mutator.body(good), headers=self._headers())

    def _headers(self) -> list[tuple[bytes, bytes]]:
        kept = {b"content-length", b"content-encoding", b"transfer-encoding"}
        return [(name, value) for name, value in self.mutator.headers() if name.lower() not in kept]

    def good(self, request: httpx.Request, path: str) -> Any:
        """What the API would answer."""
        segment = {"embedding": vector("clip"), "embedding_option": "visual", "embedding_scope": "clip"}
        if path.startswith(STORAGE) or request.method == "DELETE":
            return {}
        if path == "embed":
            return v1_answer("m", text=vector("a"), image=vector("b"), audio=vector("c"))
        if path == "embed-v2":
            return v2_answer(vector("a"), usage={"input_tokens": {"text": 3}, "truncated": False})
        if path.startswith(("embed-v2/tasks", "embed/tasks")):
            task = {"_id": "task1", "status": "ready", "created_at": "2026-01-01T00:00:00Z", "model_name": "marengo3.5"}
            if path.endswith("/tasks") and request.method == "GET":
                return {"data": [task], "page_info": {"total_page": 1}}
            clips = [{**segment, "start_sec": float(i), "end_sec": i + 1.0} for i in range(3)]
            return {**task, "data": clips}
        if path == "assets":
            return {"_id": "asset1", "status": "ready"}
        if path.startswith("assets/multipart-uploads"):
            urls = [{"chunk_index": i, "url": f"{STORAGE}/{i}"} for i in (1, 2, 3)]
            if request.method == "GET":
                done = [{"index": 1, "status": "completed"}]
                return {"status": "active", "uploaded_chunks": done, "page_info": {"total_page": 1}}
            if path.endswith("multipart-uploads"):
                return {
                    "upload_id": "up1",
                    "asset_id": "asset1",
                    "chunk_size": 1000,
                    "total_chunks": -(-json.loads(request.content)["total_size"] // 1000),
                    "upload_urls": urls,
                    "upload_headers": {"x-part": "1"},
                }
            return {"upload_urls": urls}
        return {"_id": "asset1", "status": "ready"}
