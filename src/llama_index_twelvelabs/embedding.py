"""LlamaIndex's ``MultiModalEmbedding`` over the core client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageType
from pydantic import Field

from twelvelabs_core import DEFAULT_MODEL, Image, InvalidInputError, Model, Source, TwelveLabsError
from twelvelabs_core.adapter import as_items, as_media, as_objects, renumber_errors

from . import text_cache
from .documents import has_room_for_space
from .in_use import known_vectors
from .media_embedding import MediaEmbedding, one_medium
from .nodes import text_node

# The settings that change a vector. The others (timeouts, concurrency) must not invalidate a pipeline's cache.
_VECTOR_SETTINGS = ("class_name", "model_name", "dimensions", "api_version", "base_url", "truncate")


class TwelveLabsEmbedding(MediaEmbedding):
    """TwelveLabs' Marengo embeddings for LlamaIndex: text, images, audio, video and documents in one vector space.

    .. code-block:: python

        from llama_index.core.indices import MultiModalVectorStoreIndex
        from llama_index_twelvelabs import TwelveLabsEmbedding

        model = TwelveLabsEmbedding(model="marengo3.0")                    # key from TWELVELABS_API_KEY
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
    """``marengo3.0``, ``marengo3.5`` or ``Marengo-retrieval-2.7`` (switched off). ``model=`` is the same setting."""
    model_spec: Model | None = Field(default=None, exclude=True, repr=False)
    """Description of a model that this version does not know; its name replaces ``model_name``."""
    embed_batch_size: int = Field(default=100_000, gt=0)
    """For LlamaIndex; has no effect. Whatever it says, a call's texts or images are embedded together, so that an error
    has the results of all in ``.results``. ``max_concurrency`` limits the requests in flight."""
    callback_manager: CallbackManager = Field(default_factory=lambda: CallbackManager([]), exclude=True)
    """LlamaIndex's callbacks, called for every embedding."""

    if TYPE_CHECKING:  # type checkers take the constructor's arguments from the fields
        model: str | Model = DEFAULT_MODEL
    else:

        @property
        def model(self) -> str | Model:
            """The model: ``model_name``, or ``model_spec`` if there is one."""
            return self._model()

    @classmethod
    def _renamed(cls, given: dict[str, Any]) -> dict[str, Any]:
        if "model" in given:
            model = given.pop("model")
            meant = {"model_name": model, "model_spec": None}
            if isinstance(model, Model):
                meant = {"model_name": model.name, "model_spec": model}
            for name, value in meant.items():
                if given.setdefault(name, value) != value:
                    raise ValueError(f"model= and {name}= are the same setting; give one of them.")
        given.pop("class_name", None)  # in what to_dict() wrote
        return given

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

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """The settings that change a vector: LlamaIndex keys its pipeline cache by them.

        :meth:`to_json` and ``model_dump()`` have the others too.
        """
        settings = super().to_dict(**kwargs) | {"base_url": self.client.base_url}
        return {key: value for key, value in settings.items() if key in _VECTOR_SETTINGS}

    def to_json(self, **kwargs: Any) -> str:
        """All settings but secrets and objects, for ``from_json``."""
        return json.dumps(self.model_dump(mode="json", exclude={"embeddings_cache"}, **kwargs))

    def to_payload(self) -> dict[str, Any]:
        """What LlamaIndex shows to telemetry and callbacks; nothing secret."""
        # Not every release of LlamaIndex has such a method to ask.
        names = ("model_name", "embed_batch_size", "space", "truncate")
        return {"class_name": self.class_name(), **{name: getattr(self, name) for name in names}}

    # -- texts: LlamaIndex's BaseEmbedding -------------------------------------------------------------------------

    # LlamaIndex acquires its rate_limiter once before each of these calls, and never for images. The client acquires it
    # for every other request; prepaid=1 is the one that LlamaIndex has acquired it for.

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(query, "query", prepaid=1)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await self._avector(query, "query", prepaid=1)

    def _get_text_embedding(self, text: str) -> list[float]:
        known = known_vectors([text], self.client)
        return known[0] if known else self._vector(text, "text", prepaid=1, lane="bulk")

    async def _aget_text_embedding(self, text: str) -> list[float]:
        known = known_vectors([text], self.client)
        return known[0] if known else await self._avector(text, "text", prepaid=1, lane="bulk")

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        known = known_vectors(texts, self.client)
        rest, todo = _without(known, texts)
        with renumber_errors(known, rest, "texts"):
            found = self._vectors(todo, "texts", progress=_show_progress.get(), prepaid=1, documents=True)
        return _filled(known, rest, found)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        known = known_vectors(texts, self.client)
        rest, todo = _without(known, texts)
        with renumber_errors(known, rest, "texts"):
            found = await self._avectors(todo, "texts", progress=_show_progress.get(), prepaid=1, documents=True)
        return _filled(known, rest, found)

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

    # LlamaIndex's own take any keyword and drop it.

    def get_text_embedding_batch(self, texts: list[str], show_progress: bool = False) -> list[list[float]]:
        """One vector for each text, in order, with up to ``max_concurrency`` requests at a time.

        Args:
            texts: what to embed; may be empty.
            show_progress: show a tqdm bar that counts vectors (LlamaIndex's own counts its calls).

        Raises:
            InvalidInputError: a text is empty or not a ``str``, or stands for a media file; nothing was sent.
            BatchError: some texts failed; the others' vectors are in ``.results``.
        """
        texts = as_items(texts)
        with _progress(show_progress):
            return self._in_one_call(texts).get_text_embedding_batch(texts, show_progress=False)

    async def aget_text_embedding_batch(self, texts: list[str], show_progress: bool = False) -> list[list[float]]:
        """Async :meth:`get_text_embedding_batch`."""
        texts = as_items(texts)
        with _progress(show_progress):
            return await self._in_one_call(texts).aget_text_embedding_batch(texts, show_progress=False)

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """As a pipeline step: the nodes with the vectors of their texts, as copies that name the vectors' ``space``.

        Nodes that have a vector of this space are returned as they are: LlamaIndex's own step would replace a video's
        vector by that of its file name. So are the metadata of a node that uses ``space`` for something else.

        Args:
            nodes: any nodes; they get their vectors too.
            kwargs: ``show_progress``. The others are an index's own, which passes all of them.
        """
        nodes, todo = self._without_vector(nodes)
        super().__call__(todo, show_progress=bool(kwargs.get("show_progress")))
        return self._with_space(nodes, todo)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Async :meth:`__call__`."""
        nodes, todo = self._without_vector(nodes)
        await super().acall(todo, show_progress=bool(kwargs.get("show_progress")))
        return self._with_space(nodes, todo)

    def _without_vector(self, nodes: Any) -> tuple[list[BaseNode], list[BaseNode]]:
        """The nodes, and those of them that have no vector of this space."""
        nodes = as_objects(nodes, BaseNode, "nodes")
        return nodes, [node for node in nodes if node.embedding is None or node.metadata.get("space") != self.space]

    def _with_space(self, nodes: list[BaseNode], embedded: list[BaseNode]) -> list[BaseNode]:
        ours = {id(node) for node in embedded if has_room_for_space(node)}
        return [text_node(node, node.get_embedding(), self.space) if id(node) in ours else node for node in nodes]

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
        return self._vector(*one_medium(Image, img_file_path))

    async def _aget_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return await self._avector(*one_medium(Image, img_file_path))

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
        return self._vector(*one_medium(Image, img_file_path))

    async def aget_image_embedding(self, img_file_path: Source | Image) -> list[float]:
        """Async :meth:`get_image_embedding`."""
        return await self._avector(*one_medium(Image, img_file_path))

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


def _queries(queries: Any) -> list[str]:
    found = as_objects(queries, str, "queries")
    if not found:
        raise InvalidInputError("There is no query to embed; give one text or more.")
    return found


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
