"""The web application: routes, and what surrounds every request."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .endpoints import assets as asset_routes
from .endpoints import control, tasks_v1, tasks_v2
from .endpoints import uploads as upload_routes
from .endpoints.embed_v1 import embed_v1
from .endpoints.embed_v2 import embed_v2
from .middleware import rate_categories as categories
from .middleware.auth import check_key
from .middleware.fault_effects import TRANSPORT, broken, transport_of
from .protocol.bodies import PREFIX, RECORD, answer, drain, state_of
from .protocol.errors import ApiError, error_body, not_found
from .protocol.rate_limits import Ticket, current_ticket
from .protocol.request_log import RecordedRequest
from .protocol.settings import Settings
from .store.state import State

__all__ = ["PREFIX", "create_app"]

_logger = logging.getLogger("twelvelabs_emulator")

# Key in the ASGI scope: the limits that the request was counted against.
_TICKET = "twelvelabs_emulator.ticket"

Endpoint = Callable[[Request], Awaitable[Response]]
Categories = Callable[[Request], Awaitable[frozenset[str]]]


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the emulator as an ASGI application, for any server or test client.

    Its state is ``app.state.emulator``. The API is under ``/v1.3``, the controls under ``/_emulator``.
    """
    state = State(settings or Settings())
    app = _Application(
        routes=[
            Route(f"{PREFIX}/embed", _served(embed_v1, categories.of_form), methods=["POST"]),
            Route(f"{PREFIX}/embed-v2", _served(embed_v2, categories.of_json), methods=["POST"]),
            *_task_routes(),
            *_asset_routes(),
            *control.routes(),
        ],
        exception_handlers={ApiError: _refusal, HTTPException: _no_route, Exception: _fault},
    )
    app.router.redirect_slashes = False
    app.state.emulator = state
    app.add_middleware(_Recorder, state=state)
    return app


class _Application(Starlette):
    """Starlette, with the connection in reach: some faults hang up on the client."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = transport_of(send)
        await super().__call__(scope, receive, send)


def _task_routes() -> list[Route]:
    v1, v2 = f"{PREFIX}/embed/tasks", f"{PREFIX}/embed-v2/tasks"
    return [
        Route(v1, _served(tasks_v1.create_task, categories.of_video_form), methods=["POST"]),
        Route(v1, _served(tasks_v1.list_tasks), methods=["GET"]),
        Route(v1 + "/{task_id}", _served(tasks_v1.retrieve_task), methods=["GET"]),
        Route(v1 + "/{task_id}/status", _served(tasks_v1.task_status), methods=["GET"]),
        Route(v2, _served(tasks_v2.create_task, categories.of_json), methods=["POST"]),
        Route(v2, _served(tasks_v2.list_tasks), methods=["GET"]),
        Route(v2 + "/{task_id}", _served(tasks_v2.retrieve_task), methods=["GET"]),
    ]


def _asset_routes() -> list[Route]:
    assets, uploads = f"{PREFIX}/assets", f"{PREFIX}/assets/multipart-uploads"
    return [
        Route(uploads, _served(upload_routes.create_upload), methods=["POST"]),
        Route(uploads, _served(upload_routes.list_uploads), methods=["GET"]),
        Route(uploads + "/{upload_id}", _served(upload_routes.report_chunks), methods=["POST"]),
        Route(uploads + "/{upload_id}", _served(upload_routes.upload_status), methods=["GET"]),
        Route(uploads + "/{upload_id}/presigned-urls", _served(upload_routes.more_addresses), methods=["POST"]),
        Route(
            "/upload-part/{upload_id}/{index:int}", _served(upload_routes.put_part, open_to_all=True), methods=["PUT"]
        ),
        Route(assets, _served(asset_routes.create_asset, categories.of_upload), methods=["POST"]),
        Route(assets, _served(asset_routes.list_assets), methods=["GET"]),
        Route(assets + "/{asset_id}", _served(asset_routes.retrieve_asset), methods=["GET"]),
        Route(assets + "/{asset_id}", _served(asset_routes.delete_asset), methods=["DELETE"]),
    ]


def _fault_path(request: Request) -> str:
    """Return the path as fault rules name it."""
    path = request.url.path
    return f"upload-part/{request.path_params['index']}" if "index" in request.path_params else path[len(PREFIX) + 1 :]


def _served(endpoint: Endpoint, limited_as: Categories | None = None, *, open_to_all: bool = False) -> Endpoint:
    """Let a request come to the endpoint: first the key, then the limits, then the faults."""

    async def served(request: Request) -> Response:
        try:
            return await let_through(request)
        except ApiError:
            # Listen to the end: a client answered midway may take that for a broken connection.
            await drain(request)
            raise
        except ClientDisconnect:
            return Response(None, 400)  # Nobody is there to read it.

    async def let_through(request: Request) -> Response:
        state = state_of(request)
        settings = state.settings
        current_ticket.set(None)
        if not open_to_all:
            check_key(request.headers.get("x-api-key"), settings)
        if limited_as is not None:
            ticket = state.limiter.admit(await limited_as(request), settings)
            request.scope[_TICKET] = ticket
            current_ticket.set(ticket)
        if settings.faults:
            fault = state.faults.next(settings.faults, request.method, _fault_path(request))
            if fault is not None:
                return await broken(fault, endpoint, request)
        return await endpoint(request)

    return served


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    if request.url.path.startswith("/upload-part/"):  # The storage is another server and speaks XML.
        said = f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
        return Response(said, error.status, error.headers, media_type="application/xml")
    body = error_body(error, request.url.path, state_of(request).settings)
    if body is None:
        return Response(None, error.status, error.headers)
    return answer(body, error.status, error.headers)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        hint = "" if path.startswith(PREFIX) else f" The API's paths start with {PREFIX}."
        refusal = not_found(state_of(request).settings, f"The path {path}")
        refusal.message += hint
    else:
        refusal = ApiError(error.status_code, "method_not_allowed", error.detail, shape="flat")
    return await _refusal(request, refusal)


async def _fault(request: Request, error: Exception) -> Response:
    # A fault of the emulator's own; the server logs where.
    return await _refusal(request, ApiError(500, "internal_server_error", "The emulator failed."))


class _Recorder:
    """Log every request to the API, and let no answer go out too early."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(control.PREFIX):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        latency = self._state.settings.latency_sec
        record = RecordedRequest(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in scope["headers"]
                if name != b"x-api-key"
            },
            received=time.time(),
        )
        scope[RECORD] = record
        log = self._state.log
        log.opened(record)

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                # More than once if need be: a sleep may end a little too soon.
                while (early := latency - (time.perf_counter() - began)) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(early)
                headers: list[Any] = list(message["headers"])
                ticket: Ticket | None = scope.get(_TICKET)
                if ticket is not None:
                    headers += [(name.encode(), value.encode()) for name, value in ticket.headers().items()]
                headers.append((b"x-trace-id", uuid.uuid4().hex.encode()))
                message["headers"] = headers
                record.status = message["status"]
                record.duration = time.perf_counter() - began
                _logger.info("%s %s %d %.1f ms", record.method, record.path, record.status, record.duration * 1e3)
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        finally:
            log.closed()
