"""``/embed/tasks``: films, in the first version of the API."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.media.source import Reader, Source
from ..features.segments import Row, TimeRequest
from ..features.vectors import finished
from ..protocol.bodies import StoredFile, answer, number, read_upload, state_of
from ..protocol.clock import now
from ..protocol.errors import ApiError, invalid, missing, unknown_field
from ..protocol.models import Model
from ..protocol.settings import Settings
from ..store.state import State
from ..store.tasks import UNFETCHED, Result, Task, status_of
from .embed_v1 import model_named
from .paging import query_choices
from .task_lists import task_list
from .task_media import check_media, rows_of

__all__ = ["create_task", "list_tasks", "retrieve_task", "task_status"]

_FIELDS = (
    "model_name",
    "video_file",
    "video_url",
    "video_start_offset_sec",
    "video_end_offset_sec",
    "video_clip_length",
    "video_embedding_scope",
)
_OPTIONS = ("visual", "audio", "transcription", "visual-text")
_MOST_MEGABYTES = 2_000
# A rest of less than this is not embedded.
_LEAST_CLIP_SEC = 2.0

Form = dict[str, list[str | StoredFile]]


async def create_task(request: Request) -> Response:
    """``POST /embed/tasks``: 200 with the identifier alone."""
    state = state_of(request)
    form = await read_upload(request, state.files.new)
    try:
        task = await _created(form, state)
    except ApiError:
        for values in form.values():
            for value in values:
                if isinstance(value, StoredFile):
                    value.path.unlink(missing_ok=True)
        raise
    state.tasks.add(task)
    return answer({"_id": task.id})


async def _created(form: Form, state: State) -> Task:
    settings = state.settings
    if settings.unknown_fields == "refuse":
        for name in form:
            if name not in _FIELDS:
                raise unknown_field(name)
    model = model_named(_string(form, "model_name"), settings.v1_models, settings)
    asked = _asked(form, model, settings)
    in_task = model.for_tasks(settings.task_least_sec)
    source = await _source(form, state)
    duration = None
    if source is not None:
        duration = await check_media(source, "video", asked, in_task, settings, "video_start_offset_sec")
    listed: dict[str, Any] = {} if source is None else source.metadata()
    listed |= {
        "video_clip_length": number(asked.clip_sec),
        "video_embedding_scope": _scopes(asked),
        "video_embedding_option": _options(model),
    }
    if duration is not None:
        listed["duration"] = number(duration)
    work = state.tasks.begin(lambda: _work(source, asked, in_task, settings), settings)
    return Task(1, "video", model.name, now(settings), work, listed)


def _string(form: Form, name: str) -> str | None:
    value = form.get(name, [None])[-1]
    if isinstance(value, StoredFile):
        raise invalid(name, "It must be a form field, not a file.")
    return value


def _seconds(form: Form, name: str) -> float | None:
    text = _string(form, name)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise invalid(name, "It must be a number of seconds from 0.")
    return seconds


def _asked(form: Form, model: Model, settings: Settings) -> TimeRequest:
    start, end = _seconds(form, "video_start_offset_sec"), _seconds(form, "video_end_offset_sec")
    if (start is None) != (end is None):
        lacking = "video_start_offset_sec" if start is None else "video_end_offset_sec"
        raise invalid(lacking, "The start and the end offset must be sent together.")
    if start is not None and end is not None and end <= start:
        raise invalid("video_end_offset_sec", "It must be greater than `video_start_offset_sec`.")
    length = _seconds(form, "video_clip_length")
    if length is not None and not 2 <= length <= 10:
        raise invalid("video_clip_length", "It must be between 2 and 10.")
    if "." in (_string(form, "video_clip_length") or "") and settings.fractional_clip_length == "refuse":
        raise invalid("video_clip_length", "It must be a whole number.")
    scopes = list(dict.fromkeys(form.get("video_embedding_scope", ["clip"])))
    if any(scope not in ("clip", "video") for scope in scopes):
        raise invalid("video_embedding_scope", "It must be one of: clip, video.")
    if "clip" not in scopes:
        raise invalid("video_embedding_scope", "The scope video is only available together with clip.")
    options = ["visual", "audio"] if model.name == "Marengo-retrieval-2.7" else ["visual", "audio", "transcription"]
    wanted = ["clip", "asset"] if "video" in scopes else ["clip"]
    return TimeRequest(options, wanted, ["separate_embedding"], "fixed", length or 6.0, start or 0.0, end)


def _scopes(asked: TimeRequest) -> list[str]:
    return ["video" if scope == "asset" else scope for scope in asked.scopes]


def _options(model: Model) -> list[str]:
    if model.name == "Marengo-retrieval-2.7":
        return ["visual-text", "audio"]
    return ["visual", "audio", "transcription"]


async def _source(form: Form, state: State) -> Source | None:
    """Return the film; ``None`` if its URL fails, where the settings leave that to the task."""
    settings = state.settings
    url = _string(form, "video_url")
    if url is not None:  # It wins over a file.
        try:
            return await Reader(settings, state.assets, state.files.new).from_url(url, "video_url")
        except ApiError:
            if settings.task_media_check == "create":
                raise
            return None
    file = form.get("video_file", [None])[-1]
    if file is None:
        raise missing("video_file|video_url")
    if not isinstance(file, StoredFile):
        raise invalid("video_file", "It must be a file.")
    if file.size > _MOST_MEGABYTES * settings.megabyte:
        why = f"The file must not be larger than {_MOST_MEGABYTES} MB."
        raise invalid("video_file", why, code="video_filesize_too_large")
    return Source(file.path, "video_file", "file", filename=file.filename)


def _work(source: Source | None, asked: TimeRequest, model: Model, settings: Settings) -> Result:
    if source is None:
        return Result(error=UNFETCHED)
    least = max(_LEAST_CLIP_SEC, settings.drop_last_clip_under_sec)
    try:
        rows, duration, _ = rows_of(
            source, "video", asked, model, settings.replace(drop_last_clip_under_sec=least), "video_start_offset_sec"
        )
    finally:
        if isinstance(source.held, Path):
            source.held.unlink(missing_ok=True)
    return Result(rows, {"duration": number(duration)})


async def task_status(request: Request) -> Response:
    """``GET /embed/tasks/{id}/status``: everything but the vectors."""
    body, _, _ = await _polled(request)
    return answer(body)


async def retrieve_task(request: Request) -> Response:
    """``GET /embed/tasks/{id}``: the vectors, once they are there, of the options asked for."""
    wanted = query_choices(request, "embedding_option", _OPTIONS)
    body, task, result = await _polled(request)
    body |= task.times()
    if result is not None and result.error is None:
        settings = state_of(request).settings
        segments = [_segment(row, task, settings) for row in result.rows]
        body["video_embedding"]["segments"] = [
            segment for segment in segments if not wanted or segment["embedding_option"] in wanted
        ]
    return answer(body)


async def _polled(request: Request) -> tuple[dict[str, Any], Task, Result | None]:
    state = state_of(request)
    task_id = request.path_params["task_id"]
    if len(task_id) != 24 or not all(digit in "0123456789abcdef" for digit in task_id):
        raise invalid("task_id", "It must be the identifier of a task.")
    task = state.tasks.get(task_id, 1, state.settings)
    result = await task.result(state.settings)
    task.polls += 1
    metadata = task.listed if result is None else task.listed | result.metadata
    body = {
        "_id": task.id,
        "model_name": task.model_name,
        "status": status_of(result),
        "video_embedding": {"metadata": metadata},
    }
    return body, task, result


def _segment(row: Row, task: Task, settings: Settings) -> dict[str, Any]:
    option = "visual-text" if task.model_name == "Marengo-retrieval-2.7" and row.option == "visual" else row.option
    assert row.start is not None and row.end is not None  # films have times
    return {
        "start_offset_sec": number(row.start),
        "end_offset_sec": number(row.end),
        "embedding_scope": "video" if row.scope == "asset" else "clip",
        "embedding_option": option,
        "float": finished(row.vector, settings),
    }


async def list_tasks(request: Request) -> Response:
    """``GET /embed/tasks``: newest first, without vectors."""
    return answer(await task_list(request, state_of(request), 1))
