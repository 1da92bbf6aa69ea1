"""The slots of a shared limit that this process has leased.

The limiter asks it like a window. While requests come fast it leases slots ahead, so that few of them wait for the
store; where the limit is nearly used up it leases what is needed and gives back the rest. Answered requests are
reported together, with the time since each answer, so that a late report makes no window longer. While the store
cannot be reached, each worker keeps its part of the declared windows.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...._api.rate_headers import RateLimitInfo
from ...._errors import SharedLimitsError
from ...._lanes import LANES, Lane
from ...._limits import Window
from ...pace import monotonic
from ..windows import EPSILON, Share
from .decision import BUCKETS, LEASE_SEC, Entries, Grant, Report
from .divided import Divided
from .store import OpenStore, StoreError, as_store_error

AHEAD_SEC = 0.1  # slots are leased for what was used in so many seconds
SETTLE_SEC, SETTLE_TIGHT_SEC = 0.05, 0.02  # answered requests are reported after so long; while somebody waits
REFILL_SEC = 0.01  # more slots are asked for no sooner than so long after the last report
IDLE_SEC = 0.1  # what is not needed is given back after so long
RENEW_SEC = LEASE_SEC / 3
TOGETHER_SEC = 0.002  # requests answered within so long are reported as one entry
MOST_ENTRIES = 400
# Without a store: seconds until it is tried again, growing; and for how long at the start, before requests fail.
RETRY_SEC, LONGEST_RETRY_SEC, START_SEC = 0.1, 0.5, 5.0
# After an outage, all workers are given so long to report what they have sent meanwhile; one that the store has
# forgotten and that has not reported yet, a lease's time.
REJOIN_SEC = 2 * LONGEST_RETRY_SEC


class Lease:
    """One limit's slots. On the background loop only.

    Attributes:
        is_down: the store cannot be reached.
        accepted_at: when the server last accepted a request of any worker, by the clock passed in.
    """

    def __init__(
        self,
        name: str,
        opened: OpenStore,
        windows: Sequence[Window],
        *,
        share: Share,
        kept_sec: float,
        wake: Callable[[], None],
        fail: Callable[[SharedLimitsError], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make a lease without a slot.

        Args:
            name: of the limit in the store.
            share: what bulk requests leave.
            kept_sec: for how long after an interactive request; what is reserved of a day is left at all times.
            wake: called when a slot may be free.
            fail: called with what the queue is to raise, when the store has never been reached.
        """
        self.is_down = False
        self.accepted_at = -math.inf
        self._name, self._opened, self._share, self._kept_sec = name, opened, share.part, kept_sec
        self._quick = False  # an interactive request was made since the last report
        self._windows = [
            [
                w.limit,
                w.seconds,
                float(w.unit == "minutes"),
                share.of(w.limit, w.seconds),
                share.always(w.limit, w.seconds),
            ]
            for w in windows
        ]
        self._counts_minutes = any(window.unit == "minutes" for window in windows)
        self._longest = max((window.seconds for window in windows), default=0.0)
        self._divided = Divided(windows, [row[3] for row in self._windows])
        self._wake, self._fail, self._clock = wake, fail, clock
        self._worker = uuid.uuid4().hex[:12]
        # What this worker holds: unused until _valid_until, in flight, and answered but not yet reported.
        self._slots, self._minutes = 0, 0.0
        self._valid_until = -math.inf
        self._in_flight, self._minutes_in_flight = 0, 0.0
        self._unsettled: Entries = []  # [last answered at, requests, minutes, first answered at]
        self._sent: Entries = []  # in a report that may have arrived
        self._seq = 0
        self._history: Entries = []  # what has arrived, for a store that loses it
        self._rejected: list[float] = []
        self._gate = 0.0
        self._told: tuple[float, RateLimitInfo] | None = None
        # What the limiter's queue needs, what of it the last report asked for in vain, and what the grant said.
        self._needs: dict[Lane, tuple[int, float]] = dict.fromkeys(LANES, (0, 0.0))
        self._asked: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._opens: dict[Lane, float] = dict.fromkeys(LANES, math.inf)
        self._gate_until = self._ask_at = 0.0
        self._tight = False
        self._workers = 1
        self._free = [window.limit for window in windows]
        self._born: float | None = None  # of the state; None = the store has never answered
        # When to report.
        self._urgent = False
        self._reported_at = -math.inf
        self._rate, self._started = 0.0, 0  # requests a second; requests since the last report
        self._failing_since: float | None = None
        self._start_failed = False
        self._retry_sec = RETRY_SEC
        self._answers_since = math.inf  # while down: when the store first answered again
        self._task: asyncio.Task[None] | None = None
        self._sleeps_until = math.inf
        self._is_closed = False
        self._alarm = asyncio.Event()

    # -- as a window -------------------------------------------------------------------------------------------------

    def wait(self, now: float, lane: Lane, minutes: float) -> float:
        """Seconds until a request may start; 0 = now, inf = not before the store or a response says more."""
        if now < self._gate_until:
            return self._gate_until - now
        if self._has(now, minutes):
            return 0.0
        if self.is_down:
            return self._divided.wait(now, lane, minutes)
        opens_in = self._opens[lane] - now
        return opens_in if opens_in > 0 else math.inf

    def reserve(self, lane: Lane, minutes: float) -> None:
        """A request starts."""
        self._quick = self._quick or lane == "interactive"
        if self._slots > 0:  # else it is of this worker's own part
            self._slots -= 1
            self._minutes = max(0.0, self._minutes - minutes)
        self._in_flight += 1
        self._minutes_in_flight += minutes
        self._started += 1
        self._divided.reserve(minutes)
        self._report_by(self._reported_at + (REFILL_SEC if self._is_low() else RENEW_SEC))

    def release(self, now: float, minutes: float, *, counted: bool) -> None:
        """A request has ended; ``counted`` unless the server cannot have counted it."""
        self._in_flight -= 1
        self._minutes_in_flight -= minutes
        self._divided.release(now, minutes, counted=counted)
        if counted:
            _add(self._unsettled, now, 1, minutes, TOGETHER_SEC)
        self._report_by(self._reported_at + self._settle_sec())

    def reject(self, seconds: float | None) -> None:
        """The server answered 429, and asked to wait so long."""
        self._rejected = [max([-1.0 if seconds is None else seconds, *self._rejected])]
        self._slots, self._minutes = 0, 0.0  # nobody is to use what is left
        self._report_by(-math.inf)

    def update(self, now: float, info: RateLimitInfo, gate: float) -> None:
        """A response's headers; ``gate``: seconds in which nothing may start because of them."""
        if self._told is not None and now - self._told[0] <= TOGETHER_SEC:
            known = self._told[1].remaining
            if known is not None and info.remaining is not None and known < info.remaining:
                info = replace(info, remaining=known)  # answered together, in no order: the least is the safe one
        self._told = (now, info)
        self._gate = max(self._gate, gate)

    def need(self, lane: Lane, slots: int, minutes: float) -> None:
        """So many requests of a lane are queued, the first with so many minutes."""
        if self._needs[lane] == (slots, minutes):
            return
        self._needs[lane] = slots, minutes
        asked = self._asked[lane]
        if slots > asked and (lane == "interactive" or not asked) and self._failing_since is None:
            self._urgent = True
        if slots:
            self._report_by(-math.inf if self._urgent else self._ask_at)

    def _has(self, now: float, minutes: float) -> bool:
        if self._slots and now >= self._valid_until:  # the others have been told that they are used
            self._slots, self._minutes = 0, 0.0
        return self._slots > 0 and (not self._counts_minutes or minutes <= self._minutes + EPSILON)

    def _ahead(self) -> int:
        """How many slots to have in hand."""
        return 0 if self._counts_minutes or self._tight or self._is_closed else math.ceil(self._rate * AHEAD_SEC)

    def _is_low(self) -> bool:
        return self._slots < self._ahead() / 2

    def _settle_sec(self) -> float:
        return SETTLE_TIGHT_SEC if self._tight else SETTLE_SEC

    @property
    def holds(self) -> int:
        """Slots, unused or in flight."""
        return self._slots + self._in_flight

    # -- reports -----------------------------------------------------------------------------------------------------

    def _report_by(self, at: float) -> None:
        """Have the task report by then."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._opened.closers.add(self.aclose)
        elif at < self._sleeps_until:
            self._alarm.set()

    async def _run(self) -> None:
        try:
            while (due_at := self._due_at()) < math.inf:
                if due_at > self._clock():
                    await self._sleep(due_at)
                else:
                    await self._report()
            self._opened.closers.discard(self.aclose)
        finally:
            self._task = None

    async def _sleep(self, until: float) -> None:
        self._alarm.clear()
        self._sleeps_until = until
        timer = asyncio.get_running_loop().call_later(until - self._clock(), self._alarm.set)
        try:
            await self._alarm.wait()
        finally:
            timer.cancel()
            self._sleeps_until = -math.inf

    def _due_at(self) -> float:
        """When the next report is due; inf = there is nothing to report."""
        needed = any(slots for slots, _ in self._needs.values())
        if self._failing_since is not None:
            busy = needed or self._unsettled or self._sent or self._in_flight
            return self._ask_at if busy else math.inf
        if self._urgent or self._rejected or self._gate:
            return -math.inf
        since: list[float] = []
        if self._unsettled or self._sent:
            since.append(self._settle_sec())
        if self._slots:
            since.append(self._settle_sec() if self._tight else IDLE_SEC)
        if self._in_flight:
            since.append(REFILL_SEC if self._is_low() else RENEW_SEC)
        due_at = self._reported_at + min(since, default=math.inf)
        return min(due_at, self._ask_at) if needed else due_at

    async def _report(self) -> None:
        now = self._clock()
        report = self._make_report(now)
        try:
            grant = await self._opened.store.report(self._name, report)
        except Exception as error:  # a store that raises anything else must not leave the queue waiting for ever
            self._failed(self._clock(), report, as_store_error(error, self._opened.store.shown))
        else:
            self._granted(now, self._clock(), report, grant)
        self._wake()

    def _make_report(self, now: float) -> Report:
        self._urgent = False
        since = min(1.0, now - self._reported_at)
        if since > 0:
            self._rate += (self._started / since - self._rate) * min(1.0, since / AHEAD_SEC)
            self._started, self._reported_at = 0, now
        ahead, needed = self._ahead(), sum(slots for slots, _ in self._needs.values())
        self._has(now, 0.0)  # drops what is no longer valid
        if self._slots > ahead + needed:
            self._slots = ahead
        if not self._slots or (self._counts_minutes and not needed):
            self._slots, self._minutes = 0, 0.0
        if not self._sent and self._unsettled:
            self._sent, self._unsettled = self._unsettled, []
            self._seq += 1
        (quick, quick_minutes), (bulk, minutes) = (self._needs[lane] for lane in LANES)
        rejected, gate, told = self._rejected, self._gate, self._told
        self._rejected, self._gate, self._told = [], 0.0, None
        quick_since, self._quick = int(self._quick), False
        return {
            "worker": self._worker,
            "seq": self._seq,
            "holds": [
                self._in_flight + self._slots + sum(entry[1] for entry in self._unsettled),
                self._minutes_in_flight + self._minutes + sum(entry[2] for entry in self._unsettled),
            ],
            "settled": [[now - at, requests, spent] for at, requests, spent, _ in self._sent],
            "rejected": rejected,
            "gate": gate,
            "told": _headers(now, *told) if told is not None else [],
            "windows": self._windows,
            "share": self._share,
            "kept_sec": self._kept_sec,
            "quick": quick_since,
            "ask": [[quick, 0, quick_minutes], [bulk, max(0, ahead - self._slots), minutes]],
        }

    def _granted(self, sent_at: float, now: float, report: Report, grant: Grant) -> None:
        lost = self._born not in (None, grant["born"])
        self._born, self._failing_since, self._retry_sec = grant["born"], None, RETRY_SEC
        if lost:  # what it forgot is reported again, and the others are given the time to do so
            self._unsettled = self._history + self._unsettled
            self._history = []
            self._go_down(
                now, f"The shared limits at {self._opened.store.shown} were lost, and are put together again."
            )
        self._remember(now)
        self._gate_until = now + grant["gate"]
        if grant["accepted"] >= 0:
            self.accepted_at = max(self.accepted_at, now - grant["accepted"])
        if self.is_down:
            self._answers_since = min(self._answers_since, now)
            are_all_there = grant["workers"] >= self._workers
            if now - self._answers_since < (REJOIN_SEC if are_all_there else LEASE_SEC):
                # What was granted is given back with the next report.
                self._ask_at = self._reported_at + RETRY_SEC
                return
            self.is_down = False
            self._opened.back()
        self._slots += sum(grant["slots"])
        self._minutes += sum(slots * ask[2] for slots, ask in zip(grant["slots"], report["ask"], strict=True))
        self._valid_until = sent_at + LEASE_SEC
        for index, lane in enumerate(LANES):
            wait = grant["wait"][index]
            self._opens[lane] = now + wait if wait >= 0 else math.inf
            self._asked[lane] = max(0, int(report["ask"][index][0]) - grant["slots"][index])
        self._ask_at = now + grant["again"]
        self._tight, self._free, self._workers = grant["tight"], grant["free"], grant["workers"]

    def _remember(self, now: float) -> None:
        """What was reported has arrived."""
        for at, requests, minutes, _ in self._sent:
            _add(self._history, at, requests, minutes, self._longest / BUCKETS)
        self._sent = []
        while self._history and self._history[0][0] + self._longest <= now:
            del self._history[0]

    def _failed(self, now: float, report: Report, error: StoreError) -> None:
        self._rejected = self._rejected or report["rejected"]
        if self._failing_since is None:
            self._failing_since = now
        self._ask_at = now + self._retry_sec
        self._retry_sec = min(LONGEST_RETRY_SEC, self._retry_sec * 2)
        if self._born is not None:
            self._go_down(now, str(error))
        elif not error.passing or self._start_failed or now - self._failing_since >= START_SEC:
            self._start_failed, self._failing_since, self._urgent = True, None, False
            self._asked = dict.fromkeys(LANES, 0)
            self._rejected = []
            self._fail(SharedLimitsError(str(error)))

    def _go_down(self, now: float, why: str) -> None:
        if self.is_down:
            return
        self.is_down, self._answers_since = True, math.inf
        self._divided.begin(now, self._free, self._workers)
        self._opened.gone(why, self._workers)

    async def aclose(self) -> None:
        """Give back what is held; the requests in flight have ended."""
        self._opened.closers.discard(self.aclose)
        if self._task is not None:
            self._task.cancel()
        self._needs = dict.fromkeys(LANES, (0, 0.0))
        self._is_closed = True
        while self._born is not None and self._failing_since is None:
            cut_off = bool(self._sent)  # that report comes again, and then what has ended since
            await self._opened.store.report(self._name, self._make_report(self._clock()))
            self._sent = []
            if not cut_off:
                return


def _add(entries: Entries, at: float, requests: float, minutes: float, together: float) -> None:
    """Put an amount into the last entry, if that began so lately, or behind it. An entry counts from its last time."""
    if entries and (at - entries[-1][3] <= together or len(entries) >= MOST_ENTRIES):
        last, more, longer, began = entries[-1]
        entries[-1] = [max(at, last), more + requests, longer + minutes, began]
    else:
        entries.append([at, requests, minutes, at])


def _headers(now: float, at: float, info: RateLimitInfo) -> list[float]:
    told = (info.remaining, info.reset_in, info.limit)
    return [now - at, *(-1.0 if value is None else float(value) for value in told)]
