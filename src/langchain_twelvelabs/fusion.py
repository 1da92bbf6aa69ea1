"""Rankings of one query fused into one list of documents, by rank."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from langchain_core.documents import Document

from twelvelabs_core import fuse_ranks
from twelvelabs_core.adapter import joined_options, order_of, segment_key

from .stores import Hits


def fuse_documents(rankings: Mapping[str, Hits], weights: Mapping[str, float]) -> Hits:
    """One document for each segment, best first, with its fused score (see :func:`twelvelabs_core.fuse_ranks`).

    The document is the one that ranked best. Its ``embedding_option`` names all that were found: ``audio,visual``.
    Equal scores are ordered by source, time and id, in whatever order the store returned them.
    """
    fused = fuse_ranks(rankings, weights, key=_segment, order=document_order)
    return [(_with_options(result.hits), result.score) for result in fused]


def document_order(document: Document) -> Any:
    """Sort key for documents with equal scores."""
    return order_of(document.metadata, document)


def _segment(document: Document) -> Hashable:
    return segment_key(document.metadata) or document.id or document.page_content


def _with_options(documents: tuple[Document, ...]) -> Document:
    best = documents[0]
    options = joined_options(document.metadata for document in documents)
    metadata = {**best.metadata, **({"embedding_option": options} if options else {})}
    return Document(best.page_content, id=best.id, metadata=metadata)
