"""Tasks on the server: created, polled until they end, and resumed by a later run instead of created twice."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from .._api import tasks
from .._api.requests import Request
from .._api.tasks import Task
from .._cache.journal import Journal
from .._errors import ConnectionFailedError, InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._net.pace import pause
from .._net.poll import poll
from .._net.retry import retry
from .._net.sender import Sender, not_received
from .._stats import Run

FIRST_POLL_SEC, SLOWEST_POLL_SEC = 1.0, 15.0
CLOCK_SKEW_SEC = 120.0  # between our clock and the server's
TIMESTAMP_PRECISION_SEC = 1.0  # some timestamps are whole seconds
MAX_LIST_PAGES = 5
MAX_RECREATIONS = 2


class Tasks:
    """Runs tasks: creates them, waits for them, and returns their final responses.

    Args:
        scope: prefix of the journal's entries, different for each model and address.
        timeout: seconds to wait for a task. After that it keeps running on the server, and the next run resumes it.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, timeout: float) -> None:
        self._sender, self._journal = sender, journal
        self._scope, self._timeout = scope, timeout
        self._created: set[str] = set()

    async def run(
        self, key: str, create: Callable[[], Awaitable[tuple[Request, bool, float]]], run: Run
    ) -> dict[str, Any]:
        """The final response of a task that succeeded.

        Args:
            key: digest of the file and its options. A task of the same key that was created before is resumed.
            create: returns the request that creates the task, whether it has media in its body, and their minutes.

        Raises:
            InvalidInputError: the task failed because of the input.
            ServerError: it failed for another reason, three times, or was not ready in time.
        """
        name = f"task/{self._scope}/{key}"
        failures = 0
        while True:
            response = await self._resume(name, run)
            if response is None:
                request, has_media, minutes = await create()
                task_id = await self._create(request, run, has_media=has_media, minutes=minutes)
                await self._journal.write(name, task_id=task_id, path=request.path)
                response = await self._finished(request.path, task_id, run)
            task = tasks.read_task(response)
            await self._journal.delete(name)
            if task.status == "ready":
                return response
            failures += 1
            error = tasks.failure(task)
            if isinstance(error, InvalidInputError) or failures > MAX_RECREATIONS:
                raise error
            await pause(self._sender.settings.retry.backoff(failures))

    async def _resume(self, name: str, run: Run) -> dict[str, Any] | None:
        """The final response of a task created earlier; None without one, or if the server no longer has it."""
        entry = await self._journal.find(name)
        if entry is None:
            return None
        try:
            return await self._finished(entry["path"], entry["task_id"], run)
        except InvalidInputError:
            return None

    async def _create(self, request: Request, run: Run, *, has_media: bool, minutes: float) -> str:
        """Create a task.

        The API has no idempotency key. If the response is lost the task may exist, and is looked for before another is
        created and charged.

        Returns:
            The task's id.
        """
        started_at = time.time()

        async def attempt(_: int) -> str:
            response = await self._sender.send(request, run, has_media=has_media, minutes=minutes, repeat=False)
            return tasks.read_task(response).id

        async def recover() -> str | None:
            return await self._find_created(request, started_at, run)

        task_id = await retry(attempt, self._sender.settings.retry, run, repeatable=_may_exist, recover=recover)
        self._created.add(task_id)
        return task_id

    async def _find_created(self, request: Request, started_at: float, run: Run) -> str | None:
        """The id of the newest task of the account that fits the request and that this object has not created.

        The API names no input of a task: if another process created a task of the same model meanwhile, the two cannot
        be told apart.

        Args:
            started_at: epoch seconds at which the request was sent.
        """
        for page in range(1, MAX_LIST_PAGES + 1):
            try:
                response = await self._sender.send(tasks.list_recent(request.path, page), run)
            except TwelveLabsError:
                return None
            listed = [tasks.read_task(entry) for entry in response.get("data") or [] if isinstance(entry, dict)]
            for task in listed:
                if task.id not in self._created and _fits(task, request, started_at):
                    return task.id
            if not listed or any(_created_before(task, started_at - CLOCK_SKEW_SEC) for task in listed):
                return None
        return None

    async def _finished(self, path: str, task_id: str, run: Run) -> dict[str, Any]:
        """The response of a task that is no longer processing."""
        by_status = path == "embed/tasks"  # v1 has a short response for polling, without vectors

        async def check() -> dict[str, Any] | None:
            run.show()
            request = tasks.status_v1(task_id) if by_status else tasks.retrieve(path, task_id)
            response = await self._sender.send(request, run)
            status = tasks.read_task(response).status
            if status == "processing":
                return None
            if by_status and status == "ready":
                return await self._sender.send(tasks.retrieve(path, task_id), run)
            return response

        run.stats.tasks_waiting += 1
        try:
            response = await poll(check, first=FIRST_POLL_SEC, slowest=SLOWEST_POLL_SEC, timeout=self._timeout)
        finally:
            run.stats.tasks_waiting -= 1
        if response is None:
            raise ServerError(
                f"The task {task_id} is not ready after {self._timeout:.0f} s. It keeps running on the server; "
                "with cache= the next run resumes it."
            )
        return response


def _may_exist(error: TwelveLabsError) -> bool:
    """Whether the task may have been created although the request failed."""
    lost = isinstance(error, (ConnectionFailedError, ServerError, MalformedResponseError))
    return lost and not not_received(error)


def _fits(task: Task, request: Request, started_at: float) -> bool:
    """Whether the request can have created the task: not created before it, and by the same model.

    A task of unknown age does not fit: the vectors of another file would be worse than paying again.
    """
    if task.created_at is None or _created_before(task, started_at - TIMESTAMP_PRECISION_SEC):
        return False
    return not task.model_name or task.model_name.encode() in (request.json or b"") + repr(request.form).encode()


def _created_before(task: Task, epoch_sec: float) -> bool:
    return task.created_at is not None and task.created_at < epoch_sec
