"""A retriever over any store: asked by text, picture, sound, film or several; answered with segments or time ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self

from twelvelabs_core import Audio, Image, InvalidInputError, Source, Video, check_space

from ._fusion import fused
from ._searchers import Group, Hits, Searcher, searcher
from .embeddings import TwelveLabsEmbeddings
from .moments import merge_segments

__all__ = ["TwelveLabsRetriever"]

OPTIONS = ("visual", "audio", "transcription")
ALL = (*OPTIONS, "other")
SEEN = ("visual", "other")
HEARD = ("audio", "other")


class TwelveLabsRetriever(BaseRetriever):
    """Segments of films and sounds, pictures and texts from any vector store, found by text or by media.

    .. code-block:: python

        retriever = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=10, merge_gap=3)
        retriever.invoke("a red bike")
        retriever.by_image("bike.jpg")
        retriever.by_composed("the same in blue", images=["bike.jpg"])

    By default the nearest vectors come first, whatever they were made from. With ``fuse`` what is seen, heard and said
    is searched apart (``embedding_option`` in the metadata) and the rankings are put together, so that a passage that
    is good in two of them comes before one that is good in one, and no option wins because all its scores are higher.
    Ranks say nothing about how near: in a collection of fewer than some hundred segments prefer the default, or
    weights. Chroma, Qdrant, FAISS, LanceDB and ``InMemoryVectorStore`` filter themselves; any other store is asked once
    for more, and the answer is divided here.

    Every document found has ``metadata["score"]``, higher is better: the store's similarity (a distance ``d`` as
    ``1 / (1 + d)``), or with ``fuse`` the sum of shares. Only compare scores of one answer.

    Raises:
        InvalidInputError: a setting that cannot be; or, with a search, a document of another vector space than the
            embeddings': vectors of equal length are found without an error, and mean nothing.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    vectorstore: VectorStore
    """Where to look."""
    embeddings: TwelveLabsEmbeddings = Field(default=None, repr=False)  # type: ignore[assignment]
    """What makes the query's vector; by default what the store itself embeds with, if it tells."""
    k: int = 4
    """Hits to return. With ``merge_gap`` that many hits are joined, so fewer documents may come."""
    fuse: Literal["rrf"] | dict[str, float] | None = None
    """None: one search over everything, by nearness. ``rrf``: reciprocal ranks (60); for a text of every option, for a
    picture or film of what is seen, for a sound of what is heard. A mapping, such as ``{"visual": 1, "audio": 0.5}``:
    weighted reciprocal ranks, and only these are searched (``other`` = what has none of the three options, such as
    plain texts)."""
    fetch_k: int | None = None
    """Hits to fetch of each option before fusing; by default four times ``k``, 20 at least. Five times as many where
    the store does not filter."""
    merge_gap: float | None = None
    """Join hits of one source up to so many seconds apart into time ranges (:func:`merge_segments`); None = do not."""
    pad: float = 0.0
    """Seconds added on both sides of a joined range."""
    filter: Any = None
    """A filter of your own, in the store's dialect, besides."""
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Passed on to the store with every search."""

    @model_validator(mode="before")
    @classmethod
    def _embeddings_of_the_store(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("embeddings") is None:
            store = values.get("vectorstore")
            held = getattr(store, "_embedding_function", None) or getattr(store, "embeddings", None)
            if not isinstance(held, TwelveLabsEmbeddings):
                raise InvalidInputError(
                    "the store does not say that it embeds with TwelveLabsEmbeddings; pass embeddings=."
                )
            values = {**values, "embeddings": held}
        return values

    @model_validator(mode="after")
    def _settings_that_can_be(self) -> Self:
        if self.k < 1 or (self.fetch_k is not None and self.fetch_k < 1):
            raise InvalidInputError("k and fetch_k must be 1 or more.")
        if (self.merge_gap is not None and self.merge_gap < 0) or self.pad < 0:
            raise InvalidInputError("merge_gap and pad must be 0 or more seconds.")
        if isinstance(self.fuse, dict) and (
            not self.fuse or min(self.fuse.values()) < 0 or not any(self.fuse.values())
        ):
            raise InvalidInputError(f"fuse={self.fuse} needs weights of 0 or more, one above.")
        return self

    # -- asked by ----------------------------------------------------------------------------------------------------

    def by_image(self, image: Source | Image) -> list[Document]:
        """Asked by a picture: path, URL, bytes, PIL image."""
        return self.by_vector(self.embeddings.embed_image([image])[0], SEEN)

    async def aby_image(self, image: Source | Image) -> list[Document]:
        """Async :meth:`by_image`."""
        return await self.aby_vector((await self.embeddings.aembed_image([image]))[0], SEEN)

    def by_audio(self, audio: Source | Audio) -> list[Document]:
        """Asked by a sound, or a part: ``Audio("a.wav", start_sec=3, end_sec=9)``."""
        return self.by_vector(self.embeddings.embed_audio([audio])[0], HEARD)

    async def aby_audio(self, audio: Source | Audio) -> list[Document]:
        """Async :meth:`by_audio`."""
        return await self.aby_vector((await self.embeddings.aembed_audio([audio]))[0], HEARD)

    def by_video(self, video: Source | Video) -> list[Document]:
        """Asked by a film, as it looks, or a part of it: ``Video("a.mp4", start_sec=3, end_sec=9)``."""
        return self.by_vector(self.embeddings.embed_video([video])[0], SEEN)

    async def aby_video(self, video: Source | Video) -> list[Document]:
        """Async :meth:`by_video`."""
        return await self.aby_vector((await self.embeddings.aembed_video([video]))[0], SEEN)

    def by_composed(self, text: str | None = None, **media: Sequence[Source] | Mapping[str, Source]) -> list[Document]:
        """Asked by a text and media together; arguments as :meth:`TwelveLabsEmbeddings.embed_composed`."""
        return self.by_vector(self.embeddings.embed_composed(text, **media))

    async def aby_composed(
        self, text: str | None = None, **media: Sequence[Source] | Mapping[str, Source]
    ) -> list[Document]:
        """Async :meth:`by_composed`."""
        return await self.aby_vector(await self.embeddings.aembed_composed(text, **media))

    def by_vector(self, vector: list[float], options: Sequence[str] = ALL) -> list[Document]:
        """Asked by a vector of the embeddings' space.

        Args:
            vector: of the embeddings' dimensions.
            options: what ``fuse="rrf"`` searches: ``visual``, ``audio``, ``transcription``, ``other``.
        """
        ask = searcher(self.vectorstore, self.embeddings, self.search_kwargs)
        weights = self._weights(options)
        searches = self._searches(weights, ask)
        found = {name: ask.search(vector, k, group, self.filter) for name, k, group in searches}
        return self._answer(found, weights, ask)

    async def aby_vector(self, vector: list[float], options: Sequence[str] = ALL) -> list[Document]:
        """Async :meth:`by_vector`."""
        ask = searcher(self.vectorstore, self.embeddings, self.search_kwargs)
        weights = self._weights(options)
        searches = self._searches(weights, ask)
        found = {name: await ask.asearch(vector, k, group, self.filter) for name, k, group in searches}
        return self._answer(found, weights, ask)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.by_vector(self.embeddings.embed_query(query))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return await self.aby_vector(await self.embeddings.aembed_query(query))

    # -- how ----------------------------------------------------------------------------------------------------------

    def _weights(self, options: Sequence[str]) -> dict[str, float]:
        if isinstance(self.fuse, dict):
            return {name: weight for name, weight in self.fuse.items() if weight > 0}
        return dict.fromkeys(options, 1.0) if self.fuse else {}

    def _searches(self, weights: Mapping[str, float], ask: Searcher) -> list[tuple[str, int, Group | None]]:
        """What to ask for: name, how many, of which group."""
        deep = self.fetch_k or max(20, 4 * self.k)
        if not weights:
            return [("", self.k, None)]
        if ask.filters:
            return [(name, deep, _group(name)) for name in weights]
        return [("", 5 * deep, None)]

    def _answer(self, found: Mapping[str, Hits], weights: Mapping[str, float], ask: Searcher) -> list[Document]:
        check_space((d.metadata for hits in found.values() for d, _ in hits), self.embeddings.space)
        if weights and not ask.filters:
            found = {name: [hit for hit in found[""] if _group(name).holds(hit[0].metadata)] for name in weights}
        ranked = fused(found, weights) if weights else found[""]
        best = [(_scored(document, score), score) for document, score in ranked[: self.k]]
        if self.merge_gap is not None:
            return merge_segments(best, self.merge_gap, self.pad)
        return [document for document, _ in best]


def _group(name: str) -> Group:
    return Group(name, OPTIONS) if name == "other" else Group(name)


def _scored(document: Document, score: float) -> Document:
    return Document(document.page_content, id=document.id, metadata={**document.metadata, "score": score})
