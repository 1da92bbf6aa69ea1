"""The step between a reader and an index: makes nodes with vectors of documents and nodes of any kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import fsspec
from llama_index.core.schema import BaseNode, MetadataMode, TransformComponent
from pydantic import Field, field_serializer, field_validator

from twelvelabs_core import IdFrom, InvalidInputError, Media, SegmentOptions, check_space
from twelvelabs_core.adapter import as_objects, checked_id_from, file_name

from .documents import check_text_metadata, id_from_name, row_metadata
from .embedding import TwelveLabsEmbedding
from .nodes import media_in, text_node, vector_nodes
from .steps import Steps
from .store_check import check_store

# The model's settings that change a vector. The others (timeouts, concurrency) must not invalidate a pipeline's cache.
_VECTOR_SETTINGS = ("class_name", "model_name", "dimensions", "api_version", "base_url", "truncate")

TEXTS = "texts"

logger = logging.getLogger(__name__)


class TwelveLabsMediaEmbedder(TransformComponent):
    """Embeds nodes of any kind in one vector space: a video or audio file as a node for each segment, an image or a
    text as one node.

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

    Returns a ``TextNode`` for each segment, text and page of a document, and a ``Node`` with ``image_resource`` for an
    image. Each has its ``.embedding``; the flat metadata of a :class:`twelvelabs_core.Row` and that of the node it was
    made from; an id made from path or URL, content, segment and space (see :attr:`id_from`); and the original node as
    ``SOURCE``, so that ``delete_ref_doc`` and docstore upserts work. An image node with a text (a caption) keeps it;
    the vector is the image's.

    A pipeline's cache may be on: LlamaIndex keys it by text, metadata and :meth:`to_dict`; a reader's document contains
    its content's digest, and :meth:`to_dict` every setting that changes a vector. Image nodes made otherwise need their
    path in the metadata; a warning is logged if they have none. With ``num_workers`` the embedder is pickled, with its
    API key.

    Raises (when called):
        InvalidInputError: a file or text cannot be embedded, a node's or the store's ``space`` is not the model's, a
            node is a segment that has lost its vector, or its metadata has a key (``space``, ``start_sec`` …) that the
            nodes made of it use. Nothing was sent.
        BatchError: some files or texts failed; the others were finished. ``.errors`` has the errors by the index of
            the node, ``.results`` the list of nodes made of each node, None for a failed one. With ``cache=`` on the
            model, the next run sends only those.
        AuthenticationError, QuotaExceededError: about the account; what is finished is in ``.results`` too.
    """

    embed_model: TwelveLabsEmbedding
    """Makes the vectors. With its ``cache``, a second run sends no requests."""
    options: SegmentOptions | None = None
    """How files are divided and what of them is embedded, for kinds without options of their own; by default the
    model's own segments and all its embedding options."""
    video_options: SegmentOptions | None = None
    """For video, instead of ``options``."""
    audio_options: SegmentOptions | None = None
    """For audio, instead of ``options``."""
    document_options: SegmentOptions | None = None
    """For document files (marengo3.5), instead of ``options``."""
    id_from: IdFrom = "source"
    """What the ids of nodes are made of, beside the content: ``source``, the path or URL; ``content``, nothing else; or
    a function from what is known before embedding (``source``, ``file_name``, ``media_type``, and the node's other
    metadata) to a name. With ``num_workers`` the function must be one that can be pickled."""
    show_progress: bool = Field(default=False, exclude=True)
    """Show tqdm bars that move with each file and text."""
    fs: Any = Field(default=None, exclude=True, repr=False)
    """fsspec filesystem that opens sources with a scheme of its own (``s3://…``); by default fsspec's for that scheme.
    Such files are read into memory."""
    vector_store: Any = Field(default=None, exclude=True, repr=False)
    """The vector store, or index, that the nodes are for; it is checked for vectors of another space."""

    _check_id_from = field_validator("id_from", mode="before")(checked_id_from)
    _write_id_from = field_serializer("id_from")(id_from_name)

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes only embed: the store has been checked, and some stores can be open in one process only.
        if self.vector_store is None:
            return super().__getstate__()
        return self.model_copy(update={"vector_store": None}).__getstate__()

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsMediaEmbedder"

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """The settings that change a vector: LlamaIndex keys its pipeline cache by them."""
        settings = super().to_dict(**kwargs)
        model = settings["embed_model"]
        settings["embed_model"] = {key: model[key] for key in _VECTOR_SETTINGS} | {
            "base_url": self.embed_model.client.base_url
        }
        return settings | {"space": self.embed_model.space}

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The nodes with their vectors, in the order of the nodes they were made from."""
        work, model, steps = self._plan(nodes), self.embed_model, Steps()
        if work.texts:
            with steps.of(TEXTS):
                steps.found[TEXTS] = model.get_text_embedding_batch(work.texts, show_progress=self.show_progress)
        for kind in work.kinds:
            if not steps.stopped:
                with steps.of(kind):
                    media, how = work.media(kind), self._how(work, kind)
                    embed = partial(model.client.rows_many, media, self._options(kind), **how)
                    steps.found[kind] = model._rows(media, embed)
        return work.result(steps, model.space)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Async :meth:`__call__`. Neither requests nor reading files block the event loop."""
        work, model, steps = await asyncio.to_thread(self._plan, nodes), self.embed_model, Steps()
        if work.texts:
            with steps.of(TEXTS):
                steps.found[TEXTS] = await model.aget_text_embedding_batch(work.texts, show_progress=self.show_progress)
        for kind in work.kinds:
            if not steps.stopped:
                with steps.of(kind):
                    media, how = work.media(kind), self._how(work, kind)
                    embed = partial(model.client.arows_many, media, self._options(kind), **how)
                    steps.found[kind] = await model._arows(media, embed)
        return await asyncio.to_thread(work.result, steps, model.space)  # of a long video, thousands of nodes

    def _how(self, work: _Work, kind: str) -> dict[str, Any]:
        metadata = [metadata for _, _, metadata in work.files[kind]]
        return {"name": kind, "progress": self.show_progress, "metadata": metadata, "id_from": self.id_from}

    def _options(self, kind: str) -> SegmentOptions | None:
        if kind == "image":
            return None  # an image is one segment
        own: SegmentOptions | None = getattr(self, f"{kind}_options")
        return own or self.options

    # -- before the requests -----------------------------------------------------------------------------------------

    def _plan(self, nodes: Sequence[BaseNode]) -> _Work:
        """What to embed of each node. Reads files that only fsspec can open."""
        nodes = as_objects(nodes, BaseNode, "nodes")
        space, dimensions = self.embed_model.space, self.embed_model.client.dimensions
        check_space((node.metadata for node in nodes), space)
        if self.vector_store is not None:
            check_store(self.vector_store, space, dimensions)
        work = _Work(nodes)
        for index, node in enumerate(nodes):
            if node.embedding is not None:
                _check_length(node, space, dimensions)
                continue
            named = media_in(node)
            media = [self._opened(item) for item in named]
            for item, opened in zip(named, media, strict=True):
                work.files.setdefault(item.kind, []).append((index, opened, row_metadata(node, item, space)))
            _warn_about_pipeline_cache(node, media)
            if not media:
                check_text_metadata(node, space)
                work.text_nodes.append(index)
                work.texts.append(node.get_content(MetadataMode.EMBED))
        return work

    def _opened(self, media: Media) -> Media:
        source = media.source if isinstance(media.source, str) else ""
        scheme, separator, _ = source.partition("://")
        if not separator or scheme in ("http", "https", "file"):
            return media
        try:
            with self.fs.open(source, "rb") if self.fs is not None else fsspec.open(source, "rb") as file:
                content = file.read()
        except Exception as error:  # each kind of storage raises its own
            raise InvalidInputError(f"cannot be read: {error}.", item=f"{media!r}") from error
        return replace(media, source=content, filename=media.filename or file_name(source))


def _check_length(node: BaseNode, space: str, dimensions: int) -> None:
    length = len(node.embedding or ())
    if length != dimensions:
        raise InvalidInputError(
            f"has a vector of {length} numbers; those of {space} have {dimensions}.", item=f"node {node.node_id}"
        )


def _warn_about_pipeline_cache(node: BaseNode, media: Sequence[Media]) -> None:
    if not media or "content_digest" in node.metadata:
        return
    content = node.get_content(MetadataMode.ALL)
    if not all(isinstance(item.source, str) and item.source in content for item in media):
        logger.warning(
            "Node %s has the path of its media neither in its text nor in its metadata: the cache of an "
            "IngestionPipeline cannot tell such nodes apart and may return another one's vector. Load files with "
            "TwelveLabsMediaReader, put the path into the metadata, or set disable_cache=True.",
            node.node_id,
        )


@dataclass
class _Work:
    """The nodes of one call, and what to embed of each.

    Attributes:
        nodes: as they were given.
        text_nodes: indices of the nodes that are texts.
        texts: their texts.
        files: media by kind, each with the index of its node, and what this adds to the metadata.
    """

    nodes: Sequence[BaseNode]
    text_nodes: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    files: dict[str, list[tuple[int, Media, dict[str, Any]]]] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """Images first: they are the quickest to fail."""
        return sorted(self.files, key=lambda kind: kind != "image")

    def media(self, kind: str) -> list[Media]:
        return [media for _, media, _ in self.files[kind]]

    def result(self, steps: Steps, space: str) -> list[BaseNode]:
        """Nodes with vectors, in the order of the nodes they were made from.

        Args:
            steps: the results and errors of the texts, and of the media by kind.
            space: of the vectors.

        Raises:
            TwelveLabsError: what failed, with the nodes made of each node in ``.results``.
        """
        owners: dict[str, list[int]] = {TEXTS: self.text_nodes}
        owners.update((kind, [index for index, *_ in self.files[kind]]) for kind in self.kinds)
        made: dict[int, list[BaseNode] | None] = {}
        seen: set[str] = set()
        for name, indices in owners.items():
            found = steps.found.get(name) or ()
            for place, index in enumerate(indices):
                result = found[place] if place < len(found) else None
                before = made.get(index, [])
                if result is None or before is None:
                    made[index] = None
                elif name == TEXTS:
                    made[index] = [text_node(self.nodes[index], result, space)]
                else:
                    media = self.files[name][place][1]
                    made[index] = [*before, *vector_nodes(self.nodes[index], media, result, seen)]
        # Nodes that had a vector are returned unchanged.
        results = [[node] if node.embedding is not None else made.get(i, []) for i, node in enumerate(self.nodes)]
        steps.raise_errors(results, owners)
        return [node for nodes in results if nodes is not None for node in nodes]
