"""Processes that are killed while tasks and uploads are under way: what the next one finds, and what is paid twice."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from twelvelabs_core import EmbeddingClient, Video, no_waiting
from twelvelabs_emulator import Emulator

COLOURS = ("red", "green", "blue", "white", "black", "purple")
MODELS = {"v1": "marengo3.0", "v2": "marengo3.5"}
PATHS = {"v1": "embed/tasks", "v2": "embed-v2/tasks"}

CODE = """
    import sys
    from twelvelabs_core import EmbeddingClient, Video, no_waiting
    model, base_url, key, cache, version, *paths = sys.argv[1:]
    with no_waiting():
        client = EmbeddingClient(model, base_url=base_url, api_key=key, cache=cache, api_version=version)
        client.embed_segments_many([Video(path) for path in paths])
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Videos of the same length and frame, which no list tells apart but by their names."""
    folder = tmp_path_factory.mktemp("videos")
    for colour in COLOURS:
        (folder / f"{colour}.mp4").write_bytes(media.mp4([(colour, 5, 220)], size=(360, 360), fps=2))
    return sorted(folder.iterdir())


class Processes:
    """Processes that embed videos into one cache, and what the server knows of them."""

    def __init__(self, emulator: Emulator, version: str, cache: Path) -> None:
        self.emulator, self.version, self.cache = emulator, version, cache
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, videos: list[Path]) -> None:
        settings = [MODELS[self.version], self.emulator.base_url, self.emulator.api_key, str(self.cache), self.version]
        command = [sys.executable, "-c", textwrap.dedent(CODE), *settings, *map(str, videos)]
        self._running.append(subprocess.Popen(command))

    def kill(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
        self._running.clear()

    def arrived(self, method: str, path: str) -> int:
        """Requests whose path begins so."""
        found = (r for r in self.emulator.requests if r.method == method)
        return sum(r.path.removeprefix("/v1.3").lstrip("/").startswith(path) for r in found)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @property
    def tasks(self) -> int:
        """Tasks that the server has created, and so charged."""
        return self._total(PATHS[self.version])

    @property
    def assets(self) -> int:
        """Assets that the server has."""
        return self._total("assets")

    def _total(self, path: str) -> int:
        with httpx.Client(base_url=self.emulator.base_url, headers={"x-api-key": self.emulator.api_key}) as http:
            found: int = http.get(path).json()["page_info"]["total_results"]
            return found

    def finish(self, videos: list[Path]) -> int:
        """Embed all in this process, each with its own vectors; how many were paid again."""
        settings: dict[str, Any] = {"base_url": self.emulator.base_url, "api_key": self.emulator.api_key}
        settings["api_version"] = self.version
        items = [Video(path) for path in videos]
        self.emulator.configure(faults=())
        with no_waiting():
            client = EmbeddingClient(MODELS[self.version], cache=self.cache, **settings)
            found = client.embed_segments_many(items)
            paid, sent = self.tasks, len(self.emulator.requests)
            assert client.embed_segments_many(items) == found
            assert len(self.emulator.requests) == sent
            fresh = EmbeddingClient(MODELS[self.version], **settings).embed_segments_many(items)
        assert [[s.vector for s in one] for one in found] == [[s.vector for s in one] for one in fresh]
        assert len({tuple(one[0].vector) for one in found}) == len(videos)
        assert paid <= len(videos) + client.stats.paid_again
        return paid - len(videos)


@pytest.fixture(params=["v1", "v2"])
def processes(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Iterator[Processes]:
    emulator.configure(api_keys=(f"tlk_{uuid.uuid4().hex}",))
    processes = Processes(emulator, request.param, tmp_path / "cache.sqlite")
    yield processes
    processes.kill()


LATE = "late:20"  # performed at once, and answered when who sent it is gone


@pytest.mark.parametrize("shown", [True, False])
def test_killed_while_tasks_are_being_created(processes: Processes, videos: list[Path], shown: bool) -> None:
    path = PATHS[processes.version]
    processes.emulator.configure(task_list_filenames=shown, faults=({"path": path, "method": "POST", "kind": LATE},))
    processes.start(videos)
    processes.wait_for(lambda: processes.tasks >= 4)
    processes.kill()
    paid_twice = processes.finish(videos)
    assert paid_twice == 0 if shown else paid_twice >= 4


def test_two_processes_killed_while_tasks_are_being_created(processes: Processes, videos: list[Path]) -> None:
    path = PATHS[processes.version]
    processes.emulator.configure(faults=({"path": path, "method": "POST", "every": 2, "kind": LATE},))
    for some in (videos[:4], videos[2:]):  # two of them wanted by both
        processes.start(some)
    processes.wait_for(lambda: processes.tasks >= 5)
    processes.kill()
    assert processes.finish(videos) == 0


def test_killed_while_tasks_are_waited_for(processes: Processes, videos: list[Path]) -> None:
    path = PATHS[processes.version]
    processes.emulator.configure(task_polls=1000, task_unasked_sec=None)
    processes.start(videos)
    processes.wait_for(lambda: processes.arrived("GET", f"{path}/") >= 20)
    processes.kill()
    processes.emulator.configure(task_polls=1)
    assert processes.finish(videos) == 0


def test_killed_while_the_vectors_are_sent(processes: Processes, videos: list[Path]) -> None:
    path = PATHS[processes.version]
    processes.emulator.configure(faults=({"path": f"{path}/*", "method": "GET", "every": 3, "kind": "slow:1.0"},))
    processes.start(videos)
    processes.wait_for(lambda: processes.arrived("GET", f"{path}/") >= 12)
    processes.kill()
    assert processes.finish(videos) == 0


@pytest.mark.parametrize("processes", ["v2"], indirect=True)
def test_killed_while_assets_are_uploaded(processes: Processes, videos: list[Path]) -> None:
    processes.emulator.configure(faults=({"path": "assets", "method": "POST", "kind": LATE},))
    processes.start(videos)
    processes.wait_for(lambda: processes.assets >= len(videos))
    processes.kill()
    assert processes.finish(videos) == 0
    uploads = [r for r in processes.emulator.requests if r.method == "POST" and r.path.endswith("/assets")]
    assert len(uploads) == len(videos)


@pytest.mark.parametrize("processes", ["v2"], indirect=True)
def test_killed_while_assets_are_deleted(processes: Processes, videos: list[Path]) -> None:
    """The results are in the cache before: nothing is sent again."""
    processes.emulator.configure(faults=({"path": "assets/*", "method": "DELETE", "kind": "slow:20"},))
    processes.start(videos)
    processes.wait_for(lambda: processes.arrived("DELETE", "assets/") >= len(videos))
    processes.kill()
    posts = processes.arrived("POST", "")
    assert processes.finish(videos) == 0
    assert processes.arrived("POST", "") == posts + len(videos)  # those without a cache, to compare
