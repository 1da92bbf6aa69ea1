"""Files that change while they are embedded: a vector is of the bytes that were sent, in the cache too."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import media
from twelvelabs_core import EmbeddingClient, Image, TwelveLabsError, Video

from ..scenario import Run, scenario, serving
from ..truth import identity_of_media, truth
from .crashes import PART_BYTES, emulating, small_model
from .faults import png, settings

ROUNDS = 60
FILES = 20


class Writer:
    """Writes one of several contents into one of some files, in another way each time, in a thread."""

    def __init__(self, paths: list[Path], contents: list[bytes], pause: float) -> None:
        self.paths, self.contents, self.pause = paths, contents, pause
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.written = 0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(self.pause):
            content = self.contents[self.written % len(self.contents)]
            path = self.paths[self.written // 2 % len(self.paths)]
            if self.written % 2 == 0:  # replaced as a whole
                other = path.with_suffix(".new")
                other.write_bytes(content)
                other.replace(path)
            elif self.written % 401 == 0:  # overwritten in place, cut first
                path.write_bytes(content)
            else:  # overwritten in two pieces, with the old time of change
                before = path.stat()
                with path.open("r+b") as file:
                    file.write(content[: len(content) // 2])
                    file.flush()
                    time.sleep(self.pause / 4)
                    file.write(content[len(content) // 2 :])
                    file.truncate()
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            self.written += 1


@scenario("changing-images", limit_sec=300)
def changing_images(run: Run) -> None:
    """Images that are replaced, cut and overwritten while they are embedded, on v2 and v1, cached or not."""
    contents = [png(i) for i in range(6)]
    padded = [content + bytes([i]) * 200_000 for i, content in enumerate(contents)]
    variants = (("v2", False, contents), ("v2", True, contents), ("v1", True, padded), ("v2", True, padded))
    for version, cached, known in variants if run.scale >= 0.1 else variants[-2:]:
        name = f"{version}, cached {cached}, {len(known[0])} bytes"
        folder = run.folder / name
        folder.mkdir()
        paths = [folder / f"changing {i}.png" for i in range(FILES)]
        for path in paths:
            path.write_bytes(known[0])
        with serving() as server:
            cache = {"cache": str(folder / "cache.sqlite")} if cached else {}
            client = EmbeddingClient(
                **settings(**server.account(), **cache), api_version=version, max_concurrency=2, max_retries=0
            )
            returned: set[tuple[float, ...]] = set()
            with Writer(paths, known, 0.02) as writer:
                for _ in range(run.count(ROUNDS, 5)):
                    try:
                        found: list[Any] = client.embed_many([Image(str(path)) for path in paths])
                    except TwelveLabsError as error:
                        found = error.results
                        run.add(refused=len(paths) - sum(one is not None for one in found))
                    except Exception as error:
                        run.check(False, f"{name}: raw {error!r:.150}")
                        continue
                    returned |= {tuple(one.vector) for one in found if one is not None}
                    run.add(images=len(paths))
            # What was read may be a mixture: then the vector is the mixture's, and in the cache under its own digest.
            performed = {tuple(truth(identity)) for identity in server.performed_each()}
            run.add(changes=writer.written, vectors=len(returned))
            run.check(returned <= performed, f"{name}: a vector of bytes that were never sent")
            for content in known:
                paths[0].write_bytes(content)
                right = truth(identity_of_media("image", content))
                for given in (str(paths[0]), content):
                    run.check(client.embed(Image(given)).vector == right, f"{name}: the cache holds another's vector")
    run.tried = f"{run.outcome['images']} images embedded while their files changed {run.outcome['changes']:,} times"


@scenario("changing-videos", limit_sec=900)
def changing_videos(run: Run) -> None:
    """Videos that are replaced, cut or made longer while they are uploaded, whole or in parts."""
    one = media.mp4((("red", 5, 440),), size=(360, 360), fps=4)
    two = media.mp4((("blue", 7, 880),), size=(360, 360), fps=4)
    path = run.folder / "changing.mp4"

    def replaced() -> None:
        other = path.with_suffix(".new")
        other.write_bytes(two)
        other.replace(path)

    changes: dict[str, Callable[[], Any]] = {
        "replaced": replaced,
        "overwritten": lambda: path.write_bytes(two),
        "cut": lambda: os.truncate(path, len(one) // 2),
        "made longer": lambda: path.write_bytes(one + two),
        "removed": path.unlink,
    }
    import random

    from twelvelabs_core._embed import route

    numbers = random.Random(run.seed)
    with emulating(latency_sec=0.03, chunk_bytes=PART_BYTES, task_sec=0.05) as emulator:
        account = settings(api_key="tlk_files", base_url=emulator.base_url, timeout=10.0, total_timeout=30.0)
        plain = EmbeddingClient(small_model(10**8), **account)
        right = {name: plain.embed_segments(Video(content)) for name, content in (("one", one), ("two", two))}
        for how in ("whole", "parts"):
            route.DIRECT_BYTES = 1000 if how == "parts" else 10**9
            cache = str(run.folder / f"{how}.sqlite")
            client = EmbeddingClient(small_model(1000), **account, cache=cache)
            for number in range(run.count(30, 5)):
                name = list(changes)[number % len(changes)]
                path.write_bytes(one)
                timer = threading.Timer(numbers.uniform(0, 0.25), changes[name])
                timer.start()
                try:
                    found = client.embed_segments(Video(str(path)))
                except TwelveLabsError:
                    found = None
                    run.add(refused=1)
                except Exception as error:
                    found = None
                    run.check(False, f"{how}, {name}: raw {error!r:.150}")
                timer.join()
                run.add(videos=1)
                good = found is None or any(
                    [segment.vector for segment in found] == [segment.vector for segment in known]
                    for known in right.values()
                )
                # A file of which both halves were read may be a third video; the emulator refuses those of ours.
                run.check(good, f"{how}, {name}: vectors of neither content")
                for content, known in ((one, right["one"]), (two, right["two"])):
                    kept = client.embed_segments(Video(content))
                    run.check(
                        [segment.vector for segment in kept] == [segment.vector for segment in known],
                        f"{how}, {name}: the cache holds another content's vectors",
                    )
                for left in run.folder.glob(f"{how}.sqlite*"):
                    left.unlink()
                client = EmbeddingClient(small_model(1000), **account, cache=cache)
    run.tried = f"{run.outcome['videos']} uploads, whole and in parts, of files that change under way"
