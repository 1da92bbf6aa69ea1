"""Rankings of one query fused into one list of documents, by rank."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from langchain_core.documents import Document

from twelvelabs_core import fuse_ranks
from twelvelabs_core.adapter import joined_options, segment_key

from .stores import Hits


def fuse_documents(rankings: Mapping[str, Hits], weights: Mapping[str, float]) -> Hits:
    """One document for each segment, best first, with its fused score (see :func:`twelvelabs_core.fuse_ranks`).

    The document is the one that ranked best. Its ``embedding_option`` names all that were found: ``audio,visual``.
    """
    fused = fuse_ranks(rankings, weights, key=_segment)
    return [(_with_options(result.hits), result.score) for result in fused]


def _segment(document: Document) -> Hashable:
    return segment_key(document.metadata) or document.id or document.page_content


def _with_options(documents: tuple[Document, ...]) -> Document:
    best = documents[0]
    options = joined_options(document.metadata for document in documents)
    metadata = {**best.metadata, **({"embedding_option": options} if options else {})}
    return Document(best.page_content, id=best.id, metadata=metadata)
