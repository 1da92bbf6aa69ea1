"""LangChain's ``Embeddings`` over the core client."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, PrivateAttr

from twelvelabs_core import (
    DEFAULT_MODEL,
    Audio,
    Composed,
    Image,
    InvalidInputError,
    Media,
    Model,
    Segment,
    SegmentOptions,
    Source,
    Video,
)
from twelvelabs_core._inputs import as_items, as_media
from twelvelabs_core._net import loop
from twelvelabs_core.adapter import Adapter

from ._files import media_from
from .references import References, mentions, reference_to, spread

__all__ = ["TwelveLabsEmbeddings"]


class TwelveLabsEmbeddings(Adapter, Embeddings):
    """TwelveLabs' Marengo embeddings for LangChain: texts, pictures, sounds and films in one vector space.

    .. code-block:: python

        from langchain_chroma import Chroma
        from langchain_twelvelabs import TwelveLabsEmbeddings

        store = Chroma("media", TwelveLabsEmbeddings(model="marengo3.0"))   # key from TWELVELABS_API_KEY
        store.add_texts(["a red bike", "a low hum"])
        store.add_images(uris=["bike.jpg"])
        store.similarity_search("something to ride")
        store.similarity_search_by_image("bike.jpg")

    Every vector is a list of Python floats, as long as the model's ``dimensions`` (512 on marengo3.0). Compare by
    cosine: whether vectors have unit
    length the API does not say. All methods have a truly asynchronous twin and raise
    :class:`twelvelabs_core.TwelveLabsError`'s subclasses; bad
    input is refused before anything is sent, and a batch that fails in part raises ``BatchError`` with the finished
    vectors in ``.results``.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | Model = DEFAULT_MODEL
    """``marengo3.0``, ``marengo3.5``, ``Marengo-retrieval-2.7`` (switched off), or a ``Model`` of your own."""

    show_progress_bar: bool = False
    """Show a tqdm bar for every batch: done, rate, cached, and until when a limit makes it wait."""

    def _model(self) -> str | Model:
        return self.model

    _references: References = PrivateAttr(default_factory=References)

    # -- LangChain's contract ------------------------------------------------------------------------------------

    def embed_query(self, text: str) -> list[float]:
        """One vector for one text. A reference (see :meth:`embed_documents`) asks for more of its kind."""
        if mentions([text]):
            return loop.run(self._references.find(self.client, [text], "text"))[0]
        return self._vector(text, "text")

    async def aembed_query(self, text: str) -> list[float]:
        """Async :meth:`embed_query`."""
        if mentions([text]):
            return (await loop.arun(self._references.find(self.client, [text], "text")))[0]
        return await self._avector(text, "text")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, in order, ``max_concurrency`` requests at a time. ``[]`` gives ``[]``.

        A reference, as :class:`TwelveLabsMediaLoader` writes into its documents, is answered with the vector it stands
        for: nothing is sent. The vectors are held by the cache if there is one, else by this object, in memory
        (8 bytes a number: 4 kB a segment on marengo3.0), until :meth:`forget_references`.

        Raises:
            InvalidInputError: a text is empty or no ``str``, or a reference is of another space or unknown here;
                nothing was sent.
            TextTooLongError: over the limit with ``truncate="none"``.
            BatchError: some texts failed; the rest is in ``.results``.
        """
        texts = as_items(texts)
        if not mentions(texts):
            return self._vectors(texts, "texts", progress=self.show_progress_bar)
        known = loop.run(self._references.find(self.client, texts, "texts"))
        places = [i for i in range(len(texts)) if i not in known]
        with spread(known, places, "texts"):
            rest = [texts[i] for i in places]
            found = self._vectors(rest, "texts", progress=self.show_progress_bar) if rest else []
        known.update(zip(places, found, strict=True))
        return [known[i] for i in range(len(texts))]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Async :meth:`embed_documents`."""
        texts = as_items(texts)
        if not mentions(texts):
            return await self._avectors(texts, "texts", progress=self.show_progress_bar)
        known = await loop.arun(self._references.find(self.client, texts, "texts"))
        places = [i for i in range(len(texts)) if i not in known]
        with spread(known, places, "texts"):
            rest = [texts[i] for i in places]
            found = await self._avectors(rest, "texts", progress=self.show_progress_bar) if rest else []
        known.update(zip(places, found, strict=True))
        return [known[i] for i in range(len(texts))]

    def forget_references(self) -> None:
        """Free the vectors that are held in memory for references; what is in a cache stays."""
        self._references.clear()

    @contextmanager
    def query_reference(self, vector: Sequence[float]) -> Iterator[str]:
        """A text that :meth:`embed_query` answers with ``vector`` while the ``with`` block lasts: how a store that
        is asked by text alone can be asked by a picture.

        .. code-block:: python

            with model.query_reference(model.embed_image(["bike.jpg"])[0]) as text:
                store.similarity_search(text)

        Raises:
            InvalidInputError: the vector has another length than this model's.
        """
        if len(vector) != self.client.dimensions:
            raise InvalidInputError(f"The vector has {len(vector)} numbers, {self.space} has {self.client.dimensions}.")
        name = str(uuid.uuid4())
        self._references.hold(name, vector)
        try:
            yield reference_to(name, self.space, "query")
        finally:
            self._references.drop(name)

    # -- media, by the names stores look for -----------------------------------------------------------------------

    def embed_image(self, uris: Sequence[Source | Image]) -> list[list[float]]:
        """One vector a picture. The name and the keyword are what Chroma and other stores call.

        Args:
            uris: paths, URLs, data URIs, bytes, binary file objects or PIL images. A plain string is always a place,
                never a text.

        Raises:
            InvalidInputError: a picture is missing, unreadable, too small or too large; nothing was sent.
        """
        return self._vectors(as_media(Image, uris), "uris", progress=self.show_progress_bar)

    async def aembed_image(self, uris: Sequence[Source | Image]) -> list[list[float]]:
        """Async :meth:`embed_image`."""
        return await self._avectors(as_media(Image, uris), "uris", progress=self.show_progress_bar)

    def embed_audio(self, uris: Sequence[Source | Audio]) -> list[list[float]]:
        """One vector a sound (WAV, MP3, FLAC): of the whole file, from what is heard (option ``audio``), not of its
        words.

        Args:
            uris: paths, URLs, data URIs, bytes, binary file objects, or ``Audio(source, start_sec=…)`` for a part.
        """
        return self._vectors(as_media(Audio, uris), "uris", progress=self.show_progress_bar)

    async def aembed_audio(self, uris: Sequence[Source | Audio]) -> list[list[float]]:
        """Async :meth:`embed_audio`."""
        return await self._avectors(as_media(Audio, uris), "uris", progress=self.show_progress_bar)

    def embed_video(self, paths: Sequence[Source | Video], **_: Any) -> list[list[float]]:
        """One vector a film: of the whole file, from what is seen (option ``visual``).

        Synchronous requests take films of 10 minutes on marengo3.0 and 30 seconds on marengo3.5.

        Args:
            paths: paths, URLs, data URIs, bytes, binary file objects, or ``Video(source, start_sec=…)`` for a part.
            _: what stores pass along (``batch_size`` …); not used.
        """
        return self._vectors(as_media(Video, paths), "paths", progress=self.show_progress_bar)

    async def aembed_video(self, paths: Sequence[Source | Video], **_: Any) -> list[list[float]]:
        """Async :meth:`embed_video`."""
        return await self._avectors(as_media(Video, paths), "paths", progress=self.show_progress_bar)

    def embed_segments(
        self,
        media: str | PathLike[str] | Media,
        options: SegmentOptions | None = None,
        **fields: Any,
    ) -> list[Segment]:
        """The vectors of one file's segments, sorted by time, each with ``start_sec``, ``end_sec``, ``option``,
        ``scope``.

        Args:
            media: a path or URL, taken by its suffix for a film, sound, picture or document; or ``Video(...)``,
                ``Audio(...)``, ``Document(...)``, ``Image(...)`` for anything else (bytes, a part of a film).
            options: how it is divided and what of it is embedded; by default every segment, each option apart.
            fields: fields of :class:`twelvelabs_core.SegmentOptions` instead:
                ``embed_segments("a.mp4", segmentation=Fixed(5), embedding_option="visual")``.

        Raises:
            InvalidInputError: the suffix says nothing, the model cannot do what is asked, or the file is refused.
        """
        return self.client.embed_segments(media_from(media), _options(options, fields))

    async def aembed_segments(
        self,
        media: str | PathLike[str] | Media,
        options: SegmentOptions | None = None,
        **fields: Any,
    ) -> list[Segment]:
        """Async :meth:`embed_segments`."""
        return await self.client.aembed_segments(media_from(media), _options(options, fields))

    def embed_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
    ) -> list[float]:
        """One vector for a text and media together, or for several media.

        Args:
            text: the words; ``<@name>`` refers to the media given under that name.
            images: list, or mapping ``name -> source``. On marengo3.0 only pictures can be composed.
            audio: as ``images``; marengo3.5.
            videos: as ``images``; marengo3.5.
            documents: as ``images``; marengo3.5 (``.pdf``, ``.txt``, ``.md``).
        """
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return self._vector(item, "composed")

    async def aembed_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
    ) -> list[float]:
        """Async :meth:`embed_composed`."""
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return await self._avector(item, "composed")


def _options(options: SegmentOptions | None, fields: Mapping[str, Any]) -> SegmentOptions | None:
    if not fields:
        return options
    if options is not None:
        raise InvalidInputError(f"give options= or its fields ({', '.join(fields)}), not both.")
    unknown = [name for name in fields if name not in SegmentOptions.__dataclass_fields__]
    if unknown:
        known = ", ".join(SegmentOptions.__dataclass_fields__)
        raise InvalidInputError(f"embed_segments has no option {unknown[0]!r}; it has {known}.")
    return SegmentOptions(**fields)
