"""The statistics of all workers of a job as one summary."""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from dataclasses import replace
from typing import Any

from twelvelabs_core import Stats

REPORT_EVERY_SEC = 1.0


class JobStats:
    """Collects the statistics of all workers of one or several steps, while they run.

    .. code-block:: python

        stats = JobStats()
        dataset.map_batches(EmbedBatch, fn_constructor_kwargs=dict(text="caption", stats=stats), concurrency=4)
        print(stats)            # at any time, from any thread

    It is an actor of Ray's, which takes no CPU and lives as long as this object. Each worker reports its totals once a
    second at most, and at the end of each batch; what a killed worker did after its last report is missing. A batch
    that is done again after its worker was lost counts again: its items in ``items``, what was paid for in ``cached``.
    """

    def __init__(self) -> None:
        import ray

        self._actor: Any = ray.remote(num_cpus=0)(Totals).remote()

    def total(self) -> Stats:
        """The totals of all workers. ``elapsed_sec`` is the time from the first report to the last."""
        import ray

        found: Stats = ray.get(self._actor.total.remote())
        return found

    def by_worker(self) -> dict[str, Stats]:
        """The totals of each worker, by host and process id."""
        import ray

        found: dict[str, Stats] = ray.get(self._actor.by_worker.remote())
        return found

    def reporter(self) -> Reporter:
        """What reports the statistics of this process."""
        return Reporter(self._actor)

    def __str__(self) -> str:
        return summary(self.total(), len(self.by_worker()))


class Totals:
    """The totals of each worker: what the actor holds."""

    def __init__(self) -> None:
        self._by_worker: dict[str, Stats] = {}
        self._first: float | None = None
        self._last = 0.0

    def report(self, worker: str, stats: Stats) -> None:
        """Take a worker's totals, which replace its earlier ones."""
        self._last = time.monotonic()
        if self._first is None:
            self._first = self._last
        self._by_worker[worker] = stats

    def total(self) -> Stats:
        """See :meth:`JobStats.total`."""
        found = Stats()
        for stats in self._by_worker.values():
            found.add(stats)
        found.elapsed_sec = self._last - (self._first or self._last)
        return found

    def by_worker(self) -> dict[str, Stats]:
        """See :meth:`JobStats.by_worker`."""
        return dict(self._by_worker)


class Reporter:
    """Reports the statistics of one process; shows the progress of its calls.

    Args:
        actor: handle of :class:`Totals`.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._worker = f"{platform.node()} {os.getpid()} {uuid.uuid4().hex[:6]}"
        self._lock = threading.Lock()
        self._ended = Stats()
        self._running: dict[int, Stats] = {}
        self._next = 0.0
        self._report()

    def add(self, stats: Stats) -> None:
        """Add what no call of the client's counts."""
        with self._lock:
            self._ended.add(stats)

    def update(self, stats: Stats) -> None:
        """See :class:`twelvelabs_core.Progress`."""
        self._running[id(stats)] = stats
        if time.monotonic() >= self._next:
            self._report()

    def close(self, stats: Stats) -> None:
        """See :class:`twelvelabs_core.Progress`."""
        self._running.pop(id(stats), None)
        self.add(stats)
        self._report()

    def _report(self) -> None:
        self._next = time.monotonic() + REPORT_EVERY_SEC
        with self._lock:
            total = replace(self._ended)
        for stats in list(self._running.values()):
            total.add(stats)
        self._actor.report.remote(self._worker, total)  # not waited for


def summary(total: Stats, workers: int) -> str:
    """The figures of a job in one line."""
    notes = [f"{total.done:,} of {total.items:,} items done", f"{total.failed:,} failed", f"{total.cached:,} cached"]
    if total.segments:
        notes.append(f"{total.segments:,} segments")
    notes.append(f"{total.requests:,} requests")
    for count, what in ((total.limited, "rejected by a limit"), (total.paid_again, "sent again, maybe paid twice")):
        if count:
            notes.append(f"{count:,} {what}")
    if total.tasks_waiting:
        notes.append(f"{total.tasks_waiting:,} tasks waiting")
    if total.elapsed_sec:
        notes.append(f"{total.done / total.elapsed_sec:,.1f} items/s over {total.elapsed_sec:,.0f} s")
    return f"{', '.join(notes)}, {workers} worker{'' if workers == 1 else 's'}"
