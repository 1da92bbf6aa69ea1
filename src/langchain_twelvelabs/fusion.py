"""Results of a search as documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document

from twelvelabs_core import Fused
from twelvelabs_core.adapter import joined_options


def metadata_of(document: Document) -> Mapping[str, Any]:
    """A document's metadata."""
    return document.metadata


def document_of(result: Fused[Document], with_scores: bool = False) -> Document:
    """The document of a result: that of the hit which contributes most, as the store returned it.

    Args:
        result: of a search. Found in several options, its ``embedding_option`` names them all: ``audio,visual``.
        with_scores: metadata says its scores and ranks.
    """
    best = result.hits[0]
    options = joined_options(map(metadata_of, result.hits)) if len(result.hits) > 1 else ""
    more = {**({"embedding_option": options} if options else {}), **(result.as_metadata() if with_scores else {})}
    return Document(best.page_content, id=best.id, metadata={**best.metadata, **more})
