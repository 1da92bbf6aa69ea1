"""``/embed/tasks``: video, in the first version of the API."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.media.source import Source
from ..features.requests import TimeRequest
from ..features.vectors import Embedding, response_vector
from ..protocol.bodies import json_response
from ..protocol.errors import ApiError, invalid, missing
from ..protocol.formats import json_seconds
from ..protocol.forms import Form, store_form
from ..protocol.models import MODELS, Model
from ..protocol.settings import Settings
from ..store.state import State, state_of
from ..store.tasks import UNFETCHED, Result, Task, status_of
from .shared.media_sources import SourceReader, find_model
from .shared.paging import query_strings
from .shared.task_lists import task_list
from .shared.timed_media import check_task_media, embed_timed_media

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
_MAX_MEGABYTES = 2_000
# A shorter last clip is not embedded.
_MIN_CLIP_SEC = 2.0


async def create_task(request: Request) -> Response:
    """``POST /embed/tasks``: 200 with the identifier alone."""
    state = state_of(request)
    form = await store_form(request, state.settings, state.files.new)
    try:
        task = await _create(form, state)
    except ApiError:
        form.delete_files()
        raise
    state.tasks.add(task)
    return json_response({"_id": task.id})


async def _create(form: Form, state: State) -> Task:
    settings = state.settings
    form.refuse_unknown(_FIELDS, settings)
    model = find_model(form.string("model_name"), settings.v1_models, settings)
    request = _time_request(form, model, settings)
    in_task = model.for_tasks(settings.task_least_sec)
    source = await _source(form, state)
    duration = None
    listed: dict[str, Any] = {}
    if source is not None:
        duration = await check_task_media(source, "video", request, in_task, settings)
        listed |= source.metadata()
    listed |= {
        "video_clip_length": json_seconds(request.clip_sec),
        "video_embedding_scope": [_v1_scope(scope) for scope in request.scopes],
        "video_embedding_option": [_v1_option(option, model) for option in request.options],
    }
    if duration is not None:
        listed["duration"] = json_seconds(duration)
    work = state.tasks.start(lambda: _embed(source, request, in_task, settings), settings)
    return Task(1, "video", model.name, settings.now(), work, listed)


def _time_request(form: Form, model: Model, settings: Settings) -> TimeRequest:
    parameters = ("video_start_offset_sec", "video_end_offset_sec")
    start, end = (form.seconds(name) for name in parameters)
    if (start is None) != (end is None):
        raise invalid(parameters[start is not None], "The start and the end offset must be sent together.")
    if start is not None and end is not None and end <= start:
        raise invalid(parameters[1], f"It must be greater than `{parameters[0]}`.")
    length = form.seconds("video_clip_length")
    if length is not None and not 2 <= length <= 10:
        raise invalid("video_clip_length", "It must be between 2 and 10.")
    if "." in (form.string("video_clip_length") or "") and settings.fractional_clip_length == "refuse":
        raise invalid("video_clip_length", "It must be a whole number.")
    scopes = form.strings("video_embedding_scope", "clip")
    if any(scope not in ("clip", "video") for scope in scopes):
        raise invalid("video_embedding_scope", "It must be one of: clip, video.")
    if "clip" not in scopes and settings.lone_video_scope == "refuse":
        raise invalid("video_embedding_scope", "The scope video is only available together with clip.")
    return TimeRequest(
        options=("visual", "audio", "transcription") if model.transcribes else ("visual", "audio"),
        scopes=tuple({"clip": "clip", "video": "asset"}[scope] for scope in ("clip", "video") if scope in scopes),
        clip_sec=length or 6.0,
        start=start or 0.0,
        end=end,
        parameters=parameters,
    )


def _v1_scope(scope: str) -> str:
    return "video" if scope == "asset" else scope


def _v1_option(option: str | None, model: Model) -> str | None:
    return model.visual_option if option == "visual" else option


async def _source(form: Form, state: State) -> Source | None:
    """Return the video; ``None`` if its URL fails, where the settings leave that to the task."""
    settings = state.settings
    url = form.string("video_url")
    if url is not None:  # Preferred to a file.
        try:
            return await SourceReader(settings, state.assets, state.files.new).from_url(url, "video_url")
        except ApiError:
            if settings.task_media_check == "create":
                raise
            return None
    file = form.file("video_file")
    if file is None:
        raise missing("video_file|video_url")
    if file.size > _MAX_MEGABYTES * settings.megabyte:
        why = f"The file must not be larger than {_MAX_MEGABYTES} MB."
        raise invalid("video_file", why, code="video_filesize_too_large")
    return Source(file.content, "video_file", "file", filename=file.filename)


def _embed(source: Source | None, request: TimeRequest, model: Model, settings: Settings) -> Result:
    if source is None:
        return Result(error=UNFETCHED)
    shortest = max(_MIN_CLIP_SEC, settings.drop_last_clip_under_sec)
    settings = settings.replace(drop_last_clip_under_sec=shortest)
    with source.deleted_after_use():
        embeddings, duration, _ = embed_timed_media(source, "video", request, model, settings, count_minutes=False)
    return Result(embeddings, {"duration": json_seconds(duration)})


async def task_status(request: Request) -> Response:
    """``GET /embed/tasks/{id}/status``: everything but the vectors."""
    body, _, _ = await _poll(request)
    return json_response(body)


async def retrieve_task(request: Request) -> Response:
    """``GET /embed/tasks/{id}``: the vectors of the requested options, once they are ready."""
    wanted = query_strings(request, "embedding_option", _OPTIONS)
    settings = state_of(request).settings
    body, task, result = await _poll(request)
    wanted = _options_of(wanted, MODELS[task.model_name], settings)
    body |= task.times()
    if result is not None and result.error is None:
        segments = [video_segment(found, MODELS[task.model_name], settings) for found in result.embeddings]
        body["video_embedding"]["segments"] = [
            segment for segment in segments if not wanted or segment["embedding_option"] in wanted
        ]
    return json_response(body)


def _options_of(wanted: list[str], model: Model, settings: Settings) -> list[str]:
    """Return the options as the model names them. Raises the API's 400 by settings."""
    if "visual-text" not in wanted or model.visual_option == "visual-text":
        return wanted
    if settings.visual_text_marengo30 == "refuse":
        raise invalid("embedding_option", f"{model.name} does not have the option visual-text.")
    if settings.visual_text_marengo30 == "none":
        return wanted
    return ["visual" if option == "visual-text" else option for option in wanted]


async def _poll(request: Request) -> tuple[dict[str, Any], Task, Result | None]:
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


def video_segment(found: Embedding, model: Model, settings: Settings) -> dict[str, Any]:
    """Return one segment of a video as this version writes it."""
    assert found.start is not None and found.end is not None  # Video has times.
    return {
        "start_offset_sec": json_seconds(found.start),
        "end_offset_sec": json_seconds(found.end),
        "embedding_scope": _v1_scope(found.scope),
        "embedding_option": _v1_option(found.option, model),
        "float": response_vector(found.vector, settings),
    }


async def list_tasks(request: Request) -> Response:
    """``GET /embed/tasks``: newest first, without vectors."""
    return json_response(await task_list(request, state_of(request), 1))
