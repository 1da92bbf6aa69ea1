"""Whole jobs on a local Ray: two workers, each a process of its own, at the emulator."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
import uuid
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from ray_twelvelabs import EmbedBatch, EmbedSegments, JobStats
from tests.support import media
from twelvelabs_core import EmbeddingClient, Fixed, RateLimits, SegmentOptions
from twelvelabs_emulator import Emulator

pytestmark = pytest.mark.network


@pytest.fixture
def key(emulator: Emulator) -> str:
    """A key that no other test has."""
    emulator.configure(api_keys=())
    return f"tlk_{uuid.uuid4().hex}"


@pytest.fixture
def run(ray: Any, emulator: Emulator, key: str) -> Any:
    """Run one step over a dataset, with two workers."""

    def run(dataset: Any, step: Any = EmbedBatch, *, batch_size: int = 100, **settings: Any) -> list[dict[str, Any]]:
        settings = {"base_url": emulator.base_url, "api_key": SecretStr(key), **settings}
        two = ray.data.ActorPoolStrategy(size=2)
        made = dataset.map_batches(step, fn_constructor_kwargs=settings, batch_size=batch_size, compute=two)
        rows: list[dict[str, Any]] = made.take_all()
        return rows

    return run


def texts(count: int) -> list[str]:
    return [f"text {number}" for number in range(count)]


def captions(ray: Any, given: list[Any]) -> Any:
    return ray.data.from_items([{"caption": text, "number": number} for number, text in enumerate(given)])


def sent(emulator: Emulator) -> Counter[str]:
    """How often each text was sent."""
    return Counter(request.body["text"]["input_text"] for request in emulator.requests if "embed" in request.path)


def test_a_dataset_of_texts(ray: Any, run: Any, emulator: Emulator, key: str, tmp_path: Path) -> None:
    given: list[Any] = texts(300)
    given[7], given[8] = None, "  "
    stats = JobStats()
    rows = run(captions(ray, given), text="caption", cache=str(tmp_path / "v.sqlite"), stats=stats)
    assert sorted(row["number"] for row in rows) == list(range(300))
    client = EmbeddingClient(base_url=emulator.base_url, api_key=key, cache=str(tmp_path / "v.sqlite"))
    wanted = client.embed_many([text for text in given if text and text.strip()])
    assert client.last_run.cached == 298
    by_text = dict(zip([text for text in given if text and text.strip()], wanted, strict=True))
    for row in rows:
        if row["number"] in (7, 8):
            assert row["embedding"] is None
            assert row["error"].startswith("InvalidInputError: ")
        else:
            assert row["error"] is None
            assert row["space"] == "marengo3.0/512"
            assert (np.asarray(row["embedding"]) == np.array(by_text[row["caption"]].vector, np.float32)).all()
    total = stats.total()
    assert (total.items, total.done, total.failed, total.requests) == (300, 298, 2, 298)
    assert len(stats.by_worker()) == 2
    assert "298 of 300 items done, 2 failed" in str(stats)


def test_segments_of_videos(ray: Any, run: Any, tmp_path: Path) -> None:
    for name, color in (("a", "red"), ("b", "blue")):
        (tmp_path / f"{name}.mp4").write_bytes(media.mp4(((color, 6, 440),), size=(360, 360), fps=4))
    paths = [str(tmp_path / f"{name}.mp4") for name in ("a", "missing", "b")]
    dataset = ray.data.from_items([{"path": path} for path in paths])
    options = SegmentOptions(segmentation=Fixed(3), embedding_option="visual")
    rows = run(dataset, EmbedSegments, batch_size=2, video="path", options=options)
    found = sorted((Path(row["path"]).name, row["start_sec"] or 0, row["error"] is None) for row in rows)
    assert found == [
        *(("a.mp4", 0, True), ("a.mp4", 3, True), ("b.mp4", 0, True), ("b.mp4", 3, True), ("missing.mp4", 0, False))
    ]
    assert len({row["id"] for row in rows}) == 5


def test_a_killed_worker_pays_nothing_twice(ray: Any, run: Any, emulator: Emulator, tmp_path: Path) -> None:
    """Its place is taken by a new one, which waits for nothing: the claims of a dead process count no more."""
    emulator.configure(latency_sec=0.05)
    stats = JobStats()
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = {worker: total.done for worker, total in stats.by_worker().items()}
            if sum(done.values()) >= 200:
                killed.append(int(max(done, key=lambda worker: done[worker]).split()[1]))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    cache = str(tmp_path / "v.sqlite")
    rows = run(captions(ray, texts(1_000)), text="caption", cache=cache, stats=stats, max_concurrency=16)
    killer.join()
    assert killed
    assert sorted(row["number"] for row in rows) == list(range(1_000))
    assert all(row["error"] is None for row in rows)
    again = sum(count - 1 for count in sent(emulator).values())
    assert again <= 16, "no more than the flight of the killed worker"
    with closing(sqlite3.connect(cache)) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (1_000,)


class FolderStore:
    """A store of the user's, without claims: a file for each key."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)

    def mget(self, keys: list[str]) -> list[bytes | None]:
        files = [self.folder / key.replace("/", "_") for key in keys]
        return [file.read_bytes() if file.exists() else None for file in files]

    def mset(self, pairs: list[tuple[str, bytes]]) -> None:
        for key, value in pairs:
            part = self.folder / uuid.uuid4().hex
            part.write_bytes(value)
            part.rename(self.folder / key.replace("/", "_"))


def test_a_store_of_the_users_is_shared(ray: Any, run: Any, emulator: Emulator, tmp_path: Path) -> None:
    store = partial(FolderStore, str(tmp_path / "vectors"))
    client = EmbeddingClient(base_url=emulator.base_url, api_key="tlk_another", cache=store())
    client.embed_many(texts(150))
    rows = run(captions(ray, texts(200)), text="caption", cache=store)
    assert all(row["error"] is None for row in rows)
    assert sum(sent(emulator).values()) == 200
    assert len(list((tmp_path / "vectors").iterdir())) == 200


def test_an_error_about_the_account_ends_a_job_with_a_cache(
    ray: Any, run: Any, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.configure(api_keys=("another",))
    with pytest.raises(Exception, match="AuthenticationError: The API key was refused"):
        run(captions(ray, texts(20)), text="caption", cache=str(tmp_path / "v.sqlite"))


def test_settings_that_are_refused_end_the_job(ray: Any, run: Any) -> None:
    with pytest.raises(Exception, match="InvalidInputError: EmbedBatch has no setting 'txet'"):
        run(captions(ray, texts(2)), txet="caption")


def test_the_key_is_in_no_log_of_rays(ray: Any, run: Any, key: str) -> None:
    dataset = captions(ray, texts(20))
    run(dataset, text="caption", api_key=key, rate_limits=RateLimits.free())
    step = dataset.map_batches(
        EmbedBatch,
        fn_constructor_kwargs={"api_key": key, "text": "caption"},
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    assert key not in f"{step!r} {step}"
    logs = Path(ray._private.worker._global_node.get_session_dir_path()) / "logs"
    files = [path for path in logs.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if key.encode() in path.read_bytes()]
