"""What a fault does to a request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..protocol.bodies import drain
from ..protocol.errors import ApiError
from ..protocol.faults import ALTERATIONS, Fault
from ..protocol.rate_limits import too_many_requests
from ..store.state import state_of

#: Key in the ASGI scope of the request's connection, if the server provides it.
TRANSPORT = "twelvelabs_emulator.transport"

_logger = logging.getLogger("twelvelabs_emulator")

_CODES = {
    401: "api_key_invalid",
    403: "api_not_allowed",
    404: "resource_not_exist",
    408: "request_canceled_or_timed_out",
    500: "internal_server_error",
    503: "service_unavailable",
    504: "gateway_timeout",
}
_FLAT = {401, 403, 404}
_HTML = "<html><head><title>{0} Bad Gateway</title></head><body><h1>{0}</h1><hr>a proxy</body></html>\n"

Endpoint = Callable[[Request], Awaitable[Response]]


def transport_of(send: Send) -> Any:
    """Return the connection of a request; ``None`` unless uvicorn serves it."""
    return getattr(getattr(send, "__self__", None), "transport", None)


async def respond_with_fault(fault: Fault, endpoint: Endpoint, request: Request) -> Response:
    """Return the faulty response. Raises an `ApiError` if the fault is one."""
    name, _, value = fault.kind.partition(":")
    if name == "slow":
        await _delay(float(value), request)
        return await endpoint(request)
    if name == "late":
        response = await endpoint(request)
        await _delay(float(value), request)
        return response
    if name in ALTERATIONS:
        return _altered(name, await endpoint(request))
    if name == "drop_half":
        return _Half(await endpoint(request))
    if name == "lost":
        with contextlib.suppress(ApiError):  # The response is lost, whatever it was.
            await endpoint(request)
        return _Dropped()
    await drain(request)  # A client that gets a response while it sends may never read it.
    if name == "drop":
        return _Dropped()
    if name == "html":
        return Response(_HTML.format(value), int(value), media_type="text/html")
    if name == "not_json":
        return Response('{"data": [{"embedding": [0.0123, -0.04', 200, media_type="application/json")
    if name == "echo_key":
        key = request.headers.get("x-api-key", "")
        raise ApiError(400, "parameter_invalid", f"The request with the key {key} could not be served.")
    raise _error(value, request)


async def _delay(seconds: float, request: Request) -> None:
    """Wait, but not longer than the client stays connected."""
    transport = request.scope.get(TRANSPORT)
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0 and not (transport is not None and transport.is_closing()):  # noqa: ASYNC110
        await asyncio.sleep(min(left, 0.05))


def _error(value: str, request: Request) -> ApiError:
    number, _, code = value.partition(":")
    status = int(number)
    settings = state_of(request).settings
    if status == 429 and not code:
        return too_many_requests(settings, settings.now(), 1.0, "1req/1second", "1 request")
    code = code or _CODES.get(status, "parameter_invalid" if status < 500 else "internal_server_error")
    message = f"The request could not be served (a fault set up in the emulator: {status})."
    return ApiError(status, code, message, shape="flat" if status in _FLAT else "endpoint")


class _Dropped(Response):
    """No response: the connection closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _close(scope, receive)


class _Half(Response):
    """The first half of another response, with the headers of all of it."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole, body = self._whole, bytes(self._whole.body)
        await send({"type": "http.response.start", "status": whole.status_code, "headers": whole.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await _close(scope, receive)


async def _close(scope: Scope, receive: Receive) -> None:
    transport = scope.get(TRANSPORT)
    if transport is None:  # Not served by uvicorn: the application can only fail.
        raise ConnectionResetError("a fault in the emulator's settings closed the connection")
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _altered(name: str, response: Response) -> Response:
    if response.status_code >= 300:
        return response
    body = json.loads(bytes(response.body))
    alter(body, name)
    if body == json.loads(bytes(response.body)):
        _logger.warning("the fault %s has nothing to alter in this response", name)
        return response
    headers = {key: value for key, value in response.headers.items() if key not in ("content-length", "content-type")}
    # With NaN, which is not valid JSON: a faulty server would send it.
    return Response(json.dumps(body), response.status_code, headers, media_type="application/json")


def alter(body: dict[str, Any], name: str) -> None:
    """Alter a response's body in place, wherever the fault applies."""
    for part in [key for key in body if key.endswith("_embedding")]:
        if name == "part_error":
            body[part] = {"error_message": f"The {part.partition('_')[0]} could not be embedded."}
    for item in list(_objects(body)):
        if name == "extra_fields":
            item["field_of_tomorrow"] = {"values": ["new", 1, None]}
        if name == "no_metadata":
            item.pop("metadata", None)
        for key in ("segments", "data"):
            if name == "no_segments":
                item.pop(key, None)
            if name == "empty_data" and item.get(key):
                item[key] = []
        for key in ("float", "embedding"):
            vector = item.get(key)
            if name == "nan" and isinstance(vector, list):
                vector[0] = float("nan")
            if name == "wrong_dimension" and isinstance(vector, list):
                del vector[-1]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a JSON value, without looking through vectors."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list) and not (value and isinstance(value[0], float)):
        for item in value:
            yield from _objects(item)
