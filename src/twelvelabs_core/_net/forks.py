"""What a fork may not carry over, and what it may not cut through.

A forked child has its parent's memory and one thread. Whatever other threads held at that moment stays as it was: a
lock is never released, a task never ends, a half imported module stays half imported. So what threads or the loop hold
is made anew in the child (:class:`PerLoop`), and a fork waits for short steps in libraries whose own locks cannot be
made anew (:func:`uncut`). SQLite forbids to carry an open connection over; :func:`before_fork` closes it.
"""

from __future__ import annotations

import concurrent.futures.thread
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

# A fork goes on after so many seconds, whatever the steps it waits for do: a disk may hang.
WAIT_SEC = 5.0


class PerLoop(Generic[T]):
    """A value that lives and dies with the background loop: made on first use, and again after a fork.

    For whatever a thread or the loop holds: locks, tasks, futures, connections. A child must neither use its parent's
    (nobody is left to release or finish them) nor close them, so they are kept, unused.

    Args:
        factory: makes the value; may be called twice for one loop if two threads come first, and one value is dropped.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._made: dict[int, T] = {}

    def get(self) -> T:
        """The value of the current loop. Takes no lock."""
        try:
            return self._made[_generation]
        except KeyError:
            return self._made.setdefault(_generation, self._factory())

    def made(self) -> T | None:
        """The value of the current loop if there is one."""
        return self._made.get(_generation)


class _Steps:
    """The steps that threads are in. A fork waits for them, and those that come meanwhile wait for it: else a busy
    process, where one step begins before the last has ended, would never let it through. Only a thread that is in a
    step, or forks itself, may begin one then: another step of its own, or a finalizer's, which may run anywhere.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()  # its lock may be taken again by the same thread: by a finalizer
        self.inside: dict[int, int] = {}  # steps by thread
        self._forking: set[int] = set()  # threads

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self._condition:
            while self._forking and thread not in self.inside and thread not in self._forking:
                self._condition.wait()
            self.inside[thread] = self.inside.get(thread, 0) + 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._condition:
            self.inside[thread] -= 1
            if not self.inside[thread]:
                del self.inside[thread]
                if self._forking:
                    self._condition.notify_all()

    def stop(self) -> None:
        thread = threading.get_ident()
        self._condition.acquire()
        self._forking.add(thread)
        self._condition.wait_for(lambda: self.inside.keys() <= {thread}, WAIT_SEC)

    def go_on(self) -> None:
        self._forking.discard(threading.get_ident())
        self._condition.notify_all()
        self._condition.release()


_generation = 0
_steps = _Steps()
_closers: list[Callable[[], None]] = []


def generation() -> int:
    """Changes with a fork: whatever was made before it on the loop cannot be used."""
    return _generation


def uncut() -> contextlib.AbstractContextManager[None]:
    """A step that a fork of this process waits for; it must be short. For locks that cannot be made anew in the child:
    SQLite's, and that of a module which a thread imports.
    """
    return _steps


def before_fork(closer: Callable[[], None]) -> None:
    """Have ``closer`` called before each fork, when no thread is in a step (:func:`uncut`)."""
    _closers.append(closer)


def _before_fork() -> None:
    _steps.stop()
    for closer in _closers:
        closer()


def _after_fork_in_parent() -> None:
    _steps.go_on()


def _after_fork_in_child() -> None:
    global _generation, _steps
    _generation += 1
    _steps = _Steps()


# What is registered last is called first: these modules take their own locks before a fork, which a step may need.
assert logging and concurrent.futures.thread
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
