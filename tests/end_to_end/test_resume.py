"""Nothing is paid for twice, and nothing grows with the number of items. Counts, not times."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.adapters import Model
from twelvelabs_core import EmbeddingClient
from twelvelabs_emulator import Emulator

TEXTS = [f"text number {i} of two hundred" for i in range(200)]
AT_ONCE = 16

CHILD = f"""
import sys
from twelvelabs_core import EmbeddingClient
client = EmbeddingClient(api_key=sys.argv[1], base_url=sys.argv[2], cache=sys.argv[3], max_concurrency={AT_ONCE})
client.embed_many([f"text number {{i}} of two hundred" for i in range(200)])
"""


@pytest.fixture
def make(framework: str, account: dict[str, Any]) -> Callable[..., Model]:
    def make(**settings: Any) -> Model:
        return Model.make(framework, **{**account, "max_retries": 0, **settings})

    return make


def times_sent(emulator: Emulator) -> Counter[str]:
    return Counter(request.body["text"]["input_text"] for request in emulator.requests)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no kill -9")
@pytest.mark.parametrize("kill_at", [40, 120])
def test_a_killed_run_goes_on_where_it_was(
    emulator: Emulator, account: dict[str, Any], shared_place: str, kill_at: int
) -> None:
    emulator.configure(latency_sec=0.02)
    child = subprocess.Popen([sys.executable, "-c", CHILD, account["api_key"], account["base_url"], shared_place])
    while sum(request.status == 200 for request in emulator.requests) < kill_at:
        assert child.poll() is None
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    time.sleep(0.05)  # what it had sent arrives
    sent_before = len(emulator.requests)

    client = EmbeddingClient(**account, cache=shared_place, max_concurrency=AT_ONCE)
    found = client.embed_many(TEXTS)

    assert [item.vector for item in found] == [item.vector for item in client.embed_many(TEXTS)]
    sent = times_sent(emulator)
    assert set(sent) == set(TEXTS) and max(sent.values()) <= 2
    assert sent.total() - len(TEXTS) <= AT_ONCE
    assert sum(item.cached for item in found) == len(TEXTS) - (sent.total() - sent_before) >= kill_at - AT_ONCE


@pytest.mark.parametrize("cached", [False, True])
def test_equal_texts_are_sent_once(
    make: Callable[..., Model], emulator: Emulator, tmp_path: Path, cached: bool
) -> None:
    model = make(cache=str(tmp_path / "vectors.sqlite")) if cached else make()
    vectors = model.texts(TEXTS[:20] * 10)
    assert len(vectors) == 200 and vectors == vectors[:20] * 10
    assert times_sent(emulator) == Counter(TEXTS[:20])


def test_a_second_run_sends_nothing(make: Callable[..., Model], emulator: Emulator, tmp_path: Path) -> None:
    cache = str(tmp_path / "vectors.sqlite")
    first = make(cache=cache).texts(TEXTS)
    assert len(emulator.requests) == 200
    assert make(cache=cache).texts(TEXTS) == first
    assert make(cache=cache).text(TEXTS[7]) == first[7]
    assert len(emulator.requests) == 200


ANSWER = json.dumps({"data": [{"embedding": [i / 512 for i in range(512)]}]}).encode()


def in_process(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=ANSWER)


def test_a_stream_takes_no_more_memory_for_more_items() -> None:
    client = EmbeddingClient(api_key="key", transport=httpx.MockTransport(in_process), max_concurrency=AT_ONCE)
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for i in range(800):
            taken += 1
            yield f"text {i}"

    held: list[int] = []
    most_ahead = 0
    tracemalloc.start()
    try:
        for result in client.stream(texts()):
            most_ahead = max(most_ahead, taken - result.index)
            if result.index % 200 == 199:
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert taken == 800 and len(held) == 4
    # 600 vectors kept by mistake would be 10 MB.
    assert max(held) - held[0] < 1_000_000
    assert most_ahead <= 4 * AT_ONCE
