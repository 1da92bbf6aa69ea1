"""Tasks on the server: listed, and taken up by their ids."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Literal

from .._api.names import is_id
from .._api.pages import Page
from .._errors import InvalidInputError, TwelveLabsError, with_item
from .._lanes import Lane, lane_of
from .._net import loop
from .._results import Task
from .base import ClientBase, check_callback
from .pages import aeach, each

Status = Literal["processing", "ready", "failed"]
OnStatus = Callable[[Task], None]


class TakesUpTasks(ClientBase):
    """``task`` and ``tasks``."""

    def task(self, task_id: str, *, wait: bool = True, on_status: OnStatus | None = None) -> Task:
        """A task that was created before, by this client or any other of the account: by the official SDK, by a process
        that is gone. Taking it up costs nothing: its vectors are paid for.

        What this package embeds by tasks needs this not: ``embed`` and ``embed_segments`` wait for their task, and with
        ``cache=`` the next run resumes it.

        .. code-block:: python

            task = client.task("66f5…", on_status=lambda task: print(task.status))
            task.segments        # all vectors, sorted by time
            task.embedding       # the whole file's, if it was asked for

        Args:
            task_id: the id, of a task of this client's model and API version.
            wait: until it is ready, ``task_timeout`` seconds at most. False = as it is now.
            on_status: called with each state that is seen, on the client's own thread: it must not block.

        Raises:
            InvalidInputError: there is none of this id, it was created for another model, or it failed because of its
                file. Without ``wait``, a failed task is returned, with ``.error``.
            ServerError: it failed for a reason that may pass, or is not ready in time.
        """
        return loop.run(self._task(task_id, wait, on_status))

    async def atask(self, task_id: str, *, wait: bool = True, on_status: OnStatus | None = None) -> Task:
        """Async :meth:`task`."""
        return await loop.arun(self._task(task_id, wait, on_status))

    def tasks(self, *, status: Status | None = None) -> Iterator[Task]:
        """The account's tasks of the last 7 days, newest first, without vectors. Pages of 50 are asked for as they are
        needed. v1 and v2 have lists of their own: it is that of the client's ``api_version``.

        Args:
            status: ``processing``, ``ready`` or ``failed``; None = all.

        Raises:
            InvalidInputError: ``status`` is none of these.
        """
        return each(self._task_pages(status))

    def atasks(self, *, status: Status | None = None) -> AsyncIterator[Task]:
        """Async :meth:`tasks`."""
        return aeach(self._task_pages(status))

    async def _task(self, task_id: str, wait: bool, on_status: OnStatus | None) -> Task:
        check_callback("on_status", on_status)
        if not is_id(task_id):
            raise InvalidInputError(f"{task_id!r:.60} is not the id of a task.")
        with self._call(lane=lane_of("bulk" if wait else "interactive")) as run:
            run.on_status = on_status
            try:
                found = await self._embedder.files.tasks.take_up(task_id, run, wait=wait)
            except TwelveLabsError as error:
                raise with_item(error, f"task {task_id}") from error.__cause__
            run.stats.segments += len(found.segments)
            return found

    def _task_pages(self, status: Status | None) -> Callable[[int], Coroutine[Any, Any, Page[Task]]]:
        if status not in (None, "processing", "ready", "failed"):
            raise InvalidInputError(f"status={status!r} is not one of processing, ready, failed.")
        return partial(self._task_page, lane_of("interactive"), status)

    async def _task_page(self, lane: Lane, status: Status | None, page: int) -> Page[Task]:
        with self._call(lane=lane) as run:
            return await self._embedder.files.tasks.page(page, run, status=status)
