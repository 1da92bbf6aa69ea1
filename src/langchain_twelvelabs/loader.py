"""Films, sounds, pictures and documents as LangChain documents, which any store takes through ``add_documents``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Literal

from langchain_core.document_loaders.base import BaseLoader
from langchain_core.documents import Document

from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    Dynamic,
    Fixed,
    InvalidInputError,
    Media,
    Quadrants,
    RateLimitError,
    Row,
    SegmentOptions,
    Sentences,
    TwelveLabsError,
)
from twelvelabs_core._net import loop

from ._files import Equals, Found, Paths, Suffixes, find, is_pdf, kinds_of
from .embeddings import TwelveLabsEmbeddings
from .references import reference_to

__all__ = ["TwelveLabsMediaLoader"]

logger = logging.getLogger("twelvelabs_embeddings")

# A picture is one small request and one vector; a film is uploaded and gives hundreds.
_PICTURES_FOR_A_FILM = 16
# A paragraph's worth; the overlap keeps what spans two chunks findable.
_SENTENCES = Sentences(5, overlap_sentences=1)
_Options = SegmentOptions | Mapping[str, SegmentOptions] | None


class TwelveLabsMediaLoader(BaseLoader):
    """Films, sounds, pictures and documents, embedded, as documents for a store of any kind.

    .. code-block:: python

        model = TwelveLabsEmbeddings(cache="vectors.sqlite")
        loader = TwelveLabsMediaLoader("films/", model)
        store = Chroma("films", model)
        store.add_documents(loader.load())          # or index(loader, record_manager, store, …)
        store.similarity_search("a red bike")

    A film or sound gives one document for each segment and option (visual, audio, transcription); a picture one; on
    marengo3.5 a PDF one a page, a text one for every five sentences or as ``options`` say. ``page_content`` is a
    reference: readable, and answered by ``model.embed_documents`` with the vector that was made while loading. So the
    store must embed with *the same object*, or one with the same ``cache=``. Who holds the vectors: the cache if there
    is one, else the embeddings object, in memory, 4 kB a segment (see ``TwelveLabsEmbeddings.forget_references``). This
    loader holds none.

    ``metadata`` is flat: ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec``,
    ``embedding_option``, ``embedding_scope``, ``content_digest``, ``space``, and where there are any ``page``,
    ``quadrant``, ``chunk`` and what a Blob's metadata said. ``id`` is made from the content: a second run gives the
    same ids, a changed file others. With a cache an unchanged file costs no request.

    Of files with the same content only the first is loaded: their segments would have the same ids, which many stores
    refuse inside one call. A line of the log names both.

    Args:
        paths: files, folders (searched with ``glob``), globs, URLs, LangChain ``Blob``s, blob loaders, ``Video(...)``,
            ``Audio(...)``, ``Image(...)``, ``Document(...)``; one, or an iterable of any of them. Folders and globs are
            sorted by path; hidden files in folders are left out.
        embeddings: the object the store embeds with.
        glob: what to look for in folders.
        suffixes: which files in folders and globs: a sequence (``[".mp4", ".wav"]``), or a mapping that says what they
            hold (``{".ts": "video"}``). Others are left out, with one line of the log. By default all that the API
            takes.
        options: how files are divided and what of them is embedded; one for all (each kind takes from it what fits it:
            ``Fixed`` does not divide a PDF, nor ``Quadrants`` a text), or a mapping by kind (``{"video": …,
            "audio": …, "document": …}``). With ``embedding_scope="asset"`` a file is one vector for each option.
        on_error: ``raise``, or ``skip`` a file that fails, with a line of the log that names it. Errors about the
            account (key, quota) always raise.
        files_ahead: films, sounds and documents under way at a time; of pictures sixteen times as many. This bounds the
            memory: what is ready waits for the caller.

    Raises:
        InvalidInputError: an argument that cannot be; while loading, a file that is missing, unreadable, or that the
            model does not take.
        TwelveLabsError: while loading, see :meth:`twelvelabs_core.EmbeddingClient.embed_segments`.
    """

    def __init__(
        self,
        paths: Paths,
        embeddings: TwelveLabsEmbeddings,
        *,
        glob: str = "**/*",
        suffixes: Suffixes = None,
        options: _Options = None,
        on_error: Literal["raise", "skip"] = "raise",
        files_ahead: int = 4,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise InvalidInputError(f"on_error={on_error!r} is not one of raise, skip.")
        if files_ahead < 1:
            raise InvalidInputError(f"files_ahead={files_ahead} must be 1 or more.")
        if isinstance(options, Mapping):
            wrong = [kind for kind in options if kind not in ("image", "audio", "video", "document")]
            if wrong:
                raise InvalidInputError(f"options= has {wrong[0]!r}; the kinds are image, audio, video, document.")
        self.paths = paths
        self.embeddings = embeddings
        self.glob = glob
        self.table = kinds_of(suffixes)
        self.options = options
        self.on_error = on_error
        self.files_ahead = files_ahead

    def lazy_load(self) -> Iterator[Document]:
        """Documents one by one, in the files' order; the next files are embedded meanwhile."""
        with contextlib.closing(self._ahead()) as ahead:
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
        with contextlib.closing(self._ahead()) as ahead:
            while await asyncio.to_thread(ahead.fill):
                found, future = ahead.first
                try:
                    documents = await asyncio.wrap_future(future)
                except TwelveLabsError as error:
                    documents = self._skip(found, error)
                ahead.drop_first()
                for document in documents:
                    yield document

    def _ahead(self) -> _Ahead:
        return _Ahead(self._files(), self._documents, self.files_ahead * _PICTURES_FOR_A_FILM)

    def _files(self) -> Iterator[Found]:
        model = self.embeddings.client.model
        inputs = {kind for kinds in model.inputs.values() for kind in kinds}
        equals = Equals()
        for found in find(self.paths, glob=self.glob, table=self.table, takes=inputs, model=model.name):
            first = equals.before(found)
            if first is None:
                yield found
            else:
                logger.info("%s has the content of %s and is left out", _shown(found), _shown(first))

    def _skip(self, found: Found, error: TwelveLabsError) -> list[Document]:
        """No documents, if a file that failed so may be skipped."""
        if self.on_error == "raise" or isinstance(error, (AuthenticationError, RateLimitError)):
            raise error
        logger.warning("%s was skipped: %s", _shown(found), error)
        return []

    # -- one file, on the background loop --------------------------------------------------------------------------

    async def _documents(self, found: Found) -> list[Document]:
        if found.media is None:
            assert found.error is not None
            raise found.error
        try:
            rows = await self._rows(found.media, self._options_for(found.media))
        except BatchError as error:
            (only,) = error.errors.values()
            raise _about(only, found) from only.__cause__
        except TwelveLabsError as error:
            raise _about(error, found) from error.__cause__
        client = self.embeddings.client
        await self.embeddings._references.keep(client, {row.id: row.vector for row in rows})
        return [
            Document(
                reference_to(row.id, client.space, row.text),
                id=row.id,
                metadata={**row.metadata, **found.metadata},
            )
            for row in rows
        ]

    async def _rows(self, media: Media, options: SegmentOptions | None) -> list[Row]:
        # An image has one segment, itself; options for video are not about it.
        options = None if media.kind == "image" else options
        (rows,) = await self.embeddings.client.arows_many([media], options)
        return rows

    def _options_for(self, media: Media) -> SegmentOptions | None:
        """What of the options is about this file."""
        by_kind = isinstance(self.options, Mapping)
        options = self.options.get(media.kind) if isinstance(self.options, Mapping) else self.options
        if media.kind == "document":
            return self._for_document(options, pdf=is_pdf(media))
        if options is None or by_kind:
            return options
        if not isinstance(options.segmentation, (Fixed, Dynamic)):
            options = replace(options, segmentation=None)
        has = self.embeddings.client.model.segment_options.get(media.kind, ())
        shared = [option for option in options.embedding_option or () if option in has]
        return replace(options, embedding_option=shared) if shared else options

    def _for_document(self, options: SegmentOptions | None, *, pdf: bool) -> SegmentOptions | None:
        """PDFs go by page, and by quarter if asked; texts by sentences, which the API wants to be told how many."""
        options = options or SegmentOptions()
        whole = tuple(options.embedding_scope) == ("asset",)
        if not isinstance(options.segmentation, Quadrants if pdf else Sentences):
            options = replace(options, segmentation=None if pdf or whole else _SENTENCES)
        # Each has one option, and what was chosen for films is not about it.
        return replace(options, embedding_option=None)


def _about(error: TwelveLabsError, found: Found) -> TwelveLabsError:
    """The file by the name the caller knows."""
    error.item = repr(_shown(found))
    error.results = []
    return error


def _shown(found: Found) -> str:
    return found.where.partition("?")[0] if "://" in found.where else found.where


class _Ahead:
    """Files that were started and not yet asked for, in order."""

    def __init__(
        self, files: Iterator[Found], embed: Callable[[Found], Coroutine[Any, Any, list[Document]]], room: int
    ) -> None:
        self._files, self._embed, self._room = files, embed, room
        self._entries: deque[tuple[Found, Future[list[Document]], int]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def fill(self) -> bool:
        """Start files until enough are under way; False when all are done. May read the disk."""
        while sum(weight for *_, weight in self._entries) < self._room:
            found = next(self._files, None)
            if found is None:
                break
            light = found.media is None or found.media.kind == "image"
            with self._lock:
                if self._closed:  # meanwhile: a cancelled task does not stop the thread this runs in
                    return False
                future = loop.submit(self._embed(found))
                self._entries.append((found, future, 1 if light else _PICTURES_FOR_A_FILM))
        return bool(self._entries)

    @property
    def first(self) -> tuple[Found, Future[list[Document]]]:
        """The file whose turn it is."""
        return self._entries[0][:2]

    def drop_first(self) -> None:
        """Make room for another."""
        self._entries.popleft()

    def close(self) -> None:
        """The caller wants no more: what is still under way must not be paid for."""
        with self._lock:
            self._closed = True
            for _, future, _ in self._entries:
                future.cancel()
