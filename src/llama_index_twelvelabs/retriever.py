"""A retriever over any index: queries by text, image, audio, video, or several together."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import FilterCondition, MetadataFilter, MetadataFilters
from typing_extensions import Self, TypedDict, Unpack

from twelvelabs_core import Audio, Fused, Image, InvalidInputError, Item, Source, Video, check_space
from twelvelabs_core.adapter import (
    Fuse,
    Fusion,
    OptionFilter,
    Plan,
    Search,
    Step,
    checked_adapter,
    describe,
    joined_options,
    normalize_scores,
)

from .embedding import TwelveLabsEmbedding
from .postprocessor import merge_nodes, metadata_of
from .queries import ItemQuery, composed_query, media_query, query_by_option
from .search import IndexSearch
from .store_check import check_queried


class OldNames(TypedDict, total=False):
    """Earlier names of settings of :class:`TwelveLabsMomentRetriever`."""

    gap: float | None
    similarity_cutoff: float | None


class SearchSettings(OldNames, total=False):
    """The settings of :class:`TwelveLabsMomentRetriever` that one call may change."""

    similarity_top_k: int
    fuse: Fuse
    fusion: Fusion
    fetch_k: int | None
    merge_gap: float | None
    pad: float
    score_cutoff: float | None
    with_scores: bool
    filters: MetadataFilters | None


_retrieve: Callable[..., list[NodeWithScore]] = inspect.unwrap(BaseRetriever.retrieve)
_aretrieve: Callable[..., Awaitable[list[NodeWithScore]]] = inspect.unwrap(BaseRetriever.aretrieve)
_NEW_NAMES = {"gap": "merge_gap", "similarity_cutoff": "score_cutoff", "similarity_top_k": "k"}


class TwelveLabsMomentRetriever(BaseRetriever):
    """Finds moments of video and audio, images and texts, by text or by media.

    .. code-block:: python

        retriever = TwelveLabsMomentRetriever(index, model, similarity_top_k=10, merge_gap=3)
        for hit in retriever.retrieve("a red bike"):               # or .by_image("bike.jpg"), .by_audio("bell.wav")
            print(hit.score, hit.node.text, hit.node.metadata["source"] + hit.node.metadata.get("fragment", ""))
        retriever.retrieve("a red bike", fuse="rrf")               # a search's own settings
        retriever.by_composed("the same in blue", images=["bike.jpg"])
        retriever.by_queries({"visual": "a red bike", "audio": "a bicycle bell"})

    By default the nearest vectors come first, whatever they were made from. Vectors of texts are more similar to those
    of images than of audio, so that such a search seldom finds audio. With ``fuse`` each embedding option
    (``embedding_option`` in the metadata) is searched separately, and a segment that is found in several options is one
    result: by rank, one that ranks high in two options comes before one that ranks high in one, and an option whose
    scores are all higher has no advantage. Ranks do not measure how similar a hit is: in a collection of fewer than
    some hundred segments, prefer the default or weights.

    A hit's score is the store's similarity, or with ``fuse`` the fused score: compare scores of one result list only,
    and leave out poor hits by ``score_cutoff``, not by a ``SimilarityPostprocessor`` after rank fusion, whose scores
    are all below 0.1. Equal scores are ordered by source, time and id; hits whose score is not a number are left out.

    Args:
        index: a ``VectorStoreIndex`` whose nodes :class:`TwelveLabsMediaEmbedder` or the reader made; or any other
            retriever, whose hits are then separated by option here.
        embed_model: embeds the query; its space must be the hits'.
        similarity_top_k: hits to return. With ``merge_gap`` that many hits are merged, so that fewer may be returned.
        fuse: None: one search over everything, by similarity. ``rrf``: reciprocal rank fusion (constant 60) of all
            options for a text, of ``visual``, ``fused`` and ``text`` for an image or video, of ``audio``, ``fused`` and
            ``text`` for audio. A mapping, such as ``{"visual": 1, "audio": 0.5}``: these options only, with their
            weights. The options are ``visual``, ``audio``, ``transcription``, ``fused``, ``text`` (nodes of none of
            these four, such as texts that the index embedded) and ``other`` (``text`` and ``fused`` together).
        fusion: how the options of ``fuse`` become one list: by ``rank``, the sum of ``weight / (60 + rank)``; or by
            ``score``, the weighted mean of the similarities, in which an option that does not find a segment counts
            as 0.
        fetch_k: hits to fetch of each option before fusing; by default four times ``similarity_top_k``, at least 20.
            Five times as many are fetched to find nodes without an option.
        merge_gap: merge hits of one file at most so many seconds apart into time ranges, as
            :class:`TwelveLabsMomentPostprocessor` does; None = do not merge. ``gap`` is its earlier name.
        pad: seconds added on both sides of a range.
        filters: LlamaIndex's ``MetadataFilters``; only with an index.
        score_cutoff: leave out hits whose similarity is lower, before fusing; None = leave out none. What a similarity
            is depends on the store: see the table in docs/llama_index.md. ``similarity_cutoff`` is its earlier name.
        with_scores: write scores and ranks into the metadata of the nodes returned: ``score``, ``visual_score``,
            ``visual_rank``.
        callback_manager: as for LlamaIndex's retrievers.

    Raises:
        InvalidInputError: a setting is out of its range or unknown; or, in a search, the index holds vectors of another
            space.
    """

    def __init__(
        self,
        index: VectorStoreIndex | BaseRetriever,
        embed_model: TwelveLabsEmbedding,
        similarity_top_k: int = 4,
        *,
        fuse: Fuse = None,
        fusion: Fusion = "rank",
        fetch_k: int | None = None,
        merge_gap: float | None = None,
        pad: float = 0.0,
        filters: MetadataFilters | None = None,
        score_cutoff: float | None = None,
        with_scores: bool = False,
        callback_manager: CallbackManager | None = None,
        **old_names: Unpack[OldNames],
    ) -> None:
        self._index = index
        self._model = checked_adapter(embed_model, TwelveLabsEmbedding, "embed_model=")
        self._filters: MetadataFilters | None = None
        self._search = Search()
        self._checked: set[str] = set()  # spaces; of the copies for one call too
        self._set(
            {
                "k": similarity_top_k,
                "fuse": fuse,
                "fusion": fusion,
                "fetch_k": fetch_k,
                "merge_gap": merge_gap,
                "pad": pad,
                "score_cutoff": score_cutoff,
                "with_scores": with_scores,
                "filters": filters,
            },
            old_names,
        )
        super().__init__(callback_manager=callback_manager)

    def _set(self, *changes: Mapping[str, Any]) -> None:
        """Set settings of a search, under any of their names."""
        settings = {**vars(self._search), "filters": self._filters}
        for name, value in ((name, value) for some in changes for name, value in some.items()):
            name = _NEW_NAMES.get(name, name)
            if name not in settings:
                known = ["similarity_top_k" if known == "k" else known for known in settings]
                raise InvalidInputError(f"{name!r} is no setting of a search; there are {', '.join(known)}.")
            settings[name] = value
        filters = settings.pop("filters")
        if filters is not None and not isinstance(filters, MetadataFilters):
            raise InvalidInputError(f"filters= takes LlamaIndex's MetadataFilters, got {describe(filters)}.")
        if filters is not None and isinstance(self._index, BaseRetriever):
            raise InvalidInputError("filters need an index; a retriever has filters of its own.")
        self._search, self._filters = Search(**settings), filters

    def _changed(self, settings: Mapping[str, Any]) -> Self:
        """This retriever with a call's own settings."""
        changed = copy.copy(self)
        changed._set(settings)
        return changed

    # -- searches ----------------------------------------------------------------------------------------------------

    # LlamaIndex makes a span of an override too: the inner functions have none of their own.

    def retrieve(
        self, str_or_query_bundle: str | QueryBundle, **settings: Unpack[SearchSettings]
    ) -> list[NodeWithScore]:
        """Search by text, or by a query that has its vector (``embed_model.query_bundle(...)``).

        Args:
            str_or_query_bundle: the text or query.
            settings: of this search alone, as for the retriever.
        """
        return _retrieve(self._changed(settings), str_or_query_bundle)

    async def aretrieve(
        self, str_or_query_bundle: str | QueryBundle, **settings: Unpack[SearchSettings]
    ) -> list[NodeWithScore]:
        """Async :meth:`retrieve`."""
        return await _aretrieve(self._changed(settings), str_or_query_bundle)

    def by_image(self, image: Source | Image, **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Search by an image: path, URL, data URI, bytes, binary file object or PIL image.

        Args:
            image: the image.
            settings: of this search alone, as for the retriever.
        """
        return self.retrieve(media_query(Image, image), **settings)

    async def aby_image(self, image: Source | Image, **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Async :meth:`by_image`."""
        return await self.aretrieve(media_query(Image, image), **settings)

    def by_audio(self, audio: Source | Audio, **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Search by audio, or a part of it: ``Audio("a.wav", start_sec=3, end_sec=9)``."""
        return self.retrieve(media_query(Audio, audio), **settings)

    async def aby_audio(self, audio: Source | Audio, **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Async :meth:`by_audio`."""
        return await self.aretrieve(media_query(Audio, audio), **settings)

    def by_video(self, video: Source | Video, **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Search by what a video shows, or a part of it: ``Video("a.mp4", start_sec=3, end_sec=9)``."""
        return self.retrieve(media_query(Video, video), **settings)

    async def aby_video(self, video: Source | Video, **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Async :meth:`by_video`."""
        return await self.aretrieve(media_query(Video, video), **settings)

    def by_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
        **settings: Unpack[SearchSettings],
    ) -> list[NodeWithScore]:
        """Search by text and media together, as one vector.

        Args:
            text: the text; ``<@name>`` in it refers to the media given under that name.
            images: list, or mapping ``name -> source``. marengo3.0 composes images only.
            audio, videos, documents: as ``images``; marengo3.5.
            settings: of this search alone, as for the retriever.
        """
        query = composed_query(text, images=images, audio=audio, videos=videos, documents=documents)
        return self.retrieve(query, **settings)

    async def aby_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
        **settings: Unpack[SearchSettings],
    ) -> list[NodeWithScore]:
        """Async :meth:`by_composed`."""
        query = composed_query(text, images=images, audio=audio, videos=videos, documents=documents)
        return await self.aretrieve(query, **settings)

    def by_queries(self, queries: Mapping[str, Item], **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Search each option by a query of its own, and fuse: ``{"visual": "a red bike", "audio": "a bicycle bell"}``.

        Args:
            queries: by option (those of ``fuse``): a text, or ``Image(...)``, ``Audio(...)``, ``Video(...)``,
                ``Composed``. Weights are those of ``fuse``, if it is a mapping, else 1.
            settings: of this search alone, as for the retriever.

        Raises:
            InvalidInputError: there is no query, an option is unknown, or ``fuse`` has no weight for it.
        """
        return self.retrieve(query_by_option(queries), **settings)

    async def aby_queries(self, queries: Mapping[str, Item], **settings: Unpack[SearchSettings]) -> list[NodeWithScore]:
        """Async :meth:`by_queries`."""
        return await self.aretrieve(query_by_option(queries), **settings)

    # -- LlamaIndex's BaseRetriever ----------------------------------------------------------------------------------

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._is_unchecked():
            self._check_index()
        plan, queries = self._plan(query_bundle)
        vectors = {name: self._vector(query) for name, query in queries.items()}
        lists = [self._searcher(step).retrieve(_bundle(query_bundle, step, vectors)) for step in plan.steps]
        return self._result(plan, lists)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._is_unchecked():
            await asyncio.to_thread(self._check_index)
        plan, queries = self._plan(query_bundle)
        found = await asyncio.gather(*map(self._avector, queries.values()))
        vectors = dict(zip(queries, found, strict=True))
        searches = (self._searcher(step).aretrieve(_bundle(query_bundle, step, vectors)) for step in plan.steps)
        return self._result(plan, await asyncio.gather(*searches))

    def _is_unchecked(self) -> bool:
        """Whether the index may hold vectors of another space, and nothing leaves them out."""
        is_index = not isinstance(self._index, BaseRetriever)
        return is_index and self._filters is None and self._model.space not in self._checked

    def _check_index(self) -> None:
        if check_queried(self._index, self._model):
            self._checked.add(self._model.space)

    def _plan(self, query: QueryBundle) -> tuple[Plan, dict[str, Item | QueryBundle]]:
        """The searches, and the queries they need."""
        filters: Literal["none", "equal"] = "none" if isinstance(self._index, BaseRetriever) else "equal"
        if not isinstance(query, ItemQuery):
            return self._search.plan(filters=filters), {"": query}
        plan = self._search.plan(query.queries, query.options, filters)
        return plan, {step.query: query.queries[step.query] for step in plan.steps}

    def _vector(self, query: Item | QueryBundle) -> list[float]:
        if isinstance(query, QueryBundle):
            return query.embedding or self._model.get_agg_embedding_from_queries(_texts(query))
        if isinstance(query, str):
            return self._model.get_query_embedding(query)
        return self._model._vector(query, query.kind)

    async def _avector(self, query: Item | QueryBundle) -> list[float]:
        if isinstance(query, QueryBundle):
            return query.embedding or await self._model.aget_agg_embedding_from_queries(_texts(query))
        if isinstance(query, str):
            return await self._model.aget_query_embedding(query)
        return await self._model._avector(query, query.kind)

    def _searcher(self, step: Step) -> BaseRetriever:
        if isinstance(self._index, BaseRetriever):
            return self._index
        return IndexSearch(
            self._index,
            similarity_top_k=step.count,
            filters=_with_option(self._filters, step.option),
            embed_model=self._model,
        )

    def _result(self, plan: Plan, lists: Sequence[Sequence[NodeWithScore]]) -> list[NodeWithScore]:
        check_space((hit.node.metadata for hits in lists for hit in hits), self._model.space)
        scored = all(hit.score is not None for hits in lists for hit in hits)
        searched = self._index if isinstance(self._index, BaseRetriever) else self._index.vector_store
        self._search.check_scored(scored, type(searched).__name__)
        # One search of a store finds hits in order of similarity; a retriever may have another order.
        of_store = searched is not self._index
        pairs = [normalize_scores([(hit, hit.score) for hit in hits], best_first=of_store) for hits in lists]
        results = self._search.results(plan, pairs, metadata_of)
        hits = [_hit(result, scored or bool(plan.weights), self._search.with_scores) for result in results]
        gap = self._search.merge_gap
        return hits if gap is None else merge_nodes(hits, gap=gap, pad=self._search.pad, ranked=True)


def _texts(query: QueryBundle) -> list[str]:
    if not query.embedding_strs:
        raise InvalidInputError("The query has neither text nor a vector; make one with embed_model.query_bundle(...).")
    return query.embedding_strs


def _bundle(query: QueryBundle, step: Step, vectors: Mapping[str, list[float]]) -> QueryBundle:
    """A new bundle for each search: retrievers write into them."""
    own = query.queries[step.query] if isinstance(query, ItemQuery) else None
    return QueryBundle(own if isinstance(own, str) else query.query_str, embedding=list(vectors[step.query]))


def _with_option(filters: MetadataFilters | None, option: OptionFilter | None) -> MetadataFilters | None:
    if option is None:
        return filters
    wanted = MetadataFilter(key="embedding_option", value=option.name)
    if filters is None or not filters.filters:
        return MetadataFilters(filters=[wanted])
    if filters.condition in (None, FilterCondition.AND):
        return MetadataFilters(filters=[*filters.filters, wanted])  # not nested: some stores take flat filters only
    return MetadataFilters(filters=[filters, wanted])


def _hit(result: Fused[NodeWithScore], scored: bool, with_scores: bool) -> NodeWithScore:
    """The node of a result: that of the hit which contributes most, as the store returned it.

    Args:
        result: of a search. Found in several options, its ``embedding_option`` names them all: ``audio,visual``.
        scored: whether it has a score.
        with_scores: metadata says its scores and ranks.
    """
    node = result.hits[0].node
    options = joined_options(map(metadata_of, result.hits)) if len(result.hits) > 1 else ""
    more = {**({"embedding_option": options} if options else {}), **(result.as_metadata() if with_scores else {})}
    if more:
        update = {
            "metadata": {**node.metadata, **more},
            "excluded_embed_metadata_keys": list(dict.fromkeys([*node.excluded_embed_metadata_keys, *more])),
            "excluded_llm_metadata_keys": list(dict.fromkeys([*node.excluded_llm_metadata_keys, *more])),
        }
        node = node.model_copy(update=update)
    return NodeWithScore(node=node, score=result.score if scored else None)
