"""What a request passes before its endpoint: the API key, the rate limits, then the faults."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from ..protocol.bodies import drain
from ..protocol.errors import ApiError, not_found
from ..protocol.formats import API_PREFIX
from ..protocol.rate_limits import current_ticket
from ..protocol.settings import Settings
from ..store.state import state_of
from .fault_effects import respond_with_fault
from .recorder import TICKET
from .recording import forwarded, replaying

Endpoint = Callable[[Request], Awaitable[Response]]
Categories = Callable[[Request], Awaitable[frozenset[str]]]


def admitted(endpoint: Endpoint, categories: Categories | None = None, *, needs_key: bool = True) -> Endpoint:
    """Return an endpoint that serves only requests that pass. ``categories`` returns what a request counts as."""

    async def serve(request: Request) -> Response:
        try:
            return await _serve(request, endpoint, categories, needs_key)
        except ApiError:
            # Read the body to its end: a client that gets a response while it sends may see a broken connection.
            await drain(request)
            raise
        except FileNotFoundError:
            raise not_found("A file that another request has deleted", 404) from None

    return serve


async def _serve(request: Request, endpoint: Endpoint, categories: Categories | None, needs_key: bool) -> Response:
    state = state_of(request)
    settings = state.settings
    current_ticket.set(None)
    if settings.recording is not None and needs_key:
        await request.body()  # From here on it can be read more than once.
        if settings.record_from is not None:
            return await forwarded(request, settings)  # The service checks the key and its limits.
        endpoint = replaying(endpoint)
    if needs_key:
        check_key(request.headers.get("x-api-key"), settings)
    if categories is not None:
        ticket = state.limiter.admit(await categories(request), settings)
        request.scope[TICKET] = ticket
        current_ticket.set(ticket)
    if settings.faults:
        fault = state.faults.next(settings.faults, request.method, _fault_path(request))
        if fault is not None:
            return await respond_with_fault(fault, endpoint, request)
    return await endpoint(request)


def check_key(key: str | None, settings: Settings) -> None:
    """Raise the API's 401 unless the key is accepted. The message never contains the key."""
    if key and not settings.api_keys:
        return
    if key and any(hmac.compare_digest(key.encode(), accepted.encode()) for accepted in settings.api_keys):
        return
    why = "The API key is invalid or has expired." if key else "The `x-api-key` header is missing."
    raise ApiError(401, "api_key_invalid", why, shape="flat")


def _fault_path(request: Request) -> str:
    """Return the path as fault rules name it."""
    if "index" in request.path_params:
        return f"upload-part/{request.path_params['index']}"
    return request.url.path[len(API_PREFIX) + 1 :]
