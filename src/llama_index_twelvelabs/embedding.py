"""LlamaIndex's ``MultiModalEmbedding`` over the core client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from os import PathLike
from typing import Any

from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageType, QueryBundle
from pydantic import Field

from twelvelabs_core import (
    DEFAULT_MODEL,
    Audio,
    Composed,
    Image,
    InvalidInputError,
    Item,
    Media,
    Model,
    Segment,
    SegmentOptions,
    Source,
    Video,
)
from twelvelabs_core import Document as Paper
from twelvelabs_core._inputs import as_media
from twelvelabs_core.adapter import Adapter

from .nodes import media_from, stands_for_media

__all__ = ["TwelveLabsEmbedding"]


class TwelveLabsEmbedding(Adapter, MultiModalEmbedding):
    """TwelveLabs' Marengo embeddings for LlamaIndex: texts, pictures, sounds and films in one vector space.

    .. code-block:: python

        from llama_index.core.indices import MultiModalVectorStoreIndex
        from llama_index_twelvelabs import TwelveLabsEmbedding

        model = TwelveLabsEmbedding(model_name="marengo3.0")               # key from TWELVELABS_API_KEY
        index = MultiModalVectorStoreIndex(nodes, embed_model=model, image_embed_model=model)
        index.as_retriever().retrieve("something to ride")

        retriever = VectorStoreIndex(nodes, embed_model=model).as_retriever()
        retriever.retrieve(model.query_bundle(audio="hum.wav"))            # any index, any kind of query

    Every vector is a list of Python floats, as long as the model's ``dimensions`` (512 on marengo3.0). All methods have
    a truly asynchronous twin and
    raise :class:`twelvelabs_core.TwelveLabsError`'s subclasses; bad input is refused before anything is sent, and a
    batch that fails in part raises
    ``BatchError`` with the finished vectors in ``.results``.

    Note:
        LlamaIndex's own ``embeddings_cache`` keys by the text alone: do not share one between models.
    """

    model_name: str = DEFAULT_MODEL
    """``marengo3.0``, ``marengo3.5`` or ``Marengo-retrieval-2.7`` (switched off)."""
    model_spec: Model | None = Field(default=None, exclude=True, repr=False)
    """Describes a model this version does not know; its name replaces ``model_name``."""
    embed_batch_size: int = Field(default=100_000, gt=0)
    """Texts LlamaIndex hands over at a time. LlamaIndex works on one such batch after another (sync) or on all at once
    (async), so
    that only one large batch is both concurrent and bounded; how many requests run at a time is ``max_concurrency``."""

    def model_post_init(self, context: Any, /) -> None:
        """Make the client; a ``model_spec`` names the model."""
        if self.model_spec is not None:
            self.model_name = self.model_spec.name
        super().model_post_init(context)

    def _model(self) -> str | Model:
        return self.model_spec or self.model_name

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """What telemetry and callbacks may see: nothing secret."""
        return {**super().to_payload(), "space": self.space, "truncate": self.truncate}

    # -- LlamaIndex's contract: texts ------------------------------------------------------------------------------

    # LlamaIndex asks its rate_limiter once before each of these calls, and never for pictures; the client asks for
    # every other request (prepaid: those it need not ask for).

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(query, "query", prepaid=1)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await self._avector(query, "query", prepaid=1)

    def _get_text_embedding(self, text: str) -> list[float]:
        _refuse_media([text])
        return self._vector(text, "text", prepaid=1)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        _refuse_media([text])
        return await self._avector(text, "text", prepaid=1)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        _refuse_media(texts)
        return self._vectors(texts, "texts", progress=_show_progress.get(), prepaid=1)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        _refuse_media(texts)
        return await self._avectors(texts, "texts", progress=_show_progress.get(), prepaid=1)

    def get_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[list[float]]:
        """One vector a text, in order, ``max_concurrency`` requests at a time. ``[]`` gives ``[]``.

        Args:
            texts: what to embed.
            show_progress: show a tqdm bar that moves with each vector (LlamaIndex's own counts slices).
            kwargs: as LlamaIndex's.

        Raises:
            InvalidInputError: a text is empty or no ``str``; nothing was sent.
            BatchError: some texts failed; the rest is in ``.results``.
        """
        with _progress(show_progress):
            return super().get_text_embedding_batch(texts, show_progress=False, **kwargs)

    async def aget_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[list[float]]:
        """Async :meth:`get_text_embedding_batch`."""
        with _progress(show_progress):
            return await super().aget_text_embedding_batch(texts, show_progress=False, **kwargs)

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """As a step of a pipeline: embeds the nodes' texts, but for nodes that have a vector of this space
        (LlamaIndex's own would put the vector of a film's name in the place of the film's)."""
        super().__call__([node for node in nodes if not self._is_done(node)], **kwargs)
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Async :meth:`__call__`."""
        await super().acall([node for node in nodes if not self._is_done(node)], **kwargs)
        return nodes

    def _is_done(self, node: BaseNode) -> bool:
        return node.embedding is not None and node.metadata.get("space") == self.space

    # -- LlamaIndex's contract: pictures ---------------------------------------------------------------------------

    def _get_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return self._vector(*_one(Image, img_file_path))

    async def _aget_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return await self._avector(*_one(Image, img_file_path))

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        return self._vectors(as_media(Image, img_file_paths), "images", progress=_show_progress.get())

    async def _aget_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        return await self._avectors(as_media(Image, img_file_paths), "images", progress=_show_progress.get())

    def get_image_embedding_batch(
        self, img_file_paths: list[ImageType], show_progress: bool = False
    ) -> list[list[float]]:
        """One vector a picture, in order, several at a time; ``show_progress`` as for texts."""
        with _progress(show_progress):
            return super().get_image_embedding_batch(img_file_paths, show_progress=False)

    async def aget_image_embedding_batch(
        self, img_file_paths: list[ImageType], show_progress: bool = False
    ) -> list[list[float]]:
        """Async :meth:`get_image_embedding_batch`."""
        with _progress(show_progress):
            return await super().aget_image_embedding_batch(img_file_paths, show_progress=False)

    # -- sounds, films, compositions: LlamaIndex has no names for these ----------------------------------------------

    def get_audio_embedding(self, audio: Source | Audio) -> list[float]:
        """One vector for a sound (WAV, MP3, FLAC): of the whole file, from what is heard, not of its words.

        Args:
            audio: path, URL, data URI, bytes, binary file object, or ``Audio(source, start_sec=…)`` for a part.
        """
        return self._vector(*_one(Audio, audio))

    async def aget_audio_embedding(self, audio: Source | Audio) -> list[float]:
        """Async :meth:`get_audio_embedding`."""
        return await self._avector(*_one(Audio, audio))

    def get_audio_embedding_batch(self, audio: Sequence[Source | Audio]) -> list[list[float]]:
        """One vector a sound, in order, several at a time."""
        return self._vectors(as_media(Audio, audio), "audio")

    async def aget_audio_embedding_batch(self, audio: Sequence[Source | Audio]) -> list[list[float]]:
        """Async :meth:`get_audio_embedding_batch`."""
        return await self._avectors(as_media(Audio, audio), "audio")

    def get_video_embedding(self, video: Source | Video) -> list[float]:
        """One vector for a film: of the whole file, from what is seen.

        Synchronous requests take films of 10 minutes on marengo3.0 and 30 seconds on marengo3.5.
        """
        return self._vector(*_one(Video, video))

    async def aget_video_embedding(self, video: Source | Video) -> list[float]:
        """Async :meth:`get_video_embedding`."""
        return await self._avector(*_one(Video, video))

    def get_video_embedding_batch(self, videos: Sequence[Source | Video]) -> list[list[float]]:
        """One vector a film, in order, several at a time."""
        return self._vectors(as_media(Video, videos), "videos")

    async def aget_video_embedding_batch(self, videos: Sequence[Source | Video]) -> list[list[float]]:
        """Async :meth:`get_video_embedding_batch`."""
        return await self._avectors(as_media(Video, videos), "videos")

    def get_composed_embedding(
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

    async def aget_composed_embedding(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
    ) -> list[float]:
        """Async :meth:`get_composed_embedding`."""
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return await self._avector(item, "composed")

    # -- segments, queries -------------------------------------------------------------------------------------------

    def get_segments(
        self, media: str | PathLike[str] | Media, options: SegmentOptions | None = None, **changes: Any
    ) -> list[Segment]:
        """The vectors of a film's or sound's segments, sorted by time.

        Args:
            media: path or URL, whose suffix (or content) says what it is; or ``Video(...)``, ``Audio(...)``, on
                marengo3.5 ``Document(...)`` and ``Image(...)`` too.
            options: how it is divided and what of it is embedded; by default every segment, each option apart.
            changes: fields of :class:`twelvelabs_core.SegmentOptions`, instead of or above ``options``:
                ``segmentation=Fixed(6)``, ``embedding_option="visual"``.

        Raises:
            InvalidInputError: the model cannot do what is asked, or the file is refused.
        """
        return self.client.embed_segments(media_from(media), _options(options, changes))

    async def aget_segments(
        self, media: str | PathLike[str] | Media, options: SegmentOptions | None = None, **changes: Any
    ) -> list[Segment]:
        """Async :meth:`get_segments`."""
        return await self.client.aembed_segments(media_from(media), _options(options, changes))

    def query_bundle(
        self,
        text: str | None = None,
        *,
        image: Source | Image | None = None,
        audio: Source | Audio | None = None,
        video: Source | Video | None = None,
        document: Source | Paper | None = None,
    ) -> QueryBundle:
        """A query by anything, for any retriever and query engine of LlamaIndex: its vector is set already.

        Args:
            text: words; they are the bundle's ``query_str`` too, for language models, rerankers and hybrid search.
            image: a picture to search by. Text and picture together are one composed vector.
            audio: a sound to search by; together with others on marengo3.5.
            video: a film to search by; together with others on marengo3.5.
            document: a document file to search by (marengo3.5).

        Returns:
            A fresh bundle every time: retrievers write into those they are given.

        Raises:
            InvalidInputError: nothing was given, or the model cannot embed it.
        """
        item, name = _query(text, image, audio, video, document)
        vector = self.get_query_embedding(item) if isinstance(item, str) else self._vector(item, name)
        return QueryBundle(text or "", embedding=vector)

    async def aquery_bundle(
        self,
        text: str | None = None,
        *,
        image: Source | Image | None = None,
        audio: Source | Audio | None = None,
        video: Source | Video | None = None,
        document: Source | Paper | None = None,
    ) -> QueryBundle:
        """Async :meth:`query_bundle`."""
        item, name = _query(text, image, audio, video, document)
        vector = await self.aget_query_embedding(item) if isinstance(item, str) else await self._avector(item, name)
        return QueryBundle(text or "", embedding=vector)


def _query(text: str | None, image: Any, audio: Any, video: Any, document: Any) -> tuple[Item, str]:
    given = {"image": (Image, image), "audio": (Audio, audio), "video": (Video, video), "document": (Paper, document)}
    media = [m for kind, source in given.values() if source is not None for m in as_media(kind, [source])]
    if text is None and not media:
        raise InvalidInputError("A query needs text, image, audio, video or document.")
    if not media:
        return text or "", "query"
    if text is None and len(media) == 1:
        return media[0], "query"
    return Composed(text, tuple(media)), "query"


def _options(options: SegmentOptions | None, changes: dict[str, Any]) -> SegmentOptions | None:
    unknown = set(changes) - {field.name for field in fields(SegmentOptions)}
    if unknown:
        raise InvalidInputError(
            f"SegmentOptions has no {', '.join(sorted(unknown))}; it has "
            f"{', '.join(field.name for field in fields(SegmentOptions))}."
        )
    return replace(options or SegmentOptions(), **changes) if changes else options


def _refuse_media(texts: Sequence[str]) -> None:
    """What a file's document looks like to an embedding model: its name, which would be found and mean nothing."""
    for index, text in enumerate(texts):
        if stands_for_media(text):
            raise InvalidInputError(
                f"{text.rpartition(chr(10))[2]!r} stands for a media file, and would be embedded as these words. "
                "Put TwelveLabsMediaEmbedder(embed_model=...) before the index: transformations=[...], or "
                "VectorStoreIndex(embedder(documents)).",
                item=f"texts[{index}]",
            )


# LlamaIndex's batch methods keep show_progress to themselves; this carries it to where the work is.
_show_progress: ContextVar[bool] = ContextVar("show_progress", default=False)


@contextmanager
def _progress(show: bool) -> Iterator[None]:
    token = _show_progress.set(show)
    try:
        yield
    finally:
        _show_progress.reset(token)


def _one(kind: type[Image] | type[Audio] | type[Video], source: Any) -> tuple[Image | Audio | Video, str]:
    (media,) = as_media(kind, [source])
    return media, media.kind  # type: ignore[return-value]  # as_media keeps the kind
