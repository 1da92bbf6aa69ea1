"""A reader of media files: documents of LlamaIndex, or nodes with vectors."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

from fsspec.implementations.local import LocalFileSystem
from llama_index.core.readers.base import BasePydanticReader, BaseReader
from llama_index.core.schema import BaseNode, Document
from pydantic import Field, WithJsonSchema, field_serializer, field_validator

from twelvelabs_core import IdFrom, InvalidInputError, SegmentOptions, TwelveLabsError
from twelvelabs_core.adapter import (
    MEDIA_TYPES,
    SUFFIXES,
    MediaKind,
    as_objects,
    checked_id_from,
    content_digest,
    describe,
    head_of,
    is_source_code,
    kind_of,
    local_path,
    not_there,
)

from .documents import file_document, id_from_name
from .embedder import TwelveLabsMediaEmbedder, read_from
from .embedding import TwelveLabsEmbedding
from .settings import ComponentSettings

logger = logging.getLogger(__name__)

# Reading a file changes this metadata, and so the document's hash: no file would ever count as unchanged.
_VOLATILE = frozenset({"last_accessed_date"})
# Files embedded together: enough to work on several at a time, few enough to yield the first ones soon.
_FILES_AT_ONCE = 8
# Text files are LlamaIndex's own to read.
_TEXT_SUFFIXES = frozenset({".txt", ".md", ".markdown"})


class TwelveLabsMediaReader(ComponentSettings, BasePydanticReader):
    """Reads media files: one document for each file, to be embedded by :class:`TwelveLabsMediaEmbedder`.

    With ``segments=True`` it embeds them itself and returns one node for each segment, with its vector.

    .. code-block:: python

        documents = TwelveLabsMediaReader().load_data(["beach.mp4", "audio/"])

        reader = TwelveLabsMediaReader(segments=True, embed_model=model)
        index = VectorStoreIndex(reader.load_data("beach.mp4"), embed_model=model)

        SimpleDirectoryReader("mixed/", file_extractor=TwelveLabsMediaReader().file_extractor()).load_data()

    A file document's text is the file's name; its metadata: ``source`` (path or URL), ``file_name``, ``media_type``
    (``video``, ``audio``, ``image``, ``document``), ``content_digest`` and ``extra_info``. Its id is made from the path
    or URL (see :attr:`id_from`), so that in a docstore a changed file replaces its earlier version. The signature of a
    URL serves to fetch the file, and is in no metadata. A file with the id and content of an earlier one of the same
    call is left out, with a line in the log. It has no media resource: LlamaIndex's splitters and stores drop those.

    Note:
        An index given such a document without the embedder would embed the file's name; ``TwelveLabsEmbedding`` refuses
        that.
    """

    segments: bool = False
    """Embed the files, and return nodes with vectors."""
    embed_model: TwelveLabsEmbedding | None = None
    """Makes the vectors; required with ``segments=True``."""
    options: SegmentOptions | None = None
    """With ``segments=True``: as :class:`TwelveLabsMediaEmbedder`'s."""
    video_options: SegmentOptions | None = None
    """For video, instead of ``options``."""
    audio_options: SegmentOptions | None = None
    """For audio, instead of ``options``."""
    document_options: SegmentOptions | None = None
    """For document files, instead of ``options``."""
    on_error: Literal["raise", "skip"] = "raise"
    """``skip`` leaves out a file that cannot be read, or with ``segments=True`` embedded, with a line in the log; see
    :attr:`TwelveLabsMediaEmbedder.on_error`."""
    image_nodes: bool = False
    """With ``segments=True``: as :class:`TwelveLabsMediaEmbedder`'s."""
    vector_store: Any = Field(default=None, exclude=True, repr=False)
    """With ``segments=True``: the vector store, or index, that the nodes are for; at the first use it is checked for
    vectors of another space (:func:`check_store`)."""
    kinds: tuple[MediaKind, ...] = Field(default=("image", "audio", "video"))
    """Kinds to read from a folder, and of :meth:`file_extractor`. ``document`` (PDF) is for marengo3.5."""
    media_type: MediaKind | None = None
    """The kind of every file; by default that of its suffix, or of its content if the suffix is unknown."""

    id_from: Annotated[IdFrom, WithJsonSchema({"type": "string"})] = "source"
    """What the ids of documents are made of: ``source``, the path or URL, however it is spelt; ``content``, so that a
    moved file keeps its id and copies are one document; or a function from the metadata to a name, which must belong to
    one file: ``lambda metadata: metadata["video_id"]``. With ``segments=True`` as
    :attr:`TwelveLabsMediaEmbedder.id_from`, too."""

    _check_id_from = field_validator("id_from", mode="before")(checked_id_from)
    _write_id_from = field_serializer("id_from")(id_from_name)

    def model_post_init(self, context: Any, /) -> None:
        """Check the settings."""
        super().model_post_init(context)
        if self.segments and self.embed_model is None:
            raise InvalidInputError("segments=True needs embed_model=TwelveLabsEmbedding(...).")

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsMediaReader"

    def file_extractor(self, *kinds: MediaKind) -> dict[str, BaseReader]:
        """This reader for every suffix of these kinds, as ``SimpleDirectoryReader(file_extractor=…)`` takes it.

        Without it, ``SimpleDirectoryReader`` would read a ``.mov`` as text. Of documents only PDFs are included: text
        files are LlamaIndex's own to read.

        Args:
            kinds: by default :attr:`kinds`.
        """
        return dict.fromkeys(_suffixes(kinds or self.kinds), self)

    # SimpleDirectoryReader passes the file first, then extra_info and fs by name.
    def load_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Documents, or with ``segments=True`` nodes, of one or several files.

        Args:
            file: path or URL, or a list of them. A folder stands for the files of :attr:`kinds` in it and below, sorted
                by path, without hidden ones.
            extra_info: metadata for every document or node; flat values suit every store. ``file_name`` in it replaces
                the file's; ``source`` and the other keys of :class:`twelvelabs_core.Row` are refused.
            fs: fsspec filesystem of the paths; ``s3://…`` and the like are opened without one too.

        Raises:
            InvalidInputError: a file does not exist, its kind is unknown, or ``extra_info`` has a key of ours.
            TwelveLabsError: from embedding, with ``segments=True``; see :class:`TwelveLabsMediaEmbedder`.
        """
        return list(self.lazy_load_data(file, extra_info, fs))

    def lazy_load_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterable[Document]:
        """As :meth:`load_data`, one by one; with ``segments=True`` eight files are embedded at a time.

        Equal files are embedded once among those eight, and with a cache everywhere.
        """
        documents = self._documents(file, extra_info or {}, fs)
        if not self.segments:
            yield from documents
            return
        embedder = self._embedder(fs)
        while some := list(islice(documents, _FILES_AT_ONCE)):
            yield from _as_documents(embedder(some))

    async def aload_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Async :meth:`load_data`. Neither reading files nor requests block the event loop."""
        documents = await asyncio.to_thread(lambda: list(self._documents(file, extra_info or {}, fs)))
        return _as_documents(await self._embedder(fs).acall(documents)) if self.segments else documents

    async def alazy_load_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterable[Document]:
        """As :meth:`aload_data`: LlamaIndex's signature is a coroutine that returns an iterable."""
        return await self.aload_data(file, extra_info, fs)

    def _embedder(self, fs: Any) -> TwelveLabsMediaEmbedder:
        assert self.embed_model is not None  # model_post_init has checked it
        return TwelveLabsMediaEmbedder(
            embed_model=self.embed_model,
            options=self.options,
            video_options=self.video_options,
            audio_options=self.audio_options,
            document_options=self.document_options,
            id_from=self.id_from,
            on_error=self.on_error,
            image_nodes=self.image_nodes,
            vector_store=self.vector_store,
            fs=None if isinstance(fs, LocalFileSystem) else fs,
        )

    # -- files -----------------------------------------------------------------------------------------------------

    def _documents(self, given: Any, extra: dict[str, Any], fs: Any) -> Iterator[Document]:
        kept = {key: value for key, value in extra.items() if key not in _VOLATILE}
        remote = None if fs is None or isinstance(fs, LocalFileSystem) else fs
        seen: dict[tuple[str, str], str] = {}
        places = [given] if isinstance(given, (str, os.PathLike)) else given
        for one in as_objects(places, (str, os.PathLike), "file"):
            for source in self._expanded(os.fspath(one), remote):
                try:
                    document = self._document(source, kept, remote)
                except TwelveLabsError as error:
                    if self.on_error == "raise":
                        if source != os.fspath(one) and isinstance(error, InvalidInputError):
                            error.message += " To go on without such files: on_error='skip'."
                        raise
                    logger.warning("%s was skipped: %s", describe(source), error)
                    continue
                same = (document.node_id, document.metadata["content_digest"])
                if same in seen:
                    logger.info(
                        "%s has the content of %s and would have the same id; it is left out (see id_from)",
                        document.metadata["source"],
                        seen[same],
                    )
                else:
                    seen[same] = document.metadata["source"]
                    yield document

    def _expanded(self, source: str, fs: Any) -> Iterator[str]:
        folder = local_path(source) if fs is None else None
        if folder is None or not folder.is_dir():
            yield source
            return
        wanted = _suffixes(self.kinds)
        ignored: set[str] = set()
        nothing = True
        for path in sorted(folder.rglob("*")):
            if any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue  # as SimpleDirectoryReader: thumbnails, and what macOS writes beside each file
            if path.suffix.lower() in wanted and path.is_file() and not is_source_code(path):
                nothing = False
                yield str(path)
            elif path.is_file():
                ignored.add(path.suffix.lower() or path.name)
            elif path.is_symlink() and not path.exists():
                ignored.add("broken links")
        left_out = (
            f"left out, as neither of {', '.join(self.kinds)}: {', '.join(sorted(ignored))}" if ignored else "empty"
        )
        if nothing:
            logger.warning("There is nothing to load in %s (%s)", source, left_out)
        elif ignored:
            logger.info("In %s %s", source, left_out)

    def _document(self, source: str, extra: dict[str, Any], fs: Any) -> Document:
        if fs is not None:
            content = read_from(fs, source)
            name = fs.unstrip_protocol(source)
            kind = self._kind(name, content)
            digest = content_digest(MEDIA_TYPES[kind](content))
            return file_document(name, kind, digest, extra, id_from=self.id_from, in_memory=True)
        path = local_path(source)
        if path is not None and not path.is_file():
            raise InvalidInputError(f"{not_there(path)}.", item=describe(source))
        kind = self._kind(source, b"" if path is None else head_of(path))
        digest = content_digest(MEDIA_TYPES[kind](source))
        return file_document(source, kind, digest, extra, id_from=self.id_from)

    def _kind(self, name: str, head: bytes) -> MediaKind:
        kind = self.media_type or kind_of(name, head)
        if kind is None:
            raise InvalidInputError(
                "neither its name nor its content tells whether it is image, audio, video or PDF; give its kind: "
                "TwelveLabsMediaReader(media_type=...).",
                item=describe(name),
            )
        return kind


def _suffixes(kinds: Iterable[MediaKind]) -> list[str]:
    return [
        suffix for kind in kinds for suffix, its in SUFFIXES.items() if its == kind and suffix not in _TEXT_SUFFIXES
    ]


def _as_documents(nodes: Sequence[BaseNode]) -> list[Document]:
    return list(nodes)  # type: ignore[arg-type]  # a reader's return type; pipelines and indexes take any node
