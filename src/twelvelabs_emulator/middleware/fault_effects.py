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
    if name in ALTERATIONS:
        return _altered(name, await endpoint(request))
    if name == "drop_half":
        return _Half(await endpoint(request))
    if name == "lost":
        with contextlib.suppress(ApiError):  # The response is lost, whatever it was.
            await endpoint(request)
        return _Dropped()
    await drain(request)  # A client that is answered midway may never read the response.
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
    if not _ALTER[name](body):
        _logger.warning("the fault %s has nothing to alter in this response", name)
        return response
    headers = {key: value for key, value in response.headers.items() if key not in ("content-length", "content-type")}
    # With NaN, which is not valid JSON: a faulty server would send it.
    return Response(json.dumps(body), response.status_code, headers, media_type="application/json")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list) and not (value and isinstance(value[0], float)):
        for item in value:
            yield from _objects(item)


def _vectors(body: Any) -> list[list[float]]:
    found = [item.get(name) for item in _objects(body) for name in ("float", "embedding")]
    return [numbers for numbers in found if isinstance(numbers, list)]


def _part_error(body: dict[str, Any]) -> bool:
    names = [name for name in body if name.endswith("_embedding")]
    for name in names:
        body[name] = {"error_message": f"The {name.partition('_')[0]} could not be embedded."}
    return bool(names)


def _no_segments(body: dict[str, Any]) -> bool:
    found = [(item, name) for item in _objects(body) for name in ("segments", "data") if name in item]
    for item, name in found:
        del item[name]
    return bool(found)


def _empty_data(body: dict[str, Any]) -> bool:
    found = [(item, name) for item in _objects(body) for name in ("segments", "data") if item.get(name)]
    for item, name in found:
        item[name] = []
    return bool(found)


def _extra_fields(body: dict[str, Any]) -> bool:
    for item in list(_objects(body)):
        item["field_of_tomorrow"] = {"values": ["new", 1, None]}
    return True


def _no_metadata(body: dict[str, Any]) -> bool:
    found = [item for item in _objects(body) if "metadata" in item]
    for item in found:
        del item["metadata"]
    return bool(found)


def _nan(body: dict[str, Any]) -> bool:
    vectors = _vectors(body)
    for numbers in vectors:
        numbers[0] = float("nan")
    return bool(vectors)


def _wrong_dimension(body: dict[str, Any]) -> bool:
    vectors = _vectors(body)
    for numbers in vectors:
        del numbers[-1]
    return bool(vectors)


_ALTER: dict[str, Callable[[dict[str, Any]], bool]] = {
    "part_error": _part_error,
    "no_segments": _no_segments,
    "empty_data": _empty_data,
    "extra_fields": _extra_fields,
    "no_metadata": _no_metadata,
    "nan": _nan,
    "wrong_dimension": _wrong_dimension,
}
