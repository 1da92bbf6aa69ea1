"""The emulator on a real port, served by a thread of the calling process."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from types import TracebackType
from typing import Any

import uvicorn

from .app import create_app
from .protocol.formats import API_PREFIX
from .protocol.request_log import RecordedRequest
from .protocol.settings import Settings
from .store.state import State

_START_SEC = 20.0


class Emulator:
    """A running emulator, as a context manager::

        with Emulator() as emulator:
            client = TwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url)

    It serves on ``host`` and ``port`` (0 = a free one) from a background thread until `close`. Raises
    ``OSError`` from `start` if the port is taken.
    """

    def __init__(self, settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._port = port
        self._app = create_app(settings)
        self._state.sends_date = True
        self._any_key = _new_key()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def _state(self) -> State:
        state: State = self._app.state.emulator
        return state

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self._state.settings

    @property
    def base_url(self) -> str:
        """The API's base address, such as ``http://127.0.0.1:8765/v1.3``."""
        return self.origin + API_PREFIX

    @property
    def origin(self) -> str:
        """The address without the API's version, with ``/_emulator``."""
        if self._socket is None:
            raise RuntimeError("the emulator is not running; use it in a with statement, or call start()")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}"

    @property
    def api_key(self) -> str:
        """The first accepted key. If any is accepted, one that is new after each reset.

        What a client has learned about an account's limits then says nothing about this one.
        """
        return next(iter(self.settings.api_keys), self._any_key)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests to the API so far, in the order of arrival."""
        return self._state.log.all()

    @property
    def most_at_once(self) -> int:
        """The largest number of requests that were open at the same time."""
        return self._state.log.most_at_once

    def configure(self, **changes: Any) -> None:
        """Change settings while running. Raises ``ValueError`` for an unknown name or a wrong value."""
        self._state.configure(**changes)

    def reset(self) -> None:
        """Empty the log, forget what clients created, and return to the first settings."""
        self._state.reset()
        self._any_key = _new_key()

    def start(self) -> Emulator:
        """Start serving; return when requests are answered."""
        if self._thread is not None:
            return self
        self._socket = self._bound()
        # Its signal handling needs the main thread, and its logging would configure the caller's.
        config = uvicorn.Config(
            self._app,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="twelvelabs-emulator", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SEC
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.close()
                raise RuntimeError("the emulator did not start")
            time.sleep(0.005)
        return self

    def close(self) -> None:
        """Stop serving and free the port. May be called twice."""
        if self._server is not None:
            self._state.stop()
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None
        self._state.close()

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self._port))
            bound.listen(2048)
        except OSError:
            bound.close()
            raise
        return bound

    def _serve(self) -> None:
        assert self._server is not None and self._socket is not None
        loop = _new_loop()
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(self._server.serve(sockets=[self._socket]))
        finally:
            try:
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.run_until_complete(loop.shutdown_default_executor())
            finally:
                asyncio.set_event_loop(None)
                loop.close()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _new_key() -> str:
    return f"tlk_{secrets.token_hex(12)}"


def _new_loop() -> asyncio.AbstractEventLoop:
    try:  # About 1.5 times the requests per second, if it is installed.
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
