"""Images, audio, video and documents as LangChain documents, which any store takes through ``add_documents``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Literal

from langchain_core.document_loaders.base import BaseLoader
from langchain_core.documents import Document

from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    InvalidInputError,
    RateLimitError,
    TwelveLabsError,
)
from twelvelabs_core.adapter import MEDIA_TYPES

from .duplicates import Duplicates
from .embeddings import TwelveLabsEmbeddings
from .lookahead import Lookahead
from .options import Options, options_for
from .references import one_line, reference_to
from .sources import Found, Paths, Suffixes, find_media, kinds_by_suffix

logger = logging.getLogger("twelvelabs_embeddings")


class TwelveLabsMediaLoader(BaseLoader):
    """Loads and embeds images, audio, video and documents, as LangChain documents for any vector store.

    .. code-block:: python

        model = TwelveLabsEmbeddings(cache="vectors.sqlite")
        loader = TwelveLabsMediaLoader("videos/", model)
        store = Chroma("videos", model)
        store.add_documents(loader.load())          # or index(loader, record_manager, store, …)
        store.similarity_search("a red bike")

    A video or audio file gives one document for each segment and option (visual, audio, transcription); an image one;
    on marengo3.5 a PDF one a page, and a text file one for every five sentences, or as ``options`` say.

    ``page_content`` is a reference: a readable line, for which ``model.embed_documents`` returns the vector that was
    made while loading. So the store must embed with *the same object*, or with one that has the same ``cache=``. The
    vectors are kept in the cache if there is one, else in the memory of the embeddings object, 4 kB a segment (see
    ``TwelveLabsEmbeddings.forget_references``). The loader keeps none.

    ``metadata`` is flat: ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec``,
    ``embedding_option``, ``embedding_scope``, ``content_digest``, ``space``; where they apply, ``page``, ``quadrant``
    and ``chunk``; and a Blob's own metadata. ``id`` is made from the content: a second run gives the same ids, a
    changed file others. With a cache an unchanged file needs no request.

    Of files with the same content only the first is loaded, with one line in the log for each other one: their segments
    would have the same ids, which many stores refuse within one call.

    Args:
        paths: files, folders (searched with ``glob``), globs, URLs, LangChain ``Blob``s, blob loaders, ``Video(...)``,
            ``Audio(...)``, ``Image(...)``, ``Document(...)``; one, or an iterable of any of them. Folders and globs are
            sorted by path; hidden files in folders are left out.
        embeddings: the object the store embeds with.
        glob: what to look for in folders.
        suffixes: which files of folders and globs to load: a sequence (``[".mp4", ".wav"]``), or a mapping that says
            what they hold (``{".dat": "video"}``). Others are left out, with one line in the log. By default all that
            the API takes.
        options: how files are divided and what of them is embedded. Either one for all kinds, of which each file uses
            what applies to it (``Fixed`` does not divide a PDF, nor ``Quadrants`` a text), or a mapping by kind
            (``{"video": …, "audio": …, "document": …}``). With ``embedding_scope="asset"`` a file is one vector for
            each option.
        on_error: ``raise``, or ``skip`` a file that fails and log a line that names it. Errors about the
            account (key, quota) are always raised.
        files_ahead: videos, audio files and documents in progress at a time; images, sixteen times as many. It bounds
            the memory used: documents that are finished are held until the caller takes them.

    Raises:
        InvalidInputError: an argument is out of its range; while loading, a file is missing, unreadable, or not taken
            by the model.
        TwelveLabsError: while loading, see :meth:`twelvelabs_core.EmbeddingClient.embed_segments`.
    """

    def __init__(
        self,
        paths: Paths,
        embeddings: TwelveLabsEmbeddings,
        *,
        glob: str = "**/*",
        suffixes: Suffixes = None,
        options: Options = None,
        on_error: Literal["raise", "skip"] = "raise",
        files_ahead: int = 4,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise InvalidInputError(f"on_error={on_error!r} is not one of raise, skip.")
        if files_ahead < 1:
            raise InvalidInputError(f"files_ahead={files_ahead} must be 1 or more.")
        if isinstance(options, Mapping):
            wrong = [kind for kind in options if kind not in MEDIA_TYPES]
            if wrong:
                raise InvalidInputError(f"options= has {wrong[0]!r}; the kinds are {', '.join(MEDIA_TYPES)}.")
        self.paths = paths
        self.embeddings = embeddings
        self.glob = glob
        self.suffixes = kinds_by_suffix(suffixes)
        self.options = options
        self.on_error = on_error
        self.files_ahead = files_ahead

    def lazy_load(self) -> Iterator[Document]:
        """Documents one by one, in the files' order; the next files are embedded meanwhile."""
        with contextlib.closing(self._start()) as ahead:
            while ahead.fill():
                found, future = ahead.first
                try:
                    documents = future.result()
                except TwelveLabsError as error:
                    documents = self._skip(found, error)
                ahead.drop_first()
                yield from documents

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Async :meth:`lazy_load`."""
        with contextlib.closing(self._start()) as ahead:
            while await asyncio.to_thread(ahead.fill):
                found, future = ahead.first
                try:
                    documents = await asyncio.wrap_future(future)
                except TwelveLabsError as error:
                    documents = self._skip(found, error)
                ahead.drop_first()
                for document in documents:
                    yield document

    def _start(self) -> Lookahead:
        return Lookahead(self._files(), self._documents, self.files_ahead)

    def _files(self) -> Iterator[Found]:
        model = self.embeddings.client.model
        kinds = {kind for kinds in model.inputs.values() for kind in kinds}
        duplicates = Duplicates()
        for found in find_media(self.paths, glob=self.glob, suffixes=self.suffixes, kinds=kinds, model=model.name):
            first = duplicates.first(found)
            if first is None:
                yield found
            else:
                logger.info("%s has the content of %s and is left out", found.label, first.label)

    def _skip(self, found: Found, error: TwelveLabsError) -> list[Document]:
        """Log the file and return no documents if it may be skipped; else raise the error."""
        if self.on_error == "raise" or isinstance(error, (AuthenticationError, RateLimitError)):
            raise error
        logger.warning("%s was skipped: %s", found.label, error)
        return []

    # -- one file, on the background loop --------------------------------------------------------------------------

    async def _documents(self, found: Found) -> list[Document]:
        if found.media is None:
            assert found.error is not None
            raise found.error
        client = self.embeddings.client
        try:
            options = options_for(found.media, self.options, client.model)
            (rows,) = await client.arows_many([found.media], options)
        except BatchError as error:
            (only,) = error.errors.values()
            raise _renamed(only, found) from only.__cause__
        except TwelveLabsError as error:
            raise _renamed(error, found) from error.__cause__
        await self.embeddings._keep_vectors({row.id: row.vector for row in rows}, [one_line(row.text) for row in rows])
        return [
            Document(
                reference_to(self.embeddings, row.id, row.text),
                id=row.id,
                metadata={**row.metadata, **found.metadata},
            )
            for row in rows
        ]


def _renamed(error: TwelveLabsError, found: Found) -> TwelveLabsError:
    """The error, with the file's name as its item, and without results, which would be rows."""
    error.item = repr(found.label)
    error.results = []
    return error
