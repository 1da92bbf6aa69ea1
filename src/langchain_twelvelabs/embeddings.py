"""LangChain's ``Embeddings`` over the core client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict

from twelvelabs_core import DEFAULT_MODEL, Audio, Composed, Image, Model, Source, Video
from twelvelabs_core._adapter import Adapter
from twelvelabs_core._inputs import as_media

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

    # -- LangChain's contract ------------------------------------------------------------------------------------

    def embed_query(self, text: str) -> list[float]:
        """One vector for one text."""
        return self._vector(text, "text")

    async def aembed_query(self, text: str) -> list[float]:
        """Async :meth:`embed_query`."""
        return await self._avector(text, "text")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, in order, ``max_concurrency`` requests at a time. ``[]`` gives ``[]``.

        Raises:
            InvalidInputError: a text is empty or no ``str``; nothing was sent.
            TextTooLongError: over the limit with ``truncate="none"``.
            BatchError: some texts failed; the rest is in ``.results``.
        """
        return self._vectors(texts, "texts", progress=self.show_progress_bar)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Async :meth:`embed_documents`."""
        return await self._avectors(texts, "texts", progress=self.show_progress_bar)

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
