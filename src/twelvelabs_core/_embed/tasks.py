"""Tasks: created once, waited for, taken up again by another process, and never bought twice."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import Any

from .._api import tasks
from .._api.requests import Request
from .._api.tasks import Task
from .._errors import ConnectionFailedError, InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._net.pace import pause
from .._net.sender import Sender
from .._stats import Run
from .journal import Journal

__all__ = ["Tasks"]

FIRST_POLL_SEC, POLL_GROWTH, SLOWEST_POLL_SEC = 1.0, 1.5, 15.0
CLOCK_SKEW_SEC = 120.0
PAGES_SEARCHED = 5
NEW_TASKS_AFTER_FAILURE = 2


class Tasks:
    """Runs tasks of one kind of endpoint.

    Args:
        timeout: seconds a task may take until waiting for it ends; it goes on, and the next run takes it up.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, timeout: float) -> None:
        self._sender, self._journal = sender, journal
        self._scope, self._timeout = scope, timeout
        self._known: set[str] = set()

    async def run(
        self, key: str, create: Callable[[], Awaitable[tuple[Request, bool, float]]], run: Run
    ) -> dict[str, Any]:
        """The answer of a finished task.

        Args:
            key: of what is embedded: a task of that key that was begun before is taken up.
            create: makes the request, and tells whether it holds media, and how many minutes of them.

        Raises:
            InvalidInputError: it failed, because of the file.
            ServerError: it failed again and again, or is not ready in time.
        """
        name = f"task/{self._scope}/{key}"
        for attempt in range(1 + NEW_TASKS_AFTER_FAILURE):
            entry = await self._journal.find(name)
            answer = None
            if entry is not None:
                answer = await self._wait(entry["path"], entry["task_id"], run, resumed=True)
            if answer is None:
                request, has_media, minutes = await create()
                task_id = await self._create(request, run, has_media=has_media, minutes=minutes)
                self._known.add(task_id)
                await self._journal.write(name, task_id=task_id, path=request.path)
                answer = await self._wait(request.path, task_id, run)
            assert answer is not None
            task = tasks.read_task(answer)
            await self._journal.delete(name)
            if task.status == "ready":
                return answer
            failed = tasks.failure(task)
            if isinstance(failed, InvalidInputError) or attempt == NEW_TASKS_AFTER_FAILURE:
                raise failed
            await pause(self._sender.settings.retry.wait(failed, attempt + 1, 0.0) or 0.0)
        raise AssertionError("unreachable")

    async def _create(self, request: Request, run: Run, *, has_media: bool, minutes: float) -> str:
        """Create a task. There is no idempotency key: when the answer is lost, the task may exist, and is looked for
        before another is bought.
        """
        policy = self._sender.settings.retry
        begun = time.time()
        tries = 0
        while True:
            try:
                answer = await self._sender.send(request, run, has_media=has_media, minutes=minutes, repeat=False)
                return tasks.read_task(answer).id
            except (ConnectionFailedError, ServerError, MalformedResponseError) as error:
                tries += 1
                wait = policy.wait(error, tries, 0.0)
                if wait is None:
                    raise
                await pause(wait)
                orphan = await self._orphan(request, begun, run)
                if orphan is not None:
                    return orphan
                run.stats.retries += 1

    async def _orphan(self, request: Request, begun: float, run: Run) -> str | None:
        """A task made since ``begun`` that none of ours is: the one whose answer was lost.

        Only one with nothing against it is taken; where two fit, which is ours cannot be told, and the newer is.
        """
        for page in range(1, PAGES_SEARCHED + 1):
            try:
                answer = await self._sender.send(tasks.list_recent(request.path, page), run)
            except TwelveLabsError:
                return None
            listed = [tasks.read_task(entry) for entry in answer.get("data") or [] if isinstance(entry, dict)]
            for task in listed:
                if task.id not in self._known and _fits(task, request, begun):
                    return task.id
            if not listed or any(_age(task, begun) < -CLOCK_SKEW_SEC for task in listed):
                return None
        return None

    async def _wait(self, path: str, task_id: str, run: Run, *, resumed: bool = False) -> dict[str, Any] | None:
        """The answer of a task that is no longer processing; None if a resumed one is gone."""
        run.stats.tasks_waiting += 1
        try:
            return await self._poll(path, task_id, run, resumed=resumed)
        finally:
            run.stats.tasks_waiting -= 1

    async def _poll(self, path: str, task_id: str, run: Run, *, resumed: bool) -> dict[str, Any] | None:
        poll, begun = FIRST_POLL_SEC, time.monotonic()
        by_status = path == "embed/tasks"
        while True:
            run.show()
            try:
                request = tasks.status_v1(task_id) if by_status else tasks.retrieve(path, task_id)
                answer = await self._sender.send(request, run)
            except InvalidInputError:
                if resumed:
                    return None
                raise
            if tasks.read_task(answer).status != "processing":
                by_vectors = by_status and tasks.read_task(answer).status == "ready"
                return await self._sender.send(tasks.retrieve(path, task_id), run) if by_vectors else answer
            waited = time.monotonic() - begun
            if waited > self._timeout:
                raise ServerError(
                    f"The task {task_id} is not ready after {waited:.0f} s. It goes on; "
                    "with cache= the next run takes it up."
                )
            await pause(poll)
            poll = min(SLOWEST_POLL_SEC, poll * POLL_GROWTH)


def _fits(task: Task, request: Request, begun: float) -> bool:
    """Made since, by the same model."""
    if _age(task, begun) < -1.0:  # whole seconds in some timestamps
        return False
    return not task.model_name or task.model_name.encode() in (request.json or b"") + repr(request.form).encode()


def _age(task: Task, begun: float) -> float:
    """Seconds between ``begun`` and the task's making."""
    try:
        made = datetime.fromisoformat(task.created_at.replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return (made if made.tzinfo else made.replace(tzinfo=timezone.utc)).timestamp() - begun
