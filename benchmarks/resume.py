"""Not paying twice: killed runs, equal texts, and a run that was made before."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from array import array
from contextlib import closing
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from langchain_twelvelabs import TwelveLabsEmbeddings
from twelvelabs_core import EmbeddingClient

from .figures import Bar, Case, Row, interleaved, ratios
from .memory import measured
from .peers import CONNECTIONS, check, new_key, texts
from .service import Server

__all__ = ["again", "again_stream", "equal", "killed"]

TOTAL = 1_000
BARE = "bare sqlite3 to lists of floats"


def killed(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 9: ``kill -9`` in the middle, then the same run again."""
    twice = Row("sent twice", "texts", [])
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cache = str(Path(folder, "vectors.sqlite"))
            server.set(latency_ms=20)
            child = subprocess.Popen([sys.executable, "-m", "benchmarks.resume", server.base_url, cache])
            kill_at = (turn + 1) * TOTAL // (rounds + 1)
            while (done := server.counts()["answered"]) < kill_at and child.poll() is None:
                time.sleep(0.002)
            child.send_signal(signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL, f"the child ended by itself, after {done}"
            subprocess.run([sys.executable, "-m", "benchmarks.resume", server.base_url, cache], check=True)
            counts = server.counts()
            assert counts["texts"] == TOTAL
            twice.samples.append(counts["texts_again"])
            print(f"    killed at {done}: {counts['texts_again']} sent twice", flush=True)
    how = f"{TOTAL:,} texts, {CONNECTIONS} at a time, 20 ms, killed on the way, each time later; counted by the server."
    # Not the median: no run may send more.
    bars = [Bar("texts sent twice, the worst run", [max(twice.samples)], CONNECTIONS, False, "texts")]
    return Case("killed", "kill -9, and again", how, [twice], bars)


def equal(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 10: nine of ten texts are equal to another one."""
    given = texts(TOTAL) * 10
    server.set()
    vectors = TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=server.base_url).embed_documents(given)
    check(given, vectors)
    row = Row("requests", "", [server.counts()["requests"]])
    bars = [Bar("requests", row.samples, TOTAL, False, "requests")]
    return Case("equal", "Equal texts", f"{len(given):,} texts, {TOTAL:,} different ones.", [row], bars)


def again(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 11: everything is in the cache."""
    count = 5_000 if quick else 20_000
    given = texts(count)
    server.set()
    with tempfile.TemporaryDirectory() as folder:
        cache = str(Path(folder, "vectors.sqlite"))

        def model() -> TwelveLabsEmbeddings:
            return TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=server.base_url, cache=cache)

        def measure(name: str) -> float:
            read = partial(_read_bare, cache) if name == BARE else partial(model().embed_documents, given)
            started = time.perf_counter()
            vectors = read()
            taken = time.perf_counter() - started
            if name == BARE:  # in the file's order
                assert len(vectors) == count and all(len(vector) == 512 for vector in vectors)
            else:
                check(given, vectors)
            return count / taken

        model().embed_documents(given)
        server.set()
        # Each takes under a second, and the memory of the machine alone makes a third of difference.
        rows = interleaved(["embed_documents", BARE], 4 * rounds, measure, "texts/s")
    assert server.counts()["requests"] == 0
    bars = [Bar(f"embed_documents / {BARE}", ratios(*rows), 0.75, True)]
    how = (
        f"{count:,} texts, all in the SQLite cache; beside it the same file read in one go, with no keys and no "
        "checks. Both end with a list of 512 floats for each text, which is most of the work."
    )
    return Case("cached", "The same run again", how, rows, bars)


def again_stream(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 13: a stream of a million texts that are all in the cache."""
    count, different = 100_000 if quick else 1_000_000, 20_000
    server.set()
    with tempfile.TemporaryDirectory() as folder:
        cache = str(Path(folder, "vectors.sqlite"))
        EmbeddingClient(api_key=new_key(), base_url=server.base_url, cache=cache).embed_many(texts(different))
        server.set()
        row, bar = measured(server, count, different, cache)
    assert server.counts()["requests"] == 0
    how = (
        f"client.stream over {count:,} texts, {different:,} different ones, all in the SQLite cache; looked at after "
        "the 10,000th and every 10,000."
    )
    return Case("cached-stream", "A long stream, again", how, [row], [bar])


def _read_bare(cache: str) -> list[list[float]]:
    """The least it can take to have all vectors of the file as lists of floats."""
    vectors = []
    with closing(sqlite3.connect(cache)) as connection:
        for (value,) in connection.execute("SELECT value FROM vectors"):
            numbers = array("d")
            numbers.frombytes(value[-8 * 512 - 4 : -4])  # a checksum stands at the end
            vectors.append(numbers.tolist())
    return vectors


if __name__ == "__main__":
    TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=sys.argv[1], cache=sys.argv[2]).embed_documents(
        texts(TOTAL)
    )
