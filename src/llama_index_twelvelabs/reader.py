"""Films, sounds, pictures and document files as LlamaIndex documents, or at once as nodes with vectors."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import BaseNode, Document
from pydantic import Field

from twelvelabs_core import InvalidInputError, SegmentOptions
from twelvelabs_core._inputs import describe
from twelvelabs_core._media.file import MediaFile, locate

from .embedder import TwelveLabsMediaEmbedder
from .embedding import TwelveLabsEmbedding
from .nodes import MEDIA, SUFFIXES, MediaKind, file_document, head_of, is_address, kind_of, local_path

__all__ = ["TwelveLabsMediaReader"]

logger = logging.getLogger(__name__)

# Changes by the very reading of a file, and with it the document's hash: no file would ever be found unchanged.
_VOLATILE = frozenset({"last_accessed_date"})
# Files embedded together: enough to be several at a time, few enough to hand on the first ones soon.
_AHEAD = 8


class TwelveLabsMediaReader(BasePydanticReader):
    """Reads media files into LlamaIndex: one document a file, to be embedded by :class:`TwelveLabsMediaEmbedder`; or
    with ``segments=True`` one node a segment, its vector included.

    .. code-block:: python

        documents = TwelveLabsMediaReader().load_data(["film.mp4", "sounds/"])

        reader = TwelveLabsMediaReader(segments=True, embed_model=model)
        index = VectorStoreIndex(reader.load_data("film.mp4"), embed_model=model)

        SimpleDirectoryReader("mixed/", file_extractor=TwelveLabsMediaReader().file_extractor()).load_data()

    A file document's text is the file's name; its metadata: ``source`` (path or URL), ``file_name``, ``media_type``
    (``video``, ``audio``, ``image``, ``document``), ``content_digest`` and what was given as ``extra_info``. Its id is
    made from the place, so that in a docstore a changed file replaces itself. It carries no media resource: LlamaIndex
    drops those at the first splitter and store.

    Note:
        An index given such a document without the embedder would embed its name as words; ``TwelveLabsEmbedding``
        refuses that.
    """

    segments: bool = False
    """Embed, and give nodes with vectors."""
    embed_model: TwelveLabsEmbedding | None = None
    """Embeds them; needed for ``segments=True``."""
    options: SegmentOptions | None = None
    """As :class:`TwelveLabsMediaEmbedder`'s, with ``segments=True``."""
    video_options: SegmentOptions | None = None
    """As above."""
    audio_options: SegmentOptions | None = None
    """As above."""
    document_options: SegmentOptions | None = None
    """As above."""
    kinds: tuple[MediaKind, ...] = Field(default=("image", "audio", "video"))
    """What is taken from a folder and by :meth:`file_extractor`. ``document`` (PDF) is for marengo3.5."""
    media_type: MediaKind | None = None
    """What every file given is; by default its suffix, else its content says it."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse at once what could not be done later."""
        super().model_post_init(context)
        if self.segments and self.embed_model is None:
            raise InvalidInputError("segments=True needs embed_model=TwelveLabsEmbedding(...).")

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsMediaReader"

    def file_extractor(self, *kinds: MediaKind) -> dict[str, TwelveLabsMediaReader]:
        """This reader for every suffix of these kinds (by default :attr:`kinds`), as ``SimpleDirectoryReader`` takes
        it. Without it that would read a ``.mov`` as text."""
        return {suffix: self for kind in kinds or self.kinds for suffix in SUFFIXES[kind]}

    # SimpleDirectoryReader hands over the file first, then extra_info and fs by name.
    def load_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Documents, or with ``segments=True`` nodes, of one or several files.

        Args:
            file: path or URL, or a list of them. A folder stands for the files of :attr:`kinds` in it and below, in
                order of their names.
            extra_info: metadata for every document or node; flat values suit every store.
            fs: fsspec filesystem the paths belong to; ``s3://…`` and the like are opened without one too.

        Raises:
            InvalidInputError: a file does not exist or is no media.
            TwelveLabsError: from embedding, with ``segments=True``; see :class:`TwelveLabsMediaEmbedder`.
        """
        return list(self.lazy_load_data(file, extra_info, fs))

    def lazy_load_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterable[Document]:
        """As :meth:`load_data`, file after file; segments of a few files at a time."""
        documents = self._documents(file, extra_info or {}, fs)
        if not self.segments:
            yield from documents
            return
        embedder = self._embedder(fs)
        while some := list(islice(documents, _AHEAD)):
            yield from _as_documents(embedder(some))

    async def aload_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Async :meth:`load_data`: neither the reading of files nor requests hold up the loop."""
        documents = await asyncio.to_thread(lambda: list(self._documents(file, extra_info or {}, fs)))
        return _as_documents(await self._embedder(fs).acall(documents)) if self.segments else documents

    async def alazy_load_data(
        self,
        file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterable[Document]:
        """Async; LlamaIndex wants an iterable to be awaited, so that it is :meth:`aload_data`'s list."""
        return await self.aload_data(file, extra_info, fs)

    def _embedder(self, fs: Any) -> TwelveLabsMediaEmbedder:
        assert self.embed_model is not None  # checked when made
        return TwelveLabsMediaEmbedder(
            embed_model=self.embed_model,
            options=self.options,
            video_options=self.video_options,
            audio_options=self.audio_options,
            document_options=self.document_options,
            fs=None if isinstance(fs, LocalFileSystem) else fs,
        )

    # -- files -----------------------------------------------------------------------------------------------------

    def _documents(self, given: Any, extra: dict[str, Any], fs: Any) -> Iterator[Document]:
        kept = {key: value for key, value in extra.items() if key not in _VOLATILE}
        remote = None if fs is None or isinstance(fs, LocalFileSystem) else fs
        for one in [given] if isinstance(given, (str, os.PathLike)) else list(given):
            for source in self._expanded(os.fspath(one), remote):
                yield self._document(source, kept, remote)

    def _expanded(self, source: str, fs: Any) -> Iterator[str]:
        if fs is not None or is_address(source) or not Path(source).expanduser().is_dir():
            yield source
            return
        wanted = {suffix for kind in self.kinds for suffix in SUFFIXES[kind]}
        ignored: set[str] = set()
        for path in sorted(Path(source).expanduser().rglob("*")):
            if path.suffix.lower() in wanted and path.is_file():
                yield str(path)
            elif path.is_file():
                ignored.add(path.suffix.lower() or path.name)
        if ignored:
            logger.info(
                "Left out in %s, as neither of %s: %s", source, ", ".join(self.kinds), ", ".join(sorted(ignored))
            )

    def _document(self, source: str, extra: dict[str, Any], fs: Any) -> Document:
        head, content, path = b"", None, None
        if fs is not None:
            with fs.open(source, "rb") as file:
                content = file.read()
            head, source = content[:32], fs.unstrip_protocol(source)
        else:
            path = local_path(source)
            if path is not None and not path.is_file():
                raise InvalidInputError(f"no such file (looked in {Path.cwd()}).", item=describe(source))
            head = head_of(path)
        kind = self.media_type or kind_of(source, head)
        if kind is None:
            raise InvalidInputError(
                "neither its name nor its content says that it is a film, sound, picture or PDF; say it with "
                "TwelveLabsMediaReader(media_type=...).",
                item=describe(source),
            )
        media = MEDIA[kind](source if content is None else content)
        # An address is known by itself, whatever its scheme.
        address = path is None and content is None
        found = MediaFile(media, source, url=source) if address else locate(media)
        return file_document(source, kind, found.content_digest, extra)


def _as_documents(nodes: Sequence[BaseNode]) -> list[Document]:
    # LlamaIndex's readers are typed to give documents; its pipelines and indexes take any node.
    return list(nodes)  # type: ignore[arg-type]
