"""Ray Data beside the same without Ray: rows a second, and bytes a row."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from .figures import Bar, Case, interleaved, ratios
from .peers import new_key, texts
from .server import ANSWERS, answer_index
from .service import Server, ceiling

__all__ = ["data"]

BATCH = 1_024
RAY, ALONE, PLAIN = "Ray Data, 2 workers", "EmbedBatch without Ray", "embed_many"


def data(server: Server, *, rounds: int, quick: bool) -> Case:
    """The same rows by Ray Data, by its class without Ray, and by the client alone."""
    count = 10_000 if quick else 100_000
    top = ceiling(server)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "captions")
        given.mkdir()
        every = texts(count)
        for part in range(0, count, count // 10):
            parquet.write_table(pa.table({"caption": every[part : part + count // 10]}), given / f"{part}.parquet")

        def measure(name: str) -> float:
            server.set()
            seconds = _child(name, server.base_url, folder)
            found = parquet.read_table(Path(folder, "vectors"), columns=["caption", "embedding", "error"])
            assert found["error"].null_count == found.num_rows == count
            assert server.counts()["texts"] == count and server.counts()["texts_again"] == 0
            for caption, vector in zip(found["caption"][:1000].to_pylist(), found["embedding"][:1000], strict=True):
                assert abs(vector[0].as_py() - answer_index(caption) / 1000) < 1e-6
            return count / seconds

        rows = interleaved((RAY, ALONE, PLAIN), rounds, measure, "rows/s")
        written = sum(path.stat().st_size for path in Path(folder, "vectors").rglob("*.parquet")) / count
        in_cache = _bytes_in_cache(server, Path(folder, "vectors.sqlite"), every[:5_000])
    case = Case(
        "ray",
        "Ray Data",
        f"{count:,} texts from Parquet to Parquet, batches of {BATCH:,}, an answer at once, on one machine with the "
        "server. The time of the job, with the start of its workers, without the start of Ray itself.",
        rows,
    )
    case.bars = [
        Bar(f"{RAY} / {ALONE}", ratios(case.row(RAY), case.row(ALONE)), 0.8, True),
        Bar(f"{ALONE} / {PLAIN}", ratios(case.row(ALONE), case.row(PLAIN)), 0.9, True),
    ]
    case.notes = [
        f"A row takes {written:,.0f} bytes of Parquet (its text has a hundred letters, and Parquet notices that the "
        f"server has {ANSWERS} different vectors), 2,048 in Arrow for the vector alone, and {in_cache:,.0f} in the "
        "cache file, which keeps doubles.",
        f"The server itself answers {top.measured:,.0f} a second to bare sockets, with 64 connections and on the same "
        f"machine with {os.cpu_count()} CPUs: a second worker takes its time from the server.",
    ]
    return case


def _bytes_in_cache(server: Server, cache: Path, given: list[str]) -> float:
    """What a vector takes in a cache file."""
    from twelvelabs_core import EmbeddingClient

    server.set()
    EmbeddingClient(base_url=server.base_url, api_key=new_key(), cache=str(cache)).embed_many(given)
    return sum(path.stat().st_size for path in cache.parent.glob(f"{cache.name}*")) / len(given)


def _child(name: str, base_url: str, folder: str) -> float:
    """The seconds of one job, in a process of its own."""
    settings = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "benchmarks.ray_data", name, base_url, folder]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])


def _job(name: str, base_url: str, folder: str) -> float:
    """Embed all captions of a folder into another; the seconds it takes."""
    import shutil

    given, made = Path(folder, "captions"), Path(folder, "vectors")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    settings: dict[str, Any] = {"text": "caption", "base_url": base_url, "api_key": new_key()}
    if name == RAY:
        return _with_ray(given, made, settings)
    from ray_twelvelabs import EmbedBatch
    from twelvelabs_core import EmbeddingClient

    step = EmbedBatch(**settings)
    client = EmbeddingClient(base_url=base_url, api_key=new_key())
    started = time.perf_counter()
    for number, path in enumerate(sorted(given.iterdir())):
        for batch in parquet.ParquetFile(path).iter_batches(BATCH):
            table = pa.Table.from_batches([batch])
            if name == ALONE:
                found = step(table)
            else:
                vectors = [e.vector for e in client.embed_many(table["caption"].to_pylist())]
                found = table.append_column("embedding", pa.array(vectors, pa.list_(pa.float32(), 512)))
                found = found.append_column("error", pa.nulls(len(vectors), pa.string()))
            parquet.write_table(found, made / f"{number}-{time.perf_counter_ns()}.parquet")
    return time.perf_counter() - started


def _with_ray(given: Path, made: Path, settings: dict[str, Any]) -> float:
    import ray.data

    import ray
    from ray_twelvelabs import EmbedBatch

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    started = time.perf_counter()
    ray.data.read_parquet(str(given)).map_batches(
        EmbedBatch,
        fn_constructor_kwargs=settings,
        batch_size=BATCH,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=0.5,
    ).write_parquet(str(made))
    seconds = time.perf_counter() - started
    ray.shutdown()
    return seconds


if __name__ == "__main__":
    print(_job(*sys.argv[1:]))
