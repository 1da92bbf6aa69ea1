"""One limit for several processes, by SQLite and by Redis. Counts, not times: `make bench` measures those."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import QUIET_FORK
from tests.support.redis import MISSING, RedisServer, is_installed
from twelvelabs_core import EmbeddingClient, RateLimits, SharedLimitsError, Window
from twelvelabs_core._net.limits.shared import lease
from twelvelabs_emulator import Emulator

LIMIT, SECONDS, LATENCY = 20, 0.5, 0.02
EACH, PROCESSES = 25, 4
TOTAL = EACH * PROCESSES

# One process: it gets ready, waits for a line, embeds, and tells what it has.
WORKER = """
import json, sys
from twelvelabs_core import EmbeddingClient, RateLimits, Window

given = json.loads(sys.argv[1])
windows = tuple(Window(*window) for window in given["windows"])
settings = dict(given["settings"], rate_limits=RateLimits(text=windows, shared=given["shared"]))
warm = EmbeddingClient(**dict(settings, api_key="tlk_somebody_else"))
warm.embed("warm") if given["warms"] else None
client = EmbeddingClient(**settings)
print("ready", flush=True)
sys.stdin.readline()
found = client.embed_many([f"text {i}" for i in range(given["first"], given["first"] + given["count"])])
stats = client.last_run
print(json.dumps({"found": len(found), "requests": stats.requests, "limited": stats.limited}), flush=True)
"""


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.skipif(not is_installed(), reason=MISSING))])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.url
    return str(tmp_path / "limits.sqlite")


class Worker:
    """A process that embeds its part of the texts."""

    def __init__(self, account: dict[str, Any], index: int, **given: Any) -> None:
        settings = {**account, **given.pop("settings", {})}
        given = {"first": index * EACH, "count": EACH, "warms": False, "settings": settings, **given}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, json.dumps(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def get_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, int]:
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        found: dict[str, int] = json.loads(out)
        return found


@pytest.fixture
def start(account: dict[str, Any]) -> Iterator[Callable[..., list[Worker]]]:
    """Start processes at the same moment."""
    workers: list[Worker] = []

    def start(**given: Any) -> list[Worker]:
        new = [Worker(account, index, **given) for index in range(PROCESSES)]
        workers.extend(new)
        for worker in new:
            worker.get_ready()
        for worker in new:
            worker.go()
        return new

    yield start
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


def statuses(emulator: Emulator, status: int) -> int:
    return sum(request.status == status for request in emulator.requests)


def configure(emulator: Emulator, **settings: Any) -> None:
    emulator.configure(limits={"text": [(LIMIT, SECONDS)]}, latency_sec=LATENCY, **settings)


def test_four_processes_never_hit_a_declared_limit(
    emulator: Emulator, start: Callable[..., list[Worker]], shared: str
) -> None:
    configure(emulator, limit_headers="none")
    workers = start(shared=shared, windows=[(LIMIT, SECONDS)])
    assert [worker.end()["found"] for worker in workers] == [EACH] * PROCESSES
    assert (statuses(emulator, 200), statuses(emulator, 429)) == (TOTAL, 0)


def test_a_limit_in_headers_is_kept_together(
    emulator: Emulator, start: Callable[..., list[Worker]], tmp_path: Path
) -> None:
    shared = str(tmp_path / "limits.sqlite")
    configure(emulator, limit_headers="dimensions", reset_fraction=True)
    workers = start(shared=shared, windows=[], settings={"max_concurrency": 5})
    assert [worker.end()["found"] for worker in workers] == [EACH] * PROCESSES
    assert statuses(emulator, 200) == TOTAL
    assert statuses(emulator, 429) <= 6


@pytest.mark.skipif(not is_installed(), reason=MISSING)
def test_a_limit_is_learned_together(
    emulator: Emulator, start: Callable[..., list[Worker]], redis_server: RedisServer
) -> None:
    shared = redis_server.url
    configure(emulator, limit_headers="none", retry_after="seconds")
    workers = start(shared=shared, windows=[], settings={"max_concurrency": 8})
    assert [worker.end()["found"] for worker in workers] == [EACH] * PROCESSES
    assert statuses(emulator, 200) == TOTAL
    assert statuses(emulator, 429) <= 2 * 8 * PROCESSES  # a full set of refusals, and what a raised limit costs


def test_a_killed_process_costs_what_it_had_in_flight(
    emulator: Emulator, start: Callable[..., list[Worker]], tmp_path: Path, account: dict[str, Any]
) -> None:
    shared = str(tmp_path / "limits.sqlite")
    configure(emulator, limit_headers="none")
    width = 4
    settings = {"cache": str(tmp_path / "cache.sqlite"), "max_concurrency": width}
    given = {"shared": shared, "windows": [(LIMIT, SECONDS)], "settings": settings}
    workers = start(**given)
    while statuses(emulator, 200) < TOTAL // 2:
        time.sleep(0.005)
    workers[0].process.send_signal(signal.SIGKILL)
    assert [worker.end()["found"] for worker in workers[1:]] == [EACH] * (PROCESSES - 1)
    again = Worker(account, 0, **given)
    again.get_ready()
    again.go()
    assert again.end()["found"] == EACH
    assert TOTAL <= statuses(emulator, 200) <= TOTAL + width
    assert statuses(emulator, 429) == 0


def test_a_query_goes_before_the_batches_of_other_processes(
    emulator: Emulator, start: Callable[..., list[Worker]], shared: str, account: dict[str, Any]
) -> None:
    """Counted by the emulator: how many requests of batches were let in while a query waited."""
    emulator.configure(limits={"text": [(LIMIT, 1.0)]}, latency_sec=LATENCY, limit_headers="none")
    limits = RateLimits(text=(Window(LIMIT, 1.0),), shared=shared)
    client = EmbeddingClient(**account, rate_limits=limits)
    client.embed("the first query")  # from now on the batches leave a share
    workers = start(shared=shared, windows=[(LIMIT, 1.0)])
    while statuses(emulator, 200) < TOTAL // 3:
        time.sleep(0.005)
    for query in range(5):
        before = len(emulator.requests)
        client.embed(f"query {query}")
        assert len(emulator.requests) - before <= LIMIT // 2
        time.sleep(0.1)
    assert [worker.end()["found"] for worker in workers] == [EACH] * PROCESSES
    assert statuses(emulator, 429) == 0


@pytest.mark.skipif(not is_installed(), reason=MISSING)
@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_redis_may_be_gone_for_a_while(
    emulator: Emulator, start: Callable[..., list[Worker]], redis_server: RedisServer, how: str
) -> None:
    configure(emulator, limit_headers="none")
    workers = start(shared=redis_server.url, windows=[(LIMIT, SECONDS)])
    while statuses(emulator, 200) < TOTAL // 3:
        time.sleep(0.005)
    (redis_server.stop if how == "stopped" else redis_server.freeze)()
    time.sleep(1.2)
    (redis_server.start if how == "stopped" else redis_server.go_on)()
    assert [worker.end()["found"] for worker in workers] == [EACH] * PROCESSES
    assert (statuses(emulator, 200), statuses(emulator, 429)) == (TOTAL, 0)


def test_what_a_process_leased_is_free_when_it_ends(
    emulator: Emulator, account: dict[str, Any], shared: str, script: Callable[..., Any]
) -> None:
    emulator.configure(limits={"text": [(20, 3600.0)]}, limit_headers="none")
    code = f"""
        from twelvelabs_core import EmbeddingClient, RateLimits, Window
        limits = RateLimits(text=(Window(20, 3600.0),), shared={shared!r})
        client = EmbeddingClient(**{account!r}, rate_limits=limits, max_wait=1)
        client.embed_many([f"text {{i}}" for i in range(10)])
    """
    for _ in range(2):
        script(code)
    assert statuses(emulator, 200) == 20
    with pytest.raises(AssertionError, match="QuotaExceededError"):
        script(code)
    assert statuses(emulator, 429) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_children_share_with_their_parent(
    emulator: Emulator, account: dict[str, Any], shared: str, script: Callable[..., Any]
) -> None:
    configure(emulator, limit_headers="none")
    script(
        f"""
        import os, signal
        from twelvelabs_core import EmbeddingClient, RateLimits, Window
        limits = RateLimits(text=(Window({LIMIT}, {SECONDS}),), shared={shared!r})
        client = EmbeddingClient(**{account!r}, rate_limits=limits)
        client.embed_many([f"parent {{i}}" for i in range({LIMIT})])
        children = []
        for child in range(3):
            children.append(os.fork())
            if children[-1] == 0:
                signal.alarm(30)
                try:
                    client.embed_many([f"child {{child}} {{i}}" for i in range({LIMIT})])
                    os._exit(0)
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(7)
        client.embed_many([f"parent again {{i}}" for i in range({LIMIT})])
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """,
        *QUIET_FORK,
    )
    assert (statuses(emulator, 200), statuses(emulator, 429)) == (5 * LIMIT, 0)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_of_a_pool_share_by_the_one_setting(
    emulator: Emulator, account: dict[str, Any], tmp_path: Path, script: Callable[..., Any], method: str
) -> None:
    shared = str(tmp_path / "limits.sqlite")
    configure(emulator, limit_headers="none")
    script(
        f"""
        import multiprocessing
        from langchain_twelvelabs import TwelveLabsEmbeddings
        from twelvelabs_core import RateLimits, Window

        def embed(given):
            model, texts = given
            return len(model.embed_documents(texts))

        if __name__ == "__main__":
            limits = RateLimits(text=(Window({LIMIT}, {SECONDS}),), shared={shared!r})
            model = TwelveLabsEmbeddings(**{account!r}, rate_limits=limits)
            parts = [(model, [f"text {{i}} of part {{part}}" for i in range({LIMIT})]) for part in range(4)]
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                assert pool.map(embed, parts, chunksize=1) == [{LIMIT}] * 4
                pool.close()
                pool.join()
        """,
        *QUIET_FORK,
    )
    assert (statuses(emulator, 200), statuses(emulator, 429)) == (4 * LIMIT, 0)


def test_an_ingestion_pipeline_with_workers_shares(
    emulator: Emulator, account: dict[str, Any], tmp_path: Path, script: Callable[..., Any]
) -> None:
    configure(emulator, limit_headers="none")
    script(
        f"""
        from llama_index.core.ingestion import IngestionPipeline
        from llama_index.core.schema import TextNode
        from llama_index_twelvelabs import TwelveLabsEmbedding
        from twelvelabs_core import RateLimits, Window

        if __name__ == "__main__":
            limits = RateLimits(text=(Window({LIMIT}, {SECONDS}),), shared={str(tmp_path / "limits.sqlite")!r})
            model = TwelveLabsEmbedding(**{account!r}, rate_limits=limits, num_workers=None)
            nodes = [TextNode(text=f"text {{i}}") for i in range(3 * {LIMIT})]
            found = IngestionPipeline(transformations=[model]).run(nodes=nodes, num_workers=4)
            assert len(found) == len(nodes) and all(node.embedding for node in found)
        """,
        *QUIET_FORK,
    )
    assert (statuses(emulator, 200), statuses(emulator, 429)) == (3 * LIMIT, 0)


def test_a_file_that_cannot_be_written_is_an_error_before_anything_is_sent(
    emulator: Emulator, account: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    limits = RateLimits.free(shared=tmp_path / "file" / "limits.sqlite")
    client = EmbeddingClient(**account, rate_limits=limits)
    with pytest.raises(SharedLimitsError, match="must be writable"):
        client.embed_many([f"text {i}" for i in range(500)])
    with pytest.raises(SharedLimitsError, match="must be writable"):
        client.embed("a query")
    assert emulator.requests == []


def test_a_redis_that_was_never_there_is_an_error_before_anything_is_sent(
    emulator: Emulator, account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "START_SEC", 0.3)
    limits = RateLimits.free(shared="redis://:Sesame-Open-7391@127.0.0.1:9/0")
    with pytest.raises(SharedLimitsError, match="Is it running") as caught:
        EmbeddingClient(**account, rate_limits=limits).embed_many([f"text {i}" for i in range(500)])
    assert "Sesame" not in str(caught.value)
    assert emulator.requests == []


def test_without_sharing_a_429_within_the_limit_is_explained_once(
    emulator: Emulator, account: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    configure(emulator, limit_headers="none", retry_after="seconds")
    limits = RateLimits(text=(Window(10 * LIMIT, SECONDS),))  # as if another process had used most of it
    client = EmbeddingClient(**account, rate_limits=limits, max_concurrency=2 * LIMIT)
    assert len(client.embed_many([f"text {i}" for i in range(4 * LIMIT)])) == 4 * LIMIT
    assert [
        record.getMessage().count("shared=") for record in caplog.records if "uses this" in record.getMessage()
    ] == [1]
    assert statuses(emulator, 429) > 0


def test_sharing_is_named_with_the_limits(account: dict[str, Any], tmp_path: Path) -> None:
    """Nothing of the key is in the file."""
    path = tmp_path / "limits.sqlite"
    client = EmbeddingClient(**account, rate_limits=RateLimits(text=(Window(5, 1.0),), shared=str(path)))
    client.embed("a text")
    key = account["api_key"].encode()
    assert all(key not in found.read_bytes() for found in tmp_path.iterdir())
    assert path.exists()
