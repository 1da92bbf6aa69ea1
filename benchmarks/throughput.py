"""Texts a second at 64 and 256 connections and 50 ms latency, and what a text costs the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median

from .figures import Bar, Case, Row, interleaved, ratios
from .peers import CONNECTIONS, MANY_CONNECTIONS, PEERS, check, texts
from .service import Server

__all__ = ["cpu", "latency", "throughput", "wide"]

LATENCY_MS = 50
RAW, SDK, HTTPX = "aiohttp + orjson", "official SDK, 64 threads", "httpx.AsyncClient"
OURS = ("embed_documents", "aembed_documents", "get_text_embedding_batch", "aget_text_embedding_batch")


def throughput(server: Server, *, rounds: int, quick: bool) -> Case:
    """Cases 1 and 2: LangChain's and LlamaIndex's batches beside their peers."""
    count = 640 if quick else 2_000

    def measure(name: str) -> float:
        return _per_second(server, name, count, 2 * CONNECTIONS)

    # The quick ones, closely together and more often, as their ratios are near one; then the slow ones beside ours.
    quick_ones = interleaved((RAW, *OURS), 3 * rounds, measure, "texts/s")
    beside, *slow_ones = interleaved((OURS[0], SDK, "official SDK, async", HTTPX), rounds, measure, "texts/s")
    case = Case(
        "throughput",
        "Texts a second",
        f"{count:,} texts, answers of 512 floats after {LATENCY_MS} ms, {CONNECTIONS} connections. "
        f"The most there can be is {CONNECTIONS / LATENCY_MS * 1000:,.0f} a second.",
        [*quick_ones, *slow_ones],
    )
    ours = case.row("embed_documents")
    case.bars = [
        Bar(f"embed_documents / {RAW}", ratios(ours, case.row(RAW)), 0.9, True),
        *(Bar(f"{name} / {RAW}", ratios(case.row(name), case.row(RAW)), 0.8, True) for name in OURS[2:]),
    ]
    beside_sdk, beside_httpx = (median(ratios(beside, case.row(name))) for name in (SDK, HTTPX))
    case.notes.append(
        f"In the rounds beside them, `embed_documents` did {beside_sdk:.1f} times as many as the SDK in threads and "
        f"{beside_httpx:.1f} times as many as httpx. Neither holds elsewhere: the latency caps who is quick, and the "
        "CPU who is slow, so that on a machine four times as fast the ratios are a quarter of these. What holds is "
        "the CPU time of a text, below."
    )
    return case


def wide(server: Server, *, rounds: int, quick: bool) -> Case:
    """With so many connections that the latency is not the cap."""
    count = 2_560 if quick else 10_240
    names = tuple(f"{name}, {MANY_CONNECTIONS}" for name in (RAW, OURS[0], OURS[2]))
    raw, *ours = interleaved(
        names, 2 * rounds, lambda name: _per_second(server, name, count, 2 * MANY_CONNECTIONS), "texts/s"
    )
    return Case(
        "wide",
        f"Texts a second, {MANY_CONNECTIONS} connections",
        f"{count:,} texts, answers of 512 floats after {LATENCY_MS} ms, `max_concurrency={MANY_CONNECTIONS}`. The most "
        f"there can be by the latency is {MANY_CONNECTIONS / LATENCY_MS * 1000:,.0f} a second; client and server share "
        "the machine.",
        [raw, *ours],
        [Bar(f"{row.name} / {raw.name}", ratios(row, raw), 0.9, True) for row in ours],
    )


def _per_second(server: Server, name: str, count: int, warm_up: int) -> float:
    given = texts(count)
    server.set(latency_ms=LATENCY_MS)
    with PEERS[name](server.base_url) as embed:
        embed(texts(warm_up, first=-1_000))
        started = time.perf_counter()
        vectors = embed(given)
        elapsed = time.perf_counter() - started
    check(given, vectors)
    return count / elapsed


def cpu(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 3: CPU time of the client's process, each peer in a process of its own."""
    count = 1_000 if quick else 3_000

    def measure(name: str) -> float:
        server.set()
        command = [sys.executable, "-m", "benchmarks.throughput", name, server.base_url, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(json.loads(done.stdout)["cpu_ms"])

    case = Case(
        "cpu",
        "CPU time a text",
        f"{count:,} texts after a warm-up of {count // 3:,}, no latency, {CONNECTIONS} connections; "
        "the client's process alone, a new one each time.",
        interleaved((RAW, OURS[0], OURS[2], SDK), rounds, measure, "ms"),
    )
    case.bars = [
        Bar(f"embed_documents / {RAW}", ratios(case.row(OURS[0]), case.row(RAW)), 1.2, False),
        Bar(f"embed_documents / {SDK}", ratios(case.row(OURS[0]), case.row(SDK)), 0.1, False),
    ]
    return case


def latency(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 4: one query."""
    count = 100 if quick else 500
    server.set()
    names = ("httpx.Client", "embed_query")
    with PEERS[names[0]](server.base_url) as plain, PEERS[names[1]](server.base_url) as ours:
        embeds = dict(zip(names, (plain, ours), strict=True))
        for embed in embeds.values():
            embed(texts(50, first=-1_000))

        def measure(name: str) -> float:
            times = []
            for text in texts(count):
                started = time.perf_counter()
                embeds[name]([text])
                times.append(time.perf_counter() - started)
            return 1000 * median(times)

        rows = interleaved(names, rounds, measure, "ms")
    bars = [Bar("embed_query / httpx.Client", ratios(rows[1], rows[0]), 1.5, False)]
    how = f"The median of {count} calls a round, no latency, one after another on a kept connection."
    return Case("latency", "One query", how, rows, bars)


def _child(name: str, base_url: str, count: int) -> Row:
    """What :func:`cpu` runs in a process of its own."""
    given = texts(count)
    with PEERS[name](base_url) as embed:
        embed(texts(count // 3, first=-count))
        before = time.process_time()
        vectors = embed(given)
        spent = time.process_time() - before
    check(given, vectors)
    return Row(name, "ms", [1000 * spent / count])


if __name__ == "__main__":
    print(json.dumps({"cpu_ms": _child(sys.argv[1], sys.argv[2], int(sys.argv[3])).median}))
