"""``/assets/multipart-uploads``, and the storage that receives the parts."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ..features.media.probe import probe
from ..features.media.source import Source
from ..protocol.bodies import json_response, read_json, store_body
from ..protocol.errors import ApiError, invalid
from ..protocol.formats import API_PREFIX, rfc3339
from ..protocol.json_bodies import Body, Integer, parse
from ..store.assets import Asset
from ..store.state import State, state_of
from ..store.uploads import Chunk, Upload
from .assets import check_filename, check_user_metadata, guess_mime
from .shared.paging import page_of

_MAX_CHUNKS = 50
_MEGABYTES = {"video": 10_000, "audio": 10_000, "image": 32}
_HEADERS = {"Content-Type": "application/octet-stream"}

Positive = Annotated[Integer, Field(ge=1)]


class NewUpload(Body):
    """``POST /assets/multipart-uploads``."""

    filename: str
    type: Literal["video", "audio", "image"]
    total_size: Positive
    enable_hls: bool = False
    enable_thumbnail: bool = False
    user_metadata: Any = None


class MoreUrls(Body):
    """``POST …/{id}/presigned-urls``."""

    start: Positive
    count: Annotated[Integer, Field(ge=1, le=_MAX_CHUNKS)]


class CompletedChunk(Body):
    """One item of `ChunkReport`."""

    chunk_index: Positive
    proof: str
    proof_type: Literal["etag"]
    chunk_size: Positive


class ChunkReport(Body):
    """``POST …/{id}``."""

    completed_chunks: Annotated[list[CompletedChunk], Field(min_length=1, max_length=_MAX_CHUNKS)]


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _upload(request: Request) -> Upload:
    state = state_of(request)
    return state.uploads.get(request.path_params["upload_id"], state.settings)


def _active_upload(request: Request, at: float) -> Upload:
    upload = _upload(request)
    if upload.status(at) == "expired":
        raise invalid("upload_id", "The upload session has expired.")
    return upload


async def create_upload(request: Request) -> Response:
    """``POST /assets/multipart-uploads``: 201 with the first URLs."""
    state = state_of(request)
    settings = state.settings
    given = parse(NewUpload, await read_json(request, settings), settings)
    check_filename(given.filename)
    if given.total_size > _MEGABYTES[given.type] * settings.megabyte:
        why = f"The file must not be larger than {_MEGABYTES[given.type]} MB."
        raise invalid("total_size", why, code="video_filesize_too_large")
    metadata = None if given.user_metadata is None else check_user_metadata(given.user_metadata)
    at = settings.now()
    asset = Asset("multipart", given.filename, at, metadata, guess_mime(given.filename, given.type))
    size = max(1, settings.chunk_bytes)
    total = given.total_size
    chunks = [Chunk(index, min(size, total - start)) for index, start in enumerate(range(0, total, size), start=1)]
    upload = Upload(asset, given.type, total, size, at, at + settings.upload_session_sec, chunks, at)
    state.assets.add(asset)
    state.uploads.add(upload)
    body = {
        "upload_id": upload.id,
        "asset_id": asset.id,
        "upload_urls": upload.new_urls(1, settings.first_upload_urls, _origin(request), at, settings),
        "upload_headers": _HEADERS,
        "chunk_size": size,
        "total_chunks": len(chunks),
        "expires_at": rfc3339(upload.expires),
    }
    return json_response(body, 201)


async def more_urls(request: Request) -> Response:
    """``POST …/{id}/presigned-urls``: URLs for more chunks, or new ones for the same."""
    settings = state_of(request).settings
    given = parse(MoreUrls, await read_json(request, settings), settings)
    at = settings.now()
    upload = _active_upload(request, at)
    if given.start > len(upload.chunks):
        raise invalid("start", f"The upload has {len(upload.chunks)} chunks.")
    urls = upload.new_urls(given.start, given.count, _origin(request), at, settings)
    body = {
        "upload_id": upload.id,
        "start_index": given.start,
        "count": len(urls),
        "upload_urls": urls,
        "generated_at": rfc3339(at),
        "expires_at": urls[0]["expires_at"],
    }
    return json_response(body)


async def put_part(request: Request) -> Response:
    """Receive one part as the storage behind the API does: no key, a URL for one use, an ``ETag``."""
    state = state_of(request)
    settings = state.settings
    upload = _upload(request)
    index = request.path_params["index"]
    token = request.query_params.get("signature", "")
    upload.check_url(token, index, settings.now())
    chunk = upload.chunk(int(index))  # It is what the URL was issued for.
    path = state.files.new()
    size, etag = await store_body(request, path)
    upload.check_url(token, index, settings.now())  # Another request may have used it meanwhile.
    del upload.tokens[token]
    if chunk.reported is not None:
        path.unlink()
        raise ApiError(403, "AccessDenied", "The chunk has been reported already.", shape="flat")
    if chunk.path is not None:
        chunk.path.unlink()
    chunk.path, chunk.arrived_size, chunk.etag = path, size, etag
    return Response(None, 200, {"ETag": f'"{etag}"'})


async def report_chunks(request: Request) -> Response:
    """``POST …/{id}``: report chunks as complete. The last one completes the file."""
    state = state_of(request)
    settings = state.settings
    report = parse(ChunkReport, await read_json(request, settings), settings)
    at = settings.now()
    upload = _active_upload(request, at)
    chunks = [_reported(upload, item, number) for number, item in enumerate(report.completed_chunks)]
    fresh = {chunk.index: chunk for chunk in chunks if chunk.reported is None}
    for chunk in fresh.values():
        chunk.reported = at
    upload.updated = at
    done = sum(chunk.reported is not None for chunk in upload.chunks)
    body: dict[str, Any] = {
        "asset_id": upload.asset.id,
        "processed_chunks": len(fresh),
        "duplicate_chunks": len(chunks) - len(fresh),
        "total_completed": done,
    }
    if done == len(upload.chunks):
        if fresh:
            await asyncio.to_thread(_finish, upload, state, at)
        body["url"] = f"{_origin(request)}{API_PREFIX}/assets/{upload.asset.id}"
    return json_response(body)


def _reported(upload: Upload, item: CompletedChunk, number: int) -> Chunk:
    """Return the chunk of a report. Raises the API's 400 if it has not arrived, or not as reported."""
    path = f"completed_chunks[{number}]"
    chunk = upload.chunk(item.chunk_index)
    if chunk.etag is None:
        raise invalid(f"{path}.chunk_index", f"The chunk {chunk.index} has not been uploaded.")
    if item.proof != chunk.etag:
        raise invalid(f"{path}.proof", "It is not the ETag of the chunk, without its quotes.")
    if not item.chunk_size == chunk.arrived_size == chunk.size:
        sizes = f"{chunk.arrived_size} have arrived, {item.chunk_size} are reported"
        raise invalid(f"{path}.chunk_size", f"The chunk {chunk.index} must have {chunk.size} bytes; {sizes}.")
    return chunk


def _finish(upload: Upload, state: State, at: float) -> None:
    target = state.files.new()
    upload.assemble(target)
    found = probe(Source(target, "file", "file"), upload.asset.filename)
    error = state.assets.failures.next(state.settings.asset_failures)
    if found is not None and found.kind != upload.kind and error is None:
        error = f"The file is not of the type {upload.kind}."
    upload.asset.complete(target, found, at, error)


async def upload_status(request: Request) -> Response:
    """``GET …/{id}``: the status of a session and its chunks."""
    settings = state_of(request).settings
    upload = _upload(request)
    at = settings.now()
    body = page_of(upload.chunks, request, lambda chunk: _chunk_json(chunk, upload))
    done = [chunk for chunk in upload.chunks if chunk.reported is not None]
    return json_response(
        {
            "upload_id": upload.id,
            "status": upload.status(at),
            "uploaded_chunks": body["data"],
            "chunks_completed": len(done),
            "chunks_failed": 0,
            "chunks_pending": len(upload.chunks) - len(done),
            "page_info": body["page_info"],
            "total_size": upload.total_size,
            "uploaded_size": sum(chunk.size for chunk in done),
            "created_at": rfc3339(upload.created),
            "updated_at": rfc3339(upload.updated),
        }
    )


def _chunk_json(chunk: Chunk, upload: Upload) -> dict[str, Any]:
    reported = chunk.reported
    if reported is None:
        return {"index": chunk.index, "status": "pending", "updated_at": rfc3339(upload.created)}
    at = rfc3339(reported)
    return {"index": chunk.index, "status": "completed", "uploaded_at": at, "updated_at": at}


async def list_uploads(request: Request) -> Response:
    """``GET /assets/multipart-uploads``: the sessions that are not completed."""
    state = state_of(request)
    at = state.settings.now()

    def as_json(upload: Upload) -> dict[str, Any]:
        return {
            "upload_id": upload.id,
            "status": upload.status(at),
            "total_size": upload.total_size,
            "chunk_size": upload.chunk_size,
            "total_chunks": len(upload.chunks),
            "created_at": rfc3339(upload.created),
            "expires_at": rfc3339(upload.expires),
        }

    return json_response(page_of(state.uploads.incomplete(at), request, as_json))
