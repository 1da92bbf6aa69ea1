"""What the two versions' lists of tasks have in common."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request

from ..store.state import State
from ..store.tasks import Task, status_of
from .paging import page_of, query_choices, query_time

__all__ = ["task_list"]

_STATUSES = ("processing", "ready", "failed")


async def task_list(request: Request, state: State, version: int) -> dict[str, Any]:
    """Return a page of tasks without their vectors, newest first. Raises the API's 400."""
    settings = state.settings
    after, before = query_time(request, "started_at"), query_time(request, "ended_at")
    wanted = query_choices(request, "status", _STATUSES)
    kept = [
        task
        for task in state.tasks.newest_first(version, settings)
        if (after is None or task.created >= after) and (before is None or task.created <= before)
    ]
    statuses = [status_of(result) for result in await asyncio.gather(*(task.result(settings) for task in kept))]
    found = [pair for pair in zip(kept, statuses, strict=True) if not wanted or pair[1] in wanted]
    return page_of(found, request, lambda pair: _described(*pair))


def _described(task: Task, status: str) -> dict[str, Any]:
    return {
        "_id": task.id,
        "model_name": task.model_name,
        "status": status,
        **task.times(),
        f"{task.kind}_embedding": {"metadata": task.listed},
    }
