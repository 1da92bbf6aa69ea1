"""Vector stores as the tests open them; Qdrant's client, without the connection that it leaves open."""

from __future__ import annotations

import gc
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

__all__ = ["Place", "QdrantClient", "StoreKind", "nothing"]

# The first local folder that a process opens makes qdrant-client ask SQLite how it was built, by a connection that it
# never closes. Python 3.13 reports that in whatever test runs when it is collected; so it is collected here.
with warnings.catch_warnings(), tempfile.TemporaryDirectory() as _folder:
    warnings.simplefilter("ignore", ResourceWarning)
    _client = QdrantClient(path=_folder)
    _client.create_collection("first", models.VectorParams(size=1, distance=models.Distance.COSINE))
    _client.close()
    gc.collect()


@dataclass(frozen=True)
class Place:
    """Where a store keeps its vectors.

    Attributes:
        folder: for those that keep files.
        database: a PostgreSQL database's address, for those that keep tables there.
        new: there is nothing in it yet.
    """

    folder: Path
    database: str = ""
    new: bool = True


def nothing(*_: Any) -> None:
    """For a store that need not be closed, or saved."""


@dataclass(frozen=True)
class StoreKind:
    """A vector store of one framework.

    Attributes:
        name: for the test's id.
        engine: what keeps the vectors, for the page; None = not on the page.
        shown: the framework's class.
        packages: distributions it needs; the first is the framework's.
        besides: distributions it needs on this machine alone.
        open: makes it, from the model and the place.
        close: ends what it holds open.
        save: writes it to the place, if it does not do so itself; None = it cannot be reopened.
        postgres: it needs a database.
        replaces: adding an id again replaces what it had.
        deletes: by id.
        filters: takes filters.
        uuids: takes only UUIDs as ids.
        open_async: makes the object whose async methods work, if that is another one.
        asks_for_ids: does not take documents' own ids, only those named in the call (LangChain).
    """

    name: str
    engine: str | None
    shown: str
    packages: tuple[str, ...]
    open: Callable[[Any, Place], Any]
    besides: tuple[str, ...] = ()
    close: Callable[[Any], None] = nothing
    save: Callable[[Any, Place], None] | None = nothing
    postgres: bool = False
    replaces: bool = True
    deletes: bool = True
    filters: bool = True
    uuids: bool = False
    open_async: Callable[[Any, Place], AbstractAsyncContextManager[Any]] | None = None
    asks_for_ids: bool = False

    def for_async(self, store: Any, model: Any, place: Place) -> AbstractAsyncContextManager[Any]:
        """The store, or its like for async methods."""
        return nullcontext(store) if self.open_async is None else self.open_async(model, place)

    def add(self, store: Any, documents: Sequence[Any]) -> None:
        """Add LangChain's documents, under their ids."""
        store.add_documents(documents, **self._ids(documents))

    async def aadd(self, store: Any, documents: Sequence[Any]) -> None:
        """Async :meth:`add`."""
        await store.aadd_documents(documents, **self._ids(documents))

    def _ids(self, documents: Sequence[Any]) -> dict[str, Any]:
        return {"ids": [document.id for document in documents]} if self.asks_for_ids else {}

    def version(self, package: str) -> str | None:
        """The version that is installed."""
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    def skip_if_missing(self) -> None:
        """Skip the test, and say what it needs, if a package is not installed. (Not every Python has wheels of all.)"""
        missing = [package for package in (*self.packages, *self.besides) if self.version(package) is None]
        if missing:
            pytest.skip(f"needs {' and '.join(missing)}: pip install {' '.join(missing)}")
