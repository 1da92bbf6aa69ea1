"""Both adapters are truly concurrent, from any thread and any event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.adapters import Model
from twelvelabs_core._net import loop
from twelvelabs_emulator import Emulator

Make = Callable[..., Model]
TEXTS = [f"text number {i}" for i in range(200)]


class Ticker:
    """Counts how often the running loop came round, and how long it once did not."""

    async def __aenter__(self) -> Ticker:
        self.ticks, self.longest, self._task = 0, 0.0, asyncio.ensure_future(self._run())
        return self

    async def _run(self) -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            self.ticks, self.longest, before = self.ticks + 1, max(self.longest, now - before), now

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()


async def test_the_callers_loop_keeps_ticking(make: Make, emulator: Emulator, files: Path) -> None:
    emulator.configure(latency_sec=0.02)
    model = make(max_concurrency=10)
    async with Ticker() as ticker:
        vectors = await model.atexts(TEXTS)
        await asyncio.gather(*(model.atext(text) for text in TEXTS[:20]))
        await model.aimages([files / "red.png", files / "blue.png"])
        await model.aaudio([files / "low.wav"])
    assert len(vectors) == 200
    assert ticker.ticks > 50
    assert ticker.longest < 0.3


@pytest.mark.parametrize("bound", [64, 5])
async def test_batches_are_concurrent_and_bounded(make: Make, emulator: Emulator, bound: int) -> None:
    emulator.configure(latency_sec=0.02)
    model = make(max_concurrency=bound)
    texts = TEXTS[: 12 * bound]

    def check() -> None:
        assert min(10, bound - 1) < emulator.most_at_once <= bound
        assert len(emulator.requests) == len(texts)
        emulator.reset()
        emulator.configure(latency_sec=0.02, api_keys=())

    model.texts(texts)
    check()
    await model.atexts(texts)
    check()
    # Many callers share the bound: it belongs to the object, not to the call.
    await asyncio.gather(*(model.atext(text) for text in texts))
    check()
    with ThreadPoolExecutor(20) as pool:
        await asyncio.gather(*(asyncio.wrap_future(pool.submit(model.texts, texts[part::20])) for part in range(20)))
    check()


@pytest.mark.parametrize(("images_at_once", "least", "most"), [(3, 2, 4), (1000, 20, 30)])
async def test_image_requests_are_bounded_by_the_bytes_they_hold(
    make: Make, emulator: Emulator, images_at_once: int, least: int, most: int
) -> None:
    images = [media.png((8 * i, 0, 0)) for i in range(30)]
    emulator.configure(latency_sec=0.1)
    await make(max_media_bytes=images_at_once * len(images[1]) * 7 // 3).aimages(images)
    assert least <= emulator.most_at_once <= most


def test_three_event_loops_in_a_row(model: Model) -> None:
    expected = model.texts(TEXTS[:20])
    for _ in range(3):
        assert asyncio.run(model.atexts(TEXTS[:20])) == expected


async def test_sync_call_inside_a_running_loop(model: Model) -> None:
    expected = await model.atext("red")
    assert model.text("red") == expected
    assert model.texts(["red"]) == [expected]


def test_threads_and_loops_on_one_object(model: Model) -> None:
    expected = model.texts(TEXTS[:50])
    results: list[Any] = []

    def sync() -> None:
        results.append(model.texts(TEXTS[:50]))

    def own_loop() -> None:
        results.append(asyncio.run(model.atexts(TEXTS[:50])))

    threads = [threading.Thread(target=work) for work in (sync, own_loop, sync, own_loop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


async def _tasks_in_flight() -> int:
    return len(asyncio.all_tasks()) - 1


async def _until(condition: Callable[[], bool], seconds: float = 2) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.005)


async def test_cancelled_await_cancels_its_requests(make: Make, emulator: Emulator) -> None:
    model = make(max_concurrency=10)
    expected = await model.atext("red")
    await _until(lambda: loop.run(_tasks_in_flight()) == 0)
    emulator.configure(latency_sec=1)
    task = asyncio.ensure_future(model.atexts(TEXTS))
    await _until(lambda: len(emulator.requests) == 11)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 0.5
    await _until(lambda: loop.run(_tasks_in_flight()) == 0)
    emulator.configure(latency_sec=0)
    assert await model.atext("red") == expected
    assert len(emulator.requests) == 12, "the other 190 texts were never sent"


async def test_timeout_of_the_callers(model: Model, emulator: Emulator) -> None:
    emulator.configure(latency_sec=1)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(model.atexts(TEXTS[:5]), 0.1)
    emulator.configure(latency_sec=0)
    assert len(await model.atexts(TEXTS[:5])) == 5
