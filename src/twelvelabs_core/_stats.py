"""Statistics of a run, its budget and its progress."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Protocol

from ._errors import InvalidInputError, QuotaExceededError
from ._lanes import Lane
from ._results import Task, Usage
from ._tracing import CallSpan

logger = logging.getLogger("twelvelabs_embeddings")


@dataclass
class Stats:
    """What a call did, or all calls of a client together.

    Attributes:
        items: items passed in.
        done: items with a result.
        failed: items with an error.
        requests: requests sent, retries included.
        retries: attempts after the first of a request.
        paid_again: requests sent again although the one before may have been performed, and so charged: its response
            was lost or unusable. At most this many were paid twice.
        limited: requests rejected by a rate limit (429).
        cached: items found in the cache.
        deduplicated: items equal to another one of the call, sent once.
        truncated: texts that were cut, by our count or the server's.
        waited_sec: seconds that requests waited for a rate limit, summed over all of them.
        minutes: minutes of media sent; media of unknown length count as 0.
        tokens: input tokens of all kinds, as far as the server reports them (marengo3.5).
        segments: vectors of segments received.
        tasks_waiting: tasks in progress on the server at this moment.
        uploaded_bytes: bytes of media uploaded as assets.
        elapsed_sec: seconds from the first call to the end of the last.
    """

    items: int = 0
    done: int = 0
    failed: int = 0
    requests: int = 0
    retries: int = 0
    paid_again: int = 0
    limited: int = 0
    cached: int = 0
    deduplicated: int = 0
    truncated: int = 0
    waited_sec: float = 0.0
    minutes: float = 0.0
    tokens: int = 0
    segments: int = 0
    tasks_waiting: int = 0
    uploaded_bytes: int = 0
    elapsed_sec: float = 0.0

    def add(self, other: Stats) -> None:
        """Add another run's figures to these."""
        for figure in fields(self):
            setattr(self, figure.name, getattr(self, figure.name) + getattr(other, figure.name))


@dataclass
class Budget:
    """A hard cap on what a client may send. Reaching it raises an error that carries everything finished so far.

    Attributes:
        requests: requests, retries included; None = no cap.
        minutes: minutes of media; None = no cap. Media of unknown length count as 0: install the ``media`` extra.
        spent_requests, spent_minutes: used so far.
    """

    requests: int | None = None
    minutes: float | None = None
    spent_requests: int = field(default=0, init=False)
    spent_minutes: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if any(cap is not None and not cap >= 0 for cap in (self.requests, self.minutes)):  # or NaN
            raise InvalidInputError("A budget must be 0 or more.")

    @classmethod
    def of(cls, budget: Budget | int | None) -> Budget | None:
        """A number is a cap on requests."""
        return cls(requests=budget) if isinstance(budget, int) else budget

    def spend(self, minutes: float = 0.0) -> None:
        """Count one request.

        Raises:
            QuotaExceededError: it would exceed the cap; ``reopens_at`` is None, as waiting does not help.
        """
        over_requests = self.requests is not None and self.spent_requests + 1 > self.requests
        over_minutes = self.minutes is not None and self.spent_minutes + minutes > self.minutes + 1e-9
        if over_requests or over_minutes:
            used = f"{self.spent_requests} requests" + (f", {self.spent_minutes:.1f} minutes" if self.minutes else "")
            raise QuotaExceededError(
                f"The budget is used up ({used}). What is finished is in .results, or was yielded; "
                "raise budget= to continue."
            )
        self.spent_requests += 1
        self.spent_minutes += minutes


class Progress(Protocol):
    """What shows the statistics of a call while it runs: a progress bar."""

    def update(self, stats: Stats) -> None:
        """Show changed statistics."""

    def close(self, stats: Stats) -> None:
        """Show the last statistics: the call has ended."""


class Run:
    """The state of one call, passed along with its requests: statistics, progress, and whether to stop.

    Args:
        items: how many items the call has; 0 = that is not known, as of a stream.
        progress: a progress bar, or None; gets every change of the statistics.
        lane: of all its requests. In the bulk lane, runs take turns.
        span: of the call, in OpenTelemetry's traces; None = nobody records it.

    Attributes:
        stopping: set when the batch must end; no new request is sent then.
        fatal: what ended it early, where no error is raised for it.
        requests, left: how many requests it is known to need in all, and that have not started; infinite if unknown.
        on_status: called with each state of its tasks that is seen.
    """

    def __init__(
        self,
        items: int,
        progress: Progress | None = None,
        *,
        lane: Lane = "bulk",
        span: CallSpan | None = None,
    ) -> None:
        self.lane: Lane = lane
        self.span = span
        self.stats = Stats(items=items)
        self.stopping = False
        self.fatal: Exception | None = None
        self.requests = self.left = math.inf
        self._bounded = items > 0
        self.progress = progress
        self.on_status: Callable[[Task], None] | None = None
        self._started = time.monotonic()

    def expect(self, requests: int) -> None:
        """So many requests are to be sent, as far as can be told; of a stream it cannot."""
        if self._bounded:
            self.requests = self.left = float(requests)

    def after_payment(self) -> Run:
        """The same call for requests about what is already paid for: they are sent also while the batch stops."""
        run = copy.copy(self)
        run.stopping = False
        return run

    def finished(self, count: int = 1) -> None:
        """Count ``count`` items that have their result."""
        self.stats.done += count
        self.show()

    def uploaded(self, count: int) -> None:
        """Count ``count`` bytes of uploaded media."""
        self.stats.uploaded_bytes += count
        self.show()

    def note_kinds(self, kinds: Iterable[str]) -> None:
        """Note the kinds of items, for the span."""
        if self.span is not None:
            self.span.kinds.update(kinds)

    def used(self, usage: Usage | None) -> None:
        """Count what the server says that a request used."""
        if usage is not None:
            self.stats.tokens += sum(usage.input_tokens.values())

    def saw_task(self, task: Task) -> None:
        """Tell of the state of a task. A callback that raises is told no more."""
        if self.on_status is None:
            return
        try:
            self.on_status(task)
        except Exception as error:
            self.on_status = None
            logger.warning("on_status= raised %s, and is called no more", type(error).__name__)

    def show(self) -> None:
        """Show statistics that changed without an item being finished."""
        if self.progress is not None:
            self._draw(self.progress.update)

    def close(self, error: BaseException | None = None) -> None:
        """End the call: measure its time, close the progress bar, end the span.

        Args:
            error: what the call raises.
        """
        self.stats.elapsed_sec = time.monotonic() - self._started
        if self.progress is not None:
            self._draw(self.progress.close)
        if self.span is not None:
            self.span.end(asdict(self.stats), error or self.fatal)
        self.fatal = None  # its traceback holds this object

    def _draw(self, draw: Callable[[Stats], None]) -> None:
        """A bar that cannot be drawn (its terminal is gone) must not fail what it shows: it is drawn no more."""
        try:
            draw(self.stats)
        except Exception as error:
            self.progress = None
            logger.warning("the progress bar raised %s and is not drawn any more", type(error).__name__)
