"""A retriever that searches each embedding option separately, fuses the hits by rank, and merges time ranges."""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import FilterCondition, MetadataFilter, MetadataFilters

from twelvelabs_core import Audio, Image, InvalidInputError, Source, Video, check_space, fuse_ranks
from twelvelabs_core.adapter import order_ties

from .embedding import TwelveLabsEmbedding
from .postprocessor import merge_nodes, metadata_of, node_order
from .search import IndexSearch

OPTIONS = ("visual", "audio", "transcription", "text", "fused")
"""The values of nodes' ``embedding_option``, each searched separately."""


class TwelveLabsMomentRetriever(BaseRetriever):
    """Finds moments of video and audio, images and texts, by text or by media.

    .. code-block:: python

        retriever = TwelveLabsMomentRetriever(index, model, similarity_top_k=5)
        for hit in retriever.retrieve("a red bike"):               # or .by_image("bike.jpg"), .by_audio("bell.wav")
            print(hit.score, hit.node.text, hit.node.metadata["source"] + hit.node.metadata["fragment"])

    Vectors of texts are more similar to those of images than of audio, so that one search for everything seldom finds
    audio. Here each ``embedding_option`` is searched separately and the hits are ranked: a hit's score is
    ``weight / (60 + rank)``; equal scores are ordered by similarity, then by source, time and id. Hits whose similarity
    is not a number are left out.

    Args:
        index: a ``VectorStoreIndex`` whose nodes :class:`TwelveLabsMediaEmbedder` or the reader made; or any other
            retriever, whose hits are then separated by option here.
        embed_model: embeds the query; its space must be the hits'.
        similarity_top_k: hits wanted of each option, and of all after fusing. Neighbours among these are merged, so
            that fewer may be returned.
        fuse: ``rrf`` (reciprocal rank fusion with equal weights), weights by option (``{"visual": 1, "audio": 0.5}``;
            options without one are not searched), or None = one search for everything, by similarity (``by_image``,
            ``by_audio`` and ``by_video`` still rank the options that fit the query, so that their scores are not
            similarities).
        gap: longest time in seconds between two hits of one range; None = do not merge.
        pad: seconds added on both sides of a range.
        filters: LlamaIndex's ``MetadataFilters``; only with an index.
        similarity_cutoff: leave out hits less similar than this, before ranking. Without it, the hits of a small
            collection include poor ones, which may lengthen a range.
        callback_manager: as for LlamaIndex's retrievers.

    Raises:
        InvalidInputError: a setting is out of its range; or, in a search, the index holds vectors of another space.
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
            raise InvalidInputError(f"fuse={fuse!r} must be 'rrf', weights by option, or None.")
        if isinstance(fuse, Mapping) and (not fuse or min(fuse.values()) < 0 or not any(fuse.values())):
            raise InvalidInputError(f"fuse={fuse!r} needs weights of 0 or more, one of them above 0.")
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

    # -- searches by media -------------------------------------------------------------------------------------------

    def by_image(self, image: Source | Image) -> list[NodeWithScore]:
        """Images and scenes of videos that look like an image.

        To search nodes of all options: ``retrieve(model.query_bundle(image=...))``.

        Args:
            image: path, URL, data URI, bytes, binary file object or PIL image.
        """
        return self._limited_to("visual", "fused").retrieve(self._model.query_bundle(image=image))

    async def aby_image(self, image: Source | Image) -> list[NodeWithScore]:
        """Async :meth:`by_image`."""
        return await self._limited_to("visual", "fused").aretrieve(await self._model.aquery_bundle(image=image))

    def by_audio(self, audio: Source | Audio) -> list[NodeWithScore]:
        """Audio files, and the audio of videos, that sound like an audio file."""
        return self._limited_to("audio", "fused").retrieve(self._model.query_bundle(audio=audio))

    async def aby_audio(self, audio: Source | Audio) -> list[NodeWithScore]:
        """Async :meth:`by_audio`."""
        return await self._limited_to("audio", "fused").aretrieve(await self._model.aquery_bundle(audio=audio))

    def by_video(self, video: Source | Video) -> list[NodeWithScore]:
        """Scenes of videos, and images, that look like a video."""
        return self._limited_to("visual", "fused").retrieve(self._model.query_bundle(video=video))

    async def aby_video(self, video: Source | Video) -> list[NodeWithScore]:
        """Async :meth:`by_video`."""
        return await self._limited_to("visual", "fused").aretrieve(await self._model.aquery_bundle(video=video))

    def _limited_to(self, *options: str) -> TwelveLabsMomentRetriever:
        weights = dict.fromkeys(OPTIONS, 1.0) if self._weights is None else self._weights
        narrowed = copy.copy(self)
        narrowed._weights = {option: weights[option] for option in options if option in weights} or dict.fromkeys(
            options, 1.0
        )
        return narrowed

    # -- LlamaIndex's BaseRetriever ----------------------------------------------------------------------------------

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None:
            vector = self._model.get_agg_embedding_from_queries(_texts(query_bundle))
        # A new bundle for each search: retrievers write into them.
        lists = [search.retrieve(_copy(query_bundle, vector)) for search in self._searches()]
        return self._result(lists)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None:
            vector = await self._model.aget_agg_embedding_from_queries(_texts(query_bundle))
        searches = self._searches()
        lists = await asyncio.gather(*(search.aretrieve(_copy(query_bundle, vector)) for search in searches))
        return self._result(lists)

    def _searches(self) -> list[BaseRetriever]:
        if isinstance(self._index, BaseRetriever):
            return [self._index]
        options: list[str | None] = [None] if self._weights is None else list(self._weights)
        return [
            IndexSearch(
                self._index,
                similarity_top_k=self._top_k,
                filters=_with_option(self._filters, option),
                embed_model=self._model,
            )
            for option in options
        ]

    def _result(self, lists: Sequence[Sequence[NodeWithScore]]) -> list[NodeWithScore]:
        hits = [hit for found in lists for hit in found]
        check_space(metadata_of(hits), self._model.space)
        # The cosine of a vector of zeros, which is not ours, is NaN.
        hits = [hit for hit in hits if hit.score is None or not math.isnan(hit.score)]
        if self._cutoff is not None:
            hits = [hit for hit in hits if (hit.score or 0.0) >= self._cutoff]
        if self._weights is not None:
            hits = _by_rank(hits, self._weights)
        elif all(hit.score is not None for hit in hits):
            hits = [hit for hit, _ in order_ties([(hit, hit.score or 0.0) for hit in hits], node_order)]
        # Cut before merging: hits of low rank could connect two ranges of high rank.
        hits = hits[: self._top_k]
        return hits if self._gap is None else merge_nodes(hits, gap=self._gap, pad=self._pad, ranked=True)


def _texts(query: QueryBundle) -> list[str]:
    if not query.embedding_strs:
        raise InvalidInputError("The query has neither text nor a vector; make one with embed_model.query_bundle(...).")
    return query.embedding_strs


def _copy(query: QueryBundle, vector: list[float]) -> QueryBundle:
    return QueryBundle(query.query_str, embedding=list(vector))


def _with_option(filters: MetadataFilters | None, option: str | None) -> MetadataFilters | None:
    if option is None:
        return filters
    wanted = MetadataFilter(key="embedding_option", value=option)
    if filters is None or not filters.filters:
        return MetadataFilters(filters=[wanted])
    if filters.condition in (None, FilterCondition.AND):
        return MetadataFilters(filters=[*filters.filters, wanted])  # not nested: some stores take flat filters only
    return MetadataFilters(filters=[filters, wanted])


def _by_rank(hits: Sequence[NodeWithScore], weights: Mapping[str, float]) -> list[NodeWithScore]:
    """Hits scored by their rank among those of their option, best first; of equal scores, the more similar first."""
    by_option: dict[str, list[tuple[NodeWithScore, float]]] = {}
    for hit in hits:
        option = str(hit.node.metadata.get("embedding_option"))
        if weights.get(option, 0.0) > 0:
            by_option.setdefault(option, []).append((hit, hit.score or 0.0))
    fused = fuse_ranks(by_option, weights, order=node_order)
    return [NodeWithScore(node=result.hits[0].node, score=result.score) for result in fused]
