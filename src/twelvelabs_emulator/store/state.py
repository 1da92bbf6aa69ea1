"""Everything that one running emulator holds."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ..protocol.faults import FaultSchedule
from ..protocol.rate_limits import Limiter
from ..protocol.request_log import RequestLog
from ..protocol.settings import Settings
from .assets import Assets
from .files import Files
from .tasks import Tasks
from .uploads import Uploads


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
        self.files = Files()
        self.assets = Assets()
        self.uploads = Uploads()
        self.tasks = Tasks()

    def configure(self, **changes: Any) -> None:
        """Change settings; requests being served keep the old ones. Raises ``ValueError``."""
        self.settings = self.settings.replace(**changes)

    def reset(self) -> None:
        """Return to the first settings, an empty log, counters at zero, and nothing stored."""
        self.settings = self._first_settings
        self.log.clear()
        self.limiter.reset()
        self.faults.reset()
        self.close()

    def stop(self) -> None:
        """Cancel what is being computed."""
        self.tasks.stop()

    def close(self) -> None:
        """Forget what clients have created, and delete the files."""
        self.tasks.clear()
        self.uploads.clear()
        self.assets.clear()
        self.files.clear()


def state_of(request: Request) -> State:
    """Return the state of the emulator that serves the request."""
    state: State = request.app.state.emulator
    return state
