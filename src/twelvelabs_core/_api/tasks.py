"""Tasks (asynchronous embedding) by ``/embed-v2/tasks`` and ``/embed/tasks``: requests, and reading responses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._models import Model
from .._options import Fixed, SegmentOptions
from .requests import MediaPayload, Request
from .timestamps import read_timestamp

# Of the documented reasons of a failed task, only these are temporary (SDK, field ``error``).
_TEMPORARY = re.compile(r"unstable|try (again )?later|temporar|unavailable", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Task:
    """State of a task.

    Attributes:
        id: the server's id.
        status: ``processing``, ``ready``, ``failed``.
        error: the server's message, if it failed.
        created_at: epoch seconds; None if the server did not send it.
        model_name: empty if the server did not send it.
    """

    id: str
    status: str
    error: str | None
    created_at: float | None
    model_name: str


def create_v1(model: Model, payload: MediaPayload, options: SegmentOptions) -> Request:
    """Create a v1 task for a video: multipart, fixed clips, scope ``clip``, and ``video`` (the whole) if asked for.

    Raises:
        InvalidInputError: one of ``start_sec`` and ``end_sec`` is missing.
    """
    form: list[tuple[str, Any]] = [("model_name", model.name)]
    if payload.url is not None:
        form.append(("video_url", payload.url))
    else:
        form.append(("video_file", (payload.filename, payload.path or payload.data, payload.mime)))
    if payload.start_sec is not None or payload.end_sec is not None:
        if payload.start_sec is None or payload.end_sec is None:
            raise InvalidInputError("v1 takes start_sec and end_sec together or neither.")
        form.append(("video_start_offset_sec", f"{payload.start_sec:g}"))
        form.append(("video_end_offset_sec", f"{payload.end_sec:g}"))
    if isinstance(options.segmentation, Fixed):
        form.append(("video_clip_length", str(int(options.segmentation.duration_sec))))
    form.append(("video_embedding_scope", "clip"))
    if "asset" in options.embedding_scope:
        form.append(("video_embedding_scope", "video"))
    return Request("embed/tasks", frozenset({payload.kind}), form=form)


def status_v1(task_id: str) -> Request:
    """Ask for the state of a v1 task, without its vectors."""
    return Request(f"embed/tasks/{task_id}/status", method="GET")


def retrieve(path: str, task_id: str) -> Request:
    """Ask for the state and vectors of a task."""
    return Request(f"{path}/{task_id}", method="GET")


def list_recent(path: str, page: int) -> Request:
    """Ask for the account's tasks, newest first, 50 a page.

    Args:
        page: from 1.
    """
    return Request(f"{path}?page={page}&page_limit=50", method="GET")


def read_task(response: dict[str, Any]) -> Task:
    """A task from a response that creates, retrieves or lists it.

    Raises:
        MalformedResponseError: there is no id.
    """
    task_id = response.get("_id")
    if not isinstance(task_id, str):
        raise MalformedResponseError("The response has no task id.")
    error = response.get("error")
    return Task(
        task_id,
        str(response.get("status") or "processing"),
        str(error.get("message")) if isinstance(error, dict) else None,
        read_timestamp(str(response.get("created_at"))),
        str(response.get("model_name") or ""),
    )


def failure(task: Task) -> TwelveLabsError:
    """The error of a failed task: ServerError if a new task may succeed, else InvalidInputError."""
    message = task.error or "the task failed without a reason"
    if _TEMPORARY.search(message):
        return ServerError(f"The task {task.id} failed: {message}")
    return InvalidInputError(f"the server could not embed it: {message}")
