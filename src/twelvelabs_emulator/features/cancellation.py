"""Cancelling long computations whose result is no longer wanted."""

from __future__ import annotations

import threading
from contextvars import ContextVar

#: Set while a task is computed: its event is set when the emulator closes or forgets the task.
cancel_event: ContextVar[threading.Event | None] = ContextVar("twelvelabs_emulator_cancel", default=None)


class Cancelled(Exception):
    """The computation was cancelled."""


def check_cancelled() -> None:
    """Raise `Cancelled` if that was requested. Called for every packet, page and clip."""
    event = cancel_event.get()
    if event is not None and event.is_set():
        raise Cancelled
