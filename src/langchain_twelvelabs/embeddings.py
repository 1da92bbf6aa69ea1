"""LangChain's ``Embeddings`` over the core client."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict

from twelvelabs_core import (
    DEFAULT_MODEL,
    Audio,
    Image,
    InvalidInputError,
    Media,
    Model,
    Segment,
    SegmentOptions,
    Source,
    Video,
)
from twelvelabs_core.adapter import Adapter, arun, as_items, as_media, checked_adapter, describe, renumber_errors, run

from .references import reference_to
from .resolution import may_refer, refuse_references, vectors_of_references


class TwelveLabsEmbeddings(Adapter, Embeddings):
    """TwelveLabs' Marengo embeddings for LangChain: text, images, audio, video and documents in one vector space.

    .. code-block:: python

        from langchain_chroma import Chroma
        from langchain_twelvelabs import TwelveLabsEmbeddings

        model = TwelveLabsEmbeddings(model="marengo3.0")            # key from TWELVELABS_API_KEY
        store = Chroma(model.collection_name("media"), model, collection_metadata={"hnsw:space": "cosine"})
        store.add_texts(["a red bike", "a low hum"])
        store.add_images(uris=["bike.jpg"])
        store.similarity_search("something to ride")
        store.similarity_search_by_image("bike.jpg")

    Every vector is a list of Python floats, as long as the model's ``dimensions`` (512 on marengo3.0). Compare by
    cosine: the API does not say whether vectors have unit length. Vectors of two models do not compare: name a store's
    collection by :meth:`collection_name`, and see :func:`check_store`.

    To keep vectors, use ``cache=`` (a path, or a LangChain ``ByteStore``) instead of ``CacheBackedEmbeddings``, which
    embeds texts alone: it hides ``embed_image`` from the store, and everything else from the loader and retriever.

    Every method has an async version (``aembed_…``) that does not block the event loop. Methods raise subclasses of
    :class:`twelvelabs_core.TwelveLabsError`: bad input is refused before anything is sent, and a batch of which some
    items fail raises ``BatchError`` with the finished vectors in ``.results``.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | Model = DEFAULT_MODEL
    """``marengo3.0``, ``marengo3.5``, ``Marengo-retrieval-2.7`` (switched off), or a ``Model`` of your own."""

    show_progress_bar: bool = False
    """Show a tqdm bar for every batch: done, rate, cached, and until when a rate limit makes it wait."""

    def _model(self) -> str | Model:
        return self.model

    # -- texts: LangChain's Embeddings -----------------------------------------------------------------------------

    def embed_query(self, text: str) -> list[float]:
        """One vector for one text.

        Args:
            text: the query; or a reference (see :meth:`embed_documents`), which is answered with its vector.

        Raises:
            InvalidInputError: the text is empty, or a reference is of another space or unknown, or a piece of one.
            TextTooLongError: over the model's limit with ``truncate="none"``.
        """
        known = run(vectors_of_references(self, [text], "text")) if may_refer(text) else {}
        return known[0] if known else self._vector(text, "text")

    async def aembed_query(self, text: str) -> list[float]:
        """Async :meth:`embed_query`."""
        known = await arun(vectors_of_references(self, [text], "text")) if may_refer(text) else {}
        return known[0] if known else await self._avector(text, "text")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text, in order, with up to ``max_concurrency`` requests at a time.

        A reference, as :class:`TwelveLabsMediaLoader` writes it into its documents, is answered with the vector it
        stands for; no request is sent. The vectors are kept in the cache if there is one, else in this object's memory
        (8 bytes a number: 4 kB a segment on marengo3.0) until :meth:`forget_references`.

        Words around a reference (a caption, tags) do not change its vector; a warning is logged if there are more than
        its own line. A reference that was not written with this API key and whose vector is not held here may come
        from anywhere: it is embedded as the text it is, with a warning.

        Args:
            texts: texts and references, mixed; may be empty.

        Raises:
            InvalidInputError: a text is empty or not a ``str``; a reference is of another space or its vector is not
                held here; a text holds two references, or is a piece of one that a text splitter has cut. Nothing was
                sent.
            TextTooLongError: a text is over the model's limit with ``truncate="none"``.
            BatchError: some texts failed; the others' vectors are in ``.results``.
        """
        return run(self._embed_documents(as_items(texts)))

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Async :meth:`embed_documents`."""
        return await arun(self._embed_documents(as_items(texts)))

    async def _embed_documents(self, texts: list[str]) -> list[list[float]]:
        known = await vectors_of_references(self, texts, "texts")
        rest = [i for i in range(len(texts)) if i not in known]
        with renumber_errors(known, rest, "texts"):
            found = await self._avectors(
                [texts[i] for i in rest], "texts", progress=self.show_progress_bar, documents=True
            )
        known.update(zip(rest, found, strict=True))
        return [known[i] for i in range(len(texts))]

    def forget_references(self) -> None:
        """Free the vectors that are kept in memory for references; those in a cache stay."""
        self._in_memory.clear()
        self._labels.clear()

    @contextmanager
    def query_reference(self, vector: Sequence[float]) -> Iterator[str]:
        """A text that :meth:`embed_query` answers with ``vector`` inside the ``with`` block.

        With it, a store that takes only text queries can be searched by an image:

        .. code-block:: python

            with model.query_reference(model.embed_image(["bike.jpg"])[0]) as text:
                store.similarity_search(text)

        Args:
            vector: as long as this model's ``dimensions``.

        Raises:
            InvalidInputError: it is no vector of finite numbers, or has another length.
        """
        name, vector = str(uuid.uuid4()), self._checked(vector)
        self._in_memory.hold(name, vector)
        try:
            yield reference_to(self, name, "query")
        finally:
            self._in_memory.drop(name)

    def _checked(self, vector: Any) -> list[float]:
        """A vector of this object's length as plain numbers.

        Raises:
            InvalidInputError: it is no vector of finite numbers, or has another length.
        """
        length = self.client.dimensions
        try:
            numbers = [] if isinstance(vector, (str, bytes, bytearray)) else [float(number) for number in vector]
        except (TypeError, ValueError, OverflowError):
            numbers = []
        if not numbers or not all(map(math.isfinite, numbers)):
            raise InvalidInputError(f"Expected a vector of {length} finite numbers, got {describe(vector)}.")
        if len(numbers) != length:
            raise InvalidInputError(f"The vector has {len(numbers)} numbers, {self.space} has {length}.")
        return numbers

    # -- media: the methods that stores call -------------------------------------------------------------------------

    def embed_image(self, uris: Sequence[Source | Image]) -> list[list[float]]:
        """One vector for each image. Chroma and other stores call this method, with this keyword.

        Args:
            uris: paths, URLs, data URIs, bytes, binary file objects or PIL images. A plain string is always a path or
                URL, never a text.

        Raises:
            InvalidInputError: an image is missing, unreadable, too small or too large; nothing was sent.
            BatchError: some images failed; the others' vectors are in ``.results``.
        """
        return self._vectors(as_media(Image, uris), "uris", progress=self.show_progress_bar)

    async def aembed_image(self, uris: Sequence[Source | Image]) -> list[list[float]]:
        """Async :meth:`embed_image`."""
        return await self._avectors(as_media(Image, uris), "uris", progress=self.show_progress_bar)

    def embed_audio(self, uris: Sequence[Source | Audio]) -> list[list[float]]:
        """One vector for each whole audio file (WAV, MP3, FLAC), of embedding option ``audio``: not of what is spoken.

        Args:
            uris: paths, URLs, data URIs, bytes, binary file objects, or ``Audio(source, start_sec=…)`` for a part.

        Raises:
            InvalidInputError: a file is missing, unreadable, too short or too long; nothing was sent.
            BatchError: some files failed; the others' vectors are in ``.results``.
        """
        return self._vectors(as_media(Audio, uris), "uris", progress=self.show_progress_bar)

    async def aembed_audio(self, uris: Sequence[Source | Audio]) -> list[list[float]]:
        """Async :meth:`embed_audio`."""
        return await self._avectors(as_media(Audio, uris), "uris", progress=self.show_progress_bar)

    def embed_video(self, paths: Sequence[Source | Video], *, batch_size: int | None = None) -> list[list[float]]:
        """One vector for each whole video, of embedding option ``visual``.

        Videos of up to 10 minutes on marengo3.0, and 30 seconds on marengo3.5, take one request; longer ones a task.
        For other options see :meth:`embed_segments`: ``embedding_option="audio", embedding_scope="asset"``.

        Args:
            paths: paths, URLs, data URIs, bytes, binary file objects, or ``Video(source, start_sec=…)`` for a part.
            batch_size: what a store passes (VDMS); not used, as all are embedded together.

        Raises:
            InvalidInputError: a file is missing, unreadable, too short or too long; nothing was sent.
            BatchError: some files failed; the others' vectors are in ``.results``.
        """
        return self._vectors(as_media(Video, paths), "paths", progress=self.show_progress_bar)

    async def aembed_video(
        self, paths: Sequence[Source | Video], *, batch_size: int | None = None
    ) -> list[list[float]]:
        """Async :meth:`embed_video`."""
        return await self._avectors(as_media(Video, paths), "paths", progress=self.show_progress_bar)

    def embed_composed(self, text: str | None = None, **media: Sequence[Source] | Mapping[str, Source]) -> list[float]:
        """One vector for a text and media together, or for several media.

        Args:
            text: the text; ``<@name>`` refers to the media given under that name. Alone, it has the vector of any text.
            media: ``images``, ``audio``, ``videos``, ``documents``, each a list, or a mapping ``name -> source``.
                marengo3.0 composes images only.

        Raises:
            InvalidInputError: nothing was given, the model does not compose what was, or the text holds a reference.
        """
        if may_refer(text):
            run(refuse_references(self, text, "composed"))
        return super().embed_composed(text, **media)

    async def aembed_composed(
        self, text: str | None = None, **media: Sequence[Source] | Mapping[str, Source]
    ) -> list[float]:
        """Async :meth:`embed_composed`."""
        if may_refer(text):
            await arun(refuse_references(self, text, "composed"))
        return await super().aembed_composed(text, **media)

    def embed_segments(
        self,
        media: str | PathLike[str] | Media,
        options: SegmentOptions | None = None,
        **fields: Any,
    ) -> list[Segment]:
        """The vectors of one file's segments, sorted by time.

        Each segment has ``vector``, ``start_sec`` and ``end_sec`` (seconds), ``option`` and ``scope``.

        Args:
            media: a path or URL, whose suffix or content tells its kind; or ``Video(...)``, ``Audio(...)``,
                ``Document(...)``, ``Image(...)`` for anything else (bytes, a part of a video).
            options: how the file is divided and what of it is embedded; by default every segment, with a vector for
                each option.
            fields: fields of :class:`twelvelabs_core.SegmentOptions` instead:
                ``embed_segments("a.mp4", segmentation=Fixed(5), embedding_option="visual")``.

        Raises:
            InvalidInputError: the kind is unknown, the model does not take the options, or the file is refused.
        """
        _refuse_both(options, fields)
        return self._segments(media, options, fields)

    async def aembed_segments(
        self,
        media: str | PathLike[str] | Media,
        options: SegmentOptions | None = None,
        **fields: Any,
    ) -> list[Segment]:
        """Async :meth:`embed_segments`."""
        _refuse_both(options, fields)
        return await self._asegments(media, options, fields)


def _refuse_both(options: SegmentOptions | None, fields: dict[str, Any]) -> None:
    if options is not None and fields:
        raise InvalidInputError(f"Give options= or its fields ({', '.join(fields)}), not both.")


def own_embeddings(given: Any, name: str = "embeddings=") -> TwelveLabsEmbeddings:
    """The :class:`TwelveLabsEmbeddings` that another class of this package was given.

    Raises:
        InvalidInputError: it is something else: embeddings of another framework, or a wrapper that hides ours.
    """
    if isinstance(getattr(given, "underlying_embeddings", None), TwelveLabsEmbeddings):
        raise InvalidInputError(
            f"{name} takes TwelveLabsEmbeddings, got {describe(given)} around them, which embeds texts alone: it hides "
            "images, audio and video. Give its byte store to the embeddings instead: TwelveLabsEmbeddings(cache=store)."
        )
    return checked_adapter(given, TwelveLabsEmbeddings, name)
