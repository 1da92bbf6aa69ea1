"""Forks, spawned workers, threads, loops and the interpreter's end, with ``-X dev -W error``."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..scenario import ROOT, Run, Server, processes, python_environment, scenario, serving, within
from .faults import png, settings

STRICT = ("-X", "dev", "-W", "error", "-W", "ignore:This process:DeprecationWarning")
LIMIT_SEC = 40
# A script hangs if its processes do nothing for so long: less than any timeout that might end it. On a busy machine one
# that works may take minutes.
IDLE_SEC = 15.0
IDLE_CPU_SEC = 0.05  # renewing a claim, for example, is not work
LONGEST_SEC = 300.0

# The filter leaves out asyncio's notes of a busy machine. They say nothing, and a child that is forked while another
# thread is writing one can never write to stderr again: Python keeps the lock of the file.
START = """
import asyncio, faulthandler, json, logging, multiprocessing, os, signal, sys, threading, time
faulthandler.register(signal.SIGUSR1)
logging.getLogger("asyncio").addFilter(lambda record: not str(record.msg).startswith("Executing"))
given = json.loads(sys.argv[1])
from twelvelabs_core import EmbeddingClient, Image, TwelveLabsError
from tests.chaos.truth import identity_of_media, identity_of_text, truth
from tests.chaos.scenarios.processes import use
"""


def use(client: Any, how: str, label: str, image: str) -> None:
    """One use of a client or adapter, checked."""
    from ..truth import identity_of_media, identity_of_text, truth

    texts = [f"{label} {i}" for i in range(20)]
    right = [truth(identity_of_text(text)) for text in texts]
    if how == "texts":
        assert [found.vector for found in client.embed_many(texts)] == right
    elif how == "one":
        assert client.embed(texts[0]).vector == right[0]
    elif how == "stream":
        assert [result.embedding.vector for result in client.stream(texts)] == right
    elif how == "async":
        import asyncio

        async def all_of_it() -> list[Any]:
            return [found.vector for found in await client.aembed_many(texts)]

        assert asyncio.run(all_of_it()) == right
    elif how == "images":
        from twelvelabs_core import Image

        content = Path(image).read_bytes()
        assert client.embed(Image(image)).vector == truth(identity_of_media("image", content))
    elif how == "langchain":
        from langchain_twelvelabs import TwelveLabsEmbeddings

        assert isinstance(client, TwelveLabsEmbeddings)
        assert client.embed_documents(texts) == right
    elif how == "llama-index":
        assert client.get_text_embedding_batch(texts) == right
    else:
        raise AssertionError(how)


def make(how: str, given: dict[str, Any]) -> Any:
    """What :func:`use` takes."""
    if how == "langchain":
        from langchain_twelvelabs import TwelveLabsEmbeddings

        return TwelveLabsEmbeddings(**given)
    if how == "llama-index":
        from llama_index_twelvelabs import TwelveLabsEmbedding

        return TwelveLabsEmbedding(**given)
    from twelvelabs_core import EmbeddingClient

    return EmbeddingClient(**given)


USES = ("texts", "one", "stream", "async", "images", "langchain", "llama-index")

FORK = """
from tests.chaos.scenarios.processes import make
client = make(given["how"], given["client"])
use(client, given["how"], "before the fork", given["image"])
background = None
if given["busy"]:                         # the loop, the cache and the limiter are at work while it forks
    texts = [f"under way {i}" for i in range(1000)]
    model = EmbeddingClient(**given["client"])
    background = threading.Thread(target=lambda: model.embed_many(texts))
    background.start()
    time.sleep(0.15)
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            use(client, given["how"], "before the fork", given["image"])
            use(client, given["how"], f"child {number}", given["image"])
            grandchild = os.fork()
            if grandchild == 0:
                try:
                    use(client, given["how"], f"grandchild {number}", given["image"])
                    os._exit(0)
                finally:
                    os._exit(1)
            status = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
        except BaseException:
            import traceback; traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    children.append(child)
for child in children:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, status
use(client, given["how"], "after the fork", given["image"])
if background is not None:
    background.join()
"""

POOLS = """
from tests.chaos.scenarios.processes import make
def work(pair):
    client, label = pair
    use(client, given["how"], label, given["image"])
    return os.getpid()
if __name__ == "__main__":
    client = make(given["how"], given["client"])
    use(client, given["how"], "before", given["image"])
    with multiprocessing.get_context(given["method"]).Pool(2) as pool:
        assert len(pool.map(work, [(client, f"task {i % 4}") for i in range(8)])) == 8
    use(client, given["how"], "after", given["image"])
"""

THREADS = """
from tests.chaos.scenarios.processes import make
client = make(given["how"], given["client"])
failures = []
def work(number):
    try:
        for turn in range(3):
            use(client, given["how"], f"thread {number % 4} {turn}", given["image"])
    except BaseException as error:
        failures.append(repr(error))
threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
assert not failures, failures[:3]
async def many():                                # several loops at once, one client
    found = await asyncio.gather(*(client.aembed_many([f"loop {i} {j}" for j in range(5)]) for i in range(5)))
    for i, row in enumerate(found):
        assert [v.vector for v in row] == [truth(identity_of_text(f"loop {i} {j}")) for j in range(5)]
if isinstance(client, EmbeddingClient):
    def loop_work():
        try:
            asyncio.run(many())
        except BaseException as error:
            failures.append(repr(error))
    threads = [threading.Thread(target=loop_work) for _ in range(6)]
    [t.start() for t in threads]; [t.join() for t in threads]
    async def cancelled():
        task = asyncio.ensure_future(client.aembed_many([f"cancelled {i}" for i in range(500)]))
        await asyncio.sleep(0.02)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    asyncio.run(cancelled())
    asyncio.run(many())
assert not failures, failures[:3]
"""

#: Ends of a script. Each may print a traceback of its own doing ("expected"), and nothing else.
ENDS = {
    "suspended stream": """
client = EmbeddingClient(**given["client"])
stream = client.stream(f"text {i}" for i in range(100_000))
next(stream); next(stream)
""",
    "suspended stream in a function": """
client = EmbeddingClient(**given["client"])
def first():
    for result in client.stream(f"text {i}" for i in range(100_000)):
        return result
first()
""",
    "suspended astream": """
client = EmbeddingClient(**given["client"])
async def main():
    async for result in client.astream(f"text {i}" for i in range(100_000)):
        break
asyncio.run(main())
""",
    "daemon thread under way": """
client = EmbeddingClient(**given["client"])
def work():
    try:
        client.embed_many([f"text {i}" for i in range(50_000)])
    except TwelveLabsError:
        pass
threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
""",
    "a thread outlives the main thread": """
client = EmbeddingClient(**given["client"])
client.embed("before")
def work():
    time.sleep(0.3)
    found = client.embed_many([f"late {i}" for i in range(50)])
    assert [f.vector for f in found] == [truth(identity_of_text(f"late {i}")) for i in range(50)]
    print("done", flush=True)
threading.Thread(target=work).start()
""",
    "a first call after the main thread": """
client = EmbeddingClient(**given["client"])
def work():
    time.sleep(0.3)
    try:
        client.embed("late")
    except TwelveLabsError:
        pass
threading.Thread(target=work).start()
""",
    "atexit": """
import atexit
client = EmbeddingClient(**given["client"])
client.embed("before")
def late():
    try:
        client.embed("late")
    except TwelveLabsError:
        pass
atexit.register(late)
""",
    "a destructor": """
class Holder:
    def __init__(self): self.client = EmbeddingClient(**given["client"])
    def __del__(self):
        try:
            self.client.embed("in a destructor")
        except TwelveLabsError:
            pass
holder = Holder()
holder.client.embed("before")
holder.me = holder
""",
    "sys.exit in a batch's thread": """
client = EmbeddingClient(**given["client"])
threading.Thread(target=lambda: client.embed_many([f"text {i}" for i in range(300)])).start()
time.sleep(0.05)
sys.exit(0)
""",
    "an uncaught error": """
client = EmbeddingClient(**given["client"])
stream = client.stream(f"text {i}" for i in range(1000))
next(stream)
raise RuntimeError("expected")
""",
    "a task left on a loop": """
client = EmbeddingClient(**given["client"])
async def main():
    task = asyncio.ensure_future(client.aembed_many([f"text {i}" for i in range(50_000)]))
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "a future nobody awaits": """
client = EmbeddingClient(**given["client"])
async def main():
    task = asyncio.ensure_future(client.aembed("one"))
    await asyncio.sleep(0)
    await client.aembed_many(["two", "three"])
asyncio.run(main())
""",
    "clients in cycles": """
import gc
for i in range(20):
    client = EmbeddingClient(**given["client"])
    client.embed(f"text {i}")
    client.me = client
del client
""",
}


def _worker(run: Run, what: str, code: str, **given: Any) -> subprocess.CompletedProcess[str] | None:
    """Run a script; note a failure unless it ends with status 0, does not hang and leaves nothing on stderr."""
    image = run.folder / "image.png"
    image.write_bytes(png(7))
    described = json.dumps({"image": str(image), **given})
    script = run.folder / "script.py"
    script.write_text(START + code)
    run.add(scripts=1)
    # Files and not pipes: what a hung script has forked would hold a pipe open.
    out_path, err_path = run.folder / "stdout", run.folder / "stderr"
    with out_path.open("w") as stdout, err_path.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, *STRICT, str(script), described],
            stdout=stdout,
            stderr=stderr,
            cwd=ROOT,
            env=python_environment(),
            preexec_fn=os.setpgrp,
        )
        try:
            took, ended = _wait(process)
            if not ended:
                stacks = _stacks(process.pid, err_path)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    run.outcome["longest_sec"] = max(run.outcome.get("longest_sec", 0.0), round(took, 1))
    out, err = out_path.read_text(), err_path.read_text()
    if not ended:
        run.add(hung=1)
        run.check(False, f"{what}: hung after {took:.0f} s\n{stacks}")
        return None
    expected = 'RuntimeError("expected")' in code
    if expected:
        err = err.partition("Traceback")[0]
    run.check(process.returncode == (1 if expected else 0), f"{what}: status {process.returncode}: {err[-400:]}")
    run.check(process.returncode != 0 or not err.strip(), f"{what}: left on stderr: {err.strip()[-400:]}")
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _wait(process: subprocess.Popen[bytes]) -> tuple[float, bool]:
    """Wait for a script: seconds, and whether it ended by itself."""
    began = worked = time.monotonic()
    used = 0.0
    while time.monotonic() < began + LONGEST_SEC:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
            return time.monotonic() - began, True
        now_used = sum(processes(group=process.pid).values())
        if abs(now_used - used) > IDLE_CPU_SEC:
            worked, used = time.monotonic(), now_used
        elif time.monotonic() > worked + IDLE_SEC:
            break
    return time.monotonic() - began, False


def _stacks(leader: int, stderr: Path) -> str:
    """What every thread of a script's processes is doing, innermost call first."""
    stacks = ""
    for pid in sorted(processes(group=leader)):
        before = stderr.stat().st_size
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        within(2, lambda before=before: stderr.stat().st_size > before)  # type: ignore[misc]
        time.sleep(0.1)
        stacks += f"process {pid}:\n{stderr.read_bytes()[before:].decode(errors='replace')}"
    return stacks


def _caches(run: Run, cached: bool) -> dict[str, Any]:
    run.outcome["_caches"] = number = run.outcome.get("_caches", 0) + 1
    return {"cache": str(run.folder / f"cache-{number}.sqlite")} if cached else {}


def _client(server: Server, **more: Any) -> dict[str, Any]:
    """Settings with patience: many processes share a processor here."""
    return {**settings(**server.account(), **more), "timeout": 20.0, "total_timeout": 30.0}


@scenario("forks", limit_sec=3000)
def forks(run: Run) -> None:
    """Forks after each kind of use, cached or not, idle or with a batch under way: children and grandchildren work."""
    combinations = list(itertools.product(USES, (False, True), (False, True)))
    rounds = run.count(5)
    chosen = combinations[:: max(1, round(0.2 / run.scale))] if run.scale < 0.2 else combinations
    with serving(latency_sec=0.005) as server:
        for number, (how, cached, busy) in itertools.product(range(rounds), chosen):
            given: dict[str, Any] = {"how": how, "busy": busy, "client": _client(server, **_caches(run, cached))}
            _worker(run, f"fork, {how}, cached {cached}, busy {busy}, round {number}", FORK, **given)
    run.tried = f"{run.outcome['scripts']} scripts with 4 children and 4 grandchildren each, {len(chosen)} kinds of use"


@scenario("pools", limit_sec=900)
def pools(run: Run) -> None:
    """Pools of processes (fork, spawn, forkserver) to which a used client is passed."""
    with serving() as server:
        for how, cached, method in itertools.product(USES, (False, True), ("fork", "spawn", "forkserver")):
            if run.scale < 0.5 and (how not in ("texts", "langchain") or (cached and method != "fork")):
                continue
            given: dict[str, Any] = {"how": how, "method": method, "client": _client(server, **_caches(run, cached))}
            _worker(run, f"{method} pool, {how}, cached {cached}", POOLS, **given)


@scenario("threads-and-loops", limit_sec=600)
def threads(run: Run) -> None:
    """One client in 16 threads and on 6 event loops at a time, calls cancelled in between."""
    with serving(latency_sec=0.002) as server:
        for how, cached in itertools.product(USES, (False, True)):
            if run.scale < 0.5 and how not in ("texts", "llama-index"):
                continue
            given: dict[str, Any] = {"how": how, "client": _client(server, **_caches(run, cached))}
            _worker(run, f"threads, {how}, cached {cached}", THREADS, **given)


@scenario("exits", limit_sec=900)
def exits(run: Run) -> None:
    """The interpreter ends while calls, streams, threads and loops are under way: in time, with nothing on stderr."""
    with serving(latency_sec=0.005) as server:
        for (name, code), cached in itertools.product(ENDS.items(), (False, True)):
            if run.scale < 0.5 and cached and "suspended" not in name:
                continue
            given: dict[str, Any] = {"client": _client(server, **_caches(run, cached))}
            done = _worker(run, f"{name}, cached {cached}", code, **given)
            if "outlives" in name and done is not None:
                run.check("done" in done.stdout, f"{name}, cached {cached}: the thread did not finish")
    run.tried = f"{len(ENDS)} ways to end a script, with and without a cache, under -X dev -W error"


INTERRUPTED = """
client = EmbeddingClient(**given["client"])
client.embed("before")
print("ready", flush=True)
texts = [f"interrupted {i}" for i in range(200_000)]
try:
    if given["how"] == "stream":
        for _ in client.stream(texts): pass
    elif given["how"] == "async":
        asyncio.run(client.aembed_many(texts))
    else:
        client.embed_many(texts)
except KeyboardInterrupt:
    sys.exit(0)
"""


@scenario("interrupts", limit_sec=300)
def interrupts(run: Run) -> None:
    """Ctrl-C in the middle of a batch with a cache: it ends at once, and what was answered before is in the cache."""
    with serving(latency_sec=0.02) as server:
        for number, how in itertools.product(range(run.count(5)), ("batch", "stream", "async")):
            cache = run.folder / f"interrupted-{how}-{number}.sqlite"
            server.rules(latency_sec=0.02)
            client = _client(server, cache=str(cache), max_concurrency=16)
            script = run.folder / "script.py"
            script.write_text(START + INTERRUPTED)
            process = subprocess.Popen(
                [sys.executable, *STRICT, str(script), json.dumps({"how": how, "client": client})],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=python_environment(),
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.4 + 0.1 * number)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            try:
                _, err = process.communicate(timeout=LIMIT_SEC)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                run.check(False, f"{how}: hung after Ctrl-C")
                continue
            took = time.monotonic() - began
            err = re.sub(r"^Executing <.*> took [\d.]+ seconds\n", "", err, flags=re.M)
            run.add(scripts=1)
            run.check(process.returncode == 0 and not err.strip(), f"{how}: status {process.returncode}: {err[-300:]}")
            run.check(took < 10, f"{how}: ended {took:.1f} s after Ctrl-C")
            paid = server.counts()["performed"]
            import sqlite3

            with sqlite3.connect(cache) as opened:
                kept = opened.execute("SELECT count(*) FROM vectors").fetchone()[0]
            opened.close()
            run.add(paid=paid, kept=kept)
            run.check(paid - kept <= 16, f"{how}: {paid} paid, {kept} in the cache")
    run.tried = f"{run.outcome['scripts']} scripts interrupted in a batch, a stream or an async batch, 16 in flight"
