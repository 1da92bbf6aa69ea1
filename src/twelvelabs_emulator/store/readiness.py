"""When what a client has created is ready: after so many polls, or so many seconds."""

from __future__ import annotations


def is_ready(now: float, begun: float, polls: int, *, needed: int, least: float, unasked: float | None) -> bool:
    """Return whether a task or asset is ready.

    Args:
        now: the emulator's clock, in seconds since the epoch.
        begun: when it was created, or had arrived.
        polls: how often a client has asked.
        needed: how many polls return "processing".
        least: seconds for which it is processing, however often a client asks.
        unasked: seconds after those for which it is processing, however seldom a client asks; ``None``: for ever.
    """
    waited = now - begun - least
    return waited >= 0 and (polls >= needed or (unasked is not None and waited >= unasked))
