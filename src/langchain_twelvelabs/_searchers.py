"""How each store is asked for neighbours of a vector: by which method, with which filter, and what its scores mean.

Known by name, so that no store has to be installed: Chroma, Qdrant, FAISS, LanceDB, InMemoryVectorStore. Any other is
asked through what it shares with most; then metadata is told apart here, not in the store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

if TYPE_CHECKING:
    from .embeddings import TwelveLabsEmbeddings

__all__ = ["Group", "Hits", "Searcher", "searcher"]

Hits = list[tuple[Document, float]]
"""Best first; a higher score is a better one."""

_KEY = "embedding_option"


@dataclass(frozen=True)
class Group:
    """The documents of one embedding option, or with ``but`` all that are of none of those.

    Attributes:
        name: ``visual``, ``audio`` …, or ``other``.
        but: what ``other`` leaves out.
    """

    name: str
    but: tuple[str, ...] = ()

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a document of this metadata belongs here; plain texts are in ``other``."""
        option = metadata.get(_KEY)
        return option not in self.but if self.but else option == self.name


def near(distance: float) -> float:
    """A distance (0 = the same) as a score of which more is better: 1 down to 0."""
    return 1.0 / (1.0 + max(0.0, distance))


class Searcher:
    """Any store. Asked once for much, and what came is told apart by metadata."""

    filters = False
    """The store itself can look among the documents of one group."""

    # What partner packages call it, most informative first. The third is Pinecone's.
    methods = (
        "similarity_search_with_score_by_vector",
        "similarity_search_by_vector_with_relevance_scores",
        "similarity_search_by_vector_with_score",
    )

    def __init__(self, store: VectorStore, embeddings: TwelveLabsEmbeddings, options: Mapping[str, Any]) -> None:
        self.store: Any = store
        self.embeddings = embeddings
        self.options = options
        """Passed on with every search."""

    def search(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        """The ``k`` nearest, of one group or of all."""
        asked = {**self.options, **({} if filter is None else {"filter": filter})}
        name = next((n for n in self.methods if hasattr(self.store, n)), None)
        if name is not None:
            return _upright(getattr(self.store, name)(vector, k=k, **asked))
        if type(self.store).similarity_search_by_vector is not VectorStore.similarity_search_by_vector:
            return _by_rank(self.store.similarity_search_by_vector(vector, k=k, **asked))
        return self._by_reference(vector, k, asked)

    async def asearch(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        """Async :meth:`search`; in a thread where the store has nothing asynchronous of its own."""
        asked = {**self.options, **({} if filter is None else {"filter": filter})}
        name = next((f"a{n}" for n in self.methods if hasattr(self.store, f"a{n}")), None)
        if name is not None:
            return _upright(await getattr(self.store, name)(vector, k=k, **asked))
        if (
            not any(hasattr(self.store, n) for n in self.methods)
            and type(self.store).asimilarity_search_by_vector is not VectorStore.asimilarity_search_by_vector
        ):
            return _by_rank(await self.store.asimilarity_search_by_vector(vector, k=k, **asked))
        return await asyncio.to_thread(self.search, vector, k, group, filter)

    def _by_reference(self, vector: list[float], k: int, asked: Mapping[str, Any]) -> Hits:
        """A store that is asked by text alone embeds it with our embeddings, which know this text's vector already."""
        with self.embeddings.query_reference(vector) as text:
            return _upright(self.store.similarity_search_with_score(text, k=k, **asked))


class _InMemory(Searcher):
    filters = True

    def search(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        def fits(document: Document) -> bool:
            return (group is None or group.holds(document.metadata)) and (filter is None or bool(filter(document)))

        found: Hits = self.store.similarity_search_with_score_by_vector(vector, k=k, filter=fits, **self.options)
        return found

    async def asearch(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        return self.search(vector, k, group, filter)


class _Threaded(Searcher):
    """Stores whose client is synchronous, or whose search is all computing."""

    filters = True

    async def asearch(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        return await asyncio.to_thread(self.search, vector, k, group, filter)


class _Chroma(_Threaded):
    def search(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        parts = [] if filter is None else [filter]
        if group is not None:
            parts.append({_KEY: {"$nin": list(group.but)} if group.but else group.name})
        where = {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
        # "Relevance scores" by name, distances by nature.
        found = self.store.similarity_search_by_vector_with_relevance_scores(vector, k=k, filter=where, **self.options)
        return [(document, near(distance)) for document, distance in found]


class _Qdrant(_Threaded):
    def search(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        from qdrant_client import models

        must: list[Any] = [] if filter is None else [filter]
        must_not: list[Any] = []
        if group is not None:
            key = f"{self.store.metadata_payload_key}.{_KEY}"
            if group.but:
                must_not.append(models.FieldCondition(key=key, match=models.MatchAny(any=list(group.but))))
            else:
                must.append(models.FieldCondition(key=key, match=models.MatchValue(value=group.name)))
        asked = models.Filter(must=must, must_not=must_not) if must or must_not else None
        found: Hits = self.store.similarity_search_with_score_by_vector(vector, k=k, filter=asked, **self.options)
        if self.store.distance in (models.Distance.EUCLID, models.Distance.MANHATTAN):
            return [(document, near(distance)) for document, distance in found]
        return found


class _Faiss(_Threaded):
    def search(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        asked: dict[str, Any] = dict(self.options)
        if group is not None or filter is not None:
            user = None if filter is None else self.store._create_filter_func(filter)
            asked["filter"] = lambda m: (group is None or group.holds(m)) and (user is None or user(m))
            # It filters what it found: fewer than all would hide what ranks behind the other groups.
            asked.setdefault("fetch_k", self.store.index.ntotal)
        found = self.store.similarity_search_with_score_by_vector(vector, k=k, **asked)
        similar = str(getattr(self.store, "distance_strategy", "")).rpartition(".")[2] == "MAX_INNER_PRODUCT"
        return [(document, float(score) if similar else near(float(score))) for document, score in found]


class _LanceDB(_Threaded):
    """langchain-lancedb has no search by vector and no filter, and writes the database's place over ``source``; so its
    table is asked itself. ``filter`` is SQL.
    """

    def search(self, vector: list[float], k: int, group: Group | None, filter: Any) -> Hits:
        table, _ = self.store._get_or_create_table()
        if table is None:
            return []
        query = table.search(vector).limit(k)
        parts = [] if filter is None else [f"({filter})"]
        if group is not None:
            # Metadata is one column of JSON, as json.dumps writes it.
            parts += [f"metadata NOT LIKE '{_like(option)}'" for option in group.but]
            parts += [] if group.but else [f"metadata LIKE '{_like(group.name)}'"]
        if parts:
            query = query.where(" AND ".join(parts), prefilter=True)
        return [
            (
                Document(row["text"], id=row.get("id"), metadata=json.loads(row.get("metadata") or "{}")),
                near(row["_distance"]),
            )
            for row in query.to_list()
        ]


def _like(option: str) -> str:
    return f"%{json.dumps(_KEY)}: {json.dumps(option)}%".replace("'", "''")


def _upright(found: Sequence[tuple[Document, float]]) -> Hits:
    """Scores of an unknown kind: best first tells whether they are distances."""
    if len(found) > 1 and found[0][1] < found[-1][1]:
        return [(document, near(float(distance))) for document, distance in found]
    return [(document, float(score)) for document, score in found]


def _by_rank(found: Sequence[Document]) -> Hits:
    return [(document, near(float(rank))) for rank, document in enumerate(found)]


_KNOWN: tuple[tuple[str, str, type[Searcher], str], ...] = (
    ("langchain_core.vectorstores.in_memory", "InMemoryVectorStore", _InMemory, "store"),
    ("langchain_chroma", "Chroma", _Chroma, "similarity_search_by_vector_with_relevance_scores"),
    ("langchain_qdrant", "QdrantVectorStore", _Qdrant, "metadata_payload_key"),
    ("langchain_community.vectorstores.faiss", "FAISS", _Faiss, "_create_filter_func"),
    ("langchain_lancedb", "LanceDB", _LanceDB, "_get_or_create_table"),
)
"""Module, class, and what is used of it that another version may not have: then it is asked as any other store."""


def searcher(store: VectorStore, embeddings: TwelveLabsEmbeddings, options: Mapping[str, Any]) -> Searcher:
    """What asks this store."""
    for base in type(store).__mro__:
        for module, name, kind, needed in _KNOWN:
            if base.__name__ == name and (base.__module__ + ".").startswith(module + ".") and hasattr(store, needed):
                return kind(store, embeddings, options)
    return Searcher(store, embeddings, options)
