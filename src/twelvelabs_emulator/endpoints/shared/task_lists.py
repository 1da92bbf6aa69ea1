"""Lists of tasks, the same for both versions."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request

from ...protocol.settings import Settings
from ...store.state import State
from ...store.tasks import Task, status_of
from .paging import page_of, query_strings, query_time

_STATUSES = ("processing", "ready", "failed")


async def task_list(request: Request, state: State, version: int) -> dict[str, Any]:
    """Return a page of tasks without their vectors, newest first: a poll of each. Raises the API's 400."""
    settings = state.settings
    after, before = query_time(request, "started_at"), query_time(request, "ended_at")
    wanted = query_strings(request, "status", _STATUSES)
    tasks = [
        task
        for task in state.tasks.newest_first(version, settings)
        if (after is None or task.created >= after) and (before is None or task.created <= before)
    ]
    statuses = [status_of(result) for result in await asyncio.gather(*(task.result(settings) for task in tasks))]
    found = [pair for pair in zip(tasks, statuses, strict=True) if not wanted or pair[1] in wanted]

    def as_json(pair: tuple[Task, str]) -> dict[str, Any]:
        pair[0].polls += 1
        return _as_json(*pair, settings)

    return page_of(found, request, as_json)


def _as_json(task: Task, status: str, settings: Settings) -> dict[str, Any]:
    shown = (
        task.listed if settings.task_list_filenames else {k: v for k, v in task.listed.items() if k != "input_filename"}
    )
    return {
        "_id": task.id,
        "model_name": task.model_name,
        "status": status,
        **task.times(),
        f"{task.kind}_embedding": {"metadata": shown},
    }
