"""``/embed-v2/tasks``: longer audio and video, and with marengo3.5 images and documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.document_parts import embed_pdf, embed_text_document
from ..features.images import embed_image
from ..features.media.checks import check_size
from ..features.media.document import TASK_MEGABYTES, open_document
from ..features.media.opening import open_image
from ..features.media.source import Source
from ..features.requests import DocumentRequest, TimeRequest
from ..features.vectors import Embedding
from ..protocol.bodies import json_response, read_json
from ..protocol.errors import ApiError, invalid
from ..protocol.formats import API_PREFIX, json_seconds
from ..protocol.json_bodies import parse
from ..protocol.models import Model
from ..store.state import State, state_of
from ..store.tasks import UNFETCHED, Result, Task, status_of
from .shared.media_sources import SourceReader, find_model
from .shared.task_lists import task_list
from .shared.timed_media import TimedKind, check_task_media, embed_timed_media
from .shared.v2_inputs import DocumentInput, ImageTaskInput, TaskRequest, parse_timed_input
from .shared.v2_responses import (
    IMAGE_TOKENS,
    PAGE_TOKENS,
    audio_tokens,
    data_items,
    media_metadata,
    timed_metadata,
    usage,
    video_tokens,
)


@dataclass(frozen=True)
class _Work:
    """The computation of a task, and the metadata that lists return."""

    run: Callable[[], Result]
    listed: dict[str, Any] = field(default_factory=dict)


async def create_task(request: Request) -> Response:
    """``POST /embed-v2/tasks``: 202 and the task's URL. Refuses at once what can be checked quickly."""
    state = state_of(request)
    settings = state.settings
    body = parse(TaskRequest, await read_json(request, settings), settings)
    model = find_model(body.model_name, settings.v2_models, settings)
    value = body.input_for(model, model.task_types)
    job = _Job(body, model, model.for_tasks(settings.task_least_sec), state)
    if body.input_type == "image":
        work = await job.image(value)
    elif body.input_type == "document":
        work = await job.document(value)
    else:
        work = await job.timed(body.input_type, value)
    future = state.tasks.start(work.run, settings)
    task = Task(
        2,
        body.input_type,
        model.name,
        settings.now(),
        future,
        work.listed,
        body.embedding_dimension,
        body.embedding_uncertainty,
    )
    state.tasks.add(task)
    response: dict[str, Any] = {"_id": task.id, "status": "processing", "data": None}
    if model.dimensions:
        response["metadata"] = {"embedding_dimension": body.embedding_dimension or model.dimension}
    location = f"{request.url.scheme}://{request.url.netloc}{API_PREFIX}/embed-v2/tasks/{task.id}"
    return json_response(response, 202, {"Location": location})


class _Job:
    """One request for a task: checks its input, and returns the work to do. Raises the API's errors."""

    def __init__(self, body: TaskRequest, model: Model, in_task: Model, state: State) -> None:
        self._body = body
        self._model = model
        self._in_task = in_task
        self._settings = state.settings
        self._reader = SourceReader(state.settings, state.assets, state.files.new)

    async def timed(self, kind: TimedKind, value: Any) -> _Work:
        """Audio or video."""
        media = parse_timed_input(kind, value, self._model, self._settings)
        request = media.time_request(kind)
        if self._body.embedding_uncertainty and "asset" in request.scopes:
            raise invalid("embedding_uncertainty", "It is not available for the scope asset.")
        source = await self._reader.read_later(media.media_source, f"{kind}.media_source")
        if source is None:
            return _UNFETCHED
        duration = await check_task_media(source, kind, request, self._in_task, self._settings)
        listed = self._listed(kind, source, request.options, request.scopes)
        if duration is not None:
            listed["duration"] = json_seconds(duration)
        if kind == "video" and request.strategy == "fixed":
            listed["video_clip_length"] = json_seconds(request.clip_sec)
        return _Work(lambda: self._embed_timed(source, kind, request), listed)

    def _embed_timed(self, source: Source, kind: TimedKind, request: TimeRequest) -> Result:
        with source.deleted_after_use():
            embeddings, duration, span = embed_timed_media(
                source, kind, request, self._in_task, self._settings, count_minutes=False
            )
        tokens = (audio_tokens if kind == "audio" else video_tokens)(span[1] - span[0])
        return self._result(embeddings, timed_metadata(kind, source, request, duration, span), {kind: tokens})

    async def image(self, value: Any) -> _Work:
        """An image of marengo3.5."""
        media = parse(ImageTaskInput, value, self._settings, "image")
        source = await self._reader.read_later(media.media_source, "image.media_source")
        if source is None:
            return _UNFETCHED
        if self._settings.task_media_check == "create":
            await asyncio.to_thread(open_image, source, self._in_task, self._settings)
        return _Work(lambda: self._embed_image(source), self._listed("image", source, ["visual"], ["asset"]))

    def _embed_image(self, source: Source) -> Result:
        with source.deleted_after_use():
            embedding = Embedding(embed_image(source, self._in_task, self._settings), "visual", "asset")
        metadata = media_metadata("image", source, ["visual"], ["asset"])
        return self._result([embedding], metadata, {"image": IMAGE_TOKENS})

    async def document(self, value: Any) -> _Work:
        """A document of marengo3.5."""
        media = parse(DocumentInput, value, self._settings, "document")
        source = await self._reader.read_later(media.media_source, "document.media_source")
        if source is None:
            return _UNFETCHED
        is_pdf = source.is_pdf
        request = media.document_request(is_pdf)
        if self._body.embedding_uncertainty and (is_pdf or request.scopes != ("local",)):
            why = "It is not available for a PDF." if is_pdf else "For a text document it needs the scope local alone."
            raise invalid("embedding_uncertainty", why)
        if self._settings.task_media_check == "create":
            check_size(source, TASK_MEGABYTES, self._in_task, self._settings)
        listed = self._listed("document", source, request.options, request.scopes)
        return _Work(lambda: self._embed_document(source, request), listed)

    def _embed_document(self, source: Source, request: DocumentRequest) -> Result:
        with source.deleted_after_use():
            vectors_per_page = 5 if request.quadrants else 1
            document = open_document(
                source, self._in_task, self._settings, in_task=True, vectors_per_page=vectors_per_page
            )
        if document.pages:
            embeddings = embed_pdf(document, request, self._model)
            tokens = {"document": PAGE_TOKENS * document.pages}
        else:
            embeddings, count = embed_text_document(document, request, self._model, self._settings)
            tokens = {"text": count}
        return self._result(embeddings, media_metadata("document", source, request.options, request.scopes), tokens)

    def _listed(self, kind: str, source: Source, options: Sequence[str], scopes: Sequence[str]) -> dict[str, Any]:
        plural = "s" if self._settings.task_list_metadata == "plural" else ""
        return source.metadata() | {
            f"{kind}_embedding_option{plural}": options,
            f"{kind}_embedding_scope{plural}": scopes,
        }

    def _result(self, embeddings: list[Embedding], metadata: dict[str, Any], tokens: dict[str, int]) -> Result:
        if not self._model.dimensions:
            return Result(embeddings, metadata)
        dimension = self._body.embedding_dimension or self._model.dimension
        return Result(embeddings, metadata | {"embedding_dimension": dimension}, usage(tokens))


_UNFETCHED = _Work(lambda: Result(error=UNFETCHED))


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
            data_items, result.embeddings, settings, task.dimension, with_uncertainty=task.uncertainty
        )
        body["metadata"] = result.metadata
        if result.usage is not None:
            body["usage"] = result.usage
    return json_response(body)


async def list_tasks(request: Request) -> Response:
    """``GET /embed-v2/tasks``: newest first, without vectors. Its errors are flat."""
    try:
        return json_response(await task_list(request, state_of(request), 2))
    except ApiError as error:
        error.shape = "flat"
        raise
