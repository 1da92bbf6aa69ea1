"""Several rankings put together: by place, since scores of what is seen, heard and said do not measure on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document

from ._searchers import Hits

__all__ = ["RANK_CONSTANT", "fused"]

# Of the paper that named reciprocal rank fusion (Cormack, Clarke, Büttcher 2009), and of most engines since.
RANK_CONSTANT = 60


def fused(rankings: Mapping[str, Hits], weights: Mapping[str, float]) -> list[tuple[Document, float]]:
    """One document a segment, best first, with the sum of ``weight / (60 + rank)`` over the rankings that have it.

    The document is the one that ranked best; its metadata's ``embedding_option`` names all that were found
    (``audio,visual``). Of equal sums the one that is nearer to the query is first.
    """
    sums: dict[Any, float] = {}
    shares: dict[Any, list[tuple[float, float, str, Document]]] = {}
    for group, hits in rankings.items():
        for rank, (document, nearness) in enumerate(hits, start=1):
            key = _segment(document)
            share = weights.get(group, 1.0) / (RANK_CONSTANT + rank)
            # A store may return one segment twice for a group (the same vector added twice): it counts once.
            if all(group != other for _, _, other, _ in shares.get(key, ())):
                sums[key] = sums.get(key, 0.0) + share
                shares.setdefault(key, []).append((share, nearness, group, document))
    ordered = sorted(sums, key=lambda key: (sums[key], max(nearness for _, nearness, *_ in shares[key])), reverse=True)
    return [(_document(shares[key]), sums[key]) for key in ordered]


def _segment(document: Document) -> Any:
    """What is one and the same piece of media, whichever option its vector is of."""
    metadata = document.metadata
    if "content_digest" not in metadata:
        return document.id or document.page_content
    place = ("start_sec", "end_sec", "page", "quadrant", "chunk", "embedding_scope")
    return (metadata["content_digest"], *(metadata.get(name) for name in place))


def _document(found: list[tuple[float, float, str, Document]]) -> Document:
    *_, best = max(found, key=lambda f: f[:2])
    options = sorted({str(d.metadata["embedding_option"]) for *_, d in found if d.metadata.get("embedding_option")})
    metadata = {**best.metadata, **({"embedding_option": ",".join(options)} if options else {})}
    return Document(best.page_content, id=best.id, metadata=metadata)
