"""Tasks that any client of the account has created: listed, and taken up by their ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from .._api import responses, tasks
from .._api.pages import Page, read_page
from .._errors import InvalidInputError
from .._net.sender import Sender
from .._results import Segment, Task
from .._stats import Run
from .settings import EmbedSettings
from .tasks import MAX_LIST_PAGES, Tasks

LISTED_AROUND = timedelta(seconds=2)  # the time of a task, whose fraction a list's filter may round


class TasksTakenUp:
    """Tasks of the account.

    Args:
        running: waits for them.
    """

    def __init__(self, settings: EmbedSettings, sender: Sender, running: Tasks) -> None:
        self._settings, self._sender, self._running = settings, sender, running
        self._path = "embed/tasks" if settings.api_version == "v1" else "embed-v2/tasks"

    async def page(self, page: int, run: Run, *, status: str | None) -> Page[Task]:
        """A page of the account's tasks, newest first, without vectors."""
        return read_page(
            await self._sender.send(tasks.list_tasks(self._path, page, status=status), run), tasks.read_task
        )

    async def take_up(self, task_id: str, run: Run, *, wait: bool) -> Task:
        """A task, with its segments if it is ready.

        Args:
            wait: until it is no longer processing.

        Raises:
            InvalidInputError: there is none of this id, it was created for another model, or, with ``wait``, it failed.
            ServerError: with ``wait``: it failed for a reason that may pass, or was not ready in time.
        """
        path = self._path
        response = await self._running.response_of(path, task_id, run, wait=wait)
        task = tasks.read_task(response)
        if task.status != "ready":
            return task
        task = replace(task, model=await self._model_of(task, response, run), space=self._settings.space)
        segments = await self._running.readable(self._read, path, task_id, response, run)
        return replace(task, segments=tuple(segments))

    def _read(self, response: dict[str, Any]) -> list[Segment]:
        dimensions = self._settings.dimensions
        if self._settings.api_version == "v1":
            return responses.with_scope(responses.v1_segments(response, "video", dimensions))
        return responses.with_scope(responses.v2_segments(response, dimensions))

    async def _model_of(self, task: Task, response: dict[str, Any], run: Run) -> str:
        """The name of a task's model, which is this client's.

        A v2 task does not name its model, and vectors of two models may be equally long. The list of tasks names it;
        where that does not show the task, the length of vectors does, which responses for models with a choice alone
        have (SDK).

        Raises:
            InvalidInputError: it is another model.
        """
        model = self._settings.model
        name = task.model
        if name is None and task.created_at is not None:
            name = await self._listed_model(task.id, task.created_at, run)
        if name is None:
            like_ours = tasks.names_dimensions(response) == (len(model.dimensions) > 1)
            name = model.name if like_ours else "another model"
        if name.lower() != model.name.lower():
            raise InvalidInputError(
                f"was created for {name}, and this client is for {model.name}: vectors of the two do not compare. "
                f"Take it up by a client for {name}."
            )
        return model.name

    async def _listed_model(self, task_id: str, created_at: datetime, run: Run) -> str | None:
        since, until = created_at - LISTED_AROUND, created_at + LISTED_AROUND
        for page in range(1, MAX_LIST_PAGES + 1):
            request = tasks.list_tasks(self._path, page, since=since, until=until)
            listed = read_page(await self._sender.send(request, run), tasks.read_task)
            found = next((task for task in listed.entries if task.id == task_id), None)
            if found is not None:
                return found.model
            if listed.is_last:
                break
        return None
