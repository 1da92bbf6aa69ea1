"""Tasks: work that is asked for, done in the background, and asked about until it is ready."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..features.media.cancellation import Halted, check_halt, halt
from ..features.segments import Row
from ..protocol.clock import Script, new_id, now, rfc3339
from ..protocol.errors import ApiError, not_found
from ..protocol.settings import Settings

__all__ = ["Result", "Task", "Tasks"]

_logger = logging.getLogger("twelvelabs_emulator")
# A poll that is due waits so many seconds for work that is not done yet, so that small media never disappoint.
_PATIENCE_SEC = 10.0

UNFETCHED = "The source media could not be fetched."
_EXPIRED = "The result is no longer available."


@dataclass(frozen=True)
class Result:
    """What comes of a task, as far as it came: the vectors, and what is told beside them."""

    rows: list[Row] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] | None = None
    error: str | None = None


@dataclass
class Task:
    """One task. ``listed`` is the metadata that is known from the start; ``version`` 1 or 2 of the API."""

    version: int
    kind: str
    model_name: str
    created: float
    work: asyncio.Future[Result]
    listed: dict[str, Any]
    dimension: int | None = None
    uncertainty: bool = False
    polls: int = 0
    updated: float | None = None
    id: str = field(default_factory=new_id)

    async def result(self, settings: Settings) -> Result | None:
        """Return what came of it, or ``None`` while it is processing."""
        if self.polls < settings.task_polls or now(settings) < self.created + settings.task_sec:
            return None
        await asyncio.wait({self.work}, timeout=_PATIENCE_SEC)
        if not self.work.done():
            return None
        if self.updated is None:
            self.updated = now(settings)
        if self.is_old(settings):
            return Result(error=_EXPIRED)
        return self.work.result()

    def is_old(self, settings: Settings) -> bool:
        """Tell whether it is past the time that tasks are kept."""
        return now(settings) > self.created + settings.task_kept_sec

    def times(self) -> dict[str, str]:
        """Return when it was made and when it last changed."""
        return {"created_at": rfc3339(self.created), "updated_at": rfc3339(self.updated or self.created)}


def status_of(result: Result | None) -> str:
    """Return "processing", "ready" or "failed"."""
    if result is None:
        return "processing"
    return "ready" if result.error is None else "failed"


class Tasks:
    """All tasks of one emulator, the newest last."""

    def __init__(self) -> None:
        self._held: dict[str, Task] = {}
        self._stopped = threading.Event()
        self.failures = Script()

    def clear(self) -> None:
        """Forget all of them, and give up what is being worked on."""
        self.stop()
        self._stopped = threading.Event()
        self._held.clear()
        self.failures.reset()

    def stop(self) -> None:
        """Give up what is being worked on."""
        self._stopped.set()

    def add(self, task: Task) -> None:
        """Take in a new one."""
        self._held[task.id] = task

    def get(self, task_id: str, version: int, settings: Settings) -> Task:
        """Return one; raise the API's 404."""
        task = self._held.get(task_id)
        gone = task is not None and task.is_old(settings) and settings.expired_task == "gone"
        if task is None or task.version != version or gone:
            refusal = not_found(settings, f"The task {task_id}")
            refusal.shape = "endpoint" if version == 1 else settings.v2_error_shape
            raise refusal
        return task

    def newest_first(self, version: int, settings: Settings) -> list[Task]:
        """Return the tasks that are kept."""
        return [task for task in reversed(self._held.values()) if task.version == version and not task.is_old(settings)]

    def begin(self, work: Callable[[], Result], settings: Settings) -> asyncio.Future[Result]:
        """Do work in a thread. It never raises: what goes wrong is a result, too."""
        message = self.failures.next(settings.task_failures)
        if message is not None:
            work = _failing(message)
        return asyncio.get_running_loop().run_in_executor(None, _guarded, work, self._stopped)


def _failing(message: str) -> Callable[[], Result]:
    return lambda: Result(error=message)


def _guarded(work: Callable[[], Result], stopped: threading.Event) -> Result:
    token = halt.set(stopped)
    try:
        check_halt()
        return work()
    except Halted:
        return Result(error="The task was given up.")
    except ApiError as error:
        return Result(error=error.message)
    except OSError:
        return Result(error=UNFETCHED)
    except Exception:
        _logger.exception("a task failed for a fault of the emulator's own")
        return Result(error="The task could not be completed.")
    finally:
        halt.reset(token)
