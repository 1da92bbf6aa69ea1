"""Pictures in one Qdrant collection, texts and sounds in another, through LlamaIndex."""

from __future__ import annotations

from typing import Any

from llama_index.core import QueryBundle, StorageContext, VectorStoreIndex
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import BaseNode, ImageNode, NodeWithScore, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from llama_index_twelvelabs import TwelveLabsEmbedding

from .media import Item, Kind, Library
from .queries import Answer, Hit, Query
from .service import Service

__all__ = ["LlamaIndexSearch"]


class LlamaIndexSearch:
    """A library in a multi-modal index on Qdrant, in memory."""

    title = "LlamaIndex + Qdrant"

    def __init__(self, library: Library, service: Service) -> None:
        self.library = library
        self.model = TwelveLabsEmbedding(base_url=service.base_url, api_key=service.api_key)
        client = QdrantClient(location=":memory:")
        # Qdrant in memory has no indexes on metadata, and warns of one it is asked for.
        self.text_store = QdrantVectorStore("texts_and_sounds", client=client, index_doc_id=False)
        self.image_store = QdrantVectorStore("pictures", client=client, index_doc_id=False)
        texts, pictures, sounds = library.of("text"), library.of("picture"), library.of("sound")
        nodes: list[BaseNode] = [TextNode(text=item.text, **_described(item)) for item in texts]
        nodes += [ImageNode(image_path=str(item.path), **_described(item)) for item in pictures]
        # LlamaIndex does not embed sounds, but takes a node that has its vector already. Text it must have.
        vectors = self.model.get_audio_embedding_batch([item.path for item in sounds])
        nodes += [
            TextNode(text=f"Sound {item.name}", embedding=vector, **_described(item))
            for item, vector in zip(sounds, vectors, strict=True)
        ]
        self.index = MultiModalVectorStoreIndex(
            nodes,
            storage_context=StorageContext.from_defaults(vector_store=self.text_store, image_store=self.image_store),
            embed_model=self.model,
            image_embed_model=self.model,  # else LlamaIndex would download CLIP
        )

    def ask(self, query: Query, most: int = 3) -> Answer:
        """Find files: texts and pictures by the index's own methods, everything else by a vector."""
        # One more than wanted, since a file that queries finds itself first.
        hits = {kind: self._hits(self._retrieve(query, kind, most + 1), query)[:most] for kind in query.seeks}
        return Answer(query, hits)

    def _retrieve(self, query: Query, kind: Kind, most: int) -> list[NodeWithScore]:
        file, text = query.file, query.text or ""
        filters = MetadataFilters(filters=[MetadataFilter(key="kind", value=kind)])
        retriever = self.index.as_retriever(similarity_top_k=most, image_similarity_top_k=most, filters=filters)
        if file is None and kind == "picture":
            return retriever.text_to_image_retrieve(text)
        if file is None:
            return retriever.text_retrieve(text)
        if file.kind == "picture" and kind == "picture" and not text:
            return retriever.image_to_image_retrieve(str(file.path))
        # Any other query is a vector, asked of a plain index over the same store.
        store = self.image_store if kind == "picture" else self.text_store
        plain = VectorStoreIndex.from_vector_store(store, embed_model=self.model)
        bundle = QueryBundle("", embedding=self._vector(text, file))
        return plain.as_retriever(similarity_top_k=most, filters=filters).retrieve(bundle)

    def _vector(self, text: str, file: Item) -> list[float]:
        if text:
            return self.model.get_composed_embedding(text, images=[file.path])
        if file.kind == "picture":
            return self.model.get_image_embedding(str(file.path))
        return self.model.get_audio_embedding(file.path) if file.kind == "sound" else self._text_vector(file)

    def _text_vector(self, file: Item) -> list[float]:
        return self.model.get_query_embedding(file.text)

    def _hits(self, found: list[NodeWithScore], query: Query) -> list[Hit]:
        hits = [Hit(self.library.named(node.metadata["file"]), node.score or 0.0) for node in found]
        return [hit for hit in hits if hit.item != query.file]


def _described(item: Item) -> dict[str, Any]:
    metadata = {"kind": item.kind, "file": item.name}
    if item.kind == "picture":
        # What would be embedded as text is never sent for a picture, but must not be empty: the index drops such nodes.
        return {"metadata": metadata}
    # Else metadata is embedded together with the text, and names would decide what is found.
    return {"metadata": metadata, "excluded_embed_metadata_keys": list(metadata)}
