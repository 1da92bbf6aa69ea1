"""Neighbouring hits of one video or audio file, merged into time ranges."""

from __future__ import annotations

from collections.abc import Iterable

from langchain_core.documents import Document

from twelvelabs_core import Moment
from twelvelabs_core.adapter import merge_hits


def merge_segments(
    hits: Iterable[Document | tuple[Document, float]],
    gap: float = 3.0,
    pad: float = 0.0,
    *,
    higher_is_better: bool = True,
) -> list[Document]:
    """Merge hits of one source that are close in time: a page of hits from one scene becomes one document.

    Args:
        hits: results of a store's search: documents, best first, or pairs of document and score.
        gap: longest time in seconds between two hits of one range.
        pad: seconds added on both sides; never beyond the file's ends, nor into the next range.
        higher_is_better: False if the scores are distances (Chroma, FAISS with L2, LanceDB).

    Returns:
        One document for each range, best first. ``page_content`` is readable
        (``beach.mp4 00:00:34.6-00:01:04 visual``). ``metadata`` is the best hit's, with the range's ``start_sec`` and
        ``end_sec``, ``embedding_option`` of all its hits (``audio,visual``), ``hits`` (their number), ``fragment``
        for a player's address (``#t=34.6,64``), and, where scores were given, ``score`` (the best one). Documents
        without a time range, such as images, are returned as they are, in their place by score.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` is negative.
        TypeError: some hits have a score and some have none.
    """
    pairs = [hit if isinstance(hit, tuple) else (hit, None) for hit in hits]
    if len({score is None for _, score in pairs}) > 1:
        raise TypeError("hits must be all documents or all pairs of document and score.")
    scored = bool(pairs) and pairs[0][1] is not None
    merged = merge_hits(
        [(document, document.metadata, score) for document, score in pairs],
        gap=gap,
        pad=pad,
        higher_is_better=higher_is_better,
    )
    return [_document(found, scored) if isinstance(found, Moment) else found for found in merged]


def _document(moment: Moment, scored: bool) -> Document:
    score = {"score": moment.score} if scored else {}
    return Document(moment.text, metadata={**moment.as_metadata(), **score})
