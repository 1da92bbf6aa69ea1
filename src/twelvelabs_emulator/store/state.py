"""Everything that one running emulator holds."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from ..protocol.faults import FaultSchedule
from ..protocol.rate_limits import Limiter
from ..protocol.request_log import RequestLog
from ..protocol.settings import Settings
from .assets import Assets
from .files import Files
from .tasks import Tasks
from .uploads import Uploads

# Key in the ASGI scope of the state as it was when the request arrived.
_AT_ARRIVAL = "twelvelabs_emulator.state"


class State:
    """The settings, the request log, the counters, and what clients have created."""

    def __init__(self, settings: Settings) -> None:
        self._first_settings = settings
        self.settings = settings
        #: Whether responses have a ``Date`` by the emulator's clock, because the server adds none by its own.
        self.sends_date = False
        self.log = RequestLog()
        self.limiter = Limiter()
        self.faults = FaultSchedule()
        self._start_empty()

    def _start_empty(self) -> None:
        self.files = Files()
        self.assets = Assets()
        self.uploads = Uploads()
        self.tasks = Tasks()

    def configure(self, **changes: Any) -> None:
        """Change settings; requests being served keep the old ones. Raises ``ValueError``."""
        self.settings = self.settings.replace(**changes)

    def reset(self) -> None:
        """Return to the first settings, an empty log, counters at zero, and nothing stored.

        Requests being served go on with what they have: their files are deleted with the last of them.
        """
        self.settings = self._first_settings
        self.log.clear()
        self.limiter.reset()
        self.faults.reset()
        self.stop()
        self._start_empty()

    def stop(self) -> None:
        """Cancel what is being computed."""
        self.tasks.stop()

    def close(self) -> None:
        """Forget what clients have created, and delete the files."""
        self.stop()
        self.files.clear()
        self._start_empty()


@contextlib.contextmanager
def state_kept(scope: Scope, state: State) -> Iterator[None]:
    """Serve a request from the state at its arrival to its end, whatever is reset or configured meanwhile."""
    scope[_AT_ARRIVAL] = copy.copy(state)
    try:
        yield
    finally:
        del scope[_AT_ARRIVAL]  # An idle connection keeps the scope of its last request.


def state_of(request: Request) -> State:
    """Return the state of the emulator that serves the request."""
    state: State = request.scope.get(_AT_ARRIVAL) or request.app.state.emulator
    return state
