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
