"""Reading request bodies and writing JSON responses and errors."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from .errors import ApiError, invalid
from .formats import API_PREFIX
from .request_log import RecordedRequest, json_summary
from .settings import Settings

#: Key in the ASGI scope of the request's `RecordedRequest`.
RECORD = "twelvelabs_emulator.record"
# Key of the parsed body, or of the error that parsing raised. The rate limits may read it before the endpoint.
_BODY = "twelvelabs_emulator.body"
# Larger bodies are parsed in a thread, so that they do not block other requests.
_LARGE = 200_000

_UPPER_CODES = {413: "VALIDATION_ERROR", 429: "RATE_LIMIT_EXCEEDED", 500: "INTERNAL_SERVER_ERROR"}
# Documented for /embed-v2 as nested; the others (401, 403, 404 …) are flat on every endpoint.
_NESTED_STATUSES = {400, 413, 429, 500}

T = TypeVar("T")


def _dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_fast_dumps: Callable[[Any], bytes]
try:  # Several times faster, and often installed; the numbers come out the same.
    from orjson import dumps as _fast_dumps
except ImportError:
    _fast_dumps = _dumps


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    try:
        content = _fast_dumps(value)
    except TypeError:  # orjson takes no integer of more than 64 bits.
        content = _dumps(value)
    return Response(content, status, headers, media_type="application/json")


def parse_json(text: str | bytes) -> Any:
    """Return a JSON value. Raises ``ValueError``, also for NaN, half a surrogate pair and more than 200 levels."""
    return from_json(text, allow_inf_nan=False)


def error_response(error: ApiError, path: str, settings: Settings) -> Response:
    """Return an error in the shape of the endpoint at ``path``."""
    nested_endpoint = path.startswith(f"{API_PREFIX}/embed-v2") and error.status in _NESTED_STATUSES
    shape: str = error.shape
    if shape == "empty":
        return Response(None, error.status, error.headers)
    if shape == "endpoint":
        shape = settings.v2_error_shape if nested_endpoint else "flat"
    code = error.code
    if nested_endpoint and settings.v2_error_codes == "upper":
        code = _UPPER_CODES.get(error.status, "VALIDATION_ERROR")
    body: dict[str, Any] = {"code": code, "message": error.message}
    if shape == "nested":
        body = {"error": body if error.details is None else body | {"details": error.details}}
    return json_response(body, error.status, error.headers)


def record_of(request: Request) -> RecordedRequest:
    """Return the request's entry in the log."""
    record: RecordedRequest = request.scope[RECORD]
    return record


def content_type_of(request: Request) -> str:
    """Return the media type of the body without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request, settings: Settings) -> Any:
    """Return the JSON body and record it. Raises the API's 400 if it is not JSON."""
    return await read_once(request, settings, _parse_json)


async def _parse_json(request: Request, settings: Settings) -> Any:
    body = await read_body(request, settings)
    try:
        value = await in_thread_if_large(len(body), parse_json, body)
    except ValueError:
        raise ApiError(400, "parameter_invalid", "The request body is not valid JSON.") from None
    record_of(request).body = await in_thread_if_large(len(body), json_summary, value)
    return value


async def read_once(request: Request, settings: Settings, read: Callable[[Request, Settings], Awaitable[T]]) -> T:
    """Read the body; later calls return the same value, or raise the same error."""
    if _BODY not in request.scope:
        try:
            request.scope[_BODY] = await read(request, settings)
        except ApiError as error:
            request.scope[_BODY] = error
    body: T | ApiError = request.scope[_BODY]
    if isinstance(body, ApiError):
        raise body
    return body


async def stream_of(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the body in chunks; it counts as read from then on."""
    request.scope[_BODY] = None
    async for chunk in request.stream():
        yield chunk


async def drain(request: Request) -> None:
    """Read and discard the body, unless it has been read already."""
    if _BODY not in request.scope:
        with contextlib.suppress(ClientDisconnect):
            async for _ in stream_of(request):
                pass


async def store_body(request: Request, path: Path) -> tuple[int, str]:
    """Write the body to a file while it arrives, and record it; return its size and MD5 digest."""
    digest, checksum, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("wb") as file:
        async for chunk in stream_of(request):
            file.write(chunk)
            digest.update(chunk)
            checksum.update(chunk)
            size += len(chunk)
    record_of(request).body = {"size": size, "sha256": digest.hexdigest()}
    return size, checksum.hexdigest()


async def read_body(request: Request, settings: Settings) -> bytes:
    """Return the whole body, unpacked. Raises the API's 400 or 413."""
    limit = settings.max_transfer_megabytes * settings.megabyte
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:  # The rest is read too: a client that gets a response while it sends may never read it.
            chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise invalid("content-encoding", "It must be gzip, or be left out.")
    if encoding == "gzip" and size <= limit:
        body = _unpack_gzip(body, limit)
        size = len(body)
    if size > limit:
        raise ApiError(413, "parameter_invalid", f"The request is larger than {limit} bytes.")
    return body


def _unpack_gzip(body: bytes, limit: int) -> bytes:
    """Return at most ``limit + 1`` bytes of the unpacked body."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise invalid("body", "It is not valid gzip.") from None
    if not unpacker.eof and len(unpacked) <= limit:
        raise invalid("body", "It is not valid gzip.")
    return unpacked


async def in_thread_if_large(size: int, work: Callable[..., T], *arguments: Any) -> T:
    """Call a function; in a thread, if ``size`` (bytes to process) is large."""
    if size < _LARGE:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)
