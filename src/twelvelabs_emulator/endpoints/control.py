"""``/_emulator``: health, request log, reset and settings. No key is needed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..protocol.bodies import json_response, parse_json
from ..protocol.errors import invalid
from ..protocol.settings import LOCAL_ONLY, json_names
from ..store.state import state_of

#: Prefix of these paths, outside the API's own.
PREFIX = "/_emulator"


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route(f"{PREFIX}/health", _health, methods=["GET"]),
        Route(f"{PREFIX}/requests", _requests, methods=["GET"]),
        Route(f"{PREFIX}/reset", _reset, methods=["POST"]),
        Route(f"{PREFIX}/settings", _settings, methods=["GET"]),
        Route(f"{PREFIX}/settings", _configure, methods=["POST"]),
    ]


async def _health(request: Request) -> Response:
    return json_response({"status": "ok", "vectors": "toys: no weights, not TwelveLabs' models"})


async def _requests(request: Request) -> Response:
    log = state_of(request).log
    return json_response({"data": [record.as_json() for record in log.all()], "most_at_once": log.most_at_once})


async def _reset(request: Request) -> Response:
    state_of(request).reset()
    return json_response({})


async def _settings(request: Request) -> Response:
    return json_response(state_of(request).settings.as_json())


async def _configure(request: Request) -> Response:
    try:
        changes: Any = parse_json(await request.body())
    except ValueError:
        changes = None
    if not isinstance(changes, dict):
        raise invalid("body", "It must be a JSON object of settings.")
    allowed = json_names() - LOCAL_ONLY
    for name in changes:
        if name not in allowed:
            raise invalid(name, "There is no such setting, or no request may change it.")
    try:
        state_of(request).configure(**changes)
    except (ValueError, TypeError) as error:
        raise invalid("settings", str(error)) from None
    return await _settings(request)
