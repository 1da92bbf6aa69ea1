"""A retriever over any vector store: queries by text, image, audio, video, or several together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self

from twelvelabs_core import Audio, Image, InvalidInputError, Source, Video, check_space
from twelvelabs_core.adapter import order_ties

from .embeddings import TwelveLabsEmbeddings
from .fusion import document_order, fuse_documents
from .moments import merge_ranked
from .stores import Hits, OptionFilter, Searcher, searcher

OPTIONS = ("visual", "audio", "transcription")
# What fuse="rrf" searches for each kind of query. "other" = documents that have none of the three options.
FOR_TEXT = (*OPTIONS, "other")
FOR_IMAGE_OR_VIDEO = ("visual", "other")
FOR_AUDIO = ("audio", "other")


class TwelveLabsRetriever(BaseRetriever):
    """Finds segments of video and audio, images and texts in any vector store, by text or by media.

    .. code-block:: python

        retriever = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=10, merge_gap=3)
        retriever.invoke("a red bike")
        retriever.by_image("bike.jpg")
        retriever.by_composed("the same in blue", images=["bike.jpg"])

    By default the nearest vectors come first, whatever they were made from. With ``fuse`` each embedding option
    (``embedding_option`` in the metadata) is searched separately and the results are fused by rank: a segment that
    ranks high in two options comes before one that ranks high in one, and an option whose scores are all higher has no
    advantage. Ranks do not measure how similar a hit is: in a collection of fewer than some hundred segments, prefer
    the default or weights. Chroma, Qdrant, FAISS, LanceDB and ``InMemoryVectorStore`` filter by option themselves; from
    any other store, more hits are fetched in one search and filtered here.

    Every document found has ``metadata["score"]``, higher is better: the store's similarity (a distance ``d`` as
    ``1 / (1 + d)``), or with ``fuse`` the fused score. Compare scores of one result list only. Equal scores are ordered
    by source, time and id; hits whose score is not a number are left out.

    Raises:
        InvalidInputError: a setting is out of its range; or, in a search, a document is of another vector space than
            the embeddings. (The store itself does not notice, if the vectors are equally long.)
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    vectorstore: VectorStore
    """The store to search."""
    embeddings: TwelveLabsEmbeddings = Field(default=None, repr=False)  # type: ignore[assignment]
    """Embeds the queries; by default the store's own embeddings, if the store has an attribute for them."""
    k: int = 4
    """Hits to return. With ``merge_gap`` that many hits are merged, so that fewer documents may be returned."""
    fuse: Literal["rrf"] | dict[str, float] | None = None
    """None: one search over everything, by similarity. ``rrf``: reciprocal rank fusion (constant 60) of all options for
    a text, of ``visual`` for an image or video, of ``audio`` for audio. A mapping, such as
    ``{"visual": 1, "audio": 0.5}``: weighted reciprocal rank fusion of these options only (``other`` = documents of
    none of the three options, such as plain texts)."""
    fetch_k: int | None = None
    """Hits to fetch of each option before fusing; by default four times ``k``, at least 20. Five times as many where
    the store does not filter by option."""
    merge_gap: float | None = None
    """Merge hits of one file at most so many seconds apart into time ranges, as
    :func:`~langchain_twelvelabs.merge_segments` does; None = do not merge."""
    pad: float = 0.0
    """Seconds added on both sides of a merged range."""
    filter: Any = None
    """A filter of your own, in the store's dialect, applied to every search."""
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments for the store, in every search."""

    @model_validator(mode="before")
    @classmethod
    def _embeddings_of_the_store(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("embeddings") is None:
            store = values.get("vectorstore")
            held = getattr(store, "_embedding_function", None) or getattr(store, "embeddings", None)
            if not isinstance(held, TwelveLabsEmbeddings):
                raise InvalidInputError(
                    "the store's embeddings are unknown or not TwelveLabsEmbeddings; pass embeddings=."
                )
            values = {**values, "embeddings": held}
        return values

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if self.k < 1 or (self.fetch_k is not None and self.fetch_k < 1):
            raise InvalidInputError("k and fetch_k must be 1 or more.")
        if (self.merge_gap is not None and self.merge_gap < 0) or self.pad < 0:
            raise InvalidInputError("merge_gap and pad must be 0 or more seconds.")
        if isinstance(self.fuse, dict) and (
            not self.fuse or min(self.fuse.values()) < 0 or not any(self.fuse.values())
        ):
            raise InvalidInputError(f"fuse={self.fuse} needs weights of 0 or more, one of them above 0.")
        return self

    # -- searches ----------------------------------------------------------------------------------------------------

    def by_image(self, image: Source | Image) -> list[Document]:
        """Search by an image: path, URL, bytes, PIL image."""
        return self.by_vector(self.embeddings.embed_image([image])[0], FOR_IMAGE_OR_VIDEO)

    async def aby_image(self, image: Source | Image) -> list[Document]:
        """Async :meth:`by_image`."""
        return await self.aby_vector((await self.embeddings.aembed_image([image]))[0], FOR_IMAGE_OR_VIDEO)

    def by_audio(self, audio: Source | Audio) -> list[Document]:
        """Search by audio, or a part of it: ``Audio("a.wav", start_sec=3, end_sec=9)``."""
        return self.by_vector(self.embeddings.embed_audio([audio])[0], FOR_AUDIO)

    async def aby_audio(self, audio: Source | Audio) -> list[Document]:
        """Async :meth:`by_audio`."""
        return await self.aby_vector((await self.embeddings.aembed_audio([audio]))[0], FOR_AUDIO)

    def by_video(self, video: Source | Video) -> list[Document]:
        """Search by what a video shows, or a part of it: ``Video("a.mp4", start_sec=3, end_sec=9)``."""
        return self.by_vector(self.embeddings.embed_video([video])[0], FOR_IMAGE_OR_VIDEO)

    async def aby_video(self, video: Source | Video) -> list[Document]:
        """Async :meth:`by_video`."""
        return await self.aby_vector((await self.embeddings.aembed_video([video]))[0], FOR_IMAGE_OR_VIDEO)

    def by_composed(self, text: str | None = None, **media: Sequence[Source] | Mapping[str, Source]) -> list[Document]:
        """Search by text and media together; arguments as :meth:`TwelveLabsEmbeddings.embed_composed`."""
        return self.by_vector(self.embeddings.embed_composed(text, **media))

    async def aby_composed(
        self, text: str | None = None, **media: Sequence[Source] | Mapping[str, Source]
    ) -> list[Document]:
        """Async :meth:`by_composed`."""
        return await self.aby_vector(await self.embeddings.aembed_composed(text, **media))

    def by_vector(self, vector: list[float], options: Sequence[str] = FOR_TEXT) -> list[Document]:
        """Search by a vector of the embeddings' space.

        Args:
            vector: as long as the embeddings' dimensions.
            options: what ``fuse="rrf"`` searches: ``visual``, ``audio``, ``transcription``, ``other``.
        """
        store, weights, searches = self._plan(options)
        found = {name: store.search(vector, k, option, self.filter) for name, k, option in searches}
        return self._result(found, weights, store)

    async def aby_vector(self, vector: list[float], options: Sequence[str] = FOR_TEXT) -> list[Document]:
        """Async :meth:`by_vector`."""
        store, weights, searches = self._plan(options)
        found = {name: await store.asearch(vector, k, option, self.filter) for name, k, option in searches}
        return self._result(found, weights, store)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.by_vector(self.embeddings.embed_query(query))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return await self.aby_vector(await self.embeddings.aembed_query(query))

    # -- the search plan and its result ----------------------------------------------------------------------------

    def _plan(
        self, options: Sequence[str]
    ) -> tuple[Searcher, dict[str, float], list[tuple[str, int, OptionFilter | None]]]:
        """The store's searcher, the weights of the options, and the searches: name, number of hits, option."""
        store = searcher(self.vectorstore, self.embeddings, self.search_kwargs)
        if self.fuse is None:
            return store, {}, [("", self.k, None)]
        if isinstance(self.fuse, dict):
            weights = {name: weight for name, weight in self.fuse.items() if weight > 0}
        else:
            weights = dict.fromkeys(options, 1.0)
        fetch = self.fetch_k or max(20, 4 * self.k)
        if store.filters:
            return store, weights, [(name, fetch, _option_filter(name)) for name in weights]
        return store, weights, [("", 5 * fetch, None)]

    def _result(self, found: Mapping[str, Hits], weights: Mapping[str, float], store: Searcher) -> list[Document]:
        check_space((d.metadata for hits in found.values() for d, _ in hits), self.embeddings.space)
        # The cosine of a vector of zeros, which is not ours, is NaN.
        found = {name: [hit for hit in hits if not math.isnan(hit[1])] for name, hits in found.items()}
        if weights and not store.filters:
            found = {name: [h for h in found[""] if _option_filter(name).matches(h[0].metadata)] for name in weights}
        ranked = fuse_documents(found, weights) if weights else order_ties(found[""], document_order)
        best = [(_with_score(document, score), score) for document, score in ranked[: self.k]]
        if self.merge_gap is not None:
            return merge_ranked(best, self.merge_gap, self.pad)
        return [document for document, _ in best]


def _option_filter(name: str) -> OptionFilter:
    return OptionFilter(name, excluded=OPTIONS if name == "other" else ())


def _with_score(document: Document, score: float) -> Document:
    return Document(document.page_content, id=document.id, metadata={**document.metadata, "score": score})
