"""What one report of a worker changes in the shared state of a limit, and what the worker is granted. Pure.

A *worker* is one process (one background loop). It leases slots, each for one request; a slot is held while it lies
unused and while its request is in flight, and counts in every window for the window's length after the response, as in
:class:`~..windows.SlidingWindow`. The state is plain JSON: a store keeps it in a row of SQLite, and ``decision.lua``
repeats this module inside Redis. Both must grant the same: a test compares them.

Time is ``state["now"]``, seconds since the state was made. A store adds what has passed by its own clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

State: TypeAlias = dict[str, Any]
Entries: TypeAlias = list[list[float]]  # [first answered, last answered, amount]; all of it ages from the last

EPSILON = 1e-6  # sums of fractions of minutes are not exact
BUCKETS = 200  # entries of a window: its use is known to a 200th of its length
PLENTY = 1e9  # slots; no known limit
LEASE_SEC = 5.0  # a worker that does not report for so long has lost its slots; they count as used
SEEN_SEC = 60.0  # a worker counts among the workers for so long after its last report
# Seconds until a worker whose turn cannot be foretold asks again, doubled after some tries, up to this for
# interactive requests; the most and least for one whose turn can be foretold.
POLL_SEC, LONGEST_QUICK_POLL_SEC = 0.025, 0.1
LONGEST_POLL_SEC, SHORTEST_POLL_SEC = 1.0, 0.002
# What a worker is due is kept for it from shortly before it was to ask again until shortly after.
SOON_SEC, GRACE_SEC = 0.05, 0.25
# For so long after an interactive request bulk ones are spread over the windows of up to so long; one that is late by
# so much is made up for.
BUSY_SEC, LONGEST_SPREAD_SEC, LATE_SEC = 60.0, 3_600.0, 0.1
FIRST_BLOCK, LONGEST_BLOCK = 1.0, 60.0  # as the limiter's: seconds after a 429 that gives no time
# Most requests in flight anywhere before anything is known, and where that bound ends.
FIRST_FLIGHT, FULL_SPEED = 64, 512
LEAST_SHARE = 2
SHOWN_SEC = 60.0  # what was counted before the first headers is remembered for so long
QUIET_PERIODS, GROWTH, PAUSE_SEC = 5, 1.1, 0.25  # as LearnedLimit's


class Report(TypedDict):
    """What a worker tells and asks. -1 stands for "unknown"; amounts are slots (= requests) and minutes of media.

    Attributes:
        worker: its name.
        seq: number of the batch in ``settled``; a batch that comes twice counts once.
        holds: [slots, minutes] that it holds, in flight or unused, without those in ``settled``.
        settled: answered requests that the server may have counted: [[seconds since, requests, minutes], …].
        rejected: [] or [seconds that a 429 asked to wait].
        gate: seconds in which nothing may start for another reason; 0 = none.
        told: [] or [seconds since, remaining, seconds until the reset, limit], of the newest response with headers.
        windows: the declared ones: [[limit, seconds, 0 requests | 1 minutes, amount kept for interactive requests while
            they are expected, and at all times], …].
        share: part of a learned limit that is kept for interactive.
        kept_sec: bulk leaves what is kept for so long after an interactive request; PLENTY = always.
        quick: 1 = an interactive request was made since the last report.
        ask: [interactive, bulk], each [slots needed, more that would be used soon, minutes of media for each slot].
    """

    worker: str
    seq: int
    holds: list[float]
    settled: list[list[float]]
    rejected: list[float]
    gate: float
    told: list[float]
    windows: list[list[float]]
    share: float
    kept_sec: float
    quick: int
    ask: list[list[float]]


class Grant(TypedDict):
    """The answer to a report.

    Attributes:
        slots: granted: [interactive, bulk].
        wait: seconds until a slot may be free for [interactive, bulk]; -1 = not before something in flight is answered.
        again: seconds after which to ask again, if some of what was needed was not granted.
        gate: seconds until anything may start; 0 = now.
        tight: somebody has to wait: keep no slot that is not needed.
        free: what is left of each of ``windows``, in their order.
        accepted: seconds since the server accepted a request of any worker; -1 = never, or not since the last 429.
        workers: seen lately, this one included.
        born: of the state; another one means that the state was lost.
        age: seconds since the state was made.
    """

    slots: list[int]
    wait: list[float]
    again: float
    gate: float
    tight: bool
    free: list[float]
    accepted: float
    workers: int
    born: float
    age: float


class _Bound(NamedTuple):
    """A limit: what is free of it now, and what comes free as its entries grow old."""

    limit: float
    free: float
    kept: float  # for interactive
    in_minutes: bool
    seconds: float
    entries: Sequence[Sequence[float]]
    bulk: bool = False  # it holds for bulk alone


def new_state(born: float = 0.0) -> State:
    """The state of a limit of which nothing is known; ``born`` tells it from one that was lost."""
    return {
        "born": born,
        "now": 0.0,
        "workers": {},
        "logs": [],
        "blocked": 0.0,
        "blocks": 0,
        "accepted": -1.0,
        "left": -1.0,
        "resets": 0.0,
        "told": -1.0,
        "turn": 0.0,
        "quick": -PLENTY,
        "paced": 0.0,
        "shown": _shown(-1),
        "learned": _learned(FIRST_FLIGHT),
    }


def decide(state: State, report: Report, elapsed: float) -> Grant:
    """Take a report into the state, which is changed in place, and grant what may be granted.

    Args:
        elapsed: seconds since the last report of any worker; a negative number (a clock was put back) is 0.
    """
    now = state["now"] = state["now"] + max(0.0, elapsed)
    _expire(state, now)
    me = _take(state, report, now)
    others = [state["workers"][name] for name in sorted(state["workers"]) if name != report["worker"]]
    waiting = [other for other in others if other["until"] > now]
    bounds = _bounds(state, report, now)
    (quick, _, quick_minutes), (need, spare, minutes) = report["ask"]
    gate = max(0.0, state["blocked"] - now)

    # Interactive first, whoever asks for it.
    fast = 0 if gate > 0 else int(min(quick, _slots(bounds, quick_minutes, bulk=False)))
    bounds = _less(bounds, fast, fast * quick_minutes)
    unmet = quick - fast + sum(other["asks"][0] for other in waiting)
    unmet_minutes = (quick - fast) * quick_minutes + sum(other["asks"][0] * other["asks"][2] for other in waiting)
    after = _less(bounds, unmet, unmet_minutes)

    # Bulk: one slot after another to the worker that was granted least so far.
    if need + spare > 0 and not (me["until"] > now and me["asks"][1] > 0):
        me["tag"] = max(me["tag"], state["turn"])  # what it did not ask for before is not owed to it
    soon = [other for other in waiting if other["until"] - GRACE_SEC <= now + SOON_SEC]
    rivals = [(other["tag"], other["asks"][1]) for other in soon if other["asks"][1] > 0]
    pace = _pace(after, now) if now - state["quick"] < BUSY_SEC else 0.0
    room = 0 if gate > 0 else int(_slots(after, minutes, bulk=True))
    if pace > 0:
        state["paced"] = max(state["paced"], now - LATE_SEC)
        room = int(min(room, max(0, math.floor((now - state["paced"]) / pace))))
    slow = _turns(me["tag"], rivals, need, room)
    rest = room - slow - sum(rival[1] for rival in rivals)
    workers = len(state["workers"])
    if slow == need and rest > 0:  # the last slots are left to those that come next
        slow += int(min(spare, rest // (4 * workers)))
    if slow > 0:
        state["turn"] = max(state["turn"], me["tag"])
        me["tag"] += slow
        if pace > 0:
            state["paced"] += slow * pace
    me["slots"] += fast + slow
    me["minutes"] += fast * quick_minutes + slow * minutes
    if fast + slow > 0:
        _open(state, now, me["slots"] - fast - slow + sum(other["slots"] for other in others))

    before_me = sum(min(wanted, max(0.0, me["tag"] - tag)) for tag, wanted in rivals)
    waits = [
        _wait(bounds, 1, quick_minutes, now, bulk=False),
        _wait(after, slow + 1 + before_me, minutes, now, bulk=True),
    ]
    if pace > 0 and waits[1] >= 0:
        waits[1] = max(waits[1], state["paced"] + (1 + before_me) * pace - now)
    waits = [wait if wait < 0 and gate == 0 else max(gate, wait) for wait in waits]
    me["asks"] = [quick - fast, max(0, need - slow), quick_minutes]
    me["polls"] = 0 if fast + slow > 0 else min(7, me["polls"] + 1)
    poll = POLL_SEC * 2.0 ** max(0, me["polls"] - 4)
    polls = [min(poll, LONGEST_QUICK_POLL_SEC), poll]
    again = LONGEST_POLL_SEC
    for asked, wait, unknown in zip(me["asks"][:2], waits, polls, strict=True):
        if asked > 0:
            again = min(again, unknown if wait < 0 else max(SHORTEST_POLL_SEC, wait))
    me["until"] = now + again + GRACE_SEC
    return {
        "slots": [fast, slow],
        "wait": waits,
        "again": again,
        "gate": gate,
        "tight": unmet > 0 or need > slow or rest <= 0,
        "free": [
            bound.free - slow * (minutes if bound.in_minutes else 1) for bound in bounds[: len(report["windows"])]
        ],
        "accepted": now - state["accepted"] if state["accepted"] >= 0 else -1.0,
        "workers": workers,
        "born": state["born"],
        "age": now,
    }


# -- what the report says ----------------------------------------------------------------------------------------------


def _expire(state: State, now: float) -> None:
    """Count what workers hold that have not reported, and forget those that have not for long."""
    for name in sorted(state["workers"]):
        worker = state["workers"][name]
        if worker["expires"] <= now and worker["slots"] + worker["minutes"] > 0:
            _count(state, worker["expires"], worker["slots"], worker["minutes"])
            worker["slots"] = worker["minutes"] = 0
        if worker["expires"] + SEEN_SEC <= now:
            del state["workers"][name]


def _take(state: State, report: Report, now: float) -> dict[str, Any]:
    """Take over what a report says has happened. Returns the worker's row."""
    for _, seconds, in_minutes, _, _ in report["windows"]:
        _log(state, seconds, in_minutes)
        if in_minutes == 0 and state["learned"]["opened"] < 0 and state["learned"]["ramp"] == FIRST_FLIGHT:
            state["learned"]["ramp"] = -1  # the limit is known
    if report["worker"] not in state["workers"]:
        row = {
            "slots": 0,
            "minutes": 0,
            "tag": state["turn"],
            "asks": [0, 0, 0],
            "until": 0,
            "expires": 0,
            "seq": -1,
            "polls": 0,
        }
        state["workers"][report["worker"]] = row
    me: dict[str, Any] = state["workers"][report["worker"]]
    me["expires"] = now + LEASE_SEC
    me["slots"], me["minutes"] = report["holds"]
    if report["seq"] != me["seq"]:
        me["seq"] = report["seq"]
        for age, requests, minutes in report["settled"]:
            _count(state, now - age, requests, minutes)
            _accept(state, now, now - age, requests)
    if report["quick"] == 1 or report["ask"][0][0] > 0:
        state["quick"] = now
    if report["told"]:
        _tell(state, now, report["told"])
    if report["gate"] > 0:
        state["blocked"] = max(state["blocked"], now + report["gate"])
    if report["rejected"]:
        seconds = report["rejected"][0]
        if now >= state["blocked"]:  # requests sent together are rejected together: that is one block
            state["blocks"] += 1
        if seconds < 0:
            seconds = min(LONGEST_BLOCK, FIRST_BLOCK * 2.0 ** min(state["blocks"] - 1, 10))
        state["blocked"] = max(state["blocked"], now + seconds)
        if state["learned"]["rejected"] < 0:
            state["learned"]["rejected"] = now
    if state["learned"]["rejected"] >= 0 and now >= state["blocked"]:
        _learn(state["learned"], state["blocked"], now)
    return me


def _log(state: State, seconds: float, in_minutes: float) -> dict[str, Any]:
    """What was counted within so many seconds; made when it is first asked for."""
    for log in state["logs"]:
        if log["seconds"] == seconds and log["minutes"] == in_minutes:
            found: dict[str, Any] = log
            return found
    state["logs"].append({"seconds": seconds, "minutes": in_minutes, "entries": []})
    return _log(state, seconds, in_minutes)


def _count(state: State, at: float, requests: float, minutes: float) -> None:
    """Requests were answered at a time; the server may have counted them."""
    for log in state["logs"]:
        _add(log["entries"], log["seconds"], at, minutes if log["minutes"] == 1 else requests, state["now"])
    learned = state["learned"]
    if learned["limit"] > 0:
        _add(learned["entries"], learned["seconds"], at, requests, state["now"])
    shown = state["shown"]
    if shown["limit"] > 0 or not any(log["minutes"] == 0 for log in state["logs"]):
        _add(shown["entries"], shown["seconds"], at, requests, state["now"])
    if state["left"] >= 0:
        state["left"] = max(0, state["left"] - requests)  # below 0 would mean that nothing is known


def _add(entries: Entries, seconds: float, at: float, amount: float, now: float) -> None:
    """Put an amount into the last entry, if that is young, or behind it."""
    if amount <= 0 or at + seconds <= now:
        return
    if entries and at < entries[-1][0] + seconds / BUCKETS:
        entries[-1][1] = max(entries[-1][1], at)
        entries[-1][2] += amount
    else:
        entries.append([at, at, amount])


def _accept(state: State, now: float, at: float, requests: float) -> None:
    if now >= state["blocked"]:
        state["blocks"] = 0
        state["accepted"] = max(state["accepted"], at)
    learned = state["learned"]
    learned["accepted"] += requests
    if learned["ramp"] >= 0:
        learned["ramp"] += requests
        if learned["ramp"] >= FULL_SPEED:
            learned["ramp"] = -1


def _tell(state: State, now: float, told: list[float]) -> None:
    """Take over a response's headers, unless a newer response's are known."""
    age, remaining, reset_in, limit = told
    if now - age < state["told"]:
        return
    state["told"] = now - age
    if remaining >= 0:
        state["left"] = remaining
        state["learned"] = _learned(-1)  # the server reports its count: nothing to learn
    if reset_in >= 0:
        state["resets"] = now - age + reset_in
    if remaining >= 0 and reset_in > 0:
        if limit != state["shown"]["told"] and state["shown"]["limit"] > 0:
            state["shown"] = _shown(limit)  # of several windows, the tightest is told
        shown = state["shown"]
        shown["seconds"] = reset_in if shown["limit"] == 0 else max(shown["seconds"], reset_in)
        shown["told"], shown["limit"] = limit, max(shown["limit"], limit, remaining + 1)


def _shown(told: float) -> dict[str, Any]:
    """The server's window, as far as headers have shown it: the limit, told or seen in what was left, and the longest
    time until a reset. If the limit was not told, others may have used the rest, and only bulk keeps to it.
    """
    return {"told": told, "limit": 0, "seconds": SHOWN_SEC, "entries": []}


def _learned(ramp: int) -> dict[str, Any]:
    """What is known of a limit that shows in 429s alone; ``ramp``: most requests in flight, -1 = no bound."""
    return {
        "opened": -1.0,
        "accepted": 0,
        "rejected": -1.0,  # since when
        "quiet": 0.0,
        "ramp": ramp,
        "limit": 0,
        "seconds": 0.0,
        "entries": [],
    }


def _open(state: State, now: float, held: float) -> None:
    """Requests start: what is learned from begins with the first, or the first after a pause."""
    learned = state["learned"]
    paused = learned["limit"] == 0 and held == 0 and now - state["accepted"] > PAUSE_SEC
    if learned["opened"] < 0 or paused:
        learned["opened"], learned["accepted"] = now, 0


def _learn(learned: dict[str, Any], until: float, now: float) -> None:
    """As :meth:`~..windows.LearnedLimit._reopen`, from the period that ended with a 429."""
    learned["quiet"] = now
    rejected, learned["rejected"] = learned["rejected"], -1.0
    opened, learned["opened"] = learned["opened"], -1.0
    if opened < 0:
        return
    period = max(until - opened, 0.001)
    if learned["accepted"] == 0:
        if learned["limit"] > 0:
            learned["seconds"] += period
        else:
            learned["ramp"] = 1
        return
    learned["ramp"] = -1
    if learned["limit"] == 0:
        learned["limit"], learned["seconds"] = learned["accepted"], period
    elif period > learned["seconds"]:  # what the last window held; a longer one would allow it all in one burst
        held = sum(entry[2] for entry in learned["entries"] if entry[1] + learned["seconds"] > rejected)
        learned["limit"] = max(1, min(learned["limit"], held))
    elif learned["accepted"] / period < learned["limit"] / learned["seconds"]:
        learned["limit"], learned["seconds"], learned["entries"] = learned["accepted"], period, []


# -- what there is to grant --------------------------------------------------------------------------------------------


def _bounds(state: State, report: Report, now: float) -> list[_Bound]:
    """Every limit that holds now."""
    held = sum(state["workers"][name]["slots"] for name in sorted(state["workers"]))
    held_minutes = sum(state["workers"][name]["minutes"] for name in sorted(state["workers"]))
    keeps = now - state["quick"] < report["kept_sec"]
    bounds = []
    for log in state["logs"]:
        _drop_old(log["entries"], log["seconds"], now)
    for limit, seconds, in_minutes, kept, always in report["windows"]:
        entries = _log(state, seconds, in_minutes)["entries"]
        free = limit - sum(entry[2] for entry in entries) - (held_minutes if in_minutes == 1 else held)
        bounds.append(_Bound(limit, free, max(kept, always) if keeps else always, in_minutes == 1, seconds, entries))
    learned = state["learned"]
    if learned["ramp"] >= 0:
        bounds.append(_Bound(0, learned["ramp"] - held, 0, False, 0.0, []))
    if learned["limit"] > 0:
        if now - max(learned["quiet"], state["quick"] + BUSY_SEC) > QUIET_PERIODS * learned["seconds"]:
            learned["limit"], learned["quiet"] = math.ceil(learned["limit"] * GROWTH), now
        if learned["rejected"] < 0:  # else it is asked what there was
            _drop_old(learned["entries"], learned["seconds"], now)
        free = learned["limit"] - held - sum(entry[2] for entry in learned["entries"])
        kept = _share(report, learned["limit"]) if keeps else 0
        bounds.append(_Bound(learned["limit"], free, kept, False, learned["seconds"], learned["entries"]))
    if state["left"] >= 0:
        free, entries = state["left"] - held, []
        kept = _share(report, state["shown"]["limit"]) if keeps and now < state["resets"] else 0
        if held == 0 and free < 1:  # nothing is in flight that would bring a newer count: one may try after the reset
            entries = [[0.0, state["resets"], PLENTY]]
            free = 1 if now >= state["resets"] else 0
        bounds.append(_Bound(0, free, kept, False, 0.0, entries))
    shown = state["shown"]
    if shown["limit"] > 0 and (keeps or shown["told"] > 0):
        _drop_old(shown["entries"], shown["seconds"], now)
        free = shown["limit"] - held - sum(entry[2] for entry in shown["entries"])
        kept, unsure = _share(report, shown["limit"]) if keeps else 0, shown["told"] <= 0
        bounds.append(_Bound(shown["limit"], free, kept, False, shown["seconds"], shown["entries"], unsure))
    return bounds


def _share(report: Report, limit: float) -> float:
    """What bulk leaves of a limit that is not declared, as :meth:`~..windows.Share.of`."""
    if report["share"] == 0:
        return 0
    return min(math.floor(limit / 2), max(LEAST_SHARE, math.ceil(report["share"] * limit)))


def _drop_old(entries: Entries, seconds: float, now: float) -> None:
    old = 0
    while old < len(entries) and entries[old][1] + seconds <= now:
        old += 1
    del entries[:old]


def _less(bounds: list[_Bound], slots: float, minutes: float) -> list[_Bound]:
    """The limits, with so much taken."""
    return [bound._replace(free=bound.free - (minutes if bound.in_minutes else slots)) for bound in bounds]


def _slots(bounds: list[_Bound], minutes: float, *, bulk: bool) -> float:
    """How many slots, of so many minutes each, all limits have room for."""
    found = PLENTY
    for bound in bounds:
        if bound.bulk and not bulk:
            continue
        each = minutes if bound.in_minutes else 1
        if each > 0:
            room = bound.free - (bound.kept if bulk else 0)
            found = min(found, math.floor((room + EPSILON) / each))
    return max(0, found)


def _wait(bounds: list[_Bound], slots: float, minutes: float, now: float, *, bulk: bool) -> float:
    """Seconds until there is room for so many slots; -1 = not before something in flight is answered."""
    longest = 0.0
    for bound in bounds:
        if bound.bulk and not bulk:
            continue
        missing = slots * (minutes if bound.in_minutes else 1) - bound.free + (bound.kept if bulk else 0)
        for _, last, amount in bound.entries:
            if missing <= EPSILON:
                break
            missing -= amount
            longest = max(longest, last + bound.seconds - now)
        if missing > EPSILON:
            return -1.0
    return longest


def _pace(bounds: list[_Bound], now: float) -> float:
    """Seconds between bulk requests, so that slots come back at all times; 0 = half of each window is free.

    As :meth:`~..windows.SlidingWindow.interval`: the pace at which no request would have to wait for a slot.
    """
    longest = 0.0
    for bound in bounds:
        if bound.in_minutes or not 0 < bound.seconds <= LONGEST_SPREAD_SEC or bound.free > bound.limit / 2:
            continue
        usable = max(1.0, bound.free - bound.kept)
        for _, last, amount in bound.entries:
            longest = max(longest, (last + bound.seconds - now) / usable)
            usable += amount
        longest = max(longest, bound.seconds / usable)
    return longest


def _turns(tag: float, rivals: list[tuple[float, float]], wanted: float, room: int) -> int:
    """How many of ``room`` slots are a worker's, if each goes to the one with the fewest so far (its tag).

    Args:
        rivals: tag and slots wanted of the others that wait.
    """
    least, most = 0, int(min(wanted, room))
    while least < most:  # the most slots that, with what the others are given before the last of them, fit
        middle = (least + most + 1) // 2
        given = middle + sum(min(asked, max(0.0, tag + middle - 1 - other)) for other, asked in rivals)
        if given <= room:
            least = middle
        else:
            most = middle - 1
    return least
