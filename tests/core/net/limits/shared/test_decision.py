"""What a worker is granted of a shared limit: no I/O, no clock but the one passed in."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reports import a_report, ask, conversations
from twelvelabs_core._net.limits.shared.decision import (
    BUCKETS,
    GRACE_SEC,
    LEASE_SEC,
    LONGEST_POLL_SEC,
    SEEN_SEC,
    Report,
    State,
    decide,
    new_state,
)

WINDOW = [[100, 2.0, 0, 0, 0]]


def test_slots_are_held_until_a_window_after_the_answer() -> None:
    state = new_state()
    assert decide(state, a_report(windows=WINDOW, ask=ask(64)), 0)["slots"] == [0, 64]
    grant = decide(state, a_report(worker="b", windows=WINDOW, ask=ask(64)), 0)
    assert (grant["slots"], grant["wait"][1], grant["tight"]) == ([0, 36], -1, True)
    answered = a_report(seq=1, settled=[[0.25, 64, 0]], windows=WINDOW, ask=ask(64))
    assert decide(state, answered, 1.0)["wait"][1] == pytest.approx(2.0 - 0.25)  # by the age, not by the report
    assert decide(state, {**answered, "seq": 1}, 1.7)["slots"] == [0, 0]  # the same batch again
    assert decide(state, {**answered, "seq": 1}, 0.06)["slots"] == [0, 64]


def test_what_is_given_back_or_was_not_counted_is_free_at_once() -> None:
    state = new_state()
    decide(state, a_report(windows=WINDOW, ask=ask(100)), 0)
    assert decide(state, a_report(windows=WINDOW, holds=[30, 0]), 0)["free"] == [70]
    assert decide(state, a_report(worker="b", windows=WINDOW, ask=ask(100)), 0)["slots"] == [0, 70]


def test_room_is_divided_among_those_that_wait() -> None:
    state = new_state()
    decide(state, a_report(worker="z", windows=WINDOW, ask=ask(100)), 0)
    for worker in "abcd":
        assert decide(state, a_report(worker=worker, windows=WINDOW, ask=ask(64)), 0)["slots"] == [0, 0]
    decide(state, a_report(worker="z", seq=1, settled=[[0, 100, 0]], windows=WINDOW), 0)
    for worker in "abcd":
        assert decide(state, a_report(worker=worker, windows=WINDOW, ask=ask(64)), 0.4)["slots"] == [0, 0]
    report = a_report(windows=WINDOW, ask=ask(64))
    grants = [decide(state, {**report, "worker": worker}, 0.41 * (worker == "a")) for worker in "abcd"]
    assert [grant["slots"][1] for grant in grants] == [25, 25, 25, 25]


def test_a_worker_that_does_not_come_for_its_part_loses_it_soon() -> None:
    state = new_state()
    decide(state, a_report(worker="z", windows=WINDOW, ask=ask(100)), 0)
    decide(state, a_report(worker="gone", windows=WINDOW, ask=ask(64)), 0)
    decide(state, a_report(worker="a", windows=WINDOW, ask=ask(64)), 0)
    decide(state, a_report(worker="z", windows=WINDOW), 0)  # all given back
    assert decide(state, a_report(worker="a", holds=[0, 0], windows=WINDOW, ask=ask(64)), 0)["slots"] == [0, 50]
    holds = a_report(worker="a", holds=[50, 0], windows=WINDOW, ask=ask(14))
    assert decide(state, holds, LONGEST_POLL_SEC + GRACE_SEC)["slots"] == [0, 14]


def test_slots_ahead_are_for_when_there_is_plenty() -> None:
    state = new_state()
    assert decide(state, a_report(windows=[[10_000, 2.0, 0, 0, 0]], ask=ask(1, spare=100)), 0)["slots"] == [0, 101]
    assert decide(new_state(), a_report(windows=WINDOW, ask=ask(80, spare=100)), 0)["slots"] == [0, 80 + 20 // 4]


def test_interactive_goes_first_everywhere() -> None:
    state = new_state()
    decide(state, a_report(worker="z", windows=WINDOW, ask=ask(100)), 0)
    assert decide(state, a_report(worker="bulk", windows=WINDOW, ask=ask(64)), 0)["slots"] == [0, 0]
    assert decide(state, a_report(worker="query", windows=WINDOW, ask=ask(interactive=1)), 0)["slots"] == [0, 0]
    decide(state, a_report(worker="z", holds=[99, 0], windows=WINDOW), 0)  # one comes back
    assert decide(state, a_report(worker="bulk", windows=WINDOW, ask=ask(64)), 0)["slots"] == [0, 0]
    assert decide(state, a_report(worker="query", windows=WINDOW, ask=ask(interactive=1)), 0)["slots"] == [1, 0]


def test_bulk_leaves_what_is_kept_for_interactive() -> None:
    state, windows = new_state(), [[100, 2.0, 0, 5, 0]]
    decide(state, a_report(worker="query", windows=windows, quick=1, kept_sec=60), 0)
    assert decide(state, a_report(windows=windows, kept_sec=60, ask=ask(200)), 0)["slots"] == [0, 95]
    assert decide(state, a_report(worker="query", windows=windows, ask=ask(interactive=9)), 0)["slots"] == [5, 0]
    alone = a_report(windows=windows, kept_sec=60, ask=ask(200))
    assert decide(new_state(), alone, 0)["slots"] == [0, 100]  # nobody has asked: nothing is kept


def test_minutes_are_weighed() -> None:
    state, windows = new_state(), [[10, 2.0, 0, 0, 0], [6.0, 3600.0, 1, 0, 0]]
    assert decide(state, a_report(windows=windows, ask=ask(3, minutes=2.5)), 0)["slots"] == [0, 2]
    assert decide(state, a_report(worker="b", windows=windows, ask=ask(1, minutes=1.5)), 0)["slots"] == [0, 0]
    assert decide(state, a_report(worker="b", windows=windows, ask=ask(1, minutes=1.0)), 0)["slots"] == [0, 1]


def test_slots_of_a_killed_worker_count_as_used_when_its_lease_ends() -> None:
    state = new_state()
    decide(state, a_report(worker="killed", windows=WINDOW, ask=ask(60)), 0)
    ask_all = a_report(windows=WINDOW, ask=ask(100))
    assert decide(state, ask_all, LEASE_SEC - 0.1)["slots"] == [0, 40]
    holds = a_report(holds=[40, 0], windows=WINDOW, ask=ask(60))
    assert decide(state, holds, 0.2)["wait"][1] == pytest.approx(2.0 - 0.1)
    assert decide(state, holds, 1.91)["slots"] == [0, 60]
    grant = decide(state, a_report(holds=[100, 0], windows=WINDOW), SEEN_SEC)
    assert grant["workers"] == 1  # and it is forgotten


def test_a_429_anywhere_closes_the_gate_for_all() -> None:
    state = new_state()
    decide(state, a_report(windows=WINDOW, rejected=[3.0]), 0)
    grant = decide(state, a_report(worker="b", windows=WINDOW, ask=ask(5, interactive=1)), 1.0)
    assert (grant["slots"], grant["gate"], grant["wait"]) == ([0, 0], 2.0, [2.0, 2.0])
    assert decide(state, a_report(worker="b", windows=WINDOW, ask=ask(5)), 2.0)["slots"] == [0, 5]


def test_429s_without_a_time_close_it_for_longer_each_time() -> None:
    state = new_state()
    gates = [decide(state, a_report(rejected=[-1]), 100.0)["gate"] for _ in range(8)]
    assert gates == [1, 2, 4, 8, 16, 32, 60, 60]
    assert decide(state, a_report(rejected=[-1]), 1.0)["gate"] == 60  # together with the one before
    decide(state, a_report(seq=1, settled=[[0, 1, 0]]), 100.0)  # accepted
    assert decide(state, a_report(rejected=[-1]), 0)["gate"] == 1


def test_the_server_s_count_is_shared() -> None:
    state = new_state()
    decide(state, a_report(told=[0.0, 10, 30.0, -1], holds=[4, 0]), 0)  # four may not be counted in it
    assert decide(state, a_report(worker="b", ask=ask(64)), 0)["slots"] == [0, 6]
    older = a_report(worker="c", told=[5.0, 50, 30.0, -1], ask=ask(1))
    assert decide(state, older, 1.0)["slots"] == [0, 0]
    decide(state, a_report(seq=1, settled=[[0, 4, 0]]), 0)
    grant = decide(state, a_report(worker="b", seq=1, settled=[[0, 6, 0]], ask=ask(64)), 0)
    assert (grant["slots"], grant["wait"][1]) == ([0, 0], 29.0)
    assert decide(state, a_report(worker="b", ask=ask(64), seq=1), 29.0)["slots"] == [0, 1]  # one may try
    assert decide(state, a_report(worker="c", ask=ask(64)), 0)["slots"] == [0, 0]


def test_a_limit_is_learned_from_429s_of_all() -> None:
    state = new_state()
    assert decide(state, a_report(ask=ask(200)), 0)["slots"] == [0, 64]  # nothing is known: not all at once
    decide(state, a_report(worker="b", seq=1, settled=[[0, 64, 0]], rejected=[3.0]), 1.0)
    decide(state, a_report(seq=1, settled=[[0, 16, 0]]), 0)
    grant = decide(state, a_report(worker="c", ask=ask(200)), 3.0)
    assert grant["slots"] == [0, 80]  # 80 in 4 s
    decide(state, a_report(worker="c", seq=1, settled=[[0, 80, 0]]), 0)
    assert decide(state, a_report(ask=ask(200)), 3.9)["slots"] == [0, 0]
    assert decide(state, a_report(ask=ask(200)), 0.11)["slots"] == [0, 80]
    # Raised after some quiet time; if that was too much, it is what one window held, and no sum of several.
    decide(state, a_report(seq=2, settled=[[0, 80, 0]]), 0.0)
    assert decide(state, a_report(ask=ask(200), seq=2), 25.0)["slots"] == [0, 88]
    decide(state, a_report(seq=3, settled=[[0, 82, 0]], rejected=[4.0]), 0.0)
    assert 60 <= decide(state, a_report(ask=ask(200), seq=3), 4.1)["slots"][1] <= 88


def test_a_clock_that_was_put_back_stops_nothing() -> None:
    state = new_state()
    decide(state, a_report(windows=WINDOW, ask=ask(100)), 0)
    decide(state, a_report(seq=1, settled=[[0, 100, 0]], windows=WINDOW), 0)
    assert decide(state, a_report(windows=WINDOW, ask=ask(1)), -3600.0)["wait"][1] == 2.0
    assert decide(state, a_report(windows=WINDOW, ask=ask(1)), 2.1)["slots"] == [0, 1]


def test_a_day_is_kept_in_few_entries() -> None:
    state, windows, rng = new_state(), [[30_000, 86_400.0, 0, 0, 0]], random.Random(1)
    for seq in range(20_000):
        decide(state, a_report(seq=seq, settled=[[0, 1, 0]], windows=windows), rng.random() * 8)
    assert len(state["logs"][0]["entries"]) <= BUCKETS + 1
    assert len(json.dumps(state)) < 16_000


@given(conversations())
def test_the_state_stays_plain_and_grants_stay_in_bounds(conversation: list[tuple[Report, float]]) -> None:
    state = new_state()
    for report, elapsed in conversation:
        grant = decide(state, report, elapsed)
        for slots, asked in zip(grant["slots"], report["ask"], strict=True):
            assert 0 <= slots <= asked[0] + asked[1]
        assert grant["gate"] == 0 or grant["slots"] == [0, 0]
        assert all(wait == -1 or wait >= 0 for wait in grant["wait"])
        assert 0 < grant["again"] <= LONGEST_POLL_SEC * 2
        assert grant["workers"] >= 1
        assert json.loads(json.dumps(state)) == state


# -- many workers, and a server that counts at any time --------------------------------------------------------------


@dataclass
class Sender:
    """A worker that does what it may, when it likes."""

    name: str
    unused: int = 0
    seq: int = 0
    valid_until: float = 0.0
    flying: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


def worst_count(requests: list[tuple[float, float]], seconds: float) -> int:
    """The most that any window can hold, if each request is counted when it hurts most. (sent, answered)"""
    ends = sorted(answered for _, answered in requests)
    return max(
        (sum(sent < end + seconds and answered >= end for sent, answered in requests) for end in ends), default=0
    )


@given(st.randoms(use_true_random=False), st.integers(1, 12), st.sampled_from([0.5, 2.0]), st.integers(1, 5))
def test_no_window_ever_holds_more(rng: random.Random, limit: int, seconds: float, workers: int) -> None:
    state: State = new_state()
    senders = [Sender(str(index)) for index in range(workers)]
    now = reported_at = 0.0
    requests: list[tuple[float, float]] = []
    taken: Counter[str] = Counter()
    for _ in range(150):
        now += rng.choice([0.0, 0.01, 0.1, 0.3])
        # One that was silent for a whole lease stood still: what it had sent before has been counted by then.
        for silent in (sender for sender in senders if now >= sender.valid_until):
            requests += [(sent, silent.valid_until) for sent in silent.flying]
            silent.flying, silent.unused = [], 0
        sender = rng.choice(senders)
        what = rng.random()
        if what < 0.3 and sender.unused:
            sender.unused -= 1
            sender.flying.append(now)
        elif what < 0.55 and sender.flying:
            requests.append((sender.flying.pop(0), now))
            sender.answered.append(now)
            taken[sender.name] += 1
        elif what < 0.57:  # killed: another takes its place; what is in flight may be counted until its lease ends
            requests += [(sent, min(now + 0.05, sender.valid_until)) for sent in sender.flying]
            senders[senders.index(sender)] = Sender(f"{sender.name}'")
        else:
            sender.seq += 1
            report = a_report(
                worker=sender.name,
                seq=sender.seq,
                holds=[len(sender.flying) + sender.unused, 0],
                settled=[[now - at, 1, 0] for at in sender.answered],
                windows=[[limit, seconds, 0, 0, 0]],
                ask=ask(rng.choice([0, 1, 5]), spare=rng.choice([0, 3]), interactive=rng.choice([0, 0, 1])),
            )
            sender.answered = []
            sender.unused += sum(decide(state, report, now - reported_at)["slots"])
            sender.valid_until, reported_at = now + LEASE_SEC, now
    requests += [(sent, now) for sender in senders for sent in sender.flying]
    assert worst_count(requests, seconds) <= limit
