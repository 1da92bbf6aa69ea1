"""Neighbouring hits of one film or sound, put together into time ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.documents import Document

from twelvelabs_core import Moment, clock, merge_moments

__all__ = ["merge_segments"]


def merge_segments(
    hits: Iterable[Document | tuple[Document, float]],
    gap: float = 3.0,
    pad: float = 0.0,
    *,
    higher_is_better: bool = True,
) -> list[Document]:
    """Join hits of one source that lie close together into time ranges: half a page of one scene becomes one line.

    Args:
        hits: what a store's search gave: documents, best first, or pairs of document and score.
        gap: seconds between two hits that still belong together.
        pad: seconds added on both sides afterwards; never over the file's ends, nor into the next range.
        higher_is_better: False if the scores are distances (Chroma, FAISS with L2, LanceDB).

    Returns:
        Best first, one document a range. ``page_content`` is readable (``film.mp4 00:00:34.6-00:01:04 visual``);
        ``metadata`` is the best hit's, with the range's ``start_sec`` and ``end_sec``, ``embedding_option`` with all
        that were hit (``audio,visual``), ``hits`` (how many were joined), ``fragment`` for a player's address
        (``#t=34.6,64``), and ``score`` (the best one) where scores were given. What has no time range, such as a
        picture, stays as it is, in its place by score.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` below 0.
    """
    scored = [(*hit, True) if isinstance(hit, tuple) else (hit, -float(rank), False) for rank, hit in enumerate(hits)]
    if any(given for *_, given in scored) and not all(given for *_, given in scored):
        raise TypeError("hits must be all documents or all pairs of document and score.")
    given = bool(scored) and scored[0][2]
    better = higher_is_better or not given
    moments = merge_moments(
        ((document, document.metadata, score) for document, score, _ in scored),
        gap=gap,
        higher_is_better=better,
        pad=pad,
    )
    joined = {id(document) for moment in moments for document in moment.hits}
    ranges = [(_document(moment, given), moment.score) for moment in moments]
    ranges += [(document, score) for document, score, _ in scored if id(document) not in joined]
    return [document for document, _ in sorted(ranges, key=lambda r: r[1], reverse=better)]


def _document(moment: Moment, given: bool) -> Document:
    parts: list[Mapping[str, Any]] = [document.metadata for document in moment.hits]
    options = ",".join(sorted({str(m["embedding_option"]) for m in parts if m.get("embedding_option")}))
    metadata: dict[str, Any] = {
        **moment.metadata,
        "start_sec": moment.start_sec,
        "end_sec": moment.end_sec,
        "hits": len(moment.hits),
        "fragment": moment.fragment,
    }
    if options:
        metadata["embedding_option"] = options
    if given:
        metadata["score"] = moment.score
    name = moment.metadata.get("file_name") or moment.source
    words = f"{name} {clock(moment.start_sec)}-{clock(moment.end_sec)} {options}".strip()
    return Document(words, metadata=metadata)
