"""Processes that are killed at random moments, two at a time on one cache."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from tests.support import media
from twelvelabs_core import EmbeddingClient, Model, Segment, Video
from twelvelabs_core._embed import route
from twelvelabs_core._embed.multipart import PARALLEL_PARTS
from twelvelabs_core._models import MODELS

from ..scenario import ROOT, Run, python_environment, scenario, serving
from ..truth import identity_of_text, judge
from .faults import settings

ROUNDS = 50
AT_ONCE = 16
TEXTS = 400

TEXT_WORKER = """
import json, sys
given = json.loads(sys.argv[1])
from twelvelabs_core import EmbeddingClient
client = EmbeddingClient(**given["client"])
client.embed("warm up")
print("ready", flush=True); sys.stdin.readline()
client.embed_many(given["texts"])
print(json.dumps({"paid_again": client.stats.paid_again}), flush=True)
"""


def start(script: str, given: dict[str, Any]) -> subprocess.Popen[str]:
    """A worker that waits until it is let go."""
    return subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=python_environment(),
    )


def let_go(workers: list[subprocess.Popen[str]]) -> None:
    """Start them at once, when all have loaded."""
    for worker in workers:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        assert line == "ready\n", f"{line!r}: {worker.communicate()}"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()


def ended(worker: subprocess.Popen[str], seconds: float) -> tuple[int | None, str, str]:
    """Status and what it printed; None for the status if it does not end."""
    try:
        out, err = worker.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        worker.kill()
        out, err = worker.communicate()
        return None, out, err
    return worker.returncode, out, err


def sound(cache: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    if not cache.exists():
        return True
    connection = sqlite3.connect(cache)
    try:
        return [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
    except sqlite3.Error:
        return False
    finally:
        connection.close()


@scenario("kill-texts", limit_sec=900)
def kill_texts(run: Run) -> None:
    """Two processes embed the same texts into one cache; one or both are killed at random; a third completes."""
    numbers = random.Random(run.seed)
    cache = run.folder / "shared.sqlite"
    rounds = run.count(ROUNDS)
    with serving() as server:
        for number in range(rounds):
            texts = [f"text {i} of round {number}" for i in range(TEXTS)]
            server.rules(latency_sec=0.01)
            account = settings(**server.account(), cache=str(cache), max_concurrency=AT_ONCE)
            workers = [start(TEXT_WORKER, {"client": account, "texts": texts}) for _ in range(2)]
            let_go(workers)
            time.sleep(numbers.uniform(0, 0.5))
            doomed = workers if numbers.random() < 0.5 else workers[:1]
            for worker in doomed:
                worker.send_signal(signal.SIGKILL)
            killed = 0
            for worker in workers:
                status, _, err = ended(worker, 60)
                killed += status == -signal.SIGKILL
                run.check(status is not None, f"round {number}: the surviving process did not end")
                if worker not in doomed:
                    run.check(status in (0, None), f"round {number}: the survivor failed: {err[-300:]}")
            began = time.monotonic()
            client = EmbeddingClient(**account)
            vectors = [found.vector for found in client.embed_many(texts)]
            took = time.monotonic() - began
            found = judge([identity_of_text(text) for text in texts], vectors)
            each = Counter(server.performed_each())
            paid_twice = sum(each[identity_of_text(text)] - 1 for text in texts)
            run.add(rounds=1, killed=killed, texts=len(texts), paid_twice=paid_twice)
            run.outcome["longest_resumption_sec"] = max(run.outcome.get("longest_resumption_sec", 0.0), round(took, 1))
            run.check(found["right"] == len(texts), f"round {number}: {dict(found)}")
            run.check(all(each[identity_of_text(text)] for text in texts), f"round {number}: a vector out of nowhere")
            run.check(
                paid_twice <= AT_ONCE * killed,
                f"round {number}: {paid_twice} texts paid twice, {killed} processes killed with {AT_ONCE} in flight",
            )
            run.check(took < 30, f"round {number}: the next process took {took:.1f} s")
            run.check(sound(cache), f"round {number}: the cache is corrupt")
    run.tried = f"{rounds} rounds of {TEXTS} texts, two processes on one cache, kill -9"


# -- tasks and uploads, against the emulator --------------------------------------------------------------------------


class EmulatorProcess:
    """``python -m twelvelabs_emulator`` in a process of its own."""

    def __init__(self, **changes: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "twelvelabs_emulator", "--port", "0", "--any-key"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=python_environment(),
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        found = re.search(r"http://\S+/v1\.3", first)
        assert found, first
        self.base_url = found[0]
        self._control = httpx.Client(base_url=self.base_url.removesuffix("/v1.3") + "/_emulator")
        self.configure(**changes)

    def configure(self, **changes: Any) -> None:
        self._control.post("/settings", json={"api_keys": [], **changes}).raise_for_status()

    def reset(self, **changes: Any) -> None:
        self._control.post("/reset").raise_for_status()
        self.configure(**changes)

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._control.get("/requests").json()["data"]
        return found

    def close(self) -> None:
        self._control.close()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def emulating(**changes: Any) -> Iterator[EmulatorProcess]:
    emulator = EmulatorProcess(**changes)
    try:
        yield emulator
    finally:
        emulator.close()


PART_BYTES = 5_000


def small_model(inline: int) -> Model:
    """marengo3.5, with a limit on files in requests that small files exceed."""
    known = MODELS["marengo3.5"]
    return replace(
        known,
        media={kind: replace(limit, max_inline_bytes=inline, max_bytes=10**9) for kind, limit in known.media.items()},
        task_media={kind: replace(limit, max_inline_bytes=inline) for kind, limit in known.task_media.items()},
    )


def embed_videos(given: dict[str, Any]) -> list[list[Segment]]:
    """The segments of videos: inside the request, uploaded whole, or in parts."""
    inline = {"inline": 10**8, "whole": 1000, "parts": 1000}[given["how"]]
    if given["how"] == "parts":
        route.DIRECT_BYTES = 1000
    client = EmbeddingClient(small_model(inline), **given["client"])
    found = client.embed_segments_many([Video(path) for path in given["videos"]])
    given["paid_again"] = client.stats.paid_again
    return found


VIDEO_WORKER = """
import json, sys
given = json.loads(sys.argv[1])
from tests.chaos.scenarios.crashes import embed_videos
import httpx, aiohttp, av
from twelvelabs_core import EmbeddingClient
print("ready", flush=True); sys.stdin.readline()
embed_videos(given)
print(json.dumps({"paid_again": given["paid_again"]}), flush=True)
"""

COLORS = ("red", "blue", "green", "yellow", "purple", "orange")


def make_videos(folder: Path, count: int) -> list[str]:
    """Different videos of different lengths; the last two are of one length."""
    paths = []
    for i in range(count):
        scenes = ((COLORS[i % 6], 3 + min(i, count - 2), 200 + 50 * i), (COLORS[(i + 1) % 6], 2, 0))
        path = folder / f"video {i}.mp4"
        path.write_bytes(media.mp4(scenes, size=(360, 360), fps=4))
        paths.append(str(path))
    return paths


@dataclass
class Created:
    """What the service has made, by its own account of requests.

    Attributes:
        tasks: how often a task was created for each file. Keys are digests or assets.
        uploads: how often each file was uploaded: whole, by digest, or in parts, by session. A session counts if a part
            has arrived in it.
        parts: the parts that have arrived.
        sessions: uploads in parts that were begun.
    """

    tasks: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    parts: int = 0
    sessions: int = 0

    @classmethod
    def by(cls, requests: list[dict[str, Any]]) -> Created:
        created, in_parts = cls(), set()
        for request in requests:
            method, path, body, status = (request[name] for name in ("method", "path", "body", "status"))
            if part := re.search(r"/upload-part/([^/]+)/", path):
                if method == "PUT" and status == 200:  # None: cut short
                    in_parts.add(part[1])
                    created.parts += 1
            elif method != "POST" or not 200 <= (status or 200) < 300:  # None: performed, and dropped
                continue
            elif path.endswith("/assets"):
                created.uploads[str(body.get("file", {}).get("sha256"))] += 1
            elif path.endswith("multipart-uploads"):
                created.sessions += 1
            elif path.endswith("embed-v2/tasks"):
                source = body["video"]["media_source"]
                created.tasks[str(source.get("asset_id") or source.get("base64_string"))] += 1
        created.uploads.update(in_parts)
        return created


def _same(found: list[list[Segment]], right: list[list[Segment]]) -> int:
    """How many videos have other vectors than they should."""
    wrong = 0
    for one, two in zip(found, right, strict=True):
        same = len(one) == len(two) and all(
            (a.option, a.scope, a.start_sec) == (b.option, b.scope, b.start_sec)
            and max(abs(x - y) for x, y in zip(a.vector, b.vector, strict=True)) < 1e-6
            for a, b in zip(one, two, strict=True)
        )
        wrong += not same
    return wrong


def _kill_videos(run: Run, how: str, faults: list[dict[str, Any]]) -> None:
    numbers = random.Random(run.seed)
    videos = make_videos(run.folder, 6 if run.scale >= 0.02 else 3)
    rounds = run.count(ROUNDS)
    slow = {"task_sec": 0.4, "asset_ready_sec": 0.2, "latency_sec": 0.02, "chunk_bytes": PART_BYTES}
    with emulating(**slow) as emulator:
        client = settings(api_key="tlk_chaos", base_url=emulator.base_url, timeout=10.0, total_timeout=30.0)
        right = embed_videos({"how": "inline", "client": client, "videos": videos})
        for number in range(rounds):
            emulator.reset(**slow, faults=[{**fault, "seed": number} for fault in faults])
            cache = run.folder / f"videos-{number}.sqlite"
            given: dict[str, Any] = {
                "how": how,
                "client": {**client, "api_key": f"tlk_chaos{number}", "cache": str(cache)},
                "videos": videos,
            }
            workers = [start(VIDEO_WORKER, given) for _ in range(2)]
            let_go(workers)
            time.sleep(numbers.uniform(0, 2.0))
            doomed = workers if numbers.random() < 0.7 else workers[:1]
            for worker in doomed:
                worker.send_signal(signal.SIGKILL)
            killed = 0
            for worker in workers:
                status, _, err = ended(worker, 90)
                killed += status == -signal.SIGKILL
                run.check(status is not None, f"round {number}: the surviving process did not end")
                if worker not in doomed:
                    run.check(status in (0, None), f"round {number}: the survivor failed: {err[-300:]}")
            emulator.configure(faults=[])
            began = time.monotonic()
            found = embed_videos(given)
            took = time.monotonic() - began
            wrong = _same(found, right)
            created = Created.by(emulator.requests())
            tasks_twice = created.tasks.total() - len(videos)
            uploads_twice = created.uploads.total() - len(videos) if how != "inline" else 0
            run.add(rounds=1, videos=len(videos), wrong=wrong, tasks_twice=tasks_twice, uploads_twice=uploads_twice)
            run.outcome["longest_resumption_sec"] = max(run.outcome.get("longest_resumption_sec", 0.0), round(took, 1))
            run.check(wrong == 0, f"round {number}: {wrong} videos have wrong segments")
            run.check(tasks_twice == 0, f"round {number}: {tasks_twice} tasks were created twice")
            run.check(uploads_twice == 0, f"round {number}: {uploads_twice} files were uploaded twice")
            run.check(min(tasks_twice, uploads_twice) >= 0, f"round {number}: vectors without a task or an upload")
            if how == "parts":
                parts_twice = created.parts - sum(-(-Path(path).stat().st_size // PART_BYTES) for path in videos)
                left = created.sessions - created.uploads.total()
                run.add(parts_twice=parts_twice, sessions_left=left)
                run.check(
                    0 <= parts_twice <= PARALLEL_PARTS * len(videos) * killed,
                    f"round {number}: {parts_twice} parts arrived twice, {killed} processes killed",
                )
                # Created while the process was killed: no list of the service tells by which name.
                run.check(
                    0 <= left <= len(videos) * killed,
                    f"round {number}: {left} sessions left behind, {killed} processes killed",
                )
            run.check(sound(cache), f"round {number}: the cache is corrupt")
            run.check(took < 90, f"round {number}: the next process took {took:.1f} s")
    run.tried = (
        f"{rounds} rounds of {len(videos)} videos ({how}) by tasks, two processes on one cache, kill -9, then resumed"
    )


@scenario("kill-tasks", limit_sec=900)
def kill_tasks(run: Run) -> None:
    """Two processes embed videos by tasks, inside the request; they are killed at random, and a third completes."""
    _kill_videos(run, "inline", [])


@scenario("kill-uploads", limit_sec=900)
def kill_uploads(run: Run) -> None:
    """Two processes upload videos and embed them by tasks; they are killed at random, and a third completes."""
    _kill_videos(run, "whole", [])


@scenario("kill-uploads-in-parts", limit_sec=900)
def kill_uploads_in_parts(run: Run) -> None:
    """Two processes upload videos in parts for tasks; they are killed at random, and a third completes."""
    _kill_videos(run, "parts", [])


LOST = [
    {"path": "embed-v2/tasks", "method": "POST", "kind": "lost", "probability": 0.4},
    {"path": "embed-v2/tasks", "method": "GET", "kind": "drop", "probability": 0.1},
    {"path": "embed-v2/tasks/*", "method": "GET", "kind": "status:503", "probability": 0.1},
    {"path": "embed-v2/tasks/*", "method": "GET", "kind": "nan", "probability": 0.1},
    {"path": "assets/*", "method": "GET", "kind": "drop_half", "probability": 0.1},
    {"path": "upload-part", "kind": "drop", "probability": 0.1},
]


@scenario("lost-task-answers", limit_sec=600)
def lost_task_answers(run: Run) -> None:
    """Two fifths of the answers to new tasks are lost: no video gets another's vectors; what is paid again is told."""
    videos = make_videos(run.folder, 6)
    with emulating(task_sec=0.2, chunk_bytes=PART_BYTES) as emulator:
        client = settings(api_key="tlk_chaos", base_url=emulator.base_url, timeout=10.0, total_timeout=30.0)
        right = embed_videos({"how": "inline", "client": client, "videos": videos})
        for number in range(run.count(24, 3)):
            how = ("inline", "whole", "parts")[number % 3]
            emulator.reset(task_sec=0.2, chunk_bytes=PART_BYTES, faults=[{**fault, "seed": number} for fault in LOST])
            cache = {"cache": str(run.folder / f"lost-{number}.sqlite")} if number % 2 else {}
            given: dict[str, Any] = {
                "how": how,
                "client": {**client, "api_key": f"tlk_lost{number}", **cache},
                "videos": videos,
            }
            try:
                found = embed_videos(given)
            except Exception as error:
                run.check(False, f"round {number} ({how}): {error!r:.200}")
                continue
            wrong = _same(found, right)
            again = Created.by(emulator.requests()).tasks.total() - len(videos)
            run.add(rounds=1, videos=len(videos), wrong=wrong, tasks_again=again, paid_again=given["paid_again"])
            run.check(wrong == 0, f"round {number} ({how}): {wrong} videos have another's segments")
            run.check(
                again <= given["paid_again"],
                f"round {number} ({how}): {again} tasks created again, the statistics say {given['paid_again']}",
            )
    run.tried = f"{run.outcome.get('rounds', 0)} runs of 6 videos by tasks, 40 % of the answers to a creation lost"
