"""Images and uploads beside raw aiohttp, memory of large images, and how long a large answer holds up the loop."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .figures import Bar, Case, Row, interleaved, ratios
from .media_server import PART, SEGMENTS, answer_of
from .memory import resident_mb
from .peers import CONNECTIONS, MODEL, Vectors, new_key
from .server import PREFIX
from .service import Server

__all__ = ["answers", "images", "images_memory", "uploads"]

LATENCY_SEC = 0.3
IMAGE_BYTES, LARGE_IMAGE_BYTES, VIDEO_BYTES = 330_000, 10_000_000, 20_000_000
CPU_IMAGE_BYTES = 500_000
RAW = "aiohttp + base64 + orjson"
OURS = ("embed_image", "get_image_embedding_batch")
UPLOADS_AT_A_TIME, PARTS_AT_A_TIME = 8, 4

Embed = Callable[[list[str]], Vectors]


@contextmanager
def media_server(latency_sec: float = LATENCY_SEC) -> Iterator[str]:
    """The base address of a media server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.media_server", str(latency_sec)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}{PREFIX}"
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=10)


# -- images --------------------------------------------------------------------------------------------------------


def images(_: Server, *, rounds: int, quick: bool) -> Case:
    """200 images by each, and their CPU time."""
    count = 64 if quick else 200
    case = Case(
        "images",
        "Images",
        f"{count} JPEG files of {IMAGE_BYTES / 1e6:.2f} MB, each another one, answers after {LATENCY_SEC:g} s, "
        f"{CONNECTIONS} connections. CPU time: {CPU_IMAGE_BYTES / 1e6:g} MB, no latency, the client's process alone.",
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = write_images(Path(folder), count, IMAGE_BYTES)
        warm = write_images(Path(folder), CONNECTIONS, 5_000)
        expected = [answer_of(Path(path).read_bytes()) for path in paths]

        def measure(name: str) -> float:
            with media_server() as base_url, PEERS[name](base_url) as embed:
                embed(warm)
                started = time.perf_counter()
                vectors = embed(paths)
                elapsed = time.perf_counter() - started
            assert [vector[0] for vector in vectors] == expected
            return count / elapsed

        case.rows = interleaved((RAW, *OURS), rounds, measure, "images/s")
        of_cpu = write_images(Path(folder), count, CPU_IMAGE_BYTES)

        def cpu(name: str) -> float:
            with media_server(0.0) as base_url:
                return float(_in_child("cpu", name, base_url, str(Path(of_cpu[0]).parent), str(count)))

        names = (RAW, *OURS, f"{OURS[0]}, cache")
        found = interleaved(names, rounds, cpu, "ms")
    raw, *ours = case.rows
    case.bars = [Bar(f"{row.name} / {RAW}", ratios(row, raw), 0.9, True) for row in ours]
    case.bars += [Bar(f"CPU time an image: {r.name} / {RAW}", ratios(r, found[0]), 2, False) for r in found[1:]]
    case.rows += [Row(f"CPU time an image: {row.name}", row.unit, row.samples) for row in found]
    return case


def images_memory(_: Server, *, rounds: int, quick: bool) -> Case:
    """Resident memory while large images are embedded."""
    count, budget = (100 if quick else 500), 256_000_000
    with tempfile.TemporaryDirectory() as folder, media_server() as base_url:
        paths = write_large(Path(folder), count, LARGE_IMAGE_BYTES)
        found = json.loads(_in_child("memory", base_url, str(Path(paths[0]).parent), str(budget)))
    row = Row("most resident memory", "MB", [found["most"]])
    print(f"    {row.samples}", flush=True)
    bars = [Bar("growth", [found["most"] - found["before"]], budget / 1e6 + 100, False, "MB")]
    how = (
        f"{count} images of {LARGE_IMAGE_BYTES / 1e6:g} MB by one embed_image, {CONNECTIONS} connections, "
        f"max_media_bytes={budget // 10**6} MB; looked at every 5 ms, in a process of its own."
    )
    notes = [f"{count} images took {found['seconds']:.1f} s."]
    return Case("images-memory", "Memory of large images", how, [row], bars, notes)


def write_images(folder: Path, count: int, size: int) -> list[str]:
    """JPEG files of noise, about so large; no two of the same size, as of photographs."""
    from PIL import Image

    def noise(side: int) -> bytes:
        out = io.BytesIO()
        Image.effect_noise((side, side), 80).convert("RGB").save(out, "JPEG", quality=80)
        return out.getvalue()

    jpeg = noise(max(128, int(200 * (size / len(noise(200))) ** 0.5)))
    where = folder / str(size)
    where.mkdir()
    paths = []
    for number in range(count):
        note = b"%08d" % number * 95 + b"x" * number
        path = where / f"{number:04}.jpg"
        path.write_bytes(jpeg[:2] + _comment(note) + jpeg[2:])
        paths.append(str(path))
    return paths


def write_large(folder: Path, count: int, size: int) -> list[str]:
    """JPEG files of much more than their pixels need: comments without content, which take no room on the disk."""
    (path,) = write_images(folder, 1, 5_000)
    small = Path(path).read_bytes()[2:]
    where = folder / "large"
    where.mkdir()
    paths = []
    empty = 65_000
    for number in range(count):
        path = str(where / f"{number:04}.jpg")
        with Path(path).open("wb") as file:
            file.write(b"\xff\xd8" + _comment(b"%08d" % number * 95 + b"x" * number))
            for _ in range(size // empty):
                file.write(b"\xff\xfe" + (empty + 2).to_bytes(2, "big"))
                file.seek(empty, io.SEEK_CUR)
            file.write(small)
        paths.append(path)
    return paths


def _comment(content: bytes) -> bytes:
    return b"\xff\xfe" + (len(content) + 2).to_bytes(2, "big") + content


@contextmanager
def aiohttp_images(base_url: str) -> Iterator[Embed]:
    """The yardstick: the file read whole, base64, orjson."""
    import aiohttp
    import orjson

    loop = asyncio.new_event_loop()

    async def start() -> aiohttp.ClientSession:
        headers = {"x-api-key": new_key(), "content-type": "application/json"}
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), headers=headers)

    session = loop.run_until_complete(start())

    def read(path: str) -> bytes:
        return Path(path).read_bytes()

    async def one(path: str) -> list[float]:
        source = {"base64_string": base64.b64encode(read(path)).decode()}
        body = {"input_type": "image", "model_name": MODEL, "image": {"media_source": source}}
        async with session.post(f"{base_url}/embed-v2", data=orjson.dumps(body)) as answer:
            vector: list[float] = orjson.loads(await answer.read())["data"][0]["embedding"]
            return vector

    async def all_of(paths: list[str]) -> Vectors:
        vectors: list[Any] = [None] * len(paths)

        async def put(index: int) -> None:
            vectors[index] = await one(paths[index])

        await _by_workers(range(len(paths)), put, CONNECTIONS)
        return vectors

    yield lambda paths: loop.run_until_complete(all_of(paths))
    loop.run_until_complete(session.close())
    loop.close()


async def _by_workers(jobs: Sequence[Any], do: Callable[[Any], Awaitable[None]], workers: int) -> None:
    todo = iter(jobs)

    async def worker() -> None:
        for job in todo:
            await do(job)

    await asyncio.gather(*(worker() for _ in range(workers)))


@contextmanager
def langchain_images(base_url: str, **settings: Any) -> Iterator[Embed]:
    """``embed_image``."""
    from langchain_twelvelabs import TwelveLabsEmbeddings

    yield TwelveLabsEmbeddings(model=MODEL, api_key=new_key(), base_url=base_url, **settings).embed_image


@contextmanager
def langchain_images_cached(base_url: str) -> Iterator[Embed]:
    """``embed_image`` with a cache, whose keys need a digest of each file."""
    with tempfile.TemporaryDirectory() as folder, langchain_images(base_url, cache=f"{folder}/cache.sqlite") as embed:
        yield embed


@contextmanager
def llama_images(base_url: str) -> Iterator[Embed]:
    """``get_image_embedding_batch``."""
    from llama_index_twelvelabs import TwelveLabsEmbedding

    embed: Any = TwelveLabsEmbedding(model_name=MODEL, api_key=new_key(), base_url=base_url).get_image_embedding_batch
    yield embed


PEERS: dict[str, Callable[[str], Any]] = {
    RAW: aiohttp_images,
    OURS[0]: langchain_images,
    OURS[1]: llama_images,
    f"{OURS[0]}, cache": langchain_images_cached,
}


# -- uploads -------------------------------------------------------------------------------------------------------


def uploads(_: Server, *, rounds: int, quick: bool) -> Case:
    """Videos as assets, whole and in parts, beside PUTs of the same bytes."""
    count = 10 if quick else 50
    whole, parts, digested = "uploads", "parts of one upload", "parts of one upload, with its digest"
    put, put_parts = f"aiohttp PUT, {UPLOADS_AT_A_TIME} at a time", f"aiohttp PUT, {PARTS_AT_A_TIME} at a time"
    with tempfile.TemporaryDirectory() as folder:
        videos = [str(_write_video(Path(folder) / f"{i}.mp4", VIDEO_BYTES, i)) for i in range(count)]
        long = str(_write_video(Path(folder) / "long.mp4", count * PART, count))

        def measure(name: str) -> float:
            with media_server() as base_url:
                if name == put:
                    seconds = asyncio.run(
                        _put([(path, 0, VIDEO_BYTES) for path in videos], base_url, UPLOADS_AT_A_TIME)
                    )
                elif name == put_parts:
                    ranges = [(long, i * PART, PART) for i in range(count)]
                    seconds = asyncio.run(_put(ranges, base_url, PARTS_AT_A_TIME))
                else:
                    seconds = _upload(videos if name == whole else [long], base_url, digest=name == digested)
            return count * PART / 1e6 / seconds

        rows = interleaved((put, whole, put_parts, parts, digested), rounds, measure, "MB/s")
    how = (
        f"{count} video files of {VIDEO_BYTES / 1e6:g} MB, {UPLOADS_AT_A_TIME} at a time; and one of "
        f"{count * PART / 1e9:g} GB in parts of {PART / 1e6:g} MB, {PARTS_AT_A_TIME} at a time. Each body is answered "
        f"after {LATENCY_SEC:g} s. aiohttp is given bytes that were read whole."
    )
    bars = [
        Bar(f"{whole} / {put}", ratios(rows[1], rows[0]), 0.8, True),
        Bar(f"{parts} / {put_parts}", ratios(rows[3], rows[2]), 0.8, True),
    ]
    return Case("uploads", "Uploads of videos", how, rows, bars)


def _write_video(path: Path, size: int, number: int) -> Path:
    with path.open("wb") as file:
        file.write(b"\x00\x00\x00\x18ftypmp42" + b"%08d" % number)
        file.truncate(size)
    return path


async def _put(ranges: Sequence[tuple[str, int, int]], base_url: str, workers: int) -> float:
    """Seconds that raw PUTs of ranges of files take."""
    import aiohttp

    origin = base_url.removesuffix(PREFIX)

    def read(path: str, start: int, length: int) -> bytes:
        with Path(path).open("rb") as file:
            file.seek(start)
            return file.read(length)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=workers)) as session:

        async def put(range_: tuple[str, int, int]) -> None:
            content = io.BytesIO(await asyncio.to_thread(read, *range_))
            async with session.put(f"{origin}/part/1", data=content, headers={"content-type": "video/mp4"}) as answer:
                assert answer.status == 200
                await answer.read()

        started = time.perf_counter()
        await _by_workers(ranges, put, workers)
        return time.perf_counter() - started


def _upload(paths: Sequence[str], base_url: str, *, digest: bool) -> float:
    """Seconds that our uploads take."""
    from twelvelabs_core import EmbeddingClient, Video
    from twelvelabs_core._media.file import locate
    from twelvelabs_core._stats import Run
    from twelvelabs_core.adapter import run

    client = EmbeddingClient(MODEL, api_key=new_key(), base_url=base_url)
    to_assets = client._embedder.files._uploads

    async def one(path: str) -> None:
        file = locate(Video(path))
        if digest:
            await asyncio.to_thread(lambda: file.digest)
        await to_assets.obtain(file, path, Run(1), in_parts=len(paths) == 1)

    async def all_of() -> None:
        await _by_workers(paths, one, UPLOADS_AT_A_TIME)

    started = time.perf_counter()
    run(all_of())
    return time.perf_counter() - started


# -- answers -------------------------------------------------------------------------------------------------------


def answers(_: Server, *, rounds: int, quick: bool) -> Case:
    """How long an answer of thousands of segments holds up the loop."""
    parsed, ours = "json.loads on the loop", "rows"
    with media_server(0.0) as base_url:

        def measure(name: str) -> float:
            return float(_in_child("lag", name, base_url))

        rows = interleaved((parsed, "orjson.loads on the loop", ours, f"{ours}, cache"), rounds, measure, "ms")
    case = Case(
        "answers",
        "An answer of 20 MB",
        f"The longest that the client's loop did nothing else while a video's {SEGMENTS:,} segments were received, "
        "read, checked, kept and made into rows. In a process of its own; each sample is the least of three calls.",
        rows,
    )
    case.bars = [Bar(row.name, row.samples, 50, False, "ms") for row in rows[2:]]
    return case


async def _watch(gaps: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now


def _lag(name: str, base_url: str) -> float:
    """The longest gap of three calls, in milliseconds: of the call that was disturbed least by other programs."""
    from twelvelabs_core import EmbeddingClient, Video
    from twelvelabs_core.adapter import submit

    longest = []
    if name.endswith("on the loop"):
        return min(asyncio.run(_parse_on_loop(name, base_url)) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(3):
            cache = f"{folder}/{number}.sqlite" if name.endswith("cache") else None
            client = EmbeddingClient(MODEL, api_key=new_key(), base_url=base_url, cache=cache)
            gaps: list[float] = []
            watch = submit(_watch(gaps))
            rows = client.rows(Video("https://a.example/video.mp4"))
            watch.cancel()
            assert len(rows) == SEGMENTS
            longest.append(1000 * max(gaps))
    return min(longest)


async def _parse_on_loop(name: str, base_url: str) -> float:
    import aiohttp
    import orjson

    gaps: list[float] = []
    watch = asyncio.ensure_future(_watch(gaps))
    async with aiohttp.ClientSession() as session, session.post(f"{base_url}/embed-v2", data=b"{}") as answer:
        body = await answer.read()
        found = orjson.loads(body) if name.startswith("orjson") else json.loads(body)
        assert len(found["data"]) == SEGMENTS
        await asyncio.sleep(0.002)
    watch.cancel()
    return 1000 * max(gaps)


# -- processes of their own ------------------------------------------------------------------------------------------


def _in_child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.media", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _cpu(name: str, base_url: str, folder: str, count: int) -> float:
    paths = sorted(map(str, Path(folder).glob("*.jpg")))[:count]
    with PEERS[name](base_url) as embed:
        embed(paths[:8])
        before = time.process_time()
        embed(paths[8:])
        return 1000 * (time.process_time() - before) / (count - 8)


def _memory(base_url: str, folder: str, budget: int) -> dict[str, float]:
    import threading

    paths = sorted(map(str, Path(folder).glob("*.jpg")))
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.005):
            most[0] = max(most[0], resident_mb())

    with langchain_images(base_url, max_media_bytes=budget) as embed:
        embed(paths[:1])
        before = resident_mb()
        watcher = threading.Thread(target=watch)
        watcher.start()
        started = time.perf_counter()
        vectors = embed(paths)
        seconds = time.perf_counter() - started
        ended.set()
        watcher.join()
    assert len(vectors) == len(paths)
    return {"before": before, "most": most[0], "seconds": seconds}


def _child(kind: str, *arguments: str) -> Any:
    if kind == "cpu":
        name, base_url, folder, count = arguments
        return _cpu(name, base_url, folder, int(count))
    if kind == "memory":
        base_url, folder, budget = arguments
        return _memory(base_url, folder, int(budget))
    return _lag(*arguments)


if __name__ == "__main__":
    print(json.dumps(_child(*sys.argv[1:])))
