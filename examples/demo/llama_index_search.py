"""Images in one Qdrant collection, texts, audio and videos in another, through LlamaIndex."""

from __future__ import annotations

import sys
from typing import Any

from llama_index.core import QueryBundle, StorageContext, VectorStoreIndex
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import BaseNode, ImageNode, NodeWithScore, TextNode
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
)

from .media import Item, Kind, Library
from .queries import DEEP, GAP, Answer, Hit, Progress, Query, near_the_best
from .service import Service

__all__ = ["LlamaIndexSearch"]


class LlamaIndexSearch:
    """A library in a multi-modal index on Qdrant, in memory."""

    title = "LlamaIndex + Qdrant"

    def __init__(self, library: Library, service: Service, progress: Progress | None = None) -> None:
        self.library = library
        self.model = TwelveLabsEmbedding(base_url=service.base_url, api_key=service.api_key)
        client = QdrantClient(location=":memory:")
        # Qdrant in memory has no indexes on metadata, and warns if one is requested.
        self.text_store = QdrantVectorStore("texts_audio_videos", client=client, index_doc_id=False)
        self.image_store = QdrantVectorStore("images", client=client, index_doc_id=False)
        nodes: list[BaseNode] = []
        done = 0
        for kind, items in library.portions():
            nodes += self._nodes(kind, items)
            done += len(items)
            if progress:
                progress(done, len(library.items))
        self.index = MultiModalVectorStoreIndex(
            nodes,
            storage_context=StorageContext.from_defaults(vector_store=self.text_store, image_store=self.image_store),
            embed_model=self.model,
            image_embed_model=self.model,  # else LlamaIndex would download CLIP
            # Texts and images are embedded here.
            show_progress=progress is not None and len(nodes) > 200 and sys.stderr.isatty(),
        )

    def _nodes(self, kind: Kind, items: list[Item]) -> list[BaseNode]:
        if kind == "text":
            return [TextNode(text=item.text, **_described(item)) for item in items]
        if kind == "image":
            return [ImageNode(image_path=str(item.path), **_described(item)) for item in items]
        if kind == "audio":
            # LlamaIndex does not embed audio, but takes a node that has a vector. The node must have a text too.
            vectors = self.model.get_audio_embedding_batch([item.path for item in items])
            return [
                TextNode(text=f"Audio {item.name}", embedding=vector, **_described(item))
                for item, vector in zip(items, vectors, strict=True)
            ]
        # A node for each scene of a video and embedding option: visual, audio, transcription.
        reader, embedder = TwelveLabsMediaReader(), TwelveLabsMediaEmbedder(embed_model=self.model)
        videos = [reader.load_data(item.path, extra_info=_metadata(item)) for item in items]
        return list(embedder([document for documents in videos for document in documents]))

    def ask(self, query: Query, most: int = 3) -> Answer:
        """Find files: texts and images by the index's own methods, everything else by a vector."""
        return Answer(query, {kind: self._nearest(query, kind, most)[:most] for kind in query.seeks})

    def _nearest(self, query: Query, kind: Kind, most: int) -> list[Hit]:
        if kind == "video":
            return self._moments(query)
        # One more than wanted: a file as a query finds itself first.
        return self._hits(self._retrieve(query, kind, most + 1), query)

    def _retrieve(self, query: Query, kind: Kind, most: int) -> list[NodeWithScore]:
        file, text = query.file, query.text or ""
        filters = MetadataFilters(filters=[MetadataFilter(key="kind", value=kind)])
        retriever = self.index.as_retriever(similarity_top_k=most, image_similarity_top_k=most, filters=filters)
        if file is None and kind == "image":
            return retriever.text_to_image_retrieve(text)
        if file is None:
            return retriever.text_retrieve(text)
        if file.kind == "image" and kind == "image" and not text:
            return retriever.image_to_image_retrieve(str(file.path))
        # For any other query, a plain index over the same store is searched by vector.
        store = self.image_store if kind == "image" else self.text_store
        plain = VectorStoreIndex.from_vector_store(store, embed_model=self.model)
        bundle = QueryBundle("", embedding=self._vector(text, file))
        return plain.as_retriever(similarity_top_k=most, filters=filters).retrieve(bundle)

    def _moments(self, query: Query) -> list[Hit]:
        """Scenes of videos, neighbours merged."""
        filters = [MetadataFilter(key="kind", value="video")]
        if query.file and query.file.kind == "video":  # its own scenes would fill the list
            filters.append(MetadataFilter(key="file", value=query.file.name, operator=FilterOperator.NE))
        plain = VectorStoreIndex.from_vector_store(self.text_store, embed_model=self.model)
        vector = self._vector(query.text or "", query.file) if query.file else None
        retriever = plain.as_retriever(similarity_top_k=DEEP, filters=MetadataFilters(filters=[*filters]))
        found = retriever.retrieve(QueryBundle(query.text or "", embedding=vector))
        near = [node for node, _ in near_the_best([(node, node.score or 0.0) for node in found])]
        moments = TwelveLabsMomentPostprocessor(embed_model=self.model, gap=GAP).postprocess_nodes(near)
        return [
            Hit(
                self.library.named(moment.metadata["file"]),
                moment.score or 0.0,
                (moment.metadata["start_sec"], moment.metadata["end_sec"]),
                moment.metadata["embedding_option"],
            )
            for moment in moments
        ]

    def _vector(self, text: str, file: Item) -> list[float]:
        if text:
            return self.model.get_composed_embedding(text, images=[file.path])
        if file.kind == "image":
            return self.model.get_image_embedding(str(file.path))
        if file.kind == "video":
            return self.model.get_video_embedding(file.path)
        if file.kind == "audio":
            return self.model.get_audio_embedding(file.path)
        return self.model.get_query_embedding(file.text)

    def _hits(self, found: list[NodeWithScore], query: Query) -> list[Hit]:
        hits = [Hit(self.library.named(node.metadata["file"]), node.score or 0.0) for node in found]
        return [hit for hit in hits if hit.item != query.file]


def _described(item: Item) -> dict[str, Any]:
    metadata = _metadata(item)
    if item.kind == "image":
        # An image's text is never embedded, but must not be empty: the index would drop the node.
        return {"metadata": metadata}
    # Otherwise metadata is embedded with the text, and file names would influence what is found.
    return {"metadata": metadata, "excluded_embed_metadata_keys": list(metadata)}


def _metadata(item: Item) -> dict[str, str]:
    return {"kind": item.kind, "file": item.name}
