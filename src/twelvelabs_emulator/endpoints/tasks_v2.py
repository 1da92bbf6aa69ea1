"""``/embed-v2/tasks``: longer audio and video, and with marengo3.5 pictures and documents."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from ..features.document_parts import DocumentRequest, document_rows, is_pdf, read_document_request
from ..features.media.checks import check_size
from ..features.media.image import open_image, words_of_image
from ..features.media.source import Reader, Source
from ..features.segments import Row, TimeRequest, read_time_request, read_time_request_35
from ..features.vectors import vector
from ..protocol.bodies import PREFIX, answer, number, read_json, state_of
from ..protocol.clock import now
from ..protocol.errors import ApiError, invalid, missing
from ..protocol.fields import Fields
from ..protocol.models import Model
from ..protocol.settings import Settings
from ..store.state import State
from ..store.tasks import UNFETCHED, Result, Task, status_of
from .embed_v1 import model_named
from .task_lists import task_list
from .task_media import check_media, rows_of
from .usage import IMAGE_TOKENS, sound_tokens, usage_of, video_tokens
from .v2_answers import entries, timed_metadata

__all__ = ["create_task", "list_tasks", "retrieve_task"]

_INPUT_TYPES = ("audio", "video", "image", "document")
_DOCUMENT_MEGABYTES = 512


async def create_task(request: Request) -> Response:
    """``POST /embed-v2/tasks``: 202, and where to ask. Refuses what can be seen to be wrong at once."""
    state = state_of(request)
    settings = state.settings
    fields = Fields(await read_json(request, settings), "", settings)
    kind = fields.string("input_type", required=True, choices=_INPUT_TYPES) or ""
    model = model_named(fields.string("model_name"), settings.v2_models, settings)
    if kind not in model.task_types:
        raise invalid("input_type", f"{model.name} takes for tasks: {', '.join(model.task_types)}.")
    for name in _INPUT_TYPES:
        if name != kind and fields.has(name):
            raise invalid(name, f"`input_type` is {kind}.")
    if not model.dimensions:
        for name in ("embedding_uncertainty", "embedding_dimension"):
            if fields.has(name):
                raise invalid(name, f"{model.name} does not take it.")
    wants_uncertainty = fields.boolean("embedding_uncertainty") or False
    dimension = fields.whole("embedding_dimension", model.dimensions)
    if not fields.has(kind):
        raise missing(kind)
    given = fields.needed(kind)
    fields.done()
    work, listed = await _prepared(kind, given, model, wants_uncertainty, dimension, state)
    task = Task(
        2,
        kind,
        model.name,
        now(settings),
        state.tasks.begin(work, settings),
        listed,
        dimension if model.dimensions else None,
        wants_uncertainty,
    )
    state.tasks.add(task)
    body: dict[str, Any] = {"_id": task.id, "status": "processing", "data": None}
    if model.dimensions:
        body["metadata"] = {"embedding_dimension": dimension or model.dimension}
    location = f"{request.url.scheme}://{request.url.netloc}{PREFIX}/embed-v2/tasks/{task.id}"
    return answer(body, 202, {"Location": location})


Prepared = tuple[Callable[[], Result], dict[str, Any]]


async def _prepared(
    kind: str, given: Fields, model: Model, wants_uncertainty: bool, dimension: int | None, state: State
) -> Prepared:
    """Read what the request says of its input; return the work to do, and what lists say of it."""
    settings = state.settings
    in_task = model.for_tasks(settings.task_least_sec)
    timed: TimeRequest | None = None
    if kind in ("audio", "video"):
        timed = _read_timed(given, kind, model, settings)
        if wants_uncertainty and "asset" in timed.scopes:
            raise invalid("embedding_uncertainty", "It is not available for the scope asset.")
    elif kind == "image":
        _read_image(given)
    source = await _source_of(given, Reader(settings, state.assets, state.files.new))
    if source is None:
        return _unfetched, _listed(kind, None, {}, settings)
    if kind == "document":
        pdf = is_pdf(source)
        asked = read_document_request(given, pdf)
        given.done()
        if wants_uncertainty and (pdf or asked.scopes != ["local"]):
            why = "It is not available for a PDF." if pdf else "For a text document it needs the scope local alone."
            raise invalid("embedding_uncertainty", why)
        if settings.task_media_check == "create":
            check_size(source, _DOCUMENT_MEGABYTES, in_task, settings)
        extra = {"option": asked.options, "scope": asked.scopes}
        return _document_work(source, asked, in_task, settings, dimension), _listed(kind, source, extra, settings)
    given.done()
    if timed is None:
        if settings.task_media_check == "create":
            await asyncio.to_thread(open_image, source, in_task, settings)
        extra = {"option": ["visual"], "scope": ["asset"]}
        return _image_work(source, in_task, settings, dimension), _listed(kind, source, extra, settings)
    which: Literal["audio", "video"] = "audio" if kind == "audio" else "video"
    duration = await check_media(source, which, timed, in_task, settings, kind)
    told: dict[str, Any] = {"option": timed.options, "scope": timed.scopes, "duration": duration}
    if which == "video" and timed.strategy == "fixed":
        told["clip_length"] = timed.clip_sec
    return _timed_work(source, which, timed, in_task, settings, dimension), _listed(kind, source, told, settings)


def _read_timed(given: Fields, kind: str, model: Model, settings: Settings) -> TimeRequest:
    which: Literal["audio", "video"] = "audio" if kind == "audio" else "video"
    return read_time_request_35(given, which, settings) if model.dimensions else read_time_request(given, which)


def _read_image(given: Fields) -> None:
    given.strings("embedding_option", ("visual",), ("visual",))
    given.strings("embedding_scope", ("asset",), ("asset",))
    given.strings("embedding_type", ("separate_embedding",), ("separate_embedding",))


async def _source_of(given: Fields, reader: Reader) -> Source | None:
    """Read the source; ``None`` for a URL that is not to be had, where the settings leave that to the task."""
    media = given.needed("media_source")
    try:
        source = await reader.from_fields(media)
    except ApiError:
        later = reader.settings.task_media_check == "later" and media.names() == ["url"]
        if not later or media.string("url") in (None, ""):
            raise
        return None
    media.done()
    return source


def _unfetched() -> Result:
    return Result(error=UNFETCHED)


def _listed(kind: str, source: Source | None, told: dict[str, Any], settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {} if source is None else source.metadata()
    plural = "s" if settings.task_list_metadata == "plural" else ""
    for name in ("option", "scope"):
        if name in told:
            found[f"{kind}_embedding_{name}{plural}"] = told[name]
    if told.get("duration") is not None:
        found["duration"] = number(told["duration"])
    if "clip_length" in told:
        found["video_clip_length"] = number(told["clip_length"])
    return found


def _timed_work(
    source: Source,
    kind: Literal["audio", "video"],
    asked: TimeRequest,
    model: Model,
    settings: Settings,
    dimension: int | None,
) -> Callable[[], Result]:
    def work() -> Result:
        with _let_go(source):
            rows, duration, span = rows_of(source, kind, asked, model, settings, kind)
        metadata = timed_metadata(kind, source, asked, duration, span)
        seconds = span[1] - span[0]
        counted = {"audio": sound_tokens(seconds)} if kind == "audio" else {"video": video_tokens(seconds)}
        return _result(rows, metadata, counted, model, dimension)

    return work


def _image_work(source: Source, model: Model, settings: Settings, dimension: int | None) -> Callable[[], Result]:
    def work() -> Result:
        with _let_go(source):
            found = vector(words_of_image(open_image(source, model, settings)), model)
        metadata = _untimed_metadata("image", source, ["visual"], ["asset"])
        return _result([Row(found, "visual", "asset")], metadata, {"image": IMAGE_TOKENS}, model, dimension)

    return work


def _document_work(
    source: Source, asked: DocumentRequest, model: Model, settings: Settings, dimension: int | None
) -> Callable[[], Result]:
    def work() -> Result:
        with _let_go(source):
            rows, counted = document_rows(source, asked, model, settings)
        metadata = _untimed_metadata("document", source, asked.options, asked.scopes)
        return _result(rows, metadata, counted, model, dimension)

    return work


def _untimed_metadata(kind: str, source: Source, options: list[str], scopes: list[str]) -> dict[str, Any]:
    return {"input_type": kind, **source.metadata(), "embedding_options": options, "embedding_scopes": scopes}


def _result(
    rows: list[Row], metadata: dict[str, Any], counted: dict[str, int], model: Model, dimension: int | None
) -> Result:
    if not model.dimensions:
        return Result(rows, metadata)
    return Result(rows, metadata | {"embedding_dimension": dimension or model.dimension}, usage_of(counted))


@contextlib.contextmanager
def _let_go(source: Source) -> Iterator[None]:
    """Delete what was fetched for this task alone."""
    try:
        yield
    finally:
        if source.given_as == "url" and isinstance(source.held, Path):
            source.held.unlink(missing_ok=True)


async def retrieve_task(request: Request) -> Response:
    """``GET /embed-v2/tasks/{id}``: its status, and the vectors once it is ready."""
    state = state_of(request)
    settings = state.settings
    task = state.tasks.get(request.path_params["task_id"], 2, settings)
    result = await task.result(settings)
    task.polls += 1
    body: dict[str, Any] = {"_id": task.id, "status": status_of(result), **task.times(), "data": None}
    if result is not None and result.error is not None:
        body["error"] = {"message": result.error}
    elif result is not None:
        body["data"] = await asyncio.to_thread(
            entries, result.rows, settings, task.dimension, with_uncertainty=task.uncertainty
        )
        body["metadata"] = result.metadata
        if result.usage is not None:
            body["usage"] = result.usage
    return answer(body)


async def list_tasks(request: Request) -> Response:
    """``GET /embed-v2/tasks``: newest first, without vectors. Its errors are flat."""
    try:
        return answer(await task_list(request, state_of(request), 2))
    except ApiError as error:
        error.shape = "flat"
        raise
