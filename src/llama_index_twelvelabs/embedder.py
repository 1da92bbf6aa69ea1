"""Files, pictures and texts become nodes with vectors: the one step between a reader and any LlamaIndex index."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import fsspec  # type: ignore[import-untyped]
from llama_index.core.schema import BaseNode, MetadataMode, TransformComponent
from pydantic import Field

from twelvelabs_core import Embedding, InvalidInputError, Media, Row, Segment, SegmentOptions, check_space, rows_of
from twelvelabs_core._media.file import locate

from .embedding import TwelveLabsEmbedding
from .nodes import media_in, text_node, vector_nodes
from .spaces import check_store

__all__ = ["TwelveLabsMediaEmbedder"]

# What of the embed model changes a vector. The rest (time limits, concurrency) must not empty a pipeline's cache.
_DECISIVE = ("class_name", "model_name", "dimensions", "api_version", "base_url", "truncate")

logger = logging.getLogger(__name__)

_Place: TypeAlias = tuple[int, Media]


class TwelveLabsMediaEmbedder(TransformComponent):
    """Gives every node its vector by what it is: films and sounds one node a segment, pictures one node, texts as
    texts, all in one space.

    .. code-block:: python

        model = TwelveLabsEmbedding(model_name="marengo3.0")
        pipeline = IngestionPipeline(
            transformations=[TwelveLabsMediaEmbedder(embed_model=model)], vector_store=store, docstore=docstore
        )
        pipeline.run(documents=TwelveLabsMediaReader().load_data("holiday/"))

        nodes = TwelveLabsMediaEmbedder(embed_model=model)(documents)           # or without a pipeline
        index = VectorStoreIndex(nodes, embed_model=model)

    Takes documents of :class:`TwelveLabsMediaReader`, ``ImageNode`` and ``ImageDocument``, nodes with
    ``image_resource``, ``audio_resource`` or ``video_resource`` (data, path or URL), and texts, mixed; splitters may
    run before it. Nodes that have a vector keep it.

    Gives a ``TextNode`` for each segment, text and document's page, a ``Node`` with ``image_resource`` for a picture:
    with ``.embedding``, the flat metadata of a :class:`twelvelabs_core.Row` beside the origin's own, ids made from
    content, segment and space, and the origin as ``SOURCE``, so that ``delete_ref_doc`` and docstore upserts work. A
    node's own text (a caption) stays its text; its vector is the picture's.

    In a pipeline its cache may be on: a reader's document names its content's digest, and :meth:`to_dict` holds
    everything that changes a vector, neither a key nor anything else. (LlamaIndex keys that cache by texts and metadata
    alone: pictures of other origin need their path in the metadata, and are warned of if they have not.) With
    ``num_workers`` it is pickled with its key.

    Raises (when called):
        InvalidInputError: a file or text cannot be embedded, a node's or the store's ``space`` is not the model's, or a
            node is a segment that has lost its vector.
        BatchError: some files failed. With ``cache=`` on the model, the next run sends only those.
        AuthenticationError, QuotaExceededError: about the account.
    """

    embed_model: TwelveLabsEmbedding
    """Whose vectors; its ``cache`` makes a second run free."""
    options: SegmentOptions | None = None
    """How files are divided and what of them is embedded, for kinds without options of their own; by default
    everything the model has, in the model's own segments."""
    video_options: SegmentOptions | None = None
    """For films, instead of ``options``."""
    audio_options: SegmentOptions | None = None
    """For sounds, instead of ``options``."""
    document_options: SegmentOptions | None = None
    """For document files (marengo3.5), instead of ``options``."""
    show_progress: bool = Field(default=False, exclude=True)
    """Show tqdm bars that move with each file and text."""
    fs: Any = Field(default=None, exclude=True, repr=False)
    """fsspec filesystem that opens sources with a scheme of its own (``s3://…``); by default fsspec's for that scheme.
    Such files are read into memory."""
    vector_store: Any = Field(default=None, exclude=True, repr=False)
    """The store, or index, that the nodes are meant for: it is asked first, and refused if it holds vectors of another
    space."""

    def __getstate__(self) -> dict[str, Any]:
        # A worker only embeds; the store was asked here or is open in one process alone.
        if self.vector_store is None:
            return super().__getstate__()
        return self.model_copy(update={"vector_store": None}).__getstate__()

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsMediaEmbedder"

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Settings that decide a vector: what LlamaIndex keys its pipeline cache by."""
        made = super().to_dict(**kwargs)
        model = made["embed_model"]
        made["embed_model"] = {key: model[key] for key in _DECISIVE} | {"base_url": self.embed_model.client.base_url}
        return made | {"space": self.embed_model.space}

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The nodes with their vectors, in the order of what they came from."""
        work, client, show = self._plan(nodes), self.embed_model.client, self.show_progress
        vectors = self.embed_model.get_text_embedding_batch(work.said, show_progress=show) if work.said else []
        pictures = client.embed_many(work.media("image"), name="image", progress=show)
        rows = {
            kind: client.rows_many(work.media(kind), self._options(kind), name=kind, progress=show)
            for kind in work.divided
        }
        return self._assemble(work, vectors, pictures, rows)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Async: neither requests nor the reading of files hold up the loop."""
        work, client, show = await asyncio.to_thread(self._plan, nodes), self.embed_model.client, self.show_progress
        said = work.said
        vectors = await self.embed_model.aget_text_embedding_batch(said, show_progress=show) if said else []
        pictures = await client.aembed_many(work.media("image"), name="image", progress=show)
        rows = {
            kind: await client.arows_many(work.media(kind), self._options(kind), name=kind, progress=show)
            for kind in work.divided
        }
        return await asyncio.to_thread(self._assemble, work, vectors, pictures, rows)

    def _options(self, kind: str) -> SegmentOptions | None:
        own: SegmentOptions | None = getattr(self, f"{kind}_options")
        return own or self.options

    # -- before and after the requests -----------------------------------------------------------------------------

    def _plan(self, nodes: Sequence[BaseNode]) -> _Work:
        """What is to be embedded of which node. Reads files that are neither here nor at a URL."""
        check_space((node.metadata for node in nodes), self.embed_model.space)
        if self.vector_store is not None:
            check_store(self.vector_store, self.embed_model.space, self.embed_model.client.dimensions)
        work = _Work(nodes)
        for index, node in enumerate(nodes):
            if node.embedding is not None:
                self._check_length(node)
                continue
            media = [self._opened(item) for item in media_in(node)]
            for item in media:
                work.files.setdefault(item.kind, []).append((index, item))
            _warn_of_the_cache(node, media)
            if not media:
                work.texts.append(index)
                work.said.append(node.get_content(MetadataMode.EMBED))
        return work

    def _check_length(self, node: BaseNode) -> None:
        found, wanted = len(node.embedding or ()), self.embed_model.client.dimensions
        if found != wanted:
            raise InvalidInputError(
                f"has a vector of {found} numbers; those of {self.embed_model.space} have {wanted}.",
                item=f"node {node.node_id}",
            )

    def _opened(self, media: Media) -> Media:
        source = media.source if isinstance(media.source, str) else ""
        scheme, separator, _ = source.partition("://")
        if not separator or scheme in ("http", "https", "file"):
            return media
        try:
            with self.fs.open(source, "rb") if self.fs is not None else fsspec.open(source, "rb") as file:
                content = file.read()
        except Exception as error:  # every kind of storage has errors of its own
            raise InvalidInputError(f"cannot be read: {error}.", item=f"{media!r}") from error
        return replace(media, source=content, filename=media.filename or PurePosixPath(urlsplit(source).path).name)

    def _assemble(
        self,
        work: _Work,
        vectors: list[list[float]],
        pictures: list[Embedding],
        rows: dict[str, list[list[Row]]],
    ) -> list[BaseNode]:
        """Nodes in the order of what they came from. Reads pictures, for their digest."""
        space = self.embed_model.space
        shown = [self._picture_rows(m, p) for m, p in zip(work.media("image"), pictures, strict=True)]
        made: dict[int, list[BaseNode]] = {}
        for index, vector in zip(work.texts, vectors, strict=True):
            made[index] = [text_node(work.nodes[index], vector, space)]
        seen: set[str] = set()
        for kind, of_files in {"image": shown, **rows}.items():
            for (index, media), of_file in zip(work.files.get(kind, []), of_files, strict=True):
                made.setdefault(index, []).extend(vector_nodes(work.nodes[index], media, of_file, seen))
        # Whoever had a vector, and so no work, is handed on.
        return [node for index, given in enumerate(work.nodes) for node in made.get(index, work.kept(index, given))]

    def _picture_rows(self, media: Media, found: Embedding) -> list[Row]:
        digest = locate(media).content_digest
        whole = Segment(found.vector, option="visual", scope="asset")
        return rows_of(media, [whole], space=found.space, content_digest=digest)


def _warn_of_the_cache(node: BaseNode, media: Sequence[Media]) -> None:
    if media and "content_digest" not in node.metadata:
        seen = node.get_content(MetadataMode.ALL)
        if not all(isinstance(item.source, str) and item.source in seen for item in media):
            logger.warning(
                "Node %s names its media neither in its text nor in its metadata: an IngestionPipeline with its cache "
                "on takes it for any other such node and answers with that one's vector. Load files with "
                "TwelveLabsMediaReader, put the path into the metadata, or set disable_cache=True.",
                node.node_id,
            )


@dataclass
class _Work:
    """Nodes, and what is to be embedded of which: ``said`` holds the texts of the nodes ``texts``, ``files`` by kind
    the media and the node each belongs to."""

    nodes: Sequence[BaseNode]
    texts: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    files: dict[str, list[_Place]] = field(default_factory=dict)

    @property
    def divided(self) -> list[str]:
        return [kind for kind in self.files if kind != "image"]

    def media(self, kind: str) -> list[Media]:
        return [media for _, media in self.files.get(kind, [])]

    def kept(self, index: int, node: BaseNode) -> list[BaseNode]:
        return [node] if node.embedding is not None else []
