"""Reading bodies and writing answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from .errors import ApiError, invalid
from .request_log import RecordedRequest, file_summary, json_summary
from .settings import Settings

if TYPE_CHECKING:  # The state holds what is made of files, and so of what is here.
    from ..store.state import State

__all__ = [
    "PREFIX",
    "RECORD",
    "FilePart",
    "StoredFile",
    "answer",
    "drain",
    "number",
    "read_form",
    "read_json",
    "read_upload",
    "state_of",
    "store_body",
]

#: What the API's paths begin with.
PREFIX = "/v1.3"

_dumps: Callable[[Any], bytes]
try:  # Several times faster, and there with most installations; the numbers come out the same.
    from orjson import dumps as _dumps
except ImportError:

    def _dumps(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


#: Key in the ASGI scope under which the request's record travels.
RECORD = "twelvelabs_emulator.record"
# Likewise the body once it is read (by whoever asks first: the limits, then the endpoint) or why it cannot be.
_BODY = "twelvelabs_emulator.body"
# Bodies larger than this are parsed away from the event loop, so that others need not wait.
_LARGE = 200_000

T = TypeVar("T")


@dataclass(frozen=True)
class FilePart:
    """A file of a multipart form."""

    content: bytes
    filename: str | None


@dataclass(frozen=True)
class StoredFile:
    """A file of a multipart form, kept on disk."""

    path: Path
    filename: str | None
    size: int


def state_of(request: Request) -> State:
    """Return the state of the emulator that got the request."""
    state: State = request.app.state.emulator
    return state


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(_dumps(value), status, headers, media_type="application/json")


def number(value: float) -> int | float:
    """Write seconds as the API does: 6, not 6.0; else to the millisecond."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


async def _once_read(request: Request, settings: Settings, read: Callable[[Request, Settings], Awaitable[T]]) -> T:
    """Read the body the first time, and hand out the same value, or raise the same error, from then on."""
    if _BODY not in request.scope:
        try:
            request.scope[_BODY] = await read(request, settings)
        except ApiError as error:
            request.scope[_BODY] = error
    found: T | ApiError = request.scope[_BODY]
    if isinstance(found, ApiError):
        raise found
    return found


async def drain(request: Request) -> None:
    """Listen to a body to its end and forget it, unless it has been read already."""
    if _BODY not in request.scope:
        request.scope[_BODY] = None
        async for _ in request.stream():
            pass


async def read_json(request: Request, settings: Settings) -> Any:
    """Return the JSON body and record it. Raises the API's 400 if it does not parse."""
    return await _once_read(request, settings, _json)


async def _json(request: Request, settings: Settings) -> Any:
    body = await _read_body(request, settings)
    try:
        value = await _away(len(body), json.loads, body)
    except (ValueError, RecursionError):
        raise ApiError(400, "parameter_invalid", "The request body is not valid JSON.") from None
    _record(request).body = await _away(len(body), json_summary, value)
    return value


async def read_form(request: Request, settings: Settings) -> dict[str, str | FilePart]:
    """Return the parts of a multipart form by name (the last of a name counts) and record them.

    Raises the API's 400 if the body is anything else.
    """
    return await _once_read(request, settings, _form)


async def _form(request: Request, settings: Settings) -> dict[str, str | FilePart]:
    body = await _read_body(request, settings)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise ApiError(
            400,
            "parameter_not_provided",
            "The `model_name` parameter is required but was not provided: "
            "this endpoint expects a multipart/form-data body.",
        )
    try:
        form = await MultiPartParser(request.headers, _once(body)).parse()
    except (MultiPartException, ValueError) as error:
        raise invalid("body", f"It is not a valid multipart form: {error}") from None
    parts: dict[str, str | FilePart] = {}
    seen: dict[str, Any] = {}
    try:
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                content = await part.read()
                parts[name] = FilePart(content, part.filename)
                seen[name] = await _away(len(content), file_summary, content, part.filename, part.content_type)
            else:
                parts[name] = seen[name] = part
    finally:
        await form.close()
    _record(request).body = seen
    return parts


async def read_upload(request: Request, new_file: Callable[[], Path]) -> dict[str, list[str | StoredFile]]:
    """Return the parts of a form with large files, which go to disk while they come in, and record them.

    A form without files may be url-encoded: the official SDK sends such a one. Raises the API's 400.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        form = await FormParser(request.headers, _taken(request)).parse()
    elif content_type == "multipart/form-data" and "content-encoding" not in request.headers:
        try:
            form = await MultiPartParser(request.headers, _taken(request)).parse()
        except (MultiPartException, ValueError) as error:
            async for _ in request.stream():
                pass
            raise invalid("body", f"It is not a valid multipart form: {error}") from None
    else:
        await drain(request)
        raise ApiError(400, "parameter_not_provided", "This endpoint expects a multipart/form-data body.")
    parts: dict[str, list[str | StoredFile]] = {}
    seen: dict[str, Any] = {}
    try:
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                path = new_file()
                size, digest = await asyncio.to_thread(_stored, part.file, path)
                parts.setdefault(name, []).append(StoredFile(path, part.filename, size))
                seen[name] = {
                    "filename": part.filename,
                    "content_type": part.content_type,
                    "size": size,
                    "sha256": digest,
                }
            else:
                values = parts.setdefault(name, [])
                values.append(part)
                seen[name] = part if len(values) == 1 else values
    finally:
        await form.close()
    _record(request).body = seen
    return parts


async def _taken(request: Request) -> AsyncGenerator[bytes, None]:
    request.scope[_BODY] = None
    async for chunk in request.stream():
        yield chunk


def _stored(stream: BinaryIO, path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as file:
        while piece := stream.read(1 << 20):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


async def store_body(request: Request, path: Path) -> tuple[int, str]:
    """Write a body to disk while it comes in, and record it; return its size and MD5 digest."""
    digest, checksum, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("wb") as file:
        async for chunk in _taken(request):
            file.write(chunk)
            digest.update(chunk)
            checksum.update(chunk)
            size += len(chunk)
    _record(request).body = {"size": size, "sha256": digest.hexdigest()}
    return size, checksum.hexdigest()


async def _read_body(request: Request, settings: Settings) -> bytes:
    limit = settings.max_transfer_megabytes * settings.megabyte
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:  # Beyond that the rest is read, since a client answered midway may never listen.
            chunks.append(chunk)
    body = b"".join(chunks)
    packing = request.headers.get("content-encoding", "identity").lower()
    if packing == "gzip" and size <= limit:
        try:
            unpacker = zlib.decompressobj(wbits=31)
            body = unpacker.decompress(body, limit + 1)
        except zlib.error:
            raise invalid("body", "It is not valid gzip.") from None
        if not unpacker.eof and len(body) <= limit:
            raise invalid("body", "It is not valid gzip.")
        size = len(body)
    elif packing not in ("identity", "gzip"):
        raise invalid("content-encoding", "It must be gzip, or be left out.")
    if size > limit:
        raise ApiError(413, "parameter_invalid", f"The request is larger than {limit} bytes.")
    return body


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _away(size: int, work: Callable[..., T], *arguments: Any) -> T:
    if size < _LARGE:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def _record(request: Request) -> RecordedRequest:
    record: RecordedRequest = request.scope[RECORD]
    return record
