"""``/assets/multipart-uploads``, and the storage that its addresses lead to."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.media.probe import Probe, probed
from ..features.media.source import Source
from ..protocol.bodies import PREFIX, answer, read_json, state_of, store_body
from ..protocol.clock import now, rfc3339
from ..protocol.errors import ApiError, invalid
from ..protocol.fields import Fields
from ..store.assets import Asset, check_user_metadata, guessed_mime
from ..store.state import State
from ..store.uploads import Chunk, Upload
from .paging import page_of

__all__ = [
    "create_upload",
    "list_uploads",
    "more_addresses",
    "put_part",
    "report_chunks",
    "upload_status",
]

_MOST_AT_ONCE = 50
_MEGABYTES = {"video": 10_000, "audio": 10_000, "image": 32}
_HEADERS = {"Content-Type": "application/octet-stream"}


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _upload(request: Request) -> Upload:
    state = state_of(request)
    return state.uploads.get(request.path_params["upload_id"], state.settings)


def _active(request: Request, at: float) -> Upload:
    upload = _upload(request)
    if upload.status(at) == "expired":
        raise invalid("upload_id", "The upload session has expired.")
    return upload


async def create_upload(request: Request) -> Response:
    """``POST /assets/multipart-uploads``: 201 with the first addresses."""
    state = state_of(request)
    settings = state.settings
    fields = Fields(await read_json(request, settings), "", settings)
    filename = fields.string("filename", required=True) or ""
    kind = fields.string("type", required=True, choices=tuple(_MEGABYTES)) or ""
    total = fields.integer("total_size", low=1, required=True) or 0
    for name in ("enable_hls", "enable_thumbnail"):
        fields.boolean(name)
    metadata = fields.anything("user_metadata")
    fields.done()
    if not 1 <= len(filename) <= 255:
        raise invalid("filename", "It must have 1 to 255 characters.")
    if total > _MEGABYTES[kind] * settings.megabyte:
        why = f"The file must not be larger than {_MEGABYTES[kind]} MB."
        raise invalid("total_size", why, code="video_filesize_too_large")
    at = now(settings)
    asset = Asset("multipart", filename, at, None if metadata is None else check_user_metadata(metadata))
    asset.mime = guessed_mime(filename, kind)
    size = max(1, settings.chunk_bytes)
    chunks = [Chunk(index, min(size, total - start)) for index, start in enumerate(range(0, total, size), start=1)]
    upload = Upload(asset, kind, total, size, at, at + settings.upload_session_sec, chunks, at)
    state.assets.add(asset)
    state.uploads.add(upload)
    body = {
        "upload_id": upload.id,
        "asset_id": asset.id,
        "upload_urls": upload.addresses(1, settings.first_upload_urls, _origin(request), at, settings),
        "upload_headers": _HEADERS,
        "chunk_size": size,
        "total_chunks": len(chunks),
        "expires_at": rfc3339(upload.ends),
    }
    return answer(body, 201)


async def more_addresses(request: Request) -> Response:
    """``POST …/{id}/presigned-urls``: addresses for other parts, or new ones for the same."""
    settings = state_of(request).settings
    fields = Fields(await read_json(request, settings), "", settings)
    start = fields.integer("start", low=1, required=True) or 0
    count = fields.integer("count", low=1, high=_MOST_AT_ONCE, required=True) or 0
    fields.done()
    at = now(settings)
    upload = _active(request, at)
    if start > len(upload.chunks):
        raise invalid("start", f"The upload has {len(upload.chunks)} chunks.")
    made = upload.addresses(start, count, _origin(request), at, settings)
    body = {
        "upload_id": upload.id,
        "start_index": start,
        "count": len(made),
        "upload_urls": made,
        "generated_at": rfc3339(at),
        "expires_at": made[0]["expires_at"],
    }
    return answer(body)


async def put_part(request: Request) -> Response:
    """Take one part, as the storage behind the API does: no key, an address for one use, an ``ETag``."""
    state = state_of(request)
    settings = state.settings
    upload = _upload(request)
    index = request.path_params["index"]
    token = request.query_params.get("signature", "")
    upload.check_address(token, index, now(settings))
    chunk = upload.chunk(index)
    path = state.files.new()
    size, etag = await store_body(request, path)
    upload.check_address(token, index, now(settings))  # Another may have used it meanwhile.
    del upload.tokens[token]
    if chunk.reported is not None:
        path.unlink()
        raise ApiError(403, "AccessDenied", "The chunk has been reported already.", shape="flat")
    if chunk.path is not None:
        chunk.path.unlink()
    chunk.path, chunk.arrived_size, chunk.etag = path, size, etag
    return Response(None, 200, {"ETag": f'"{etag}"'})


async def report_chunks(request: Request) -> Response:
    """``POST …/{id}``: which parts are done. With the last of them the file is put together."""
    state = state_of(request)
    settings = state.settings
    fields = Fields(await read_json(request, settings), "", settings)
    listed = fields.children("completed_chunks")
    fields.done()
    if not 1 <= len(listed) <= _MOST_AT_ONCE:
        raise invalid("completed_chunks", f"It must have 1 to {_MOST_AT_ONCE} items.")
    at = now(settings)
    upload = _active(request, at)
    chunks = [_proved(upload, item) for item in listed]
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
        body["url"] = f"{_origin(request)}{PREFIX}/assets/{upload.asset.id}"
    return answer(body)


def _proved(upload: Upload, item: Fields) -> Chunk:
    index = item.integer("chunk_index", low=1, required=True) or 0
    proof = item.string("proof", required=True)
    item.string("proof_type", required=True, choices=("etag",))
    size = item.integer("chunk_size", low=1, required=True)
    item.done()
    chunk = upload.chunk(index)
    if chunk.etag is None:
        raise invalid(item.path("chunk_index"), f"The chunk {index} has not been uploaded.")
    if proof != chunk.etag:
        raise invalid(item.path("proof"), "It is not the ETag of the chunk, without its quotes.")
    if not size == chunk.arrived_size == chunk.size:
        why = f"The chunk {index} must have {chunk.size} bytes; {chunk.arrived_size} came in, {size} are reported."
        raise invalid(item.path("chunk_size"), why)
    return chunk


def _finish(upload: Upload, state: State, at: float) -> None:
    target = state.files.new()
    upload.assemble(target)
    probe: Probe | None = probed(Source(target, "file", "file"), upload.asset.filename)
    error = state.assets.failures.next(state.settings.asset_failures)
    if probe is not None and probe.kind != upload.kind and error is None:
        error = f"The file is not of the type {upload.kind}."
    upload.asset.settle(target, probe, at, error)


async def upload_status(request: Request) -> Response:
    """``GET …/{id}``: how far a session has come, part by part."""
    settings = state_of(request).settings
    upload = _upload(request)
    at = now(settings)
    body = page_of(upload.chunks, request, lambda chunk: _chunk_json(chunk, upload))
    done = [chunk for chunk in upload.chunks if chunk.reported is not None]
    return answer(
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
    return {
        "index": chunk.index,
        "status": "pending" if reported is None else "completed",
        "uploaded_at": None if reported is None else rfc3339(reported),
        "updated_at": rfc3339(upload.created if reported is None else reported),
    }


async def list_uploads(request: Request) -> Response:
    """``GET /assets/multipart-uploads``: the sessions that are not completed."""
    state = state_of(request)
    at = now(state.settings)

    def described(upload: Upload) -> dict[str, Any]:
        return {
            "upload_id": upload.id,
            "status": upload.status(at),
            "total_size": upload.total_size,
            "chunk_size": upload.chunk_size,
            "total_chunks": len(upload.chunks),
            "created_at": rfc3339(upload.created),
            "expires_at": rfc3339(upload.ends),
        }

    return answer(page_of(state.uploads.incomplete(at), request, described))
