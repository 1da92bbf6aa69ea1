"""Which lane a call is in: does somebody wait for its answer, or is it one of many?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from ._errors import InvalidInputError

#: ``interactive`` = somebody waits for the answer, such as a user for a query's; ``bulk`` = batches, streams, loaders.
Lane = Literal["interactive", "bulk"]
LANES: tuple[Lane, Lane] = ("interactive", "bulk")  # in the order in which they are served

_chosen: ContextVar[Lane | None] = ContextVar("twelvelabs_lane", default=None)


def lane_of(default: Lane) -> Lane:
    """The lane of a call made here: that of the surrounding :func:`in_lane`, else ``default``."""
    return _chosen.get() or default


def checked_lane(lane: Lane | None, default: Lane) -> Lane:
    """The lane of a call that may name one itself.

    Raises:
        InvalidInputError: it is neither.
    """
    if lane is None:
        return lane_of(default)
    if lane not in ("interactive", "bulk"):
        raise InvalidInputError(f"lane={lane!r} is not one of interactive, bulk.")
    return lane


def choose(lane: Lane) -> None:
    """Have everything that the running task does from now on be in a lane."""
    _chosen.set(lane)


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Have the calls inside be in a lane: those of this thread or task, and of tasks begun inside."""
    before = _chosen.get()
    _chosen.set(lane)
    try:
        yield
    finally:
        _chosen.set(before)  # not by a token: a generator may be closed in another context than it began in
