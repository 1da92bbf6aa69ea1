"""Giving up long measurements for which nobody waits any more."""

from __future__ import annotations

import threading
from contextvars import ContextVar

__all__ = ["Halted", "check_halt", "halt"]

#: Set while a task is measured; its event is set when the emulator closes or forgets the task.
halt: ContextVar[threading.Event | None] = ContextVar("twelvelabs_emulator_halt", default=None)


class Halted(Exception):
    """The measurement was given up."""


def check_halt() -> None:
    """Raise `Halted` if that has been asked for. Called for every packet and every clip."""
    event = halt.get()
    if event is not None and event.is_set():
        raise Halted
