"""LlamaIndex's events, callbacks and spans for media, as its base class makes them for texts.

Every call for media is an ``EmbeddingStartEvent`` and an ``EmbeddingEndEvent`` of the dispatcher, a callback
``CBEventType.EMBEDDING``, and a span. Their chunks are names: an image's, audio file's or video's path or URL, what a
segment's node has as its text. Never a file's content, nor the signature of a URL. As for texts, a call that fails has
no ``EmbeddingEndEvent``: its callback ends with the error, and its span is dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index_instrumentation import get_dispatcher

from twelvelabs_core import Composed, Item, Media, Outcome, Row, Segment, SegmentOptions
from twelvelabs_core.adapter import Adapter, describe, media_from, segment_texts, source_of

dispatcher = get_dispatcher(__name__)

T = TypeVar("T")
Rows = TypeVar("Rows", list[list[Row]], Outcome[list[Row]])
F = TypeVar("F", bound="Callable[..., Any]")

# Chunks and their vectors, of a result.
Shown: TypeAlias = "Iterable[tuple[str, list[float]]]"

_span = cast("Callable[[F], F]", dispatcher.span)  # its own type forgets the arguments


class TracedEmbedding(Adapter, MultiModalEmbedding):
    """The embedding calls of an adapter for LlamaIndex, each with its events.

    Those for texts are made by LlamaIndex's own public methods, which call these.
    """

    def _vector(self, item: Item, name: str, **how: Any) -> list[float]:
        embed = partial(super()._vector, item, name, **how)
        return embed() if isinstance(item, str) else self._embed_media(*_one_vector(item), embed)

    async def _avector(self, item: Item, name: str, **how: Any) -> list[float]:
        embed = partial(super()._avector, item, name, **how)
        return await (embed() if isinstance(item, str) else self._aembed_media(*_one_vector(item), embed))

    def _vectors(self, items: Iterable[Item], name: str, **how: Any) -> list[list[float]]:
        items = list(items)
        embed = partial(super()._vectors, items, name, **how)
        return embed() if _is_texts(items) else self._embed_media(*_vectors_of(items), embed)

    async def _avectors(self, items: Iterable[Item], name: str, **how: Any) -> list[list[float]]:
        items = list(items)
        embed = partial(super()._avectors, items, name, **how)
        return await (embed() if _is_texts(items) else self._aembed_media(*_vectors_of(items), embed))

    def _segments(self, media: Any, options: SegmentOptions | None, changes: Mapping[str, Any]) -> list[Segment]:
        media = media_from(media)
        return self._embed_media(*_segments_of(media), partial(super()._segments, media, options, changes))

    async def _asegments(self, media: Any, options: SegmentOptions | None, changes: Mapping[str, Any]) -> list[Segment]:
        media = media_from(media)
        return await self._aembed_media(*_segments_of(media), partial(super()._asegments, media, options, changes))

    def _rows(self, media: Sequence[Media], embed: Callable[[], Rows]) -> Rows:
        """The rows of files, with the events of the call that embeds them.

        Args:
            media: the files.
            embed: makes the call.
        """
        return self._embed_media(labels_of(media), _shown_rows, embed)

    async def _arows(self, media: Sequence[Media], embed: Callable[[], Awaitable[Rows]]) -> Rows:
        return await self._aembed_media(labels_of(media), _shown_rows, embed)

    # LlamaIndex's span handlers see the arguments: names, and functions.

    @_span
    def _embed_media(self, media: list[str], shown: Callable[[T], Shown], embed: Callable[[], T]) -> T:
        with self._events() as end:
            found = embed()
            end(shown(found))
        return found

    @_span
    async def _aembed_media(
        self, media: list[str], shown: Callable[[T], Shown], embed: Callable[[], Awaitable[T]]
    ) -> T:
        with self._events() as end:
            found = await embed()
            end(shown(found))
        return found

    @contextmanager
    def _events(self) -> Iterator[Callable[[Shown], None]]:
        """The events of the call made inside; yields what ends it, given the chunks and vectors."""
        about = self.to_payload()
        dispatcher.event(EmbeddingStartEvent(model_dict=about))
        with self.callback_manager.event(CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: about}) as event:

            def end(shown: Shown) -> None:
                pairs = list(shown)
                chunks, vectors = [chunk for chunk, _ in pairs], [vector for _, vector in pairs]
                event.on_end(payload={EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: vectors})
                dispatcher.event(EmbeddingEndEvent(chunks=chunks, embeddings=vectors))

            yield end


def labels_of(items: Iterable[Item]) -> list[str]:
    """What events call items: a file's path, or its URL without the query, which may sign it; else what it is."""
    return [_label(item) for item in items]


def _label(item: Item) -> str:
    if isinstance(item, Composed):
        return " + ".join([*([item.text] if item.text else []), *labels_of(item.media)])
    source = source_of(item) if isinstance(item, Media) else None
    if source is None:
        return describe(item)
    return source.partition("?")[0] if "://" in source else source


def _is_texts(items: Sequence[Item]) -> bool:
    """Whether they are texts, or none: a call's items are of one kind."""
    return not items or isinstance(items[0], str)


def _one_vector(item: Item) -> tuple[list[str], Callable[[list[float]], Shown]]:
    label = _label(item)
    return [label], lambda vector: [(label, vector)]


def _vectors_of(items: Sequence[Item]) -> tuple[list[str], Callable[[list[list[float]]], Shown]]:
    labels = labels_of(items)
    return labels, lambda vectors: zip(labels, vectors, strict=True)


def _segments_of(media: Media) -> tuple[list[str], Callable[[list[Segment]], Shown]]:
    def shown(segments: list[Segment]) -> Shown:
        return zip(segment_texts(media, segments), (segment.vector for segment in segments), strict=True)

    return labels_of([media]), shown


def _shown_rows(found: list[list[Row]] | Outcome[list[Row]]) -> Shown:
    files = found.results if isinstance(found, Outcome) else found
    return ((row.text, row.vector) for rows in files for row in rows or ())
