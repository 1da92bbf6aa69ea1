"""``python -m benchmarks``: run the cases, print them, keep them, and write ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from datetime import date

from . import imports, limits, media, memory, queries, ray_data, report, resume, shared, throughput
from .figures import Case
from .service import Server, machine_speed

CASES: dict[str, Callable[..., Case]] = {
    "throughput": throughput.throughput,
    "wide": throughput.wide,
    "cpu": throughput.cpu,
    "latency": throughput.latency,
    "limit-declared": limits.declared,
    "limit-headers": limits.in_headers,
    "limit-refused": limits.refused,
    "query-lane": queries.query_lane,
    "quota": limits.quota,
    "shared": shared.shared,
    "shared-cost": shared.cost,
    "killed": resume.killed,
    "equal": resume.equal,
    "cached": resume.again,
    "cached-stream": resume.again_stream,
    "memory": memory.stream,
    "images": media.images,
    "images-memory": media.images_memory,
    "uploads": media.uploads,
    "answers": media.answers,
    "ray": ray_data.data,
    "imports": imports.imports,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer texts and three rounds")
    parser.add_argument("--only", choices=CASES, action="append", metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of each case (5; quick: 3)")
    options = parser.parse_args()
    rounds = options.runs or (3 if options.quick else 5)
    # No settings of the user: the SDK's address variable goes before its argument, a proxy before everything.
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("TWELVELABS_", "TWELVE_LABS_")):
            del os.environ[name]
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.2f}")
    with Server() as server:
        speed = machine_speed(server)
        print(speed)
        for name in options.only or CASES:
            print(f"\n{name}", flush=True)
            before = os.getloadavg()[0]
            case = CASES[name](server, rounds=rounds, quick=options.quick)
            case.where = {
                "python": platform.python_version(),
                "cpus": os.cpu_count(),
                "speed": speed,
                "load_before": before,
                "load_after": os.getloadavg()[0],
                "date": date.today().isoformat(),
                "quick": options.quick,
            }
            report.save(case)
            for bar in case.bars:
                print(report.verdict(bar))
            for note in case.notes:
                print(f"  {note}")
    print(f"\n{report.write_docs(report.load(list(CASES)))}")


if __name__ == "__main__":
    main()
