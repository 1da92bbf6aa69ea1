"""Four processes with one account: each keeps the limit alone, or they share it by SQLite or by Redis.

``python -m benchmarks.shared`` is one of the processes: it waits for a line on standard input, embeds its texts, and
prints what it took.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from langchain_twelvelabs import TwelveLabsEmbeddings
from twelvelabs_core import RateLimits, Window

from .figures import Bar, Case, Row, interleaved, ratios
from .peers import CONNECTIONS, check, new_key, texts
from .service import Server

__all__ = ["cost", "shared"]

LATENCY_MS = 50
PROCESSES = 4
LIMIT, SECONDS = 100, 2.0
ALONE, SQLITE, REDIS = "each alone", "shared: SQLite", "shared: Redis"
# What the server tells -> what our processes are told, and the most of all requests that may be refused.
KINDS = {
    "none": ("declared", 0.0),
    "remaining": ("told in headers", 0.02),
    "retry-after": ("429 and Retry-After alone", 0.15),
}


def shared(server: Server, *, rounds: int, quick: bool) -> Case:
    """Time and refusals of four processes that start together."""
    count = 400 if quick else 1_000
    ideal = (count / LIMIT - 1) * SECONDS
    rows: list[Row] = []
    bars: list[Bar] = []
    with places() as found:
        for headers, (told, most_refused) in KINDS.items():
            taken = {place: Row(f"{told}, {place}: time / shortest", "×", []) for place in found}
            refused = {place: Row(f"{told}, {place}: refused", "share", []) for place in found}
            for _ in range(rounds):
                for place, address in found.items():
                    ends = run(server, address, count=count, headers=headers)
                    counts = server.counts()
                    assert counts["texts"] == count
                    taken[place].samples.append(max(ends) / ideal)
                    refused[place].samples.append(counts["limited"] / counts["requests"])
                    print(
                        f"    {told}, {place}: {max(ends):.2f} s of {ideal:g} s, the first after {min(ends):.2f} s, "
                        f"{counts['limited']} of {counts['requests']} refused",
                        flush=True,
                    )
            for place in found:
                rows += [taken[place], refused[place]]
                if place != ALONE:
                    bound = 1.1 if headers == "none" else 1.3
                    bars.append(Bar(f"{told}, {place}: time", taken[place].samples, bound, False))
                    bars.append(Bar(f"{told}, {place}: refused", refused[place].samples, most_refused, False, "share"))
    how = (
        f"{count:,} texts by {PROCESSES} processes that start together, at most {LIMIT} within any {SECONDS:g} s, "
        f"answers after {LATENCY_MS} ms. The shortest possible is {ideal:g} s. Every text came back."
    )
    return Case("shared", "One limit for several processes", how, rows, bars)


def cost(server: Server, *, rounds: int, quick: bool) -> Case:
    """What sharing costs where no limit binds: texts a second of one process."""
    count = 1_280 if quick else 5_120
    given = texts(count)
    with places() as found:

        def measure(place: str) -> float:
            server.set(latency_ms=LATENCY_MS)
            limits = RateLimits(text=(Window(10_000, SECONDS),), shared=found[place])
            model = TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=server.base_url, rate_limits=limits)
            model.embed_documents(texts(2 * CONNECTIONS, first=-1_000))
            started = time.perf_counter()
            vectors = model.embed_documents(given)
            elapsed = time.perf_counter() - started
            check(given, vectors)
            return count / elapsed

        rows = interleaved(tuple(found), 3 * rounds, measure, "texts/s")
    alone, *others = rows
    bars = [Bar(f"{row.name} / {alone.name}", ratios(row, alone), 0.97, True) for row in others]
    how = (
        f"{count:,} texts, one process, {CONNECTIONS} connections, answers after {LATENCY_MS} ms, a limit that is "
        "never reached."
    )
    return Case("shared-cost", "What sharing a limit costs", how, rows, bars)


@contextmanager
def places() -> Iterator[dict[str, str | None]]:
    """Where limits are shared; Redis where it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, str | None] = {ALONE: None, SQLITE: str(Path(folder, "limits.sqlite"))}
        if shutil.which("redis-server") is None:
            print("    without Redis: apt-get install redis-server")
            yield found
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ("--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder)
        process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        try:
            found[REDIS] = f"redis://127.0.0.1:{port}/0"
            time.sleep(0.3)
            yield found
        finally:
            process.terminate()
            process.wait()


def run(server: Server, address: str | None, *, count: int, headers: str) -> list[float]:
    """Embed in several processes at once; the seconds after which each was done."""
    key, each = new_key(), count // PROCESSES
    workers = []
    for index in range(PROCESSES):
        settings: dict[str, Any] = {
            "base_url": server.base_url,
            "key": key,
            "shared": address,
            "declared": headers == "none",
        }
        settings |= {"first": index * each, "count": each}
        workers.append(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.shared", json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    server.set(latency_ms=LATENCY_MS, windows=((LIMIT, SECONDS),), headers=headers)
    started = time.monotonic()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    ends = []
    for worker in workers:
        assert worker.stdout is not None
        ends.append(json.loads(worker.stdout.readline()) - started)
        worker.communicate()
        assert worker.returncode == 0
    return ends


def _work(settings: dict[str, Any]) -> None:
    windows = (Window(LIMIT, SECONDS),) if settings["declared"] else ()
    limits = RateLimits(text=windows, shared=settings["shared"])
    given = texts(settings["count"], first=settings["first"])
    others = {"base_url": settings["base_url"], "rate_limits": limits, "max_wait": 120}
    # The first call of a process imports what sends; that is no part of a limit.
    TwelveLabsEmbeddings(api_key=SecretStr(new_key()), **others).embed_documents(texts(1, first=-1))
    model = TwelveLabsEmbeddings(api_key=SecretStr(settings["key"]), **others)
    print("ready", flush=True)
    sys.stdin.readline()
    vectors = model.embed_documents(given)
    ended = time.monotonic()
    check(given, vectors)
    print(ended, flush=True)


if __name__ == "__main__":
    _work(json.loads(sys.argv[1]))
