"""Tasks: computed in a thread, polled until they are ready."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..features.cancellation import Cancelled, cancel_event, check_cancelled
from ..features.vectors import Embedding
from ..protocol.errors import ApiError, not_found
from ..protocol.formats import new_id, rfc3339
from ..protocol.settings import Settings
from .failures import FailureScript
from .readiness import is_ready

_logger = logging.getLogger("twelvelabs_emulator")
# A poll from which on the task should be ready waits up to this long for its computation.
_MAX_WAIT_SEC = 10.0

UNFETCHED = "The source media could not be fetched."
_EXPIRED = "The result is no longer available."


@dataclass(frozen=True)
class Result:
    """The result of a task: its vectors, or an error."""

    embeddings: list[Embedding] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] | None = None
    error: str | None = None


@dataclass
class Task:
    """One task. ``listed`` is the metadata that lists return; ``version`` 1 or 2 of the API."""

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
        """Return the result, or ``None`` while it is processing."""
        ready = is_ready(
            settings.now(),
            self.created,
            self.polls,
            needed=settings.task_polls,
            least=settings.task_sec,
            unasked=settings.task_unasked_sec,
        )
        if not ready:
            return None
        await asyncio.wait({self.work}, timeout=_MAX_WAIT_SEC)
        if not self.work.done():
            return None
        if self.updated is None:
            self.updated = settings.now()
        if self.is_expired(settings):
            return Result(error=_EXPIRED)
        return self.work.result()

    def is_expired(self, settings: Settings) -> bool:
        """Return whether it is past the time that tasks are kept."""
        return settings.now() > self.created + settings.task_kept_sec

    def times(self) -> dict[str, str]:
        """Return the times of creation and last change as the API does."""
        return {"created_at": rfc3339(self.created), "updated_at": rfc3339(self.updated or self.created)}


def status_of(result: Result | None) -> str:
    """Return "processing", "ready" or "failed"."""
    if result is None:
        return "processing"
    return "ready" if result.error is None else "failed"


class Tasks:
    """All tasks of one emulator, the newest last."""

    def __init__(self) -> None:
        self._by_id: dict[str, Task] = {}
        self._stopped = threading.Event()
        self.failures = FailureScript()

    def stop(self) -> None:
        """Cancel what is being computed."""
        self._stopped.set()

    def add(self, task: Task) -> None:
        """Add a new task."""
        self._by_id[task.id] = task

    def get(self, task_id: str, version: int, settings: Settings) -> Task:
        """Return a task. Raises the API's 404."""
        task = self._by_id.get(task_id)
        gone = task is not None and task.is_expired(settings) and settings.expired_task == "gone"
        if task is None or task.version != version or gone:
            error = not_found(f"The task {task_id}", settings.not_found_status)
            error.shape = "endpoint" if version == 1 else settings.v2_error_shape
            raise error
        return task

    def newest_first(self, version: int, settings: Settings) -> list[Task]:
        """Return the tasks that have not expired."""
        tasks = reversed(self._by_id.values())
        return [task for task in tasks if task.version == version and not task.is_expired(settings)]

    def start(self, work: Callable[[], Result], settings: Settings) -> asyncio.Future[Result]:
        """Call ``work`` in a thread. The future never raises: errors are results, too."""
        loop = asyncio.get_running_loop()
        message = self.failures.next(settings.task_failures)
        if message is None:
            return loop.run_in_executor(None, _result_of, work, self._stopped)
        failed: asyncio.Future[Result] = loop.create_future()
        failed.set_result(Result(error=message))
        return failed


def _result_of(work: Callable[[], Result], stopped: threading.Event) -> Result:
    token = cancel_event.set(stopped)
    try:
        check_cancelled()
        return work()
    except Cancelled:
        return Result(error="The task was cancelled.")
    except ApiError as error:
        return Result(error=error.message)
    except OSError:
        return Result(error=UNFETCHED)
    except Exception:
        _logger.exception("a task failed because of an error in the emulator")
        return Result(error="The task could not be completed.")
    finally:
        cancel_event.reset(token)
