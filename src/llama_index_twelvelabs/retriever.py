"""A search for moments: what is seen, heard and said searched apart, fused by rank, and joined into time ranges."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Literal

from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.retrievers import VectorIndexRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import FilterCondition, MetadataFilter, MetadataFilters

from twelvelabs_core import Audio, Image, InvalidInputError, Source, Video

from .embedding import TwelveLabsEmbedding
from .postprocessor import check_hits, merge_hits

__all__ = ["OPTIONS", "TwelveLabsMomentRetriever"]

OPTIONS = ("visual", "audio", "transcription", "text", "fused")
"""The ``embedding_option`` of nodes, each searched apart."""

# How far down a list ranks still differ; the constant of Cormack, Clarke and Buettcher's paper (2009).
_RANK_CONSTANT = 60


class TwelveLabsMomentRetriever(BaseRetriever):
    """Finds moments of films and sounds, pictures and texts, by words or by media.

    .. code-block:: python

        retriever = TwelveLabsMomentRetriever(index, model, similarity_top_k=5)
        for hit in retriever.retrieve("a red bike"):               # or .by_image("bike.jpg"), .by_audio("bell.wav")
            print(hit.score, hit.node.text, hit.node.metadata["source"] + hit.node.metadata["fragment"])

    Pictures lie nearer to words than sounds do, so that one search for all would seldom find a sound. Here each kind of
    vector (``embedding_option``) is a search of its own, and places in the lists count instead of similarities: a hit's
    score is ``weight / (60 + place)``; equal ones are ordered by similarity.

    Args:
        index: a ``VectorStoreIndex`` whose nodes :class:`TwelveLabsMediaEmbedder` or the reader made; or any other
            retriever, whose hits are then split by kind here.
        embed_model: embeds the query; its space must be the hits'.
        similarity_top_k: hits wanted of each kind, and of all after fusing; neighbours among these become one range, so
            that fewer results may come back.
        fuse: ``rrf`` (reciprocal rank, equal weights), weights by kind (``{"visual": 1, "audio": 0.5}``; kinds
            without one are not searched), or None = one search for everything, by similarity (``by_image`` and its kin
            still rank what fits the query, so that their scores are not similarities).
        gap: seconds between hits that become one range; None = no ranges.
        pad: seconds added on both sides of a range.
        filters: LlamaIndex's ``MetadataFilters``, for an index.
        similarity_cutoff: leave out hits less similar than this, before ranking: a small collection has no better ones
            to fill the places, and a poor neighbour would lengthen a range.
        callback_manager: LlamaIndex's.

    Raises (when called):
        InvalidInputError: the index holds vectors of another space; the message names both.
    """

    def __init__(
        self,
        index: VectorStoreIndex | BaseRetriever,
        embed_model: TwelveLabsEmbedding,
        similarity_top_k: int = 5,
        *,
        fuse: Literal["rrf"] | Mapping[str, float] | None = "rrf",
        gap: float | None = 3.0,
        pad: float = 0.0,
        filters: MetadataFilters | None = None,
        similarity_cutoff: float | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        if similarity_top_k < 1:
            raise InvalidInputError("similarity_top_k must be 1 or more.")
        if isinstance(fuse, str) and fuse != "rrf":
            raise InvalidInputError(f"fuse={fuse!r} must be 'rrf', weights by kind, or None.")
        if filters is not None and isinstance(index, BaseRetriever):
            raise InvalidInputError("filters need an index; a retriever has filters of its own.")
        if (gap is not None and gap < 0) or pad < 0:
            raise InvalidInputError("gap and pad must be 0 or more seconds.")
        self._index = index
        self._model = embed_model
        self._top_k = similarity_top_k
        self._cutoff = similarity_cutoff
        self._weights = dict.fromkeys(OPTIONS, 1.0) if fuse == "rrf" else fuse if fuse is None else dict(fuse)
        self._gap, self._pad, self._filters = gap, pad, filters
        super().__init__(callback_manager=callback_manager)

    # -- by media: the kinds of vectors that such a query compares with ----------------------------------------------

    def by_image(self, image: Source | Image) -> list[NodeWithScore]:
        """What looks like a picture: pictures, and scenes of films.

        Other kinds are found by ``retrieve(model.query_bundle(image=...))``.
        """
        return self._only("visual", "fused").retrieve(self._model.query_bundle(image=image))

    async def aby_image(self, image: Source | Image) -> list[NodeWithScore]:
        """Async :meth:`by_image`."""
        return await self._only("visual", "fused").aretrieve(await self._model.aquery_bundle(image=image))

    def by_audio(self, audio: Source | Audio) -> list[NodeWithScore]:
        """What sounds alike: sounds, and the sound of films."""
        return self._only("audio", "fused").retrieve(self._model.query_bundle(audio=audio))

    async def aby_audio(self, audio: Source | Audio) -> list[NodeWithScore]:
        """Async :meth:`by_audio`."""
        return await self._only("audio", "fused").aretrieve(await self._model.aquery_bundle(audio=audio))

    def by_video(self, video: Source | Video) -> list[NodeWithScore]:
        """What looks like a film: scenes of films, and pictures."""
        return self._only("visual", "fused").retrieve(self._model.query_bundle(video=video))

    async def aby_video(self, video: Source | Video) -> list[NodeWithScore]:
        """Async :meth:`by_video`."""
        return await self._only("visual", "fused").aretrieve(await self._model.aquery_bundle(video=video))

    def _only(self, *options: str) -> TwelveLabsMomentRetriever:
        weights = dict.fromkeys(OPTIONS, 1.0) if self._weights is None else self._weights
        narrowed = copy.copy(self)
        narrowed._weights = {option: weights[option] for option in options if option in weights} or dict.fromkeys(
            options, 1.0
        )
        return narrowed

    # -- LlamaIndex's contract -------------------------------------------------------------------------------------

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None:
            vector = self._model.get_agg_embedding_from_queries(_words(query_bundle))
        # A bundle of one's own for each search: retrievers write into them.
        lists = [search.retrieve(_fresh(query_bundle, vector)) for search in self._searches()]
        return self._result(lists)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None:
            vector = await self._model.aget_agg_embedding_from_queries(_words(query_bundle))
        searches = self._searches()
        lists = await asyncio.gather(*(search.aretrieve(_fresh(query_bundle, vector)) for search in searches))
        return self._result(lists)

    def _searches(self) -> list[BaseRetriever]:
        if isinstance(self._index, BaseRetriever):
            return [self._index]
        options: list[str | None] = [None] if self._weights is None else list(self._weights)
        return [
            VectorIndexRetriever(
                self._index,
                similarity_top_k=self._top_k,
                filters=_with_option(self._filters, option),
                embed_model=self._model,
            )
            for option in options
        ]

    def _result(self, lists: Sequence[Sequence[NodeWithScore]]) -> list[NodeWithScore]:
        hits = [hit for found in lists for hit in found]
        check_hits(hits, self._model.space)
        if self._cutoff is not None:
            hits = [hit for hit in hits if (hit.score or 0.0) >= self._cutoff]
        if self._weights is not None:
            hits = _fused(hits, self._weights)
        # Cut before joining: the tail of every list would join what lies between two good hits.
        hits = hits[: self._top_k]
        return hits if self._gap is None else merge_hits(hits, gap=self._gap, pad=self._pad)


def _words(query: QueryBundle) -> list[str]:
    if not query.embedding_strs:
        raise InvalidInputError(
            "The query has neither words nor a vector; make one with embed_model.query_bundle(...)."
        )
    return query.embedding_strs


def _fresh(query: QueryBundle, vector: list[float]) -> QueryBundle:
    return QueryBundle(query.query_str, embedding=list(vector))


def _with_option(filters: MetadataFilters | None, option: str | None) -> MetadataFilters | None:
    if option is None:
        return filters
    wanted = MetadataFilter(key="embedding_option", value=option)
    if filters is None or not filters.filters:
        return MetadataFilters(filters=[wanted])
    if filters.condition in (None, FilterCondition.AND):
        return MetadataFilters(filters=[*filters.filters, wanted])  # flat: not every store takes them nested
    return MetadataFilters(filters=[filters, wanted])


def _fused(hits: Sequence[NodeWithScore], weights: Mapping[str, float]) -> list[NodeWithScore]:
    """Hits with scores by their place among those of their kind, best first; similarity decides between equals."""
    by_kind: dict[str, list[NodeWithScore]] = {}
    for hit in hits:
        by_kind.setdefault(str(hit.node.metadata.get("embedding_option")), []).append(hit)
    placed: list[tuple[float, float, NodeWithScore]] = []
    for kind, found in by_kind.items():
        found.sort(key=lambda hit: hit.score or 0.0, reverse=True)
        for place, hit in enumerate(found, start=1):
            score = weights.get(kind, 0.0) / (_RANK_CONSTANT + place)
            if score > 0:
                placed.append((score, hit.score or 0.0, NodeWithScore(node=hit.node, score=score)))
    return [hit for _, _, hit in sorted(placed, key=lambda p: p[:2], reverse=True)]
