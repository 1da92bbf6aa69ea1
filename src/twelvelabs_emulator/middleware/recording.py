"""The record mode: requests go to the real service and its answers are kept, or answers that were kept are given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ..protocol import recordings
from ..protocol.bodies import content_type_of, json_response, read_json, record_of
from ..protocol.errors import ApiError
from ..protocol.formats import API_PREFIX
from ..protocol.forms import read_form
from ..protocol.recordings import Recorded
from ..protocol.sending import send
from ..protocol.settings import Settings
from ..store.state import state_of

Endpoint = Callable[[Request], Awaitable[Response]]

_TIMEOUT_SEC = 600.0
# Headers of requests that belong to the connection with the client, and those of answers that clients read.
_OWN_HEADERS = {"host", "connection", "content-length", "accept-encoding", "transfer-encoding", "expect", "keep-alive"}
_KEPT_HEADERS = ("retry-after", "x-ratelimit-")
_NOT_RECORDED = "not_recorded"
_KEY = "[api key]"


def replaying(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that gives the recorded answer; without one, as ``unrecorded`` says."""

    async def serve(request: Request) -> Response:
        settings = state_of(request).settings
        known_by = await _identity(request, settings)
        assert settings.recording is not None  # Otherwise nothing is replayed.
        try:
            answer = await asyncio.to_thread(recordings.load, settings.recording, known_by)
        except (OSError, ValueError, TypeError) as error:
            raise ApiError(
                400, _NOT_RECORDED, f"A recorded answer cannot be read ({error}). Record it again."
            ) from None
        if answer is not None:
            return _response(answer, {}, request)
        if settings.unrecorded == "emulate":
            return await endpoint(request)
        why = "Record it with a key (pytest --twelvelabs-record), or set unrecorded='emulate'."
        raise ApiError(400, _NOT_RECORDED, f"No answer is recorded for {recordings.shown(known_by)}. {why}")

    return serve


async def forwarded(request: Request, settings: Settings) -> Response:
    """Send the request to the service that is recorded, with the client's key, and keep its answer."""
    assert settings.recording is not None and settings.record_from is not None
    known_by = await _identity(request, settings)
    if _path(request).startswith("assets/multipart-uploads"):
        why = "Uploads in parts cannot be recorded, as the parts go to another server. Use a file of less than 200 MB."
        raise ApiError(400, _NOT_RECORDED, why)
    key = request.headers.get("x-api-key", "")
    url = f"{settings.record_from.rstrip('/')}/{_path(request)}"
    url += f"?{request.url.query}" if request.url.query else ""
    headers = {name: value for name, value in request.headers.items() if name not in _OWN_HEADERS}
    content = await request.body()
    try:
        answered = await asyncio.to_thread(send, request.method, url, headers, content, timeout_sec=_TIMEOUT_SEC)
    except OSError as error:
        why = f"The service that is recorded could not be reached ({getattr(error, 'reason', error)})."
        raise ApiError(502, "not_reached", why) from None
    kept = {name: value for name, value in answered.headers.items() if name.startswith(_KEPT_HEADERS)}
    text = answered.content.decode("utf-8", "replace")
    if key:
        text, known = text.replace(key, _KEY), known_by.replace(key, _KEY)
    else:
        known = known_by
    try:
        body = recordings.rounded(json.loads(text)) if text else None
    except ValueError:  # A page of a proxy, say.
        return Response(text, answered.status, kept, media_type=answered.headers.get("content-type"))
    answer = Recorded(recordings.shown(known), answered.status, body, _below_prefix(answered.headers.get("location")))
    await asyncio.to_thread(recordings.keep, settings.recording, known_by, answer)
    return _response(answer, kept, request)


def _path(request: Request) -> str:
    return request.url.path[len(API_PREFIX) + 1 :]


def _below_prefix(location: str | None) -> str | None:
    """Return the path of an address below the API's prefix: the rest is the recorded server's."""
    if location is None:
        return None
    return urlsplit(location).path.partition(API_PREFIX)[2].strip("/") or None


async def _identity(request: Request, settings: Settings) -> str:
    return recordings.identity(
        request.method, _path(request), request.query_params.multi_items(), await _fields(request, settings)
    )


async def _fields(request: Request, settings: Settings) -> Any:
    """Return the body's fields as the request log has them."""
    content = await request.body()
    content_type = content_type_of(request)
    if content_type == "application/x-www-form-urlencoded":
        return parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True)
    if not content:
        return None
    await (read_form if content_type == "multipart/form-data" else read_json)(request, settings)
    return record_of(request).body


def _response(answer: Recorded, headers: dict[str, str], request: Request) -> Response:
    if answer.location is not None:
        headers = headers | {"location": f"{request.url.scheme}://{request.url.netloc}{API_PREFIX}/{answer.location}"}
    if answer.body is None:
        return Response(None, answer.status, headers)
    return json_response(answer.body, answer.status, headers)
