"""The ASGI application: routes, middleware and error responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from .endpoints import assets, control, indexed, tasks_v1, tasks_v2, transcription, uploads, user_metadata
from .endpoints.embed_v1 import embed_v1
from .endpoints.embed_v2 import embed_v2
from .middleware import rate_categories
from .middleware.admission import admitted
from .middleware.fault_effects import TRANSPORT, transport_of
from .middleware.recorder import Recorder
from .protocol.bodies import drain, error_response
from .protocol.errors import ApiError, not_found
from .protocol.formats import API_PREFIX
from .protocol.settings import Settings
from .store.state import State, state_of

_PARTS = "/upload-part/"


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the emulator as an ASGI application, for any server or test client.

    Its state is ``app.state.emulator``. The API is under ``/v1.3``, the controls under ``/_emulator``.
    """
    state = State(settings or Settings())
    app = _Application(
        routes=[
            *_embed_routes(),
            *_task_routes(),
            *_upload_routes(),
            *_asset_routes(),
            *_index_routes(),
            *control.routes(),
        ],
        exception_handlers={
            ApiError: _on_api_error,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.emulator = state
    app.add_middleware(Recorder, state=state, unrecorded=control.PREFIX)
    return app


class _Application(Starlette):
    """Starlette, with the connection in the scope: some faults close it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = transport_of(send)
        await super().__call__(scope, receive, send)


def _route(method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, endpoint, methods=[method])


def _embed_routes() -> list[Route]:
    return [
        _route("POST", f"{API_PREFIX}/embed", admitted(embed_v1, rate_categories.of_form)),
        _route("POST", f"{API_PREFIX}/embed-v2", admitted(embed_v2, rate_categories.of_json)),
    ]


def _task_routes() -> list[Route]:
    v1, v2 = f"{API_PREFIX}/embed/tasks", f"{API_PREFIX}/embed-v2/tasks"
    return [
        _route("POST", v1, admitted(tasks_v1.create_task, rate_categories.of_video_form)),
        _route("GET", v1, admitted(tasks_v1.list_tasks)),
        _route("GET", v1 + "/{task_id}", admitted(tasks_v1.retrieve_task)),
        _route("GET", v1 + "/{task_id}/status", admitted(tasks_v1.task_status)),
        _route("POST", v2, admitted(tasks_v2.create_task, rate_categories.of_json)),
        _route("GET", v2, admitted(tasks_v2.list_tasks)),
        _route("GET", v2 + "/{task_id}", admitted(tasks_v2.retrieve_task)),
    ]


def _upload_routes() -> list[Route]:
    # Before those of assets, whose identifiers would match "multipart-uploads".
    path = f"{API_PREFIX}/assets/multipart-uploads"
    return [
        _route("POST", path, admitted(uploads.create_upload)),
        _route("GET", path, admitted(uploads.list_uploads)),
        _route("POST", path + "/{upload_id}", admitted(uploads.report_chunks)),
        _route("GET", path + "/{upload_id}", admitted(uploads.upload_status)),
        _route("POST", path + "/{upload_id}/presigned-urls", admitted(uploads.more_urls)),
        _route("PUT", _PARTS + "{upload_id}/{index}", admitted(uploads.put_part, needs_key=False)),
    ]


def _asset_routes() -> list[Route]:
    path = f"{API_PREFIX}/assets"
    return [
        _route("POST", path, admitted(assets.create_asset, rate_categories.of_upload)),
        _route("GET", path, admitted(assets.list_assets)),
        _route("GET", path + "/{asset_id}", admitted(assets.retrieve_asset)),
        _route("DELETE", path + "/{asset_id}", admitted(assets.delete_asset)),
        _route("GET", path + "/{asset_id}/transcription", admitted(transcription.retrieve_transcription)),
        _route("PUT", path + "/{asset_id}/user-metadata", admitted(user_metadata.replace_metadata)),
        _route("PATCH", path + "/{asset_id}/user-metadata", admitted(user_metadata.update_metadata)),
        _route("DELETE", path + "/{asset_id}/user-metadata", admitted(user_metadata.delete_metadata)),
    ]


def _index_routes() -> list[Route]:
    path = f"{API_PREFIX}/indexes/{{index_id}}"
    return [
        _route("GET", f"{path}/{form}/{{video_id}}", admitted(indexed.retrieve_video))
        for form in ("indexed-assets", "videos")
    ]


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    if request.url.path.startswith(_PARTS):  # The storage is another server, with XML errors.
        code, message = escape(error.code), escape(error.message)
        xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return Response(xml, error.status, error.headers, media_type="application/xml")
    return error_response(error, request.url.path, state_of(request).settings)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        refusal = not_found(f"The path {path}", state_of(request).settings.not_found_status)
        if not path.startswith(API_PREFIX):
            refusal.message += f" The API's paths start with {API_PREFIX}."
    else:
        refusal = ApiError(error.status_code, "method_not_allowed", error.detail, shape="flat")
        refusal.headers["Allow"] = ", ".join(sorted(_methods(request)))
    await drain(request)  # A client that gets a response while it sends may see a broken connection.
    return await _on_api_error(request, refusal)


def _methods(request: Request) -> set[str]:
    """Return the methods of the request's path. Starlette names those of the first route alone."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    return {method for route in routes for method in route.methods}


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(None, 400)  # The client is gone.


async def _on_error(request: Request, error: Exception) -> Response:
    # An error in the emulator itself; the server logs it.
    return await _on_api_error(request, ApiError(500, "internal_server_error", "The emulator failed."))
