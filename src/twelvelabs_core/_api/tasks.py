"""Tasks (asynchronous embedding) by ``/embed-v2/tasks`` and ``/embed/tasks``: requests, and reading responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .._errors import InvalidInputError, MalformedResponseError, ServerError, TwelveLabsError
from .._models import Kind, Model
from .._options import Fixed, SegmentOptions
from .._results import Task
from .errors import one_line
from .names import is_name, own_name, read_id
from .pages import is_last, list_page
from .requests import MediaPayload, Request
from .timestamps import read_time, read_timestamp

# Of the documented reasons of a failed task, only these are temporary (SDK, field ``error``).
_TEMPORARY = re.compile(r"unstable|try (again )?later|temporar|unavailable", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TaskState:
    """State of a task, as far as running it needs.

    Attributes:
        id: the server's id.
        status: ``processing``, ``ready``, ``failed``.
        error: the server's message, if it failed.
        created_at: epoch seconds; None if the server did not send it.
    """

    id: str
    status: str
    error: str | None
    created_at: float | None


def create_v1(model: Model, payload: MediaPayload, options: SegmentOptions) -> Request:
    """Create a v1 task for a video: multipart, fixed clips, scope ``clip``, and ``video`` (the whole) if asked for.

    Raises:
        InvalidInputError: one of ``start_sec`` and ``end_sec`` is missing.
    """
    form: list[tuple[str, Any]] = [("model_name", model.name)]
    if payload.url is not None:
        form.append(("video_url", payload.url))
    else:
        form.append(("video_file", (payload.filename, payload.content, payload.mime)))
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


def read_state(response: Mapping[str, Any]) -> TaskState:
    """A task from a response that creates or retrieves it, or from an entry of a list.

    Raises:
        MalformedResponseError: there is no id.
    """
    error = response.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    return TaskState(
        read_id(response.get("_id"), "task"),
        str(response.get("status") or "processing"),
        str(message) if message else None,
        read_timestamp(str(response.get("created_at"))),
    )


_KINDS: tuple[Kind, ...] = ("video", "audio", "image", "document")


def read_task(response: Mapping[str, Any]) -> Task:
    """A task as callers see it, without its vectors: from a response that retrieves it, or from an entry of a list.

    Raises:
        MalformedResponseError: there is no id.
    """
    state = read_state(response)
    metadata = [found for found in _metadata(response) if isinstance(found, dict)]
    about: dict[str, Any] = {name: value for found in metadata for name, value in found.items()}
    named = about.get("input_type")
    kind = next((kind for kind in _KINDS if f"{kind}_embedding" in response or kind == named), None)
    model, url = response.get("model_name"), about.get("input_url")
    return Task(
        state.id,
        state.status,
        kind,
        model if isinstance(model, str) and model else None,
        read_time(response.get("created_at")),
        own_name(about.get("input_filename")),
        url if isinstance(url, str) and url else None,
        state.error and one_line(state.error),
    )


def names_dimensions(response: Mapping[str, Any]) -> bool:
    """Whether a task's response names the length of its vectors: for models that have a choice, and no others (SDK)."""
    return any(isinstance(found, dict) and "embedding_dimension" in found for found in _metadata(response))


def list_tasks(
    path: str, page: int, *, status: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> Request:
    """Ask for a page of the account's tasks, newest first.

    Args:
        page: from 1.
        status: ``processing``, ``ready`` or ``failed``; None = all.
        since, until: when they were created; None = in the last 7 days.
    """
    return list_page(path, page, status=status, started_at=_rfc3339(since), ended_at=_rfc3339(until))


def _rfc3339(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list of tasks.

    Attributes:
        task: the one that was created with the file name that was looked for; None = it is not on this page.
        oldest: epoch seconds at which the oldest task of the page was created; None if the page does not say.
        is_last: there is no page after this one.
    """

    task: TaskState | None
    oldest: float | None
    is_last: bool


def find_named(response: dict[str, Any], filename: str) -> Listed:
    """Look in a page of a list for a task of the file that was sent as ``filename``, a name that only its creation had.

    The API documents ``input_filename`` in the metadata of a task; whether a list shows it, and for an uploaded asset
    too, is open. Where it does, the name is proof. Nothing else in a list is: files of equal length, or the same URL
    with other options, are not told apart by what it shows.
    """
    entries = response.get("data")
    found, times = None, []
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        try:
            task = read_state(entry)
        except MalformedResponseError:
            continue
        if task.created_at is not None:
            times.append(task.created_at)
        # Several have the name if the creation was sent again: any will do, but one that failed.
        if any(is_name(name, filename) for name in _filenames(entry)) and (found is None or found.status == "failed"):
            found = task
    return Listed(found, min(times, default=None), not entries or is_last(response.get("page_info")))


def _filenames(entry: dict[str, Any]) -> list[Any]:
    return [found.get("input_filename") for found in _metadata(entry) if isinstance(found, dict)]


def _metadata(entry: Mapping[str, Any]) -> list[Any]:
    """What an entry or a response has as metadata: at its top, and in its ``video_embedding`` and the like."""
    parts = [entry, *(part for name, part in entry.items() if name.endswith("_embedding"))]
    return [part.get("metadata") for part in parts if isinstance(part, dict)]


def failure(task: TaskState) -> TwelveLabsError:
    """The error of a failed task: ServerError if a new task may succeed, else InvalidInputError."""
    message = task.error or "the task failed without a reason"
    if _TEMPORARY.search(message):
        return ServerError(f"The task {task.id} failed: {message}")
    return InvalidInputError(f"the server could not embed it: {message}")
