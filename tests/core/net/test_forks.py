"""What is made anew after a fork, and what a fork waits for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.processes import QUIET_FORK
from twelvelabs_core._net import forks
from twelvelabs_core._net.forks import PerLoop


def test_a_value_is_made_once_and_again_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    value = PerLoop(make)
    assert value.made() is None
    assert value.get() is value.get() is value.made() is made[0]
    monkeypatch.setattr(forks, "_generation", forks.generation() + 1)
    assert value.made() is None
    assert value.get() is value.get() is made[1]
    assert len(made) == 2


def test_threads_that_come_first_together_get_the_same() -> None:
    barrier = threading.Barrier(2, timeout=5)

    def make() -> object:
        barrier.wait()  # both are making one
        return object()

    value, found = PerLoop(make), []
    threads = [threading.Thread(target=lambda: found.append(value.get())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_waits_for_a_step_but_not_for_ever(script: Callable[..., Any]) -> None:
    script(
        """
import logging, os, threading, time
from twelvelabs_core._net import forks

def fork():
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        with forks.uncut():         # free in the child, whatever its parent's threads do
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return time.monotonic() - started

inside, leave, asked = threading.Event(), threading.Event(), []

def step():
    with forks.uncut():
        inside.set()
        leave.wait()
        logging.getLogger("a lock that a fork takes")
thread = threading.Thread(target=step)
thread.start()
inside.wait()
forks.before_fork(lambda: asked.append(True))
threading.Timer(0.3, leave.set).start()
assert 0.2 < fork() < 4
thread.join()
assert asked == [True]
assert fork() < 4

inside.clear(), leave.clear()
forks.WAIT_SEC = 0.2
thread = threading.Thread(target=step)
thread.start()
inside.wait()
assert 0.1 < fork()
leave.set()
thread.join()
""",
        *QUIET_FORK,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_steps_that_overlap_do_not_keep_a_fork_waiting(script: Callable[..., Any]) -> None:
    """Two threads of which one is always in a step: with a cache under load that is what threads do."""
    script(
        """
import os, threading, time
from twelvelabs_core._net import forks

forks.WAIT_SEC = 60.0
turn, stopped = [threading.Semaphore(1), threading.Semaphore(0)], False
inside, at_fork = set(), []

def relay(me):
    while not stopped:
        if not turn[me].acquire(timeout=0.1):
            continue
        with forks.uncut():
            inside.add(me)
            turn[1 - me].release()           # the other begins a step ...
            deadline = time.monotonic() + 0.5
            while 1 - me not in inside and time.monotonic() < deadline and not stopped:
                time.sleep(0.001)            # ... before this one ends, if it can
            inside.discard(me)

threads = [threading.Thread(target=relay, args=(i,)) for i in range(2)]
[thread.start() for thread in threads]
forks.before_fork(lambda: at_fork.append(set(inside)))
started = time.monotonic()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
took, stopped = time.monotonic() - started, True
[thread.join() for thread in threads]
assert at_fork == [set()] * 3, at_fork
assert took < 20, took
""",
        *QUIET_FORK,
    )


def test_a_step_may_be_inside_another() -> None:
    """A finalizer may run anywhere."""
    with forks.uncut(), forks.uncut():
        pass
    started = time.monotonic()
    forks._steps.stop()
    with forks.uncut():  # the forking thread's own
        pass
    forks._steps.go_on()
    assert time.monotonic() - started < 4


def test_a_fork_waits_for_a_step_that_begins_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a cache's file closes the last one, which is a step as well."""
    monkeypatch.setattr(forks, "WAIT_SEC", 60.0)
    steps = forks._Steps()
    inside, stopping, order = threading.Event(), threading.Event(), []

    def work() -> None:
        with steps:
            inside.set()
            stopping.wait(10)
            with steps:
                order.append("the step's own")

    def late() -> None:
        stopping.wait(10)
        with steps:
            order.append("late")

    threads = [threading.Thread(target=work), threading.Thread(target=late)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    monkeypatch.setattr(steps._condition, "wait_for", _told(steps._condition.wait_for, stopping))
    steps.stop()
    order.append("the fork")
    steps.go_on()
    for thread in threads:
        thread.join(10)
    assert order == ["the step's own", "the fork", "late"]


def _told(wait_for: Callable[..., bool], event: threading.Event) -> Callable[..., bool]:
    """Tell that the fork is waiting."""

    def waits(*given: Any) -> bool:
        event.set()
        return wait_for(*given)

    return waits
