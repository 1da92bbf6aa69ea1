"""A retriever over any vector store: queries by text, image, audio, video, or several together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.runnables import RunnableConfig
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, Field, PrivateAttr, model_validator
from typing_extensions import Self, Unpack

from twelvelabs_core import Audio, Composed, Image, InvalidInputError, Item, Media, Source, Video, check_space
from twelvelabs_core.adapter import FOR_TEXT, Fusion, Plan, Search, StrictSettings, arun, checked_queries, run

from .embeddings import TwelveLabsEmbeddings, own_embeddings
from .fusion import document_of, metadata_of
from .moments import merge_ranked
from .queries import Asked, SearchSettings, media_query
from .resolution import may_refer, refuse_references
from .store_check import acheck_searched, check_searched, embeddings_of
from .stores import Hits, Searcher, searcher


class TwelveLabsRetriever(StrictSettings, BaseRetriever):
    """Finds segments of video and audio, images and texts in any vector store, by text or by media.

    .. code-block:: python

        retriever = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=10, merge_gap=3)
        retriever.invoke("a red bike")
        retriever.invoke("a red bike", k=3, fuse="rrf")                   # a call's own settings
        retriever.by_image("bike.jpg")
        retriever.by_composed("the same in blue", images=["bike.jpg"])
        retriever.by_queries({"visual": "a red bike", "audio": "a bicycle bell"})

    By default the nearest vectors come first, whatever they were made from. With ``fuse`` each embedding option
    (``embedding_option`` in the metadata) is searched separately, and a segment that is found in several options is one
    result: by rank, one that ranks high in two options comes before one that ranks high in one, and an option whose
    scores are all higher has no advantage. Ranks do not measure how similar a hit is: in a collection of fewer than
    some hundred segments, prefer the default or weights. Chroma, Qdrant, FAISS, LanceDB, MongoDB Atlas and
    ``InMemoryVectorStore`` filter by option themselves; from any other store, more hits are fetched in one search and
    filtered here.

    A document is the store's own, the same for every query. ``with_scores=True`` adds ``metadata["score"]``, higher is
    better: the store's similarity (a distance ``d`` as ``1 / (1 + d)``), or with ``fuse`` the fused score, and beside
    it each option's (``visual_score``, ``visual_rank``). Compare scores of one result list only. Equal scores are
    ordered by source, time and id; hits whose score is not a number are left out.

    Every setting below from ``k`` on can be given to a single call too; ``config=`` is LangChain's, for callbacks, tags
    and metadata. Every search is a retriever run in the caller's trace.

    Raises:
        InvalidInputError: a setting is out of its range or unknown; or, in a search, a document is of another vector
            space than the embeddings. (The store itself does not notice, if the vectors are equally long.) Before the
            first search the store is checked, as by :func:`~langchain_twelvelabs.check_store`, unless there is a
            ``filter``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    vectorstore: VectorStore
    """The store to search."""
    embeddings: TwelveLabsEmbeddings = Field(default=None, repr=False)  # type: ignore[assignment]
    """Embeds the queries; by default the store's own embeddings, if the store has an attribute for them."""
    k: int = 4
    """Hits to return. With ``merge_gap`` that many hits are merged, so that fewer documents may be returned."""
    fuse: Literal["rrf"] | dict[str, float] | None = None
    """None: one search over everything, by similarity. ``rrf``: reciprocal rank fusion (constant 60) of all options for
    a text, of ``visual``, ``fused`` and ``text`` for an image or video, of ``audio``, ``fused`` and ``text`` for audio.
    A mapping, such as ``{"visual": 1, "audio": 0.5}``: these options only, with their weights. The options are
    ``visual``, ``audio``, ``transcription``, ``fused``, ``text`` (documents of none of these four, such as plain texts)
    and ``other`` (``text`` and ``fused`` together)."""
    fusion: Fusion = "rank"
    """How the options of ``fuse`` become one list: by ``rank``, the sum of ``weight / (60 + rank)``; or by ``score``,
    the weighted mean of the similarities, in which an option that does not find a segment counts as 0."""
    fetch_k: int | None = None
    """Hits to fetch of each option before fusing; by default four times ``k``, at least 20. Five times as many where
    the store does not filter by option."""
    merge_gap: float | None = None
    """Merge hits of one file at most so many seconds apart into time ranges, as
    :func:`~langchain_twelvelabs.merge_segments` does; None = do not merge."""
    pad: float = 0.0
    """Seconds added on both sides of a merged range."""
    score_cutoff: float | None = None
    """Leave out hits whose similarity is lower, before fusing; None = leave out none. What a similarity is depends on
    the store: see the table in docs/langchain.md."""
    with_scores: bool = False
    """Write scores and ranks into the metadata of what is returned. Documents then differ from query to query."""
    filter: Any = None
    """A filter of your own, in the store's dialect, applied to every search."""
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further keyword arguments for the store, in every search; not ``k`` and ``filter``, which are settings above."""

    # Store and space of the checks that have passed; shared by the copies that are made for a call's own settings.
    _checked: set[tuple[int, str]] = PrivateAttr(default_factory=set)

    @model_validator(mode="before")
    @classmethod
    def _embeddings_of_the_store(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("vectorstore") is None:
            return values  # missing, or misspelt: said by what checks the names
        if values.get("embeddings") is None:
            held = embeddings_of(values.get("vectorstore"))
            if not isinstance(held, TwelveLabsEmbeddings) and not hasattr(held, "underlying_embeddings"):
                raise InvalidInputError(
                    "the store's embeddings are unknown or not TwelveLabsEmbeddings; pass embeddings=."
                )
            values = {**values, "embeddings": own_embeddings(held)}
        else:
            own_embeddings(values["embeddings"])
        return values

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        for name in ("k", "filter"):  # as_retriever(search_kwargs=...) of other stores takes them there
            if name in self.search_kwargs:
                raise InvalidInputError(f"search_kwargs= has {name!r}, which is a setting of its own: give {name}=.")
        self._search()
        return self

    def _search(self) -> Search:
        return Search(
            self.k,
            self.fuse,
            self.fusion,
            self.fetch_k,
            self.merge_gap,
            self.pad,
            self.score_cutoff,
            self.with_scores,
        )

    # -- searches ----------------------------------------------------------------------------------------------------

    def by_image(
        self, image: Source | Image, *, config: RunnableConfig | None = None, **settings: Unpack[SearchSettings]
    ) -> list[Document]:
        """Search by an image: path, URL, bytes, PIL image."""
        return self._ask(media_query(Image, image), config, settings)

    async def aby_image(
        self, image: Source | Image, *, config: RunnableConfig | None = None, **settings: Unpack[SearchSettings]
    ) -> list[Document]:
        """Async :meth:`by_image`."""
        return await self._aask(media_query(Image, image), config, settings)

    def by_audio(
        self, audio: Source | Audio, *, config: RunnableConfig | None = None, **settings: Unpack[SearchSettings]
    ) -> list[Document]:
        """Search by audio, or a part of it: ``Audio("a.wav", start_sec=3, end_sec=9)``."""
        return self._ask(media_query(Audio, audio), config, settings)

    async def aby_audio(
        self, audio: Source | Audio, *, config: RunnableConfig | None = None, **settings: Unpack[SearchSettings]
    ) -> list[Document]:
        """Async :meth:`by_audio`."""
        return await self._aask(media_query(Audio, audio), config, settings)

    def by_video(
        self, video: Source | Video, *, config: RunnableConfig | None = None, **settings: Unpack[SearchSettings]
    ) -> list[Document]:
        """Search by what a video shows, or a part of it: ``Video("a.mp4", start_sec=3, end_sec=9)``."""
        return self._ask(media_query(Video, video), config, settings)

    async def aby_video(
        self, video: Source | Video, *, config: RunnableConfig | None = None, **settings: Unpack[SearchSettings]
    ) -> list[Document]:
        """Async :meth:`by_video`."""
        return await self._aask(media_query(Video, video), config, settings)

    def by_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
        config: RunnableConfig | None = None,
        **settings: Unpack[SearchSettings],
    ) -> list[Document]:
        """Search by text and media together, as one vector.

        Args:
            text: the text; ``<@name>`` in it refers to the media given under that name.
            images: list, or mapping ``name -> source``. marengo3.0 composes images only.
            audio, videos, documents: as ``images``; marengo3.5.
            config: LangChain's.
            settings: of this search alone.
        """
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return self._ask(Asked({"": item}), config, settings)

    async def aby_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
        config: RunnableConfig | None = None,
        **settings: Unpack[SearchSettings],
    ) -> list[Document]:
        """Async :meth:`by_composed`."""
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return await self._aask(Asked({"": item}), config, settings)

    def by_queries(
        self,
        queries: Mapping[str, Item],
        *,
        config: RunnableConfig | None = None,
        **settings: Unpack[SearchSettings],
    ) -> list[Document]:
        """Search each option by a query of its own, and fuse: ``{"visual": "a red bike", "audio": "a bicycle bell"}``.

        Args:
            queries: by option (those of ``fuse``): a text, or ``Image(...)``, ``Audio(...)``, ``Video(...)``,
                ``Composed``. Weights are those of ``fuse``, if it is a mapping, else 1.
            config: LangChain's.
            settings: of this search alone.

        Raises:
            InvalidInputError: there is no query, an option is unknown, or ``fuse`` has no weight for it.
        """
        return self._ask(Asked(checked_queries(queries)), config, settings)

    async def aby_queries(
        self,
        queries: Mapping[str, Item],
        *,
        config: RunnableConfig | None = None,
        **settings: Unpack[SearchSettings],
    ) -> list[Document]:
        """Async :meth:`by_queries`."""
        return await self._aask(Asked(checked_queries(queries)), config, settings)

    def by_vector(
        self,
        vector: list[float],
        options: Sequence[str] = FOR_TEXT,
        *,
        config: RunnableConfig | None = None,
        **settings: Unpack[SearchSettings],
    ) -> list[Document]:
        """Search by a vector of the embeddings' space.

        Args:
            vector: as long as the embeddings' dimensions.
            options: what ``fuse="rrf"`` searches; see :attr:`fuse`.
            config: LangChain's.
            settings: of this search alone.
        """
        return self._ask(Asked({"": ""}, options, self.embeddings._checked(vector)), config, settings)

    async def aby_vector(
        self,
        vector: list[float],
        options: Sequence[str] = FOR_TEXT,
        *,
        config: RunnableConfig | None = None,
        **settings: Unpack[SearchSettings],
    ) -> list[Document]:
        """Async :meth:`by_vector`."""
        return await self._aask(Asked({"": ""}, options, self.embeddings._checked(vector)), config, settings)

    # -- as LangChain runs it ------------------------------------------------------------------------------------------

    def _ask(self, asked: Asked, config: RunnableConfig | None, settings: SearchSettings) -> list[Document]:
        return self.invoke(str(asked), config, _asked=asked, **settings)

    async def _aask(self, asked: Asked, config: RunnableConfig | None, settings: SearchSettings) -> list[Document]:
        return await self.ainvoke(str(asked), config, _asked=asked, **settings)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun | None = None,
        _asked: Asked | None = None,
        **settings: Any,
    ) -> list[Document]:
        asked, changed = _asked or Asked({"": query}), self._changed(settings)
        store, plan = changed._plan(asked)
        if changed._is_unchecked() and check_searched(store):
            changed._passed()
        vectors = run(changed._vectors(asked, plan))
        lists = [store.search(vectors[step.query], step.count, step.option, changed.filter) for step in plan.steps]
        return changed._result(plan, lists)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun | None = None,
        _asked: Asked | None = None,
        **settings: Any,
    ) -> list[Document]:
        asked, changed = _asked or Asked({"": query}), self._changed(settings)
        store, plan = changed._plan(asked)
        if changed._is_unchecked() and await acheck_searched(store):
            changed._passed()
        vectors = await arun(changed._vectors(asked, plan))
        lists = [
            await store.asearch(vectors[step.query], step.count, step.option, changed.filter) for step in plan.steps
        ]
        return changed._result(plan, lists)

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        """What LangSmith shows of a run; the keys are those of LangChain's own retriever over a store."""
        return {
            **super()._get_ls_params(**kwargs),
            "ls_vector_store_provider": type(self.vectorstore).__name__,
            "ls_embedding_provider": type(self.embeddings).__name__,
            "ls_embedding_model": self.embeddings.client.model.name,
        }

    def _changed(self, settings: dict[str, Any]) -> Self:
        """This retriever with a call's own settings."""
        settings = {name: value for name, value in settings.items() if name != "verbose"}  # for LangChain's callbacks
        known = SearchSettings.__annotations__
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise InvalidInputError(f"{unknown[0]!r} is no setting of a search; there are {', '.join(known)}.")
        if not settings:
            return self
        whole = type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **settings})
        return self.model_copy(update={name: getattr(whole, name) for name in settings})

    # -- one search ----------------------------------------------------------------------------------------------------

    def _plan(self, asked: Asked) -> tuple[Searcher, Plan]:
        search, store = self._search(), searcher(self.vectorstore, self.embeddings, self.search_kwargs)
        search.check_scored(store.scored, type(self.vectorstore).__name__)
        return store, search.plan(asked.queries, asked.options, "any" if store.filters else "none")

    def _is_unchecked(self) -> bool:
        """Whether the store may hold vectors of another space: until a check has passed, and not with a filter, which
        may select those of one space.
        """
        return self.filter is None and self._check_key not in self._checked

    def _passed(self) -> None:
        self._checked.add(self._check_key)

    @property
    def _check_key(self) -> tuple[int, str]:
        return id(self.vectorstore), self.embeddings.space

    async def _vectors(self, asked: Asked, plan: Plan) -> dict[str, list[float]]:
        """The vectors of the queries that are searched by."""
        if asked.vector is not None:
            return {"": asked.vector}
        names = list(dict.fromkeys(step.query for step in plan.steps))
        vectors = await asyncio.gather(*(self._vector(name, asked.queries[name]) for name in names))
        return dict(zip(names, vectors, strict=True))

    async def _vector(self, name: str, query: Any) -> list[float]:
        if isinstance(query, Composed) and may_refer(query.text):
            await refuse_references(self.embeddings, query.text, "composed")
        if isinstance(query, (Media, Composed)):
            return await self.embeddings._avector(query, name or query.kind)
        return await self.embeddings.aembed_query(query)

    def _result(self, plan: Plan, lists: Sequence[Hits]) -> list[Document]:
        check_space((document.metadata for hits in lists for document, _ in hits), self.embeddings.space)
        found = [
            (document_of(result, self.with_scores), result.score)
            for result in self._search().results(plan, lists, metadata_of)
        ]
        if self.merge_gap is not None:
            return merge_ranked(found, self.merge_gap, self.pad, with_scores=self.with_scores)
        return [document for document, _ in found]
