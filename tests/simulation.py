"""Many workers on one limit, on a virtual clock: ``python -m tests.simulation`` prints the table of ``docs/scale.md``.

Limiters, leases and the decision are the product's own; the store is in memory, and a trip to it takes a millisecond
each way; the service counts each request at some moment between sending and answer (20 to 400 ms). Every worker sends
as fast as it may, 64 requests at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.virtual_time import run_virtually
from tests.support.workers import MemoryStore, Service, Worker
from twelvelabs_core import Window
from twelvelabs_core._net import pace


@dataclass(frozen=True)
class Scenario:
    """Attributes:
    name: for the table.
    workers: processes.
    limit, seconds: the account's window.
    windows: of the limit, that the workers send.
    told: what the workers know: the window (``declared``), the server's headers, or nothing but its 429s.
    shared: one limit for all; else each keeps the whole limit by itself.
    killed: workers that end without a word, one after another, after the first half of the requests.
    """

    name: str
    workers: int
    limit: int
    seconds: float
    windows: int
    told: str = "declared"
    shared: bool = True
    killed: int = 0

    @property
    def requests(self) -> int:
        return self.limit * self.windows // self.workers * self.workers

    @property
    def theoretical_sec(self) -> float:
        """The first window at once, each further one when the one before is over."""
        return (self.windows - 1) * self.seconds


@dataclass(frozen=True)
class Outcome:
    """Attributes:
    took_sec: until the last request was answered.
    rejected: 429s.
    fairness: Jain's index of what each worker had at half time: 1 = all the same, 1/n = one has all.
    least, most: what one worker had at half time, as a part of the mean.
    first_end: when the first worker was ready, as a part of the time of the last.
    reports: of all workers to the store, a second.
    unfinished: requests of killed workers that nobody has made.
    """

    took_sec: float
    rejected: int
    fairness: float
    least: float
    most: float
    first_end: float
    reports: float
    unfinished: int


SCENARIOS = (
    Scenario("2,400 a minute (tier 3)", 200, 2_400, 60.0, 5),
    Scenario("100 per 2 s", 200, 100, 2.0, 30),
    Scenario("1,000 a second", 200, 2_000, 2.0, 12),
    Scenario("1,000 a second, 20 workers killed", 200, 2_000, 2.0, 12, killed=20),
    Scenario("1,000 a second, told by headers", 200, 2_000, 2.0, 12, told="headers"),
    Scenario("1,000 a second, told by 429s alone", 200, 2_000, 2.0, 12, told="429s"),
    Scenario("1,000 a second, declared by each, not shared", 200, 2_000, 2.0, 5, shared=False),
)


def simulate(scenario: Scenario) -> Outcome:
    """Run a scenario; takes no more time than its computing."""
    found: list[Outcome] = []

    async def run() -> None:
        clock = asyncio.get_running_loop().time
        service = Service([(scenario.limit, scenario.seconds)], latency=(0.02, 0.4), headers=scenario.told == "headers")
        windows = [Window(scenario.limit, scenario.seconds)] if scenario.told == "declared" else []
        one = MemoryStore()
        stores = [one if scenario.shared else MemoryStore() for _ in range(scenario.workers)]
        workers = [Worker(store, windows) for store in stores]
        each = scenario.requests // scenario.workers
        started = clock()
        tasks = [asyncio.ensure_future(worker.embed(service, each)) for worker in workers]
        for victim in range(scenario.killed):
            while sum(len(worker.done) for worker in workers) < scenario.requests * (0.5 + 0.01 * victim):  # noqa: ASYNC110  # the clock is virtual
                await asyncio.sleep(0.1)
            workers[victim].kill()
            tasks[victim].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        alive = workers[scenario.killed :]
        ends = [max(worker.done) - started for worker in alive]
        half = started + max(ends) / 2
        had = [sum(at <= half for at in worker.done) for worker in alive]
        mean = sum(had) / len(had)
        reports = sum(store.reports for store in set(stores))
        found.append(
            Outcome(
                max(ends),
                service.rejected,
                sum(had) ** 2 / (len(had) * sum(count**2 for count in had)),
                min(had) / mean,
                max(had) / mean,
                min(ends) / max(ends),
                reports / max(ends),
                scenario.requests - sum(len(worker.done) for worker in workers),
            )
        )

    waiting, pace._waiting = pace._waiting, True  # on a virtual clock, waiting is what is simulated
    try:
        run_virtually(run())
    finally:
        pace._waiting = waiting
    return found[0]


HEAD = (
    *("200 workers", "requests", "time", "theoretical", "429s", "Jain's index", "least – most at half time"),
    *("first ready", "reports/s"),
)


def line(scenario: Scenario, outcome: Outcome) -> Sequence[str]:
    """A row of the table."""
    sent = scenario.requests - outcome.unfinished
    return (
        scenario.name,
        f"{sent:,}",
        f"{outcome.took_sec:,.0f} s",
        f"{outcome.took_sec / (sent / scenario.limit - 1) / scenario.seconds:.3f} ×",
        f"{outcome.rejected:,} ({outcome.rejected / (sent + outcome.rejected):.1%})",
        f"{outcome.fairness:.3f}",
        f"{outcome.least:.2f} – {outcome.most:.2f}",
        f"{outcome.first_end:.2f}",
        f"{outcome.reports:,.0f}",
    )


def table(rows: Sequence[Sequence[Any]]) -> str:
    """As Markdown."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in (HEAD, ["---"] * len(HEAD), *rows)]
    return "\n".join(lines)


def main() -> None:
    """Run the scenarios and print their table."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="scenarios with this word in their name")
    options = parser.parse_args()
    rows = []
    for scenario in SCENARIOS:
        if options.only in scenario.name:
            started = time.perf_counter()
            rows.append(line(scenario, simulate(scenario)))
            print(f"{' | '.join(rows[-1])}   ({time.perf_counter() - started:.0f} s of computing)", flush=True)
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
