"""A user's query while a batch runs, under each state of the limiter, beside the same queries alone."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from twelvelabs_core import RateLimits, Window

from .figures import Bar, Case, Row
from .peers import check, new_key, texts
from .service import Server

__all__ = ["query_lane"]

LATENCY_MS = 50
ALONE, PAUSE_SEC = 5, 0.2

# Name, window of the server (requests, seconds), what its answers tell, whether it is declared, texts of the batch, and
# seconds after which the queries begin: where a limit shows by refusals alone, nobody knows it before the first.
STATES: tuple[tuple[str, tuple[int, float] | None, str, bool, int, float], ...] = (
    ("declared, 100 in 2 s", (100, 2.0), "none", True, 500, 0.3),
    ("declared, 300 in 20 s", (300, 20.0), "none", True, 600, 0.3),
    ("in headers, 100 in 2 s", (100, 2.0), "remaining", False, 500, 0.3),
    ("refusals alone, 100 in 2 s", (100, 2.0), "retry-after", False, 700, 5.0),
    ("no limit", None, "none", False, 4_000, 0.3),
)


class _Query:
    """The two adapters by the names of their methods, one called by threads and the other by tasks."""

    def __init__(self, adapter: str, server: Server, limits: RateLimits | None) -> None:
        settings: dict[str, Any] = {"base_url": server.base_url, "rate_limits": limits}
        key = SecretStr(new_key())
        self.batch: Callable[[list[str]], list[list[float]]]
        if adapter == "LangChain":
            chain = TwelveLabsEmbeddings(api_key=key, **settings)
            self.batch, self._sync, self._async = chain.embed_documents, chain.embed_query, chain.aembed_query
        else:
            index = TwelveLabsEmbedding(api_key=key, **settings)
            self.batch = index.get_text_embedding_batch
            self._sync, self._async = index.get_query_embedding, index.aget_query_embedding

    def ask(self, number: int, stop: Callable[[], bool], *, tasks: bool) -> list[float]:
        """Seconds of each of ``number`` queries, or of those until ``stop`` says so."""
        if tasks:
            return asyncio.run(self._ask_async(self._async, number, stop))
        taken = []
        for n in range(number):
            if stop():
                break
            started = time.monotonic()
            self._sync(f"what was asked at {started} as number {n}")
            taken.append(time.monotonic() - started)
            time.sleep(PAUSE_SEC)
        return taken

    @staticmethod
    async def _ask_async(ask: Callable[[str], Awaitable[Any]], number: int, stop: Callable[[], bool]) -> list[float]:
        taken = []
        for n in range(number):
            if stop():
                break
            started = time.monotonic()
            await ask(f"what was asked at {started} as number {n}")
            taken.append(time.monotonic() - started)
            await asyncio.sleep(PAUSE_SEC)
        return taken


def query_lane(server: Server, *, rounds: int, quick: bool) -> Case:
    """Queries of both adapters while a batch of the same object runs."""
    rows: list[Row] = []
    bars: list[Bar] = []
    server.set()
    TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=server.base_url).embed_documents(texts(1))
    for name, window, headers, declared, count, begin in STATES:
        alone, median, longest = (Row(f"{name}: {what}", "ms", []) for what in ("alone", "median", "longest"))
        refused = Row(f"{name}: refused", "share", [])
        for number in range(2 * (1 if quick else rounds)):
            adapter, tasks = ("LangChain", "LlamaIndex")[number % 2], number % 4 in (1, 2)
            server.set(latency_ms=LATENCY_MS, windows=(window,) if window else (), headers=headers)
            limits = RateLimits(text=(Window(*window),)) if declared and window else None
            asked = _Query(adapter, server, limits)
            before = asked.ask(ALONE, lambda: False, tasks=tasks)
            alone.samples.append(statistics.median(before) * 1000)
            given = texts(count)
            vectors: list[list[float]] = []
            batch = threading.Thread(target=lambda: vectors.extend(asked.batch(given)))  # noqa: B023
            batch.start()
            time.sleep(begin)
            taken = asked.ask(10_000, lambda: not batch.is_alive(), tasks=tasks)  # noqa: B023
            batch.join()
            check(given, vectors)
            counts = server.counts()
            median.samples.append(statistics.median(taken) * 1000)
            longest.samples.append(max(taken) * 1000)
            refused.samples.append(counts["limited"] / counts["requests"])
            print(
                f"    {name}, {adapter} {'asyncio' if tasks else 'threads'}: {len(taken)} queries, median "
                f"{median.samples[-1]:.0f} ms, longest {longest.samples[-1]:.0f} ms, alone {alone.samples[-1]:.0f} ms, "
                f"{counts['limited']} of {counts['requests']} refused",
                flush=True,
            )
        rows += [alone, median, longest, refused]
        bars.append(Bar(f"median, {name}", median.samples, 2 * LATENCY_MS, False, "ms"))
        bars.append(Bar(f"longest, {name}", longest.samples, 500, False, "ms"))
    how = (
        f"One query at a time with {PAUSE_SEC:g} s between, answers after {LATENCY_MS} ms, beside a batch "
        f"of {min(s[4] for s in STATES):,} to {max(s[4] for s in STATES):,} texts of the same object; first {ALONE} "
        "of them alone. Half of the rounds by LangChain's methods, half by LlamaIndex's, in threads and with asyncio. "
        "With a limit that shows by refusals alone, the queries begin after the first of them."
    )
    return Case("query-lane", "A query while a batch runs", how, rows, bars)
