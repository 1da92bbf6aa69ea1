"""Full disks, read-only and damaged caches."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from twelvelabs_core import CacheError, EmbeddingClient, TwelveLabsError

from ..scenario import ROOT, Run, python_environment, scenario, serving
from ..truth import identity_of_text, judge
from .faults import settings

TEXTS = 1000

FULL = """
import json, resource, sys
given = json.loads(sys.argv[1])
from twelvelabs_core import EmbeddingClient, CacheError, BatchError, TwelveLabsError
from tests.chaos.truth import identity_of_text, judge
client = EmbeddingClient(**given["client"])
client.embed("warm up")
resource.setrlimit(resource.RLIMIT_FSIZE, (given["bytes"], resource.RLIM_INFINITY))
try:
    results, raised = client.embed_many(given["texts"]), "nothing"
except TwelveLabsError as error:
    results, raised = error.results or [None] * len(given["texts"]), type(error).__name__
except BaseException as error:
    results, raised = [None] * len(given["texts"]), "raw " + type(error).__name__
found = judge([identity_of_text(t) for t in given["texts"]], [None if r is None else r.vector for r in results])
sys.stdout.write(json.dumps({"raised": raised, **found}) + "\\n")
"""


def worker(script: str, given: dict[str, Any], seconds: float = 60, **more: Any) -> tuple[int, dict[str, Any]]:
    """Run a script in a process of its own. Returns its status and the JSON it printed last."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, json.dumps(given)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=python_environment(),
            timeout=seconds,
            **more,
        )
    except subprocess.TimeoutExpired:
        return 124, {"stderr": "no end"}
    lines = done.stdout.strip().splitlines()
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return done.returncode, {**told, "stderr": done.stderr[-400:]}


@scenario("disk-full", limit_sec=200)
def disk_full(run: Run) -> None:
    """The disk is full in the middle of a batch: it stops with everything in hand, or goes on if it is told to."""
    texts = [f"text {i} for a full disk" for i in range(run.count(TEXTS, 100))]
    for limit in (300_000, 700_000) if run.scale >= 0.1 else (300_000,):
        for ignore in (False, True):
            with serving(latency_sec=0.01) as server:
                cache = run.folder / f"full-{limit}-{ignore}.sqlite"
                client = settings(**server.account(), cache=str(cache), max_concurrency=16)
                if ignore:
                    client["cache_errors"] = "ignore"
                _, told = worker(FULL, {"client": client, "texts": texts, "bytes": limit})
                paid = server.counts()["performed"] - 1
                name = f"{limit} bytes, ignore: {ignore}"
                in_hand = told.get("right", 0)
                run.add(runs=1, paid=paid, in_hand=in_hand)
                run.check(told.get("wrong", 1) + told.get("misplaced", 1) == 0, f"{name}: {told}")
                run.check(paid == in_hand, f"{name}: {paid} paid, {in_hand} in hand: {told}")
                if ignore:
                    run.check(told.get("raised") == "nothing" and in_hand == len(texts), f"{name}: {told}")
                else:
                    run.check(told.get("raised") == "CacheError", f"{name}: raised {told.get('raised')}: {told}")
                    run.check(in_hand < len(texts), f"{name}: went on paying to the end")
                kept = EmbeddingClient(**settings(**server.account()), cache=str(cache)).embed_many(texts)
                found = judge([identity_of_text(text) for text in texts], [one.vector for one in kept])
                run.check(found["right"] == len(texts), f"{name}: afterwards {dict(found)}")
    run.tried = "a limit on the file's size in the middle of a batch, with cache_errors raise and ignore"


READ_ONLY = """
import json, os, sys
given = json.loads(sys.argv[1])
from twelvelabs_core import EmbeddingClient, TwelveLabsError
from tests.chaos.truth import identity_of_text, judge
EmbeddingClient(**{**given["client"], "cache": None}).embed("warm up")  # everything is imported
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
told = {"raised": "nothing"}
try:
    client = EmbeddingClient(**given["client"])
    found = client.embed_many(given["kept"])
    told.update(judge([identity_of_text(t) for t in given["kept"]], [f.vector for f in found]))
    told["cached"] = sum(f.cached for f in found)
    client.embed_many(given["new"])
except TwelveLabsError as error:
    told["raised"], told["error"] = type(error).__name__, str(error)
    told["in_hand"] = sum(r is not None for r in error.results)
sys.stdout.write(json.dumps(told) + "\\n")
"""


@scenario("read-only-cache", limit_sec=120)
def read_only(run: Run) -> None:
    """A cache that may only be read: what is in it is read, and nothing is paid for that cannot be kept."""
    kept = [f"text {i} that is kept" for i in range(100)]
    new = [f"text {i} that is new" for i in range(200)]
    with serving() as server:
        folder = Path("/var/tmp") / f"chaos-{os.getpid()}"  # where other users may look
        folder.mkdir()
        try:
            cache = folder / "read-only.sqlite"
            EmbeddingClient(**settings(**server.account()), cache=str(cache)).embed_many(kept)
            for file in folder.iterdir():
                file.chmod(0o444)
            folder.chmod(0o555)
            before = server.counts()["performed"]
            client = settings(**server.account(), cache=str(cache), max_concurrency=16)
            status, told = worker(READ_ONLY, {"client": client, "kept": kept, "new": new})
            paid = server.counts()["performed"] - before - 1
            run.check(status == 0 and told.get("right") == told.get("cached") == len(kept), f"cached texts: {told}")
            run.check(told.get("raised") == "CacheError", f"new texts: {told}")
            run.check(paid <= 16 and paid == told.get("in_hand", 0), f"{paid} paid, {told.get('in_hand', 0)} in hand")
            run.outcome = {"read": told.get("cached", 0), "paid_before_it_stopped": paid}
        finally:
            folder.chmod(0o755)
            shutil.rmtree(folder)


def damage(path: Path, numbers: random.Random) -> str:
    """Damage a file in one of many ways; returns which."""
    content = bytearray(path.read_bytes())
    how = numbers.choice(
        [
            "flips",
            "many flips",
            "cut",
            "cut at a page",
            "zero page",
            "foreign page",
            "swapped pages",
            "head",
            "tail",
            "empty",
            "text",
        ]
    )
    pages = max(1, len(content) // 16_384)

    def page() -> int:
        return numbers.randrange(pages) * 16_384

    if how == "flips":
        for _ in range(numbers.randrange(1, 40)):
            content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    elif how == "many flips":
        for _ in range(numbers.randrange(200, 3000)):
            content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    elif how == "cut":
        del content[numbers.randrange(len(content)) :]
    elif how == "cut at a page":
        del content[page() :]
    elif how == "zero page":
        start = page()
        content[start : start + 16_384] = bytes(16_384)
    elif how == "foreign page":
        start = page()
        content[start : start + 16_384] = numbers.randbytes(16_384)
    elif how == "swapped pages":
        one, two = page(), page()
        content[one : one + 16_384], content[two : two + 16_384] = (
            content[two : two + 16_384],
            content[one : one + 16_384],
        )
    elif how == "head":
        content[:100] = numbers.randbytes(100)
    elif how == "tail":
        content += numbers.randbytes(numbers.randrange(1, 50_000))
    elif how == "empty":
        content.clear()
    else:
        content[:] = b"this is not a database\n" * 1000
    with path.open("r+b") as file:  # the same file, so that whoever has it open sees it
        file.truncate(0)
        file.write(content)
    return how


@scenario("damaged-cache", limit_sec=300)
def damaged_cache(run: Run) -> None:
    """A cache that was damaged at random while nobody had it open: right vectors or a CacheError, and no raw error."""
    numbers = random.Random(run.seed)
    texts = [f"text {i} in a damaged cache" for i in range(300)]
    identities = [identity_of_text(text) for text in texts]
    with serving() as server:
        account = settings(**server.account())
        good = run.folder / "good.sqlite"
        EmbeddingClient(**account, cache=str(good)).embed_many(texts)
        with sqlite3.connect(good) as opened:
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.close()
        for number in range(run.count(200, 10)):
            damaged = run.folder / f"damaged-{number}.sqlite"
            shutil.copy(good, damaged)
            how = damage(damaged, numbers)
            if numbers.random() < 0.2:
                damaged.with_name(damaged.name + "-wal").write_bytes(numbers.randbytes(50_000))
                how += " and a foreign -wal"
            vectors: list[Any] = [None] * len(texts)
            try:
                vectors = [found.vector for found in EmbeddingClient(**account, cache=str(damaged)).embed_many(texts)]
            except CacheError:
                run.add(cache_errors=1)
            except TwelveLabsError as error:
                run.check(False, f"{how}: {error!r:.150}")
            except Exception as error:
                run.check(False, f"{how}: raw {error!r:.150}")
            found = judge(identities, vectors)
            run.add(files=1, wrong=found["wrong"] + found["misplaced"])
            run.check(found["wrong"] + found["misplaced"] == 0, f"{how}: {dict(found)}")
            for left in run.folder.glob(f"{damaged.name}*"):
                left.unlink()
    run.tried = (
        f"{run.outcome['files']} damaged copies of a cache of 300 vectors (flips, cuts, foreign and swapped pages)"
    )


OPEN = """
import json, random, sys
from pathlib import Path
given = json.loads(sys.argv[1])
from twelvelabs_core import EmbeddingClient, CacheError, TwelveLabsError
from tests.chaos.truth import identity_of_text, judge
from tests.chaos.scenarios.disk import damage
client = EmbeddingClient(**given["client"])
client.embed_many(given["texts"][:100])
told = {"raised": "nothing", "wrong": 0, "misplaced": 0}
told["how"] = damage(Path(given["client"]["cache"]), random.Random(given["seed"]))
for part in (given["texts"][:100], given["texts"], given["texts"]):
    try:
        found = judge([identity_of_text(t) for t in part], [f.vector for f in client.embed_many(part)])
        told["wrong"] += found["wrong"]; told["misplaced"] += found["misplaced"]
    except TwelveLabsError as error:
        told["raised"] = type(error).__name__
    except Exception as error:
        told["raised"] = "raw " + repr(error)[:150]
sys.stdout.write(json.dumps(told) + "\\n")
"""


@scenario("damaged-while-open", limit_sec=400)
def damaged_while_open(run: Run) -> None:
    """A cache that is damaged while a process has it open: the process lives, and no vector is wrong."""
    texts = [f"text {i} in a cache that is open" for i in range(300)]
    with serving() as server:
        for number in range(run.count(40)):
            cache = run.folder / f"open-{number}.sqlite"
            given: dict[str, Any] = {
                "client": settings(**server.account(), cache=str(cache)),
                "texts": texts,
                "seed": run.seed * 1000 + number,
            }
            EmbeddingClient(**given["client"]).embed_many(texts)
            status, told = worker(OPEN, given)
            what = f"{told.get('how', 'killed by ' + _signal(status))}"
            run.add(processes=1, cache_errors=told.get("raised") == "CacheError")
            run.check(status == 0, f"{what}: the process ended with {_signal(status)}: {told['stderr']}")
            run.check(told.get("wrong", 0) + told.get("misplaced", 0) == 0, f"{what}: {told}")
            run.check(told.get("raised") in ("nothing", "CacheError", None), f"{what}: {told.get('raised')}")
    run.tried = f"{run.outcome['processes']} processes whose cache is overwritten, cut or foreign while they use it"


def _signal(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"
