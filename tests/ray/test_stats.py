"""The summary of all workers: what a worker reports, and what comes of it."""

from __future__ import annotations

from typing import Any

from ray_twelvelabs import stats as module
from ray_twelvelabs.stats import Reporter, Totals, summary
from twelvelabs_core import Stats


class Actor:
    """The handle of an actor that is in this process."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self.reports = 0

    @property
    def report(self) -> Any:
        actor = self

        class Method:
            def remote(self, worker: str, stats: Stats) -> None:
                actor.reports += 1
                actor._totals.report(worker, stats)

        return Method()


def test_totals_are_the_sum_of_the_last_reports() -> None:
    totals = Totals()
    assert totals.total() == Stats()
    totals.report("a", Stats(items=1))
    totals.report("b", Stats(items=10))
    totals.report("a", Stats(items=3, elapsed_sec=5))
    assert totals.total().items == 13
    assert totals.by_worker()["a"].items == 3
    assert totals.total().elapsed_sec < 5, "workers run at the same time"


def test_a_worker_reports_calls_that_run_and_calls_that_ended(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "REPORT_EVERY_SEC", 0.0)
    totals = Totals()
    reporter = Reporter(Actor(totals))
    assert len(totals.by_worker()) == 1
    first, second = Stats(items=10, done=4), Stats(items=20, done=1)
    reporter.update(first)
    reporter.update(second)
    assert (totals.total().items, totals.total().done) == (30, 5)
    first.done = 10
    reporter.close(first)
    assert totals.total().done == 11
    reporter.add(Stats(items=2, failed=2))
    reporter.close(second)
    assert (totals.total().items, totals.total().failed) == (32, 2)


def test_no_more_reports_than_one_a_second() -> None:
    actor = Actor(Totals())
    reporter = Reporter(actor)
    stats = Stats()
    for _ in range(10_000):
        stats.done += 1
        reporter.update(stats)
    assert actor.reports <= 2
    reporter.close(stats)
    assert actor._totals.total().done == 10_000


def test_two_workers_of_one_process_are_two() -> None:
    totals = Totals()
    for _ in range(2):
        Reporter(Actor(totals)).close(Stats(items=1))
    assert len(totals.by_worker()) == 2
    assert totals.total().items == 2


def test_the_summary_is_a_line() -> None:
    total = Stats(items=1_200, done=1_000, failed=7, cached=300, requests=710, elapsed_sec=10.0)
    assert summary(total, 2) == (
        "1,000 of 1,200 items done, 7 failed, 300 cached, 710 requests, 100.0 items/s over 10 s, 2 workers"
    )
    assert summary(Stats(segments=5, limited=3, paid_again=1, tasks_waiting=2), 1) == (
        "0 of 0 items done, 0 failed, 0 cached, 5 segments, 0 requests, 3 rejected by a limit, "
        "1 sent again, maybe paid twice, 2 tasks waiting, 1 worker"
    )
