"""Equal items under way at the same time: each is paid for once."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

from twelvelabs_core import EmbeddingClient

from ..scenario import ROOT, Run, Server, python_environment, scenario, serving
from ..truth import identity_of_text, judge
from .faults import MAKERS, call, settings

WORKER = """
import json, sys, threading
from twelvelabs_core import EmbeddingClient
from tests.chaos.scenarios.flight import overlapping
given = json.loads(sys.argv[1])
client = EmbeddingClient(**given["client"])
found = [None] * given["threads"]
def work(i):
    texts = overlapping(i, given["texts"])
    found[i] = [e.vector for e in client.embed_many(texts)]
threads = [threading.Thread(target=work, args=(i,)) for i in range(given["threads"])]
print("ready", flush=True); sys.stdin.readline()
[t.start() for t in threads]; [t.join() for t in threads]
from tests.chaos.truth import identity_of_text, truth
wrong = sum(v != truth(identity_of_text(t)) for i in range(given["threads"])
            for t, v in zip(overlapping(i, given["texts"]), found[i] or [None] * given["texts"]))
print(json.dumps({"wrong": wrong, "paid_again": client.stats.paid_again}))
"""


def overlapping(thread: int, count: int) -> list[str]:
    """The texts of one of several threads: most are everybody's, in another order."""
    shared = [f"a text that everybody embeds, number {i}" for i in range(count)]
    turn = thread * count // 7 % count
    return shared[turn:] + shared[:turn]


def _paid(run: Run, server: Server, expected: int, what: str) -> None:
    counts = server.counts()
    run.add(items=expected, paid=counts["performed"])
    run.check(counts["performed"] == expected, f"{what}: {counts['performed']} paid for {expected} items")


@scenario("one-flight", limit_sec=300)
def one_flight(run: Run) -> None:
    """Equal texts in a stream, in threads, clients, adapters and processes: one paid request for each different one."""
    with serving(latency_sec=0.02) as server:
        client = EmbeddingClient(**settings(**server.account()))
        found = [result.embedding.vector for result in client.stream(["the same"] * 128)]  # type: ignore[union-attr]
        _check(run, ["the same"] * 128, found, "a stream of one text")
        _paid(run, server, 1, "a stream of one text")

        for cached in (False, True):
            # Without a cache only calls that overlap share: on a busy machine a thread starts when others have ended.
            server.rules(latency_sec=0.02 if cached else 1.0)
            count = run.count(50, 10)
            cache = {"cache": str(run.folder / "threads.sqlite")} if cached else {}
            _threads(run, [EmbeddingClient(**settings(**server.account(), **cache))] * 8, count)
            _paid(run, server, count, f"8 threads of one client, cached: {cached}")

        server.rules(latency_sec=0.02)
        cache = {"cache": str(run.folder / "clients.sqlite")}
        _threads(run, [EmbeddingClient(**settings(**server.account(), **cache)) for _ in range(8)], run.count(50, 10))
        _paid(run, server, run.count(50, 10), "8 clients of one cache")

        server.rules(latency_sec=0.02)
        cache = {"cache": str(run.folder / "adapters.sqlite")}
        texts = [f"text {i} of both adapters" for i in range(run.count(50, 10))]
        models = [(name, maker(**settings(**server.account(), **cache))) for name, maker in MAKERS.items()]
        results: dict[int, Any] = {}

        def work(number: int) -> None:
            name, model = models[number % 2]
            results[number] = call(model, name, "texts", number >= 2, texts)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(4):
            _check(run, texts, results.get(number, [None] * len(texts)), "both adapters")
        _paid(run, server, len(texts), "both adapters, sync and async, on one cache")

        for processes in (2, 3) if run.scale >= 0.1 else (2,):
            server.rules(latency_sec=0.005)
            cache = {"cache": str(run.folder / f"processes-{processes}.sqlite")}
            _processes(run, server, processes, run.count(1100, 30), settings(**server.account(), **cache))
            _paid(run, server, run.count(1100, 30), f"{processes} processes of 8 threads each on one cache")
    run.tried = "128 equal texts in a stream; 8 threads; 8 clients; both adapters; 2 and 3 processes of 8 threads"


def _threads(run: Run, clients: list[EmbeddingClient], count: int) -> None:
    found: list[Any] = [[None] * count] * len(clients)
    together = threading.Barrier(len(clients))

    def work(number: int) -> None:
        together.wait()
        found[number] = [one.vector for one in clients[number].embed_many(overlapping(number, count))]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(len(clients)):
        _check(run, overlapping(number, count), found[number], "threads")


def _processes(run: Run, server: Server, count: int, texts: int, client: dict[str, Any]) -> None:
    import json

    given = json.dumps({"client": client, "threads": 8, "texts": texts})
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=python_environment(),
        )
        for _ in range(count)
    ]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, _ = worker.communicate(timeout=240)
        told = json.loads(out) if out.startswith("{") else {"wrong": -1, "paid_again": 0}
        run.check(told["wrong"] == 0, f"{count} processes: {told['wrong']} wrong vectors (-1: it failed)")
        run.check(told["paid_again"] == 0, f"{count} processes: paid_again {told['paid_again']} without a fault")


def _check(run: Run, texts: list[str], vectors: Any, what: str) -> None:
    found = judge([identity_of_text(text) for text in texts], vectors)
    run.check(found["right"] == len(texts), f"{what}: {dict(found)}")
