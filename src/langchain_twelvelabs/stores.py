"""How each vector store is searched by vector: with which method and filter, and what its scores mean.

Those of ``_KNOWN`` are recognised by name, so that none has to be installed. Any other store is searched through
methods that most stores have; the caller filters its results.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from twelvelabs_core import InvalidInputError
from twelvelabs_core.adapter import OptionFilter, distance_to_score, normalize_scores

if TYPE_CHECKING:
    from .embeddings import TwelveLabsEmbeddings

Hits = list[tuple[Document, float]]
"""Best first; a higher score is a better one."""

_KEY = "embedding_option"
_SPACE = "space"


class Searcher:
    """Searches one store by vector."""

    filters = True
    """Whether the store itself filters by option; if not, the caller fetches more hits and filters them."""

    def __init__(self, store: VectorStore, embeddings: TwelveLabsEmbeddings, search_kwargs: Mapping[str, Any]) -> None:
        self.store: Any = store
        self.embeddings = embeddings
        self.search_kwargs = search_kwargs
        """Keyword arguments for the store, in every search."""

    @property
    def scored(self) -> bool:
        """Whether the store returns scores; if not, a hit's score is made of its place."""
        return True

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        """The ``k`` documents nearest to ``vector``, best first.

        Args:
            vector: the query's.
            k: how many.
            option: only documents of this option; None, and if the store does not filter (:attr:`filters`): all.
            filter: a filter of the user's, in the store's dialect; None = no filter.
        """
        raise NotImplementedError

    def other_spaces(self, space: str) -> Any:
        """A filter, in the store's dialect, for documents whose metadata names another vector space.

        Some stores return documents without ``space`` too.
        """
        return {_SPACE: {"$ne": space}}

    async def asearch(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        """Async :meth:`search`: in a thread, as most clients are synchronous, or the search is CPU work."""
        return await asyncio.to_thread(self.search, vector, k, option, filter)


class _AnyStore(Searcher):
    filters = False

    # The names that partner packages use, those with the most informative scores first. The third is Pinecone's.
    methods = (
        "similarity_search_with_score_by_vector",
        "similarity_search_by_vector_with_relevance_scores",
        "similarity_search_by_vector_with_score",
    )

    @property
    def scored(self) -> bool:
        found = any(hasattr(self.store, f"{prefix}{name}") for name in self.methods for prefix in ("", "a"))
        return found or type(self.store).similarity_search_by_vector is VectorStore.similarity_search_by_vector

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        arguments = self._arguments(filter)
        name = next((n for n in self.methods if hasattr(self.store, n)), None)
        if name is not None:
            return normalize_scores(getattr(self.store, name)(vector, k=k, **arguments))
        if type(self.store).similarity_search_by_vector is not VectorStore.similarity_search_by_vector:
            return _unscored(self.store.similarity_search_by_vector(vector, k=k, **arguments))
        return self._by_reference(vector, k, arguments)

    async def asearch(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        arguments = self._arguments(filter)
        name = next((f"a{n}" for n in self.methods if hasattr(self.store, f"a{n}")), None)
        if name is not None:
            return normalize_scores(await getattr(self.store, name)(vector, k=k, **arguments))
        if (
            not any(hasattr(self.store, n) for n in self.methods)
            and type(self.store).asimilarity_search_by_vector is not VectorStore.asimilarity_search_by_vector
        ):
            return _unscored(await self.store.asimilarity_search_by_vector(vector, k=k, **arguments))
        return await super().asearch(vector, k, option, filter)

    def _arguments(self, filter: Any) -> dict[str, Any]:
        return {**self.search_kwargs, **({} if filter is None else {"filter": filter})}

    def _by_reference(self, vector: list[float], k: int, arguments: Mapping[str, Any]) -> Hits:
        """For a store that takes only text queries: search with a text whose embedding is this vector."""
        with self.embeddings.query_reference(vector) as text:
            return normalize_scores(self.store.similarity_search_with_score(text, k=k, **arguments))


class _InMemory(Searcher):
    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        def fits(document: Document) -> bool:
            return (option is None or option.matches(document.metadata)) and (filter is None or bool(filter(document)))

        found: Hits = self.store.similarity_search_with_score_by_vector(vector, k=k, filter=fits, **self.search_kwargs)
        return found

    async def asearch(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        return self.search(vector, k, option, filter)

    def other_spaces(self, space: str) -> Any:
        return lambda document: document.metadata.get(_SPACE, space) != space


class _Chroma(Searcher):
    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        where = _all_of(filter, _condition(option))
        # Called relevance scores, but they are distances.
        found = self.store.similarity_search_by_vector_with_relevance_scores(
            vector, k=k, filter=where, **self.search_kwargs
        )
        return [(document, distance_to_score(distance)) for document, distance in found]


class _Qdrant(Searcher):
    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        from qdrant_client import models

        must: list[Any] = [] if filter is None else [filter]
        must_not: list[Any] = []
        if option is not None:
            key = f"{self.store.metadata_payload_key}.{_KEY}"
            if option.excluded:
                must_not.append(models.FieldCondition(key=key, match=models.MatchAny(any=list(option.excluded))))
            else:
                must.append(models.FieldCondition(key=key, match=models.MatchValue(value=option.name)))
        combined = models.Filter(must=must, must_not=must_not) if must or must_not else None
        found: Hits = self.store.similarity_search_with_score_by_vector(
            vector, k=k, filter=combined, **self.search_kwargs
        )
        if self.store.distance in (models.Distance.EUCLID, models.Distance.MANHATTAN):
            return [(document, distance_to_score(distance)) for document, distance in found]
        return found

    def other_spaces(self, space: str) -> Any:
        from qdrant_client import models

        key = f"{self.store.metadata_payload_key}.{_SPACE}"
        ours = models.FieldCondition(key=key, match=models.MatchValue(value=space))
        return models.Filter(must_not=[ours, models.IsEmptyCondition(is_empty=models.PayloadField(key=key))])


class _Faiss(Searcher):
    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        arguments: dict[str, Any] = dict(self.search_kwargs)
        if callable(filter):
            arguments["filter"] = lambda m: (option is None or option.matches(m)) and filter(m)
        elif option is not None or filter is not None:
            arguments["filter"] = _all_of(filter, _condition(option))
        if "filter" in arguments:
            # FAISS filters after fetching: unless it fetches everything, matches that rank low would be missing.
            arguments.setdefault("fetch_k", self.store.index.ntotal)
        found = self.store.similarity_search_with_score_by_vector(vector, k=k, **arguments)
        similar = str(getattr(self.store, "distance_strategy", "")).rpartition(".")[2] == "MAX_INNER_PRODUCT"
        return [(document, float(score) if similar else distance_to_score(float(score))) for document, score in found]

    def other_spaces(self, space: str) -> Any:
        return lambda metadata: metadata.get(_SPACE, space) != space


class _LanceDB(Searcher):
    """Queries the store's table; ``filter`` is SQL.

    Not through its public methods: these take only texts, have no filter, and overwrite ``source`` with the database's
    URI. A version without this method is searched as any other store.
    """

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        table, _ = self.store._get_or_create_table()
        if table is None:
            return []
        query = table.search(vector).limit(k)
        parts = [] if filter is None else [f"({filter})"]
        if option is not None:
            # Metadata is one column of JSON, as json.dumps writes it.
            parts += [f"metadata NOT LIKE '{_like(name)}'" for name in option.excluded]
            parts += [] if option.excluded else [f"metadata LIKE '{_like(option.name)}'"]
        if parts:
            query = query.where(" AND ".join(parts), prefilter=True)
        return [
            (
                Document(row["text"], id=row.get("id"), metadata=json.loads(row.get("metadata") or "{}")),
                distance_to_score(row["_distance"]),
            )
            for row in query.to_list()
        ]

    def other_spaces(self, space: str) -> Any:
        return f"metadata LIKE '%{json.dumps(_SPACE)}: %' AND metadata NOT LIKE '{_like(space, _SPACE)}'"


class _MongoDB(Searcher):
    """``filter`` is MQL. The fields it names, and ``embedding_option``, must be filter fields of the search index.

    langchain-mongodb itself has no search by vector. Atlas' scores are from 0 to 1, higher is better.
    """

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        arguments = dict(self.search_kwargs)
        only = None if option is None or option.excluded else {_KEY: {"$eq": option.name}}
        where = _all_of(arguments.pop("pre_filter", None), filter, only or _condition(option))
        arguments.update({} if where is None else {"pre_filter": where})
        found = self.store._similarity_search_with_score(vector, k=k, **arguments)
        return [(document, float(score)) for document, score in found]


class _PGVector(Searcher):
    """langchain-postgres' ``PGVectorStore`` and ``PGVector``; ``filter`` is a mapping in their common dialect."""

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        return self._scored(
            self.store.similarity_search_with_score_by_vector(vector, **self._arguments(k, option, filter))
        )

    async def asearch(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        if not getattr(self.store, "async_mode", False):  # a PGVector of this mode has async methods only
            return await super().asearch(vector, k, option, filter)
        arguments = self._arguments(k, option, filter)
        return self._scored(await self.store.asimilarity_search_with_score_by_vector(vector, **arguments))

    def _arguments(self, k: int, option: OptionFilter | None, filter: Any) -> dict[str, Any]:
        condition = _condition(option)
        if option is not None and option.excluded:  # SQL: what is missing is not unequal
            condition = {"$or": [{_KEY: {"$exists": False}}, condition]}
        return {"k": k, "filter": _all_of(filter, condition), **self.search_kwargs}

    @staticmethod
    def _scored(found: Sequence[tuple[Document, float]]) -> Hits:
        """Distances, but for an inner product: PGVectorStore's own, PGVector's negative."""
        if found and found[0][1] < 0:
            return [(document, -float(product)) for document, product in found]
        if len(found) > 1 and found[0][1] > found[-1][1]:
            return [(document, float(product)) for document, product in found]
        return [(document, distance_to_score(float(distance))) for document, distance in found]


class _Milvus(Searcher):
    """``filter`` is an expression, such as ``file_name == "a.mp4"``.

    The collection needs ``enable_dynamic_field=True``, as texts, images and segments differ in their metadata.
    """

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        parts = [] if filter is None else [f"({filter})"]
        if option is not None and option.excluded:
            parts.append(f"not ({_KEY} in {json.dumps(option.excluded)})")
        elif option is not None:
            parts.append(f"{_KEY} == {json.dumps(option.name)}")
        found = self.store.similarity_search_with_score_by_vector(
            vector, k=k, expr=" and ".join(parts) or None, **self.search_kwargs
        )
        if (self.store.search_params or {}).get("metric_type") == "L2":
            return [(document, distance_to_score(float(distance))) for document, distance in found]
        return [(document, float(score)) for document, score in found]

    def other_spaces(self, space: str) -> Any:
        return f"{_SPACE} != {json.dumps(space)}"


class _SQLiteVec(Searcher):
    """Has no filter, and would ignore one."""

    filters = False

    def search(self, vector: list[float], k: int, option: OptionFilter | None, filter: Any) -> Hits:
        if filter is not None:
            raise InvalidInputError("SQLiteVec has no filter; leave out filter=, or use another store.")
        found = self.store.similarity_search_with_score_by_vector(vector, k=k, **self.search_kwargs)
        return [(document, distance_to_score(float(distance))) for document, distance in found]


def _condition(option: OptionFilter | None) -> dict[str, Any] | None:
    """As Chroma, FAISS and PostgreSQL's stores take it."""
    if option is None:
        return None
    return {_KEY: {"$nin": list(option.excluded)} if option.excluded else option.name}


def _all_of(*conditions: dict[str, Any] | None) -> dict[str, Any] | None:
    parts = [condition for condition in conditions if condition]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


def _like(value: str, key: str = _KEY) -> str:
    return f"%{json.dumps(key)}: {json.dumps(value)}%".replace("'", "''")


def _unscored(found: list[Document]) -> Hits:
    return normalize_scores([(document, None) for document in found])


_KNOWN: tuple[tuple[str, str, type[Searcher], str], ...] = (
    ("langchain_core.vectorstores.in_memory", "InMemoryVectorStore", _InMemory, "store"),
    ("langchain_chroma", "Chroma", _Chroma, "similarity_search_by_vector_with_relevance_scores"),
    ("langchain_qdrant", "QdrantVectorStore", _Qdrant, "metadata_payload_key"),
    ("langchain_community.vectorstores.faiss", "FAISS", _Faiss, "index"),
    ("langchain_lancedb", "LanceDB", _LanceDB, "_get_or_create_table"),
    ("langchain_mongodb", "MongoDBAtlasVectorSearch", _MongoDB, "_similarity_search_with_score"),
    ("langchain_postgres", "PGVectorStore", _PGVector, "similarity_search_with_score_by_vector"),
    ("langchain_postgres", "PGVector", _PGVector, "similarity_search_with_score_by_vector"),
    ("langchain_milvus", "Milvus", _Milvus, "similarity_search_with_score_by_vector"),
    ("langchain_community.vectorstores.sqlitevec", "SQLiteVec", _SQLiteVec, "similarity_search_with_score_by_vector"),
)
"""Module, class, searcher, and an attribute the searcher needs; a version without it is searched as any other store."""


def searcher(store: VectorStore, embeddings: TwelveLabsEmbeddings, search_kwargs: Mapping[str, Any]) -> Searcher:
    """The searcher for this store."""
    for base in type(store).__mro__:
        for module, name, kind, needed in _KNOWN:
            if base.__name__ == name and (base.__module__ + ".").startswith(module + ".") and hasattr(store, needed):
                return kind(store, embeddings, search_kwargs)
    return _AnyStore(store, embeddings, search_kwargs)
