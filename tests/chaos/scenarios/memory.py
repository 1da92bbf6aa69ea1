"""What grows with the number of items: nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from twelvelabs_core import EmbeddingClient

from ..scenario import Run, scenario, serving
from ..truth import identity_of_text, truth
from .faults import settings

ITEMS = 1_000_000
GROWTH_MB = 16.0


def resident_mb() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _stream(run: Run, count: int, cached: bool) -> None:
    with serving(remember=False) as server:
        cache = {"cache": str(run.folder / "stream.sqlite")} if cached else {}
        client = EmbeddingClient(**settings(**server.account(), **cache))
        wrong = 0
        memory: list[float] = []
        files: list[int] = []
        started = time.monotonic()

        def texts() -> Iterator[str]:
            for i in range(count):
                yield f"text {i} of a long stream"

        for result in client.stream(texts()):
            if result.index % max(1, count // 50) == 0:
                memory.append(resident_mb())
                files.append(open_files())
            if result.index % 97 == 0:
                vector = result.embedding.vector if result.embedding is not None else None
                wrong += vector != truth(identity_of_text(f"text {result.index} of a long stream"))
        took = time.monotonic() - started
        counts = server.counts()
        settled = len(memory) // 5
        growth = max(memory[len(memory) // 2 :]) - max(memory[: settled + 1])
        run.check(wrong == 0, f"{wrong} wrong vectors")
        run.check(growth < GROWTH_MB, f"memory grew by {growth:.1f} MB: {[round(m) for m in memory[::5]]}")
        run.check(max(files[settled:]) <= max(files[: settled + 1]) + 3, f"open files grew: {files[::5]}")
        run.check(counts["performed"] == count, f"{counts['performed']} paid for {count} items")
        run.outcome = {
            "items": count,
            "seconds": round(took, 1),
            "items_a_second": round(count / took),
            "growth_MB": round(growth, 1),
            "open_files": f"{files[settled]} to {max(files)}",
            "wrong": wrong,
        }


@scenario("long-stream", limit_sec=3000)
def long_stream(run: Run) -> None:
    """A million texts through a stream at a server that answers at once: memory and open files stay flat."""
    _stream(run, run.count(ITEMS), cached=False)


@scenario("long-stream-cache", limit_sec=1200)
def long_stream_cache(run: Run) -> None:
    """A hundred thousand texts through a stream with a cache: memory and open files stay flat."""
    _stream(run, run.count(ITEMS // 10), cached=True)


@scenario("many-clients", limit_sec=300)
def many_clients(run: Run) -> None:
    """Clients with a cache that come and go: open files stay flat."""
    import gc

    with serving() as server:
        account = settings(**server.account())
        files = []
        count = run.count(300, 40)
        for i in range(count):
            client = EmbeddingClient(**account, cache=str(run.folder / f"cache-{i % 10}.sqlite"))
            client.embed(f"text {i}")
            del client
            if i % 10 == 9:
                gc.collect()
                files.append(open_files())
        time.sleep(0.2)
        run.check(files[-1] <= files[0] + 10, f"open files: {files}")
        run.outcome = {"clients": count, "open_files_at_first": files[0], "at_last": files[-1]}
    run.tried = f"{count} clients, one after another, on 10 caches"
