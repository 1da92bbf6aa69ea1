"""Images, video, audio and text in one Chroma collection, through LangChain."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import chromadb
from chromadb.config import Settings
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, merge_segments

from .media import Item, Kind, Library
from .queries import DEEP, GAP, Answer, Hit, Query, near_the_best
from .service import Service

__all__ = ["LangChainSearch"]


class LangChainSearch:
    """A library in a Chroma vector store, in memory."""

    title = "LangChain + Chroma"

    def __init__(self, library: Library, service: Service) -> None:
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
        texts, images, audio = library.of("text"), library.of("image"), library.of("audio")
        if texts:
            self.store.add_documents([Document(item.text, metadata=_metadata(item)) for item in texts])
        if images:
            self.store.add_images(
                uris=[str(item.path) for item in images], metadatas=[_metadata(item) for item in images]
            )
        if videos := library.of("video"):
            # A document for each scene and embedding option: visual, audio, transcription.
            blobs = [Blob.from_path(item.path, metadata=_metadata(item)) for item in videos]
            self.store.add_documents(TwelveLabsMediaLoader(blobs, self.embeddings).load())
        if audio:
            # Chroma's LangChain class has no method for audio. Chroma's own client adds it as a document with metadata,
            # which LangChain can read.
            vectors: list[Sequence[float] | Sequence[int]] = [
                *self.embeddings.embed_audio([item.path for item in audio])
            ]
            client.get_collection(collection, embedding_function=None).upsert(
                ids=[item.name for item in audio],
                embeddings=vectors,
                documents=[item.name for item in audio],
                metadatas=[_metadata(item) for item in audio],
            )

    def ask(self, query: Query, most: int = 3) -> Answer:
        """Find files: the store is searched by a vector, whatever kind of query that was made from."""
        vector = self._vector(query)
        return Answer(query, {kind: self._nearest(vector, kind, query, most) for kind in query.seeks})

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


def _metadata(item: Item) -> dict[str, str]:
    return {"kind": item.kind, "file": item.name}
