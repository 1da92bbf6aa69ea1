"""``/embed-v2/tasks`` and ``/embed/tasks``: asynchronous embedding. Requests, and what their answers mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._models import Model
from .._options import Fixed, SegmentOptions
from .requests import MediaPayload, Request

__all__ = ["Task", "create_v1", "failure", "list_recent", "read_task", "retrieve", "status_v1"]

_NONE: frozenset[Any] = frozenset()
# Of the documented families of failures only these may pass by themselves (SDK, field ``error``).
_MAY_PASS = re.compile(r"unstable|try (again )?later|temporar|unavailable", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Task:
    """State of a task.

    Attributes:
        status: ``processing``, ``ready``, ``failed``.
        error: why it failed, in the server's words.
        created_at: RFC 3339, as told.
        metadata: of the media, as told.
    """

    id: str
    status: str
    error: str | None
    created_at: str
    model_name: str
    metadata: dict[str, Any]


def create_v1(model: Model, content: MediaPayload, options: SegmentOptions) -> Request:
    """A film by ``/embed/tasks``: multipart, fixed clips, ``clip`` or ``clip`` and ``video`` (the whole)."""
    form: list[tuple[str, Any]] = [("model_name", model.name)]
    if content.url is not None:
        form.append(("video_url", content.url))
    else:
        form.append(("video_file", (content.filename, content.path or content.data, content.mime)))
    if content.start_sec is not None or content.end_sec is not None:
        if content.start_sec is None or content.end_sec is None:
            raise InvalidInputError("v1 takes start_sec and end_sec together or neither.")
        form.append(("video_start_offset_sec", f"{content.start_sec:g}"))
        form.append(("video_end_offset_sec", f"{content.end_sec:g}"))
    if isinstance(options.segmentation, Fixed):
        form.append(("video_clip_length", str(int(options.segmentation.duration_sec))))
    form.append(("video_embedding_scope", "clip"))
    if "asset" in options.embedding_scope:
        form.append(("video_embedding_scope", "video"))
    return Request("embed/tasks", frozenset({content.kind}), form=form)


def status_v1(task_id: str) -> Request:
    """State of a v1 task, without its vectors."""
    return Request(f"embed/tasks/{task_id}/status", _NONE, method="GET")


def retrieve(path: str, task_id: str) -> Request:
    """State and vectors of a task."""
    return Request(f"{path}/{task_id}", _NONE, method="GET")


def list_recent(path: str, page: int) -> Request:
    """The account's tasks, newest first."""
    return Request(f"{path}?page={page}&page_limit=50", _NONE, method="GET")


def read_task(answer: dict[str, Any]) -> Task:
    """A task from an answer that creates, retrieves or lists it."""
    task_id = answer.get("_id")
    if not isinstance(task_id, str):
        raise MalformedResponseError("The answer has no task id.")
    error = answer.get("error")
    media = next((v for k, v in answer.items() if k.endswith("_embedding") and isinstance(v, dict)), {})
    metadata = media.get("metadata") or answer.get("metadata") or {}
    return Task(
        task_id,
        str(answer.get("status") or "processing"),
        str(error.get("message")) if isinstance(error, dict) else None,
        str(answer.get("created_at") or ""),
        str(answer.get("model_name") or ""),
        metadata if isinstance(metadata, dict) else {},
    )


def failure(task: Task) -> TwelveLabsError:
    """The error of a failed task: one that may pass by itself (a new task can help), or one about the file."""
    message = task.error or "the task failed without a reason"
    if _MAY_PASS.search(message):
        return ServerError(f"The task {task.id} failed: {message}")
    return InvalidInputError(f"the server could not embed it: {message}")
