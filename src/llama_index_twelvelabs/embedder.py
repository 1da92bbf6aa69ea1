"""The step between a reader and an index: makes nodes with vectors of documents and nodes of any kind."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import fsspec
from llama_index.core.schema import BaseNode, MetadataMode, TransformComponent
from pydantic import Field, PrivateAttr, WithJsonSchema, field_serializer, field_validator

from twelvelabs_core import (
    BatchError,
    Embedding,
    IdFrom,
    InvalidInputError,
    Media,
    Outcome,
    SegmentOptions,
    TwelveLabsError,
    check_space,
)
from twelvelabs_core.adapter import as_objects, checked_id_from, describe, file_name

from .documents import check_text_metadata, id_from_name, row_metadata
from .embedding import TwelveLabsEmbedding
from .in_use import known_vectors, remember
from .nodes import media_in, stable_ids, text_node, vector_nodes
from .settings import ComponentSettings
from .steps import Steps
from .store_check import check_queried

FILES, TEXTS = "files", "texts"

logger = logging.getLogger(__name__)


class TwelveLabsMediaEmbedder(ComponentSettings, TransformComponent):
    """Embeds nodes of any kind in one vector space: a video or audio file as a node for each segment, an image or a
    text as one node.

    .. code-block:: python

        model = TwelveLabsEmbedding(model="marengo3.0")
        pipeline = IngestionPipeline(
            transformations=[TwelveLabsMediaEmbedder(embed_model=model)], vector_store=store, docstore=docstore
        )
        pipeline.run(documents=TwelveLabsMediaReader().load_data("holiday/"))

        nodes = TwelveLabsMediaEmbedder(embed_model=model)(documents)           # or without a pipeline
        index = VectorStoreIndex(nodes, embed_model=model)

    Takes documents of :class:`TwelveLabsMediaReader`, ``ImageNode`` and ``ImageDocument``, nodes with
    ``image_resource``, ``audio_resource`` or ``video_resource`` (data, path or URL), and texts, mixed; splitters may
    run before it. Nodes that have a vector keep it.

    Returns a ``TextNode`` for each segment, image, text and page of a document. Each has its ``.embedding``; the flat
    metadata of a :class:`twelvelabs_core.Row` (an image's path is its ``source``) and that of the node it was
    made from; an id made from path or URL, content, segment and space (see :attr:`id_from`); and the original node as
    ``SOURCE``, so that ``delete_ref_doc`` and docstore upserts work. An image node with a text (a caption) keeps it;
    the vector is the image's. A text keeps its id, unless LlamaIndex gave it (at random, or the file's path)
    and the metadata has a ``file_path`` (as ``SimpleDirectoryReader`` writes it): then it is a UUID made of these, the
    same in every run.

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
    on_error: Literal["raise", "skip"] = "raise"
    """``skip`` leaves out a node whose file or text fails, with a line in the log that names it. Errors about the
    account (key, rate limit), the cache and a server that is down are always raised; so is a wrong ``space``. A
    pipeline's cache is not used then, as it would keep the result without that file. A pipeline's docstore counts a
    file that was skipped as done; to try it again with a docstore, use ``raise`` and the error's ``.results``."""
    image_nodes: bool = False
    """Return images as ``ImageNode``, for a ``MultiModalVectorStoreIndex``, which looks for images among these only
    (set by itself in ``MultiModalVectorStoreIndex.from_documents``). Over another index it must stay False: one
    ``ImageNode`` in a ``VectorStoreIndex`` over Chroma or Qdrant makes its retrievers search that node alone."""
    id_from: Annotated[IdFrom, WithJsonSchema({"type": "string"})] = "source"
    """What the ids of nodes are made of, beside the content: ``source``, the path or URL; ``content``, nothing else; or
    a function from what is known before embedding (``source``, ``file_name``, ``media_type``, and the node's other
    metadata) to a name. With ``num_workers`` the function must be one that can be pickled."""
    show_progress: bool = Field(default=False, exclude=True)
    """Show tqdm bars that move with each file and text."""
    fs: Any = Field(default=None, exclude=True, repr=False)
    """fsspec filesystem that opens sources with a scheme of its own (``s3://…``); by default fsspec's for that scheme.
    Such files are read into memory."""
    vector_store: Any = Field(default=None, exclude=True, repr=False)
    """The vector store, or index, that the nodes are for; at the first use it is checked for vectors of another
    space (:func:`~llama_index_twelvelabs.check_store`)."""

    _written: ClassVar[frozenset[str]] = ComponentSettings._written | {"space", "run"}
    _checked: tuple[int, str] | None = PrivateAttr(default=None)

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
        """The settings that change a node: LlamaIndex keys its pipeline cache by them."""
        settings = super().to_dict(**kwargs)
        settings["embed_model"] = self.embed_model.to_dict()
        if self.on_error == "skip":
            settings["run"] = uuid.uuid4().hex  # never the same: a file that was skipped must be tried again
        return settings | {"space": self.embed_model.space}

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The nodes with their vectors, in the order of the nodes they were made from.

        Args:
            nodes: documents and nodes of any kind.
            kwargs: an index's own, which passes all of them.
        """
        work, model, steps = self._plan(nodes, kwargs), self.embed_model, Steps()
        if work.files:
            with steps.of(FILES):
                media, how = work.media, self._how(work)
                if self.on_error == "skip":
                    each = partial(model.client.rows_each, media, **how)
                    steps.found[FILES] = _results(model._rows(media, each))
                else:
                    many = partial(model.client.rows_many, media, **how)
                    steps.found[FILES] = model._rows(media, many)
        if work.texts and not steps.stopped:
            with steps.of(TEXTS):
                try:
                    steps.found[TEXTS] = model.get_text_embedding_batch(work.texts, show_progress=self.show_progress)
                except InvalidInputError as error:
                    self._raise_unless_skipped(error, work)
                    steps.found[TEXTS] = _results(model.client.embed_each(work.texts, name=TEXTS))
        return work.result(steps, self)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Async :meth:`__call__`. Neither requests nor reading files block the event loop."""
        work, model, steps = await asyncio.to_thread(self._plan, nodes, kwargs), self.embed_model, Steps()
        if work.files:
            with steps.of(FILES):
                media, how = work.media, self._how(work)
                if self.on_error == "skip":
                    aeach = partial(model.client.arows_each, media, **how)
                    steps.found[FILES] = _results(await model._arows(media, aeach))
                else:
                    amany = partial(model.client.arows_many, media, **how)
                    steps.found[FILES] = await model._arows(media, amany)
        if work.texts and not steps.stopped:
            with steps.of(TEXTS):
                try:
                    found = model.aget_text_embedding_batch(work.texts, show_progress=self.show_progress)
                    steps.found[TEXTS] = await found
                except InvalidInputError as error:
                    self._raise_unless_skipped(error, work)
                    steps.found[TEXTS] = _results(await model.client.aembed_each(work.texts, name=TEXTS))
        return await asyncio.to_thread(work.result, steps, self)  # of a long video, thousands of nodes

    def _raise_unless_skipped(self, error: TwelveLabsError, work: _Work) -> None:
        """Raise the error of some texts, of which none was sent, unless the others can be embedded without them."""
        if self.on_error == "raise":
            raise error
        if len(work.texts) == 1:
            raise BatchError([None], {0: error}) from error.__cause__

    def _how(self, work: _Work) -> dict[str, Any]:
        kinds = {"video": self.video_options, "audio": self.audio_options, "document": self.document_options}
        chosen = {kind: own or self.options for kind, own in kinds.items()}  # an image is one segment
        return {
            "options": {kind: options for kind, options in chosen.items() if options is not None},
            "name": FILES,
            "progress": self.show_progress,
            "metadata": [metadata for _, _, metadata in work.files],
            "id_from": self.id_from,
        }

    # -- before the requests -----------------------------------------------------------------------------------------

    def _plan(self, nodes: Sequence[BaseNode], index_settings: Mapping[str, Any]) -> _Work:
        """What to embed of each node. Reads files that only fsspec can open."""
        nodes = as_objects(nodes, BaseNode, "nodes")
        check_space((node.metadata for node in nodes), self.embed_model.space)
        self._check_store()
        # from_documents() of an index passes its arguments to each step; this is one of a multi-modal index.
        work = _Work(nodes, image_nodes=self.image_nodes or "image_embed_model" in index_settings)
        for index, node in enumerate(nodes):
            try:
                self._plan_node(work, index, node)
            except InvalidInputError as error:
                if self.on_error == "raise":
                    raise
                work.unsent[index] = error
        if self.on_error == "raise":  # the files are checked together, before the first of them is sent
            known_vectors(work.texts, self.embed_model.client, work.text_labels)
            self.embed_model._check_texts(work.texts, work.text_labels)
        return work

    def _plan_node(self, work: _Work, index: int, node: BaseNode) -> None:
        space = self.embed_model.space
        if node.embedding is not None:
            _check_length(node, space, self.embed_model.client.dimensions)
            return
        named = media_in(node)
        media = [self._opened(item) for item in named]
        metadata = [row_metadata(node, item, space) for item in named]
        if not media:
            check_text_metadata(node, space)
            work.text_nodes.append(index)
            work.texts.append(node.get_content(MetadataMode.EMBED))
        for opened, about in zip(media, metadata, strict=True):
            work.files.append((index, opened, about))
        _warn_about_pipeline_cache(node, media)

    def _check_store(self) -> None:
        store, space = self.vector_store, self.embed_model.space
        if store is None or self._checked == (id(store), space):
            return
        if check_queried(store, self.embed_model):
            self._checked = (id(store), space)

    def _opened(self, media: Media) -> Media:
        source = media.source if isinstance(media.source, str) else ""
        scheme, separator, _ = source.partition("://")
        if not separator or scheme in ("http", "https", "file"):
            return media
        content = read_from(self.fs or fsspec, source, repr(media))
        return replace(media, source=content, filename=media.filename or file_name(source))


def read_from(fs: Any, source: str, label: str | None = None) -> bytes:
    """The content of a file that fsspec opens.

    Args:
        fs: a filesystem, or fsspec itself.
        source: the path.
        label: what to call it in errors.

    Raises:
        InvalidInputError: it cannot be read.
    """
    try:
        with fs.open(source, "rb") as file:
            content: bytes = file.read()
            return content
    except Exception as error:  # each kind of storage raises its own
        raise InvalidInputError(f"cannot be read: {error}.", item=label or describe(source)) from error


def _results(outcome: Outcome[Any]) -> list[Any]:
    """The results, with vectors as plain lists.

    Raises:
        BatchError: some items failed.
        TwelveLabsError: an error about the account stopped the others.
    """
    outcome.results = [found.vector if isinstance(found, Embedding) else found for found in outcome.results]
    outcome.check(single=False)
    return outcome.results


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
        files: media, each with the index of its node, and what this adds to the metadata.
        unsent: errors of nodes that are skipped, by their index.
        image_nodes: return images as ``ImageNode``.
    """

    nodes: Sequence[BaseNode]
    image_nodes: bool = False
    text_nodes: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    files: list[tuple[int, Media, dict[str, Any]]] = field(default_factory=list)
    unsent: dict[int, TwelveLabsError] = field(default_factory=dict)

    @property
    def media(self) -> list[Media]:
        return [media for _, media, _ in self.files]

    @property
    def text_labels(self) -> list[str]:
        """What errors call the texts: ``texts[3] 'notes/day.txt'``."""
        paths = [self.nodes[index].metadata.get("file_path") for index in self.text_nodes]
        return [f"{TEXTS}[{i}] {describe(path)}" if path else f"{TEXTS}[{i}]" for i, path in enumerate(paths)]

    def result(self, steps: Steps, embedder: TwelveLabsMediaEmbedder) -> list[BaseNode]:
        """Nodes with vectors, in the order of the nodes they were made from.

        Args:
            steps: the results and errors of the files and of the texts.
            embedder: whose settings apply.

        Raises:
            TwelveLabsError: what failed, with the nodes made of each node in ``.results``.
        """
        client, skip = embedder.embed_model.client, embedder.on_error == "skip"
        ids = stable_ids((self.nodes[index] for index in self.text_nodes), client.space, embedder.id_from)
        owners = {FILES: [index for index, *_ in self.files], TEXTS: self.text_nodes}
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
                    made[index] = [text_node(self.nodes[index], result, client.space, ids)]
                else:
                    media = self.files[place][1]
                    added = vector_nodes(self.nodes[index], media, result, seen, image_nodes=self.image_nodes)
                    made[index] = [*before, *added]
        # Nodes that had a vector are returned unchanged.
        for place, error in steps.errors(TEXTS).items():
            error.item = self.text_labels[place] if error.item == f"{TEXTS}[{place}]" else error.item
        results = [[node] if node.embedding is not None else made.get(i, []) for i, node in enumerate(self.nodes)]
        for index in self.unsent:
            results[index] = None
        steps.finish(results, owners, self.unsent, [_label(node) for node in self.nodes] if skip else None)
        nodes = [node for nodes in results if nodes is not None for node in nodes]
        remember(nodes, client)
        return nodes


def _label(node: BaseNode) -> str:
    return str(node.metadata.get("source") or node.metadata.get("file_path") or f"node {node.node_id}")
