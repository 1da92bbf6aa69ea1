"""LlamaIndex's ``MultiModalEmbedding`` over the core client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from typing import Any

from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageType, QueryBundle
from pydantic import Field

from twelvelabs_core import (
    DEFAULT_MODEL,
    Audio,
    Composed,
    Document,
    Image,
    InvalidInputError,
    Item,
    Media,
    Model,
    Segment,
    SegmentOptions,
    Source,
    TwelveLabsError,
    Video,
)
from twelvelabs_core.adapter import (
    MEDIA_TYPES,
    Adapter,
    as_items,
    as_media,
    as_objects,
    describe,
    renumber_errors,
)

from . import text_cache
from .documents import stands_for_media
from .events import TracedEmbedding


class TwelveLabsEmbedding(TracedEmbedding):
    """TwelveLabs' Marengo embeddings for LlamaIndex: text, images, audio, video and documents in one vector space.

    .. code-block:: python

        from llama_index.core.indices import MultiModalVectorStoreIndex
        from llama_index_twelvelabs import TwelveLabsEmbedding

        model = TwelveLabsEmbedding(model_name="marengo3.0")               # key from TWELVELABS_API_KEY
        index = MultiModalVectorStoreIndex(nodes, embed_model=model, image_embed_model=model)
        index.as_retriever().retrieve("something to ride")

        retriever = VectorStoreIndex(nodes, embed_model=model).as_retriever()
        retriever.retrieve(model.query_bundle(audio="hum.wav"))            # any index, any kind of query

    Every vector is a list of Python floats, as long as the model's ``dimensions`` (512 on marengo3.0).

    Every method has an async version (``aget_…``) that does not block the event loop. Methods raise subclasses of
    :class:`twelvelabs_core.TwelveLabsError`: bad input is refused before anything is sent, and a batch of which some
    items fail raises ``BatchError`` with the finished vectors in ``.results``.

    Note:
        LlamaIndex's own ``embeddings_cache`` is keyed by the text alone: do not share one between models.
    """

    model_name: str = DEFAULT_MODEL
    """``marengo3.0``, ``marengo3.5`` or ``Marengo-retrieval-2.7`` (switched off)."""
    model_spec: Model | None = Field(default=None, exclude=True, repr=False)
    """Description of a model that this version does not know; its name replaces ``model_name``."""
    embed_batch_size: int = Field(default=100_000, gt=0)
    """For LlamaIndex; has no effect. Whatever it says, a call's texts or images are embedded together, so that an error
    has the results of all in ``.results``. ``max_concurrency`` limits the requests in flight."""

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
        """What LlamaIndex shows to telemetry and callbacks; nothing secret."""
        return {**super().to_payload(), "space": self.space, "truncate": self.truncate}

    # -- texts: LlamaIndex's BaseEmbedding -------------------------------------------------------------------------

    # LlamaIndex acquires its rate_limiter once before each of these calls, and never for images. The client acquires it
    # for every other request; prepaid=1 is the one that LlamaIndex has acquired it for.

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(query, "query", prepaid=1)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await self._avector(query, "query", prepaid=1)

    def _get_text_embedding(self, text: str) -> list[float]:
        _refuse_media([text])
        return self._vector(text, "text", prepaid=1, lane="bulk")

    async def _aget_text_embedding(self, text: str) -> list[float]:
        _refuse_media([text])
        return await self._avector(text, "text", prepaid=1, lane="bulk")

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        _refuse_media(texts)
        return self._vectors(texts, "texts", progress=_show_progress.get(), prepaid=1, documents=True)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        _refuse_media(texts)
        return await self._avectors(texts, "texts", progress=_show_progress.get(), prepaid=1, documents=True)

    # LlamaIndex's own do not keep the results of an error, nor say which texts it is about.

    def _get_text_embeddings_cached(self, texts: list[str]) -> list[list[float]]:
        store = self.embeddings_cache
        known = text_cache.cached(store, texts)
        rest, todo = _without(known, texts)
        try:
            with renumber_errors(known, rest, "texts"):
                found = self._get_text_embeddings(todo) if todo else []
        except TwelveLabsError as error:
            text_cache.keep(store, texts, error.results)
            raise
        text_cache.keep(store, todo, found)
        return _filled(known, rest, found)

    async def _aget_text_embeddings_cached(self, texts: list[str]) -> list[list[float]]:
        store = self.embeddings_cache
        known = await text_cache.acached(store, texts)
        rest, todo = _without(known, texts)
        try:
            with renumber_errors(known, rest, "texts"):
                found = await self._aget_text_embeddings(todo) if todo else []
        except TwelveLabsError as error:
            await text_cache.akeep(store, texts, error.results)
            raise
        await text_cache.akeep(store, todo, found)
        return _filled(known, rest, found)

    def _in_one_call(self, items: Sequence[Any]) -> MultiModalEmbedding:
        """This object, with base methods that pass all ``items`` at once."""
        whole = (
            self if len(items) <= self.embed_batch_size else self.model_copy(update={"embed_batch_size": len(items)})
        )
        return super(TwelveLabsEmbedding, whole)  # type: ignore[return-value]  # behaves as the base class

    def get_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[list[float]]:
        """One vector for each text, in order, with up to ``max_concurrency`` requests at a time.

        Args:
            texts: what to embed; may be empty.
            show_progress: show a tqdm bar that counts vectors (LlamaIndex's own counts its calls).
            kwargs: further arguments of LlamaIndex's method.

        Raises:
            InvalidInputError: a text is empty or not a ``str``; nothing was sent.
            BatchError: some texts failed; the others' vectors are in ``.results``.
        """
        texts = as_items(texts)
        with _progress(show_progress):
            return self._in_one_call(texts).get_text_embedding_batch(texts, show_progress=False, **kwargs)

    async def aget_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[list[float]]:
        """Async :meth:`get_text_embedding_batch`."""
        texts = as_items(texts)
        with _progress(show_progress):
            return await self._in_one_call(texts).aget_text_embedding_batch(texts, show_progress=False, **kwargs)

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """As a pipeline step: embed the texts of nodes, in place.

        Nodes that have a vector of this space keep it: LlamaIndex's own step would replace a video's vector by that of
        its file name.
        """
        nodes = as_objects(nodes, BaseNode, "nodes")
        super().__call__([node for node in nodes if not self._has_vector(node)], **kwargs)
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Async :meth:`__call__`."""
        nodes = as_objects(nodes, BaseNode, "nodes")
        await super().acall([node for node in nodes if not self._has_vector(node)], **kwargs)
        return nodes

    def _has_vector(self, node: BaseNode) -> bool:
        return node.embedding is not None and node.metadata.get("space") == self.space

    # LlamaIndex's retrievers call these two; a bare string would be embedded letter by letter.

    def get_agg_embedding_from_queries(self, queries: list[str], agg_fn: Any = None) -> list[float]:
        """One vector for several queries: their mean, or what ``agg_fn`` makes of their vectors.

        Raises:
            InvalidInputError: there is no query, or one is not a ``str``; nothing was sent.
        """
        return super().get_agg_embedding_from_queries(_queries(queries), agg_fn)

    async def aget_agg_embedding_from_queries(self, queries: list[str], agg_fn: Any = None) -> list[float]:
        """Async :meth:`get_agg_embedding_from_queries`."""
        return await super().aget_agg_embedding_from_queries(_queries(queries), agg_fn)

    # -- images: LlamaIndex's MultiModalEmbedding --------------------------------------------------------------------

    def _get_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return self._vector(*_one(Image, img_file_path))

    async def _aget_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return await self._avector(*_one(Image, img_file_path))

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        return self._vectors(as_media(Image, img_file_paths), "images")

    async def _aget_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        return await self._avectors(as_media(Image, img_file_paths), "images")

    # LlamaIndex's own methods declare str and BytesIO, and show their callbacks a file's content.

    def get_image_embedding(self, img_file_path: Source | Image) -> list[float]:
        """One vector for one image: path, URL, data URI, bytes, binary file object or PIL image.

        Raises:
            InvalidInputError: the image is missing, unreadable, too small or too large.
        """
        return self._vector(*_one(Image, img_file_path))

    async def aget_image_embedding(self, img_file_path: Source | Image) -> list[float]:
        """Async :meth:`get_image_embedding`."""
        return await self._avector(*_one(Image, img_file_path))

    def get_image_embedding_batch(
        self, img_file_paths: Sequence[Source | Image], show_progress: bool = False
    ) -> list[list[float]]:
        """One vector for each image, in order, with up to ``max_concurrency`` requests at a time.

        Args:
            img_file_paths: paths, URLs, data URIs, bytes, binary file objects or PIL images.
            show_progress: show a tqdm bar.

        Raises:
            InvalidInputError: an image is missing, unreadable, too small or too large; nothing was sent.
            BatchError: some images failed; the others' vectors are in ``.results``.
        """
        return self._vectors(as_media(Image, img_file_paths), "images", progress=show_progress)

    async def aget_image_embedding_batch(
        self, img_file_paths: Sequence[Source | Image], show_progress: bool = False
    ) -> list[list[float]]:
        """Async :meth:`get_image_embedding_batch`."""
        return await self._avectors(as_media(Image, img_file_paths), "images", progress=show_progress)

    # -- audio, video, composed: no methods of LlamaIndex ------------------------------------------------------------

    def get_audio_embedding(self, audio: Source | Audio) -> list[float]:
        """One vector for a whole audio file (WAV, MP3, FLAC), of embedding option ``audio``: not of what is spoken.

        Args:
            audio: path, URL, data URI, bytes, binary file object, or ``Audio(source, start_sec=…)`` for a part.

        Raises:
            InvalidInputError: the file is missing, unreadable, too short or too long.
        """
        return self._vector(*_one(Audio, audio))

    async def aget_audio_embedding(self, audio: Source | Audio) -> list[float]:
        """Async :meth:`get_audio_embedding`."""
        return await self._avector(*_one(Audio, audio))

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
        return self._vector(*_one(Video, video))

    async def aget_video_embedding(self, video: Source | Video) -> list[float]:
        """Async :meth:`get_video_embedding`."""
        return await self._avector(*_one(Video, video))

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
        image: Source | Image | None = None,
        audio: Source | Audio | None = None,
        video: Source | Video | None = None,
        document: Source | Document | None = None,
    ) -> QueryBundle:
        """A query by text or media, with its vector, for any of LlamaIndex's retrievers and query engines.

        Several arguments give one composed vector.

        Args:
            text: also the bundle's ``query_str``, for language models, rerankers and hybrid search.
            image: an image to search by, alone or with ``text``.
            audio: audio to search by; with other arguments only on marengo3.5.
            video: a video to search by; with other arguments only on marengo3.5.
            document: a document file to search by (marengo3.5).

        Returns:
            A new bundle every time: retrievers write into those they are given.

        Raises:
            InvalidInputError: nothing was given, or the model cannot embed it.
        """
        item = _query(text, image, audio, video, document)
        vector = self.get_query_embedding(item) if isinstance(item, str) else self._vector(item, "query")
        return QueryBundle(text or "", embedding=vector)

    async def aquery_bundle(
        self,
        text: str | None = None,
        *,
        image: Source | Image | None = None,
        audio: Source | Audio | None = None,
        video: Source | Video | None = None,
        document: Source | Document | None = None,
    ) -> QueryBundle:
        """Async :meth:`query_bundle`."""
        item = _query(text, image, audio, video, document)
        vector = await self.aget_query_embedding(item) if isinstance(item, str) else await self._avector(item, "query")
        return QueryBundle(text or "", embedding=vector)


def _queries(queries: Any) -> list[str]:
    found = as_objects(queries, str, "queries")
    if not found:
        raise InvalidInputError("There is no query to embed; give one text or more.")
    return found


def _query(text: str | None, image: Any, audio: Any, video: Any, document: Any) -> Item:
    sources = zip(MEDIA_TYPES.values(), (image, audio, video, document), strict=True)
    media = [item for kind, source in sources if source is not None for item in as_media(kind, [source])]
    if text is not None and not isinstance(text, str):
        raise InvalidInputError(f"expected a str, got {describe(text)}.", item="query")
    if text is None and not media:
        raise InvalidInputError("A query needs text, image, audio, video or document.")
    if not media:
        return text or ""
    if text is None and len(media) == 1:
        return media[0]
    return Composed(text, tuple(media))


def _refuse_media(texts: Sequence[str]) -> None:
    """Refuse the text of a file's document: searches would find the vector of a file name, which is meaningless."""
    for index, text in enumerate(texts):
        if stands_for_media(text):
            raise InvalidInputError(
                f"{text.rpartition(chr(10))[2]!r} stands for a media file, and would be embedded as this text. "
                "Put TwelveLabsMediaEmbedder(embed_model=...) before the index: transformations=[...], or "
                "VectorStoreIndex(embedder(documents)).",
                item=f"texts[{index}]",
            )


# LlamaIndex's batch methods do not pass show_progress to the methods that embed; this variable does.
_show_progress: ContextVar[bool] = ContextVar("show_progress", default=False)


@contextmanager
def _progress(show: bool) -> Iterator[None]:
    token = _show_progress.set(show)
    try:
        yield
    finally:
        _show_progress.reset(token)


def _without(known: Mapping[int, Any], texts: Sequence[str]) -> tuple[list[int], list[str]]:
    """Indices and texts of those that have no vector yet."""
    rest = [index for index in range(len(texts)) if index not in known]
    return rest, [texts[index] for index in rest]


def _filled(known: dict[int, list[float]], rest: Sequence[int], found: Sequence[list[float]]) -> list[list[float]]:
    """The vectors of all texts, in order."""
    known = {**known, **dict(zip(rest, found, strict=True))}
    return [known[index] for index in range(len(known))]


def _one(kind: type[Image] | type[Audio] | type[Video], source: Any) -> tuple[Image | Audio | Video, str]:
    (media,) = as_media(kind, [source])
    return media, media.kind  # type: ignore[return-value]  # as_media keeps the kind
