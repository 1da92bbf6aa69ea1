"""Embeddings of audio, video, compositions and segments, and queries by them: LlamaIndex has no methods for these."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from llama_index.core.schema import QueryBundle

from twelvelabs_core import (
    Audio,
    Composed,
    Document,
    Image,
    InvalidInputError,
    Item,
    Media,
    Segment,
    SegmentOptions,
    Source,
    Video,
)
from twelvelabs_core.adapter import MEDIA_TYPES, Adapter, as_media, describe

from .events import TracedEmbedding


class MediaEmbedding(TracedEmbedding):
    """The methods of :class:`TwelveLabsEmbedding` for media that LlamaIndex does not embed."""

    # -- audio, video, composed --------------------------------------------------------------------------------------

    def get_audio_embedding(self, audio: Source | Audio) -> list[float]:
        """One vector for a whole audio file (WAV, MP3, FLAC), of embedding option ``audio``: not of what is spoken.

        Args:
            audio: path, URL, data URI, bytes, binary file object, or ``Audio(source, start_sec=…)`` for a part.

        Raises:
            InvalidInputError: the file is missing, unreadable, too short or too long.
        """
        return self._vector(*one_medium(Audio, audio))

    async def aget_audio_embedding(self, audio: Source | Audio) -> list[float]:
        """Async :meth:`get_audio_embedding`."""
        return await self._avector(*one_medium(Audio, audio))

    def get_audio_embedding_batch(self, audio: Sequence[Source | Audio]) -> list[list[float]]:
        """One vector for each audio file, in order; see :meth:`get_audio_embedding`."""
        return self._vectors(as_media(Audio, audio), "audio")

    async def aget_audio_embedding_batch(self, audio: Sequence[Source | Audio]) -> list[list[float]]:
        """Async :meth:`get_audio_embedding_batch`."""
        return await self._avectors(as_media(Audio, audio), "audio")

    def get_video_embedding(self, video: Source | Video) -> list[float]:
        """One vector for a whole video, of embedding option ``visual``.

        Videos of up to 10 minutes on marengo3.0, and 30 seconds on marengo3.5, take one request; longer ones a task.

        Args:
            video: path, URL, data URI, bytes, binary file object, or ``Video(source, start_sec=…)`` for a part.

        Raises:
            InvalidInputError: the file is missing, unreadable, too short or too long.
        """
        return self._vector(*one_medium(Video, video))

    async def aget_video_embedding(self, video: Source | Video) -> list[float]:
        """Async :meth:`get_video_embedding`."""
        return await self._avector(*one_medium(Video, video))

    def get_video_embedding_batch(self, videos: Sequence[Source | Video]) -> list[list[float]]:
        """One vector for each video, in order; see :meth:`get_video_embedding`."""
        return self._vectors(as_media(Video, videos), "videos")

    async def aget_video_embedding_batch(self, videos: Sequence[Source | Video]) -> list[list[float]]:
        """Async :meth:`get_video_embedding_batch`."""
        return await self._avectors(as_media(Video, videos), "videos")

    get_composed_embedding = Adapter.embed_composed
    aget_composed_embedding = Adapter.aembed_composed

    # -- segments, queries -------------------------------------------------------------------------------------------

    def get_segments(
        self, media: str | PathLike[str] | Media, options: SegmentOptions | None = None, **changes: Any
    ) -> list[Segment]:
        """The vectors of one file's segments, sorted by time.

        Each segment has ``vector``, ``start_sec`` and ``end_sec`` (seconds), ``option`` and ``scope``.

        Args:
            media: path or URL, whose suffix or content tells its kind; or ``Video(...)``, ``Audio(...)``, on
                marengo3.5 ``Document(...)`` and ``Image(...)`` too.
            options: how the file is divided and what of it is embedded; by default every segment, with a vector for
                each option.
            changes: fields of :class:`twelvelabs_core.SegmentOptions`, instead of or on top of ``options``:
                ``segmentation=Fixed(6)``, ``embedding_option="visual"``.

        Raises:
            InvalidInputError: the kind is unknown, the model does not take the options, or the file is refused.
        """
        return self._segments(media, options, changes)

    async def aget_segments(
        self, media: str | PathLike[str] | Media, options: SegmentOptions | None = None, **changes: Any
    ) -> list[Segment]:
        """Async :meth:`get_segments`."""
        return await self._asegments(media, options, changes)

    def query_bundle(
        self,
        text: str | None = None,
        *,
        question: str | None = None,
        image: Source | Image | None = None,
        audio: Source | Audio | None = None,
        video: Source | Video | None = None,
        document: Source | Document | None = None,
    ) -> QueryBundle:
        """A query by text or media, with its vector, for any of LlamaIndex's retrievers and query engines.

        Several arguments give one composed vector; ``question`` is not part of it.

        Args:
            text: what to search by; also the bundle's ``query_str``, for language models, rerankers and hybrid search,
                unless there is a ``question``.
            question: the ``query_str`` alone: ``query_bundle(image="bike.jpg", question="Where was this?")`` searches
                by the image, and a query engine asks its language model the question about what was found.
            image: an image to search by, alone or with ``text``.
            audio: audio to search by; with other arguments only on marengo3.5.
            video: a video to search by; with other arguments only on marengo3.5.
            document: a document file to search by (marengo3.5).

        Returns:
            A new bundle every time: retrievers write into those they are given.

        Raises:
            InvalidInputError: nothing was given, or the model cannot embed it.
        """
        item = _query(text, question, image, audio, video, document)
        vector = self.get_query_embedding(item) if isinstance(item, str) else self._vector(item, "query")
        return QueryBundle(question or text or "", embedding=vector)

    async def aquery_bundle(
        self,
        text: str | None = None,
        *,
        question: str | None = None,
        image: Source | Image | None = None,
        audio: Source | Audio | None = None,
        video: Source | Video | None = None,
        document: Source | Document | None = None,
    ) -> QueryBundle:
        """Async :meth:`query_bundle`."""
        item = _query(text, question, image, audio, video, document)
        vector = await self.aget_query_embedding(item) if isinstance(item, str) else await self._avector(item, "query")
        return QueryBundle(question or text or "", embedding=vector)


def _query(text: str | None, question: Any, image: Any, audio: Any, video: Any, document: Any) -> Item:
    sources = zip(MEDIA_TYPES.values(), (image, audio, video, document), strict=True)
    media = [item for kind, source in sources if source is not None for item in as_media(kind, [source])]
    for name, words in (("query", text), ("question", question)):
        if words is not None and not isinstance(words, str):
            raise InvalidInputError(f"expected a str, got {describe(words)}.", item=name)
    if text is None and not media:
        hint = "" if question is None else " The question is not searched by; to do that, give it as text too."
        raise InvalidInputError(f"A query needs text, image, audio, video or document.{hint}")
    if not media:
        return text or ""
    if text is None and len(media) == 1:
        return media[0]
    return Composed(text, tuple(media))


def one_medium(kind: type[Image] | type[Audio] | type[Video], source: Any) -> tuple[Image | Audio | Video, str]:
    """A source as media of a kind, and what to call it in errors."""
    (media,) = as_media(kind, [source])
    return media, media.kind  # type: ignore[return-value]  # as_media keeps the kind
