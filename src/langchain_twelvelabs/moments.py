"""Neighbouring hits of one video or audio file, merged into time ranges."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from langchain_core.documents import Document

from twelvelabs_core import InvalidInputError, Moment
from twelvelabs_core.adapter import as_objects, merge_hits

from .references import with_reference_of, words_of
from .stores import Hits

# Changing it would give every stored range a new id.
_NAMESPACE = uuid.UUID("c7b7d0c4-5f7e-5d0a-9c38-1e4f8a2b6d35")


def merge_segments(
    hits: Iterable[Document | tuple[Document, float]],
    gap: float = 3.0,
    pad: float = 0.0,
    *,
    higher_is_better: bool | None = None,
) -> list[Document]:
    """Merge hits of one source that are close in time: a page of hits from one scene becomes one document.

    Args:
        hits: results of a store's search: documents, best first, or pairs of document and score.
        gap: longest time in seconds between two hits of one range.
        pad: seconds added on both sides; never beyond the file's ends, nor into the next range.
        higher_is_better: False if the scores are distances (Chroma, FAISS with L2, LanceDB). By default the hits come
            best first, as a store returns them, and are distances if their scores rise. Say it for hits in another
            order.

    Returns:
        One document for each range, best first; of equal scores, by source, time and id. ``page_content`` is readable
        (``beach.mp4 00:00:34.6-00:01:04 visual``) and ends with the reference of the best hit, if that has one: when
        it is embedded again (by a filter, a reranker, another store), it stands for the vector of its best segment, and
        no request is sent. Before that line stand the captions of the hits (the loader's ``text=``), in order of time.
        ``metadata`` is the best hit's, with the range's ``start_sec`` and ``end_sec``,
        ``embedding_option`` of all its hits (``audio,visual``), ``hits`` (their number), ``best_start_sec``,
        ``best_end_sec`` and ``best_id`` of the best hit, ``fragment`` for a player's address (``#t=34.6,64``), and,
        where scores were given, ``score`` (the best one). ``id`` is made of the hits', and is none of theirs. Documents
        without a time range, such as images, are returned as they are, in their place by score.

    Raises:
        InvalidInputError: ``gap`` or ``pad`` is negative, or a score is not a number.
        TypeError: some hits have a score and some have none.
    """
    given = as_objects(hits, (Document, tuple), "hits")
    pairs = [hit if isinstance(hit, tuple) else (hit, None) for hit in given]
    if any(len(pair) != 2 or not isinstance(pair[0], Document) for pair in pairs):
        raise InvalidInputError("hits= takes documents, or pairs of document and score.")
    if len({score is None for _, score in pairs}) > 1:
        raise TypeError("hits must be all documents or all pairs of document and score.")
    scored = bool(pairs) and pairs[0][1] is not None
    return _merged(pairs, gap, pad, scored=scored, higher_is_better=higher_is_better)


def merge_ranked(hits: Hits, gap: float, pad: float, *, with_scores: bool) -> list[Document]:
    """:func:`merge_segments` for hits in an order that decides between equal scores, of which higher is better.

    Args:
        with_scores: a range's metadata says its ``score``.
    """
    return _merged(hits, gap, pad, scored=with_scores, ranked=True)


def _merged(
    pairs: Sequence[tuple[Document, float | None]],
    gap: float,
    pad: float,
    *,
    scored: bool,
    higher_is_better: bool | None = True,
    ranked: bool = False,
) -> list[Document]:
    hits = [(document, document.metadata, score) for document, score in pairs]
    merged = merge_hits(hits, gap=gap, pad=pad, higher_is_better=higher_is_better, ranked=ranked)
    return [_document(found, scored) if isinstance(found, Moment) else found for found in merged]


def _document(moment: Moment, scored: bool) -> Document:
    best: Document = moment.best
    in_time = sorted(moment.hits, key=lambda hit: hit.metadata["start_sec"])
    words = "\n".join(dict.fromkeys(filter(None, (words_of(hit.page_content) for hit in in_time))))
    text = with_reference_of(best.page_content, moment.text, words)
    ids = sorted(hit.id or hit.page_content for hit in moment.hits)
    known = {"best_id": best.metadata.get("best_id", best.id), "score": moment.score if scored else None}
    metadata = {**moment.as_metadata(), **{name: value for name, value in known.items() if value is not None}}
    # The seconds are part of it: the same hits make another range with another pad.
    name = "|".join([*ids, repr((moment.start_sec, moment.end_sec))])
    return Document(text, id=str(uuid.uuid5(_NAMESPACE, name)), metadata=metadata)
