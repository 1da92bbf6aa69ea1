"""Recording every request to the API, and the headers and the latency of every response."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..protocol.bodies import RECORD
from ..protocol.formats import API_PREFIX, API_VERSION
from ..protocol.rate_limits import Ticket
from ..protocol.request_log import RecordedRequest
from ..store.state import State, state_kept

_logger = logging.getLogger("twelvelabs_emulator")

#: Key in the ASGI scope of the request's `Ticket`, once it has been counted.
TICKET = "twelvelabs_emulator.ticket"


class Recorder:
    """ASGI middleware that logs requests, except those under ``unrecorded``, and delays responses."""

    def __init__(self, app: ASGIApp, state: State, unrecorded: str) -> None:
        self._app = app
        self._state = state
        self._unrecorded = unrecorded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(self._unrecorded):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        latency = self._state.settings.latency_sec
        record = scope[RECORD] = _recorded(scope)
        log = self._state.log
        log.opened(record)

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Repeatedly: a sleep may end slightly too soon.
                while (early := latency - (time.perf_counter() - began)) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(early)
                headers: list[Any] = list(message["headers"])
                ticket: Ticket | None = scope.get(TICKET)
                if ticket is not None:
                    headers += [(name.encode(), value.encode()) for name, value in ticket.headers().items()]
                headers.append((b"x-trace-id", uuid.uuid4().hex.encode()))
                if record.path.startswith(API_PREFIX):  # The storage of uploads is another server.
                    headers.append((b"x-api-version", API_VERSION.encode()))
                if self._state.sends_date:
                    headers.append((b"date", formatdate(self._state.settings.now(), usegmt=True).encode()))
                message["headers"] = headers
                record.status = message["status"]
                record.duration = time.perf_counter() - began
                _logger.info("%s %s %d %.1f ms", record.method, record.path, record.status, record.duration * 1e3)
            await send(message)

        try:
            with state_kept(scope, self._state):
                await self._app(scope, receive, send_recorded)
        finally:
            log.closed()


def _recorded(scope: Scope) -> RecordedRequest:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    headers.pop("x-api-key", None)
    return RecordedRequest(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        received=time.time(),
    )
