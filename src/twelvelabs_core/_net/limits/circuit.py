"""What to do about a server that only fails: stop sending to it, try it now and then, and go on when it is back.

Without it, each of ten thousand items would spend all of its retries on a server that is down.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from ..._errors import ConnectionFailedError, MalformedResponseError, ServerError, TwelveLabsError
from ..._lanes import Lane
from ..pace import waiting
from .lanes import is_promoted, may_be_promoted

logger = logging.getLogger("twelvelabs_embeddings")

#: ``code`` of the error for a request that was not sent, because the circuit is open.
CIRCUIT_OPEN = "circuit_open"

# Failed attempts in a row that open it. Where every second attempt fails by chance, 32 in a row come once in 10^9.
FAILURES = 32
FAILURES_UNREACHED = 8  # no connection was ever made: most likely a wrong address
FIRST_PROBE_SEC, LONGEST_PROBE_SEC = 0.5, 15.0


class Visit(NamedTuple):
    """Until when a request waits at an open circuit.

    Attributes:
        until: for a probe.
        latest: if the server itself asked to wait.
    """

    until: float
    latest: float


class Circuit:
    """The decisions: arithmetic on a clock that is passed in. While it is open, one attempt at a time is a probe.

    Attributes:
        is_open: too many attempts in a row have failed.
        reached: some attempt has reached the server.
        failed_probes: since it opened.
        asked_until: until when the server asked to wait (``Retry-After``).
    """

    __slots__ = (
        "_failures",
        "_interval",
        "_probe_at",
        "_probing",
        "asked_until",
        "failed_probes",
        "is_open",
        "reached",
    )

    def __init__(self) -> None:
        self.is_open = self.reached = self._probing = False
        self.failed_probes = self._failures = 0
        self.asked_until = self._probe_at = -math.inf
        self._interval = FIRST_PROBE_SEC

    def wait(self, now: float) -> float:
        """Seconds until a probe may start; 0 = now, inf = not before the one under way has ended."""
        return math.inf if self._probing else max(0.0, self._probe_at - now)

    def probe(self) -> None:
        """A probe starts."""
        self._probing = True

    def succeed(self) -> None:
        """The server answered an attempt, with a result or a refusal: it works."""
        self._failures = 0
        self.reached = True
        self.asked_until = -math.inf
        if self.is_open:
            self.is_open = self._probing = False

    def fail(self, now: float, *, probe: bool, unreachable: bool, retry_after: float | None = None) -> None:
        """An attempt failed by the server's fault.

        Args:
            probe: it was the probe. Others that end while the circuit is open were sent before.
            unreachable: no connection was made.
            retry_after: seconds that the server asked to wait.
        """
        self.reached = self.reached or not unreachable
        self._failures += 1
        if retry_after is not None:
            self.asked_until = max(self.asked_until, now + retry_after)
        if not self.is_open:
            if self._failures < (FAILURES if self.reached else FAILURES_UNREACHED):
                return
            self.is_open, self._interval, self.failed_probes = True, FIRST_PROBE_SEC, 0
        elif probe:
            self._probing = False
            self.failed_probes += 1
            self._interval = min(LONGEST_PROBE_SEC, self._interval * 2)
        else:
            return
        self._probe_at = max(now + self._interval, self.asked_until)

    def abandon(self) -> None:
        """The probe ended without showing anything (cancelled, or not sent): another may start at once."""
        self._probing = False

    def is_over(self, visit: Visit, now: float, wait: float) -> bool:
        """Whether a visitor gives up, ``wait`` seconds before the next probe."""
        until = min(max(visit.until, self.asked_until), visit.latest)
        return now > visit.latest or (0 < wait < math.inf and now + wait > until)


class Gate:
    """The circuit of an account, which every attempt to send to it passes. On the background loop only."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.circuit = Circuit()
        self._clock = clock
        self._changed = asyncio.Event()
        self._interactive = 0  # that wait
        self._last: tuple[str, int | None, bool] = ("", None, False)  # failure: message, status, no response

    async def enter(self, visit: Visit, lane: Lane = "bulk") -> bool:
        """Wait until an attempt may be made, interactive ones first. Call it only while the circuit is open.

        Returns:
            Whether it is the probe. Its end must be reported, however it ends.

        Raises:
            ConnectionFailedError, ServerError: the server stays broken for longer than the visitor waits. The code is
                ``circuit_open``; nothing was sent.
        """
        interactive = lane == "interactive"
        self._interactive += interactive
        try:
            with may_be_promoted(self._wake):
                return await self._enter(visit, interactive)
        finally:
            self._interactive -= interactive
            if interactive and not self._interactive:
                self._wake()

    async def _enter(self, visit: Visit, interactive: bool) -> bool:
        while self.circuit.is_open:
            now = self._clock()
            wait = self.circuit.wait(now)
            if self.circuit.is_over(visit, now, wait):
                raise self.refusal()
            if wait <= 0 and self._interactive and not interactive and not is_promoted():
                wait = math.inf  # one of those is the probe
            if wait <= 0 or (wait < math.inf and not waiting()):
                self.circuit.probe()
                return True
            timer = asyncio.get_running_loop().call_later(wait, self._wake) if wait < math.inf else None
            try:
                await self._changed.wait()
            finally:
                if timer is not None:
                    timer.cancel()
        return False

    def succeeded(self) -> None:
        """An attempt succeeded."""
        was_open = self.circuit.is_open
        self.circuit.succeed()
        if was_open:
            logger.info("The server answers again.")
            self._wake()

    def failed(self, error: BaseException, *, probe: bool) -> None:
        """An attempt ended with ``error``, whatever it is."""
        circuit = self.circuit
        was_open = circuit.is_open
        if is_failure(error):
            assert isinstance(error, TwelveLabsError)
            self._last = (error.message, error.status, isinstance(error, ConnectionFailedError))
            retry_after = getattr(error, "retry_after", None)
            unreachable = error.code == "unreachable"
            circuit.fail(self._clock(), probe=probe, unreachable=unreachable, retry_after=retry_after)
            if circuit.is_open and not was_open:
                logger.warning("The server fails every request; waiting for it. Last: %s", error)
        elif isinstance(error, TwelveLabsError) and error.status is not None:
            circuit.succeed()
        elif probe:
            circuit.abandon()
        if was_open:
            self._wake()

    def abandoned(self) -> None:
        """The probe was not sent."""
        self.circuit.abandon()
        self._wake()

    def refusal(self) -> TwelveLabsError:
        """The error for a request that waits no longer. It is about the server, not about the request."""
        message, status, no_response = self._last
        wait = self.circuit.wait(self._clock())
        again = f"the next attempt may be made in {wait:.0f} s" if 1 <= wait < math.inf else "try again later"
        return (ConnectionFailedError if no_response else ServerError)(
            f"{message.rstrip('.')}. The server has failed every request for some time; {again}.",
            status=status,
            code=CIRCUIT_OPEN,
        )

    def _wake(self) -> None:
        """Have all who wait look again, in the order in which they came."""
        self._changed.set()
        self._changed.clear()


def is_failure(error: BaseException) -> bool:
    """Whether an attempt failed by the server's fault: 5xx, 408, 425, no connection, no or no usable response."""
    return isinstance(error, (ServerError, ConnectionFailedError, MalformedResponseError))
