"""Memory of a long stream."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from twelvelabs_core import EmbeddingClient

from .figures import Bar, Case, Row
from .peers import new_key, texts
from .service import Server

__all__ = ["measured", "stream"]

FIRST = 10_000


def stream(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 12: resident memory between the 10,000th text of a stream and its last, in a process of its own."""
    count = 40_000 if quick else 200_000
    server.set()
    row, bar = measured(server, count, count)
    how = (
        f"client.stream over {count:,} texts by HTTP, no latency; looked at after the {FIRST:,}th and every {FIRST:,}."
    )
    return Case("memory", "A long stream", how, [row], [bar])


def measured(server: Server, count: int, different: int, *cache: str) -> tuple[Row, Bar]:
    """A stream of ``count`` texts in a process of its own, of which the first ``different`` come again and again."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", server.base_url, str(count), str(different), *cache],
        capture_output=True,
        text=True,
        check=True,
    )
    row = Row("resident memory", "MB", json.loads(done.stdout)["megabytes"])
    print(f"    {row.samples}", flush=True)
    return row, Bar("growth", [max(row.samples) - row.samples[0]], 20, False, "MB")


def resident_mb() -> float:
    """Where the system does not tell, the most there ever was, which can only look worse."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1_024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return next(int(line.split()[1]) * 1_024 / 1e6 for line in lines if line.startswith("VmRSS"))


def _child(base_url: str, count: int, different: int, cache: str | None = None) -> list[float]:
    megabytes = []
    given = (text for first in range(0, count, 1_000) for text in texts(1_000, first=first % different))
    seen = 0
    for result in EmbeddingClient(api_key=new_key(), base_url=base_url, cache=cache).stream(given):
        assert result.embedding is not None and result.index == seen
        seen += 1
        if seen % FIRST == 0:
            megabytes.append(resident_mb())
    assert seen == count
    return megabytes


if __name__ == "__main__":
    url, count, different, *cache = sys.argv[1:]
    print(json.dumps({"megabytes": _child(url, int(count), int(different), *cache)}))
