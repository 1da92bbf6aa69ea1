"""Images, video, audio and text in one Chroma collection, through LangChain."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import chromadb
from chromadb.config import Settings
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, merge_segments

from .media import Item, Kind, Library
from .queries import DEEP, GAP, Answer, Hit, Progress, Query, Span, Stored, near_the_best
from .service import Service

__all__ = ["LangChainSearch"]


class LangChainSearch:
    """A library in a Chroma vector store, in memory."""

    title = "LangChain + Chroma"

    def __init__(self, library: Library, service: Service, progress: Progress | None = None) -> None:
        self.library = library
        self.embeddings = TwelveLabsEmbeddings(base_url=service.base_url, api_key=service.api_key)
        client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False))
        collection = f"demo-{uuid.uuid4().hex}"  # clients in one process share their memory
        self.store = Chroma(
            collection_name=collection,
            embedding_function=self.embeddings,
            client=client,
            collection_configuration={"hnsw": {"space": "cosine"}},
        )
        self.collection = client.get_collection(collection, embedding_function=None)
        done = 0
        for kind, items in library.portions():
            self._add(kind, items)
            done += len(items)
            if progress:
                progress(done, len(library.items))

    def _add(self, kind: Kind, items: list[Item]) -> None:
        metadatas = [_metadata(item) for item in items]
        if kind == "text":
            self.store.add_documents([Document(item.text, metadata=_metadata(item)) for item in items])
        elif kind == "image":
            self.store.add_images(uris=[str(item.path) for item in items], metadatas=metadatas)
        elif kind == "video":
            # A document for each scene and embedding option: visual, audio, transcription.
            blobs = [Blob.from_path(item.path, metadata=_metadata(item)) for item in items]
            self.store.add_documents(TwelveLabsMediaLoader(blobs, self.embeddings).load())
        else:
            # Chroma's LangChain class has no method for audio. Chroma's own client adds it as a document with metadata,
            # which LangChain can read.
            names = [item.name for item in items]
            vectors: list[Sequence[float] | Sequence[int]] = [
                *self.embeddings.embed_audio([item.path for item in items])
            ]
            self.collection.upsert(
                ids=names,
                embeddings=vectors,
                documents=names,
                metadatas=[*metadatas],
            )

    def stored(self) -> list[Stored]:
        """All vectors of the store, by file, time and embedding option."""
        got = self.collection.get(include=["embeddings", "metadatas"])
        rows = zip(got["metadatas"] or [], got["embeddings"] if got["embeddings"] is not None else [], strict=True)
        stored = [
            Stored(
                str(metadata["file"]),
                [float(number) for number in vector],
                (float(str(metadata["start_sec"])), float(str(metadata["end_sec"])))
                if "start_sec" in metadata
                else None,
                str(metadata.get("embedding_option", "")),
            )
            for metadata, vector in rows
        ]
        return sorted(stored, key=lambda one: (one.name, one.span or (0.0, 0.0), one.by))

    def ask(self, query: Query, most: int = 3) -> Answer:
        """Find files: the store is searched by a vector, whatever kind of query that was made from."""
        vector = self._vector(query)
        return Answer(query, {kind: self._nearest(vector, kind, query, most) for kind in query.seeks}, vector)

    def _vector(self, query: Query) -> list[float]:
        if query.file is None or query.file.kind == "text":
            return self.embeddings.embed_query(query.text or (query.file.text if query.file else ""))
        if query.text:
            return self.embeddings.embed_composed(query.text, images=[query.file.path])
        if query.file.kind == "image":
            return self.embeddings.embed_image([query.file.path])[0]
        if query.file.kind == "video":
            return self.embeddings.embed_video([query.file.path])[0]
        return self.embeddings.embed_audio([query.file.path])[0]

    def _nearest(self, vector: list[float], kind: Kind, query: Query, most: int) -> list[Hit]:
        if kind == "video":
            return self._moments(vector, query)[:most]
        # One more than wanted: a file as a query finds itself first.
        found = self.store.similarity_search_by_vector_with_relevance_scores(vector, k=most + 1, filter={"kind": kind})
        # Chroma's score is a distance, 1 - cosine.
        hits = [Hit(self.library.named(document.metadata["file"]), 1 - distance) for document, distance in found]
        return [hit for hit in hits if hit.item != query.file][:most]

    def _moments(self, vector: list[float], query: Query) -> list[Hit]:
        """Scenes of videos, neighbours merged."""
        where: dict[str, Any] = {"kind": "video"}
        if query.file and query.file.kind == "video":  # its own scenes would fill the list
            where = {"$and": [where, {"file": {"$ne": query.file.name}}]}
        found = self.store.similarity_search_by_vector_with_relevance_scores(vector, k=DEEP, filter=where)
        near = near_the_best([(document, 1 - distance) for document, distance in found])
        return [
            Hit(
                self.library.named(document.metadata["file"]),
                document.metadata["score"],
                (document.metadata["start_sec"], document.metadata["end_sec"]),
                document.metadata["embedding_option"],
            )
            for document in merge_segments(near, gap=GAP)
        ]


def _span(metadata: Mapping[str, Any]) -> Span | None:
    return (metadata["start_sec"], metadata["end_sec"]) if "start_sec" in metadata else None


def _metadata(item: Item) -> dict[str, str]:
    return {"kind": item.kind, "file": item.name}
