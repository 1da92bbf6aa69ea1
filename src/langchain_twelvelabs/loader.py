"""Images, audio, video and documents as LangChain documents, which any store takes through ``add_documents``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from langchain_core.callbacks import Callbacks
from langchain_core.document_loaders.base import BaseLoader
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from twelvelabs_core import BatchError, IdFrom, InvalidInputError, Row, TwelveLabsError, UnexpectedError
from twelvelabs_core.adapter import always, awake, callers_loop, checked_id_from, describe, name_for_ids, stops_all

from .copies import Copies
from .duplicates import Duplicates
from .embeddings import TwelveLabsEmbeddings, own_embeddings
from .lookahead import Lookahead
from .options import Options, check_options, options_for
from .progress import file_bar
from .references import reference_to
from .resolution import refuse_references
from .runs import LoaderRuns, shown_paths
from .sources import Found, Paths, Suffixes, count_media, find_media, kinds_by_suffix
from .store_check import acheck_store, check_store

logger = logging.getLogger("twelvelabs_embeddings")

_IN_TEXT = " (from text=), and one text has one vector. Leave it out of the text."


class TwelveLabsMediaLoader(BaseLoader):
    """Loads and embeds images, audio, video and documents, as LangChain documents for any vector store.

    .. code-block:: python

        model = TwelveLabsEmbeddings(cache="vectors.sqlite")
        loader = TwelveLabsMediaLoader("videos/", model)
        store = Chroma(model.collection_name("videos"), model, collection_metadata={"hnsw:space": "cosine"})
        store.add_documents(loader.load())          # or index(loader, record_manager, store, …)
        store.similarity_search("a red bike")

    A video or audio file gives one document for each segment and option (visual, audio, transcription); an image one;
    on marengo3.5 a PDF one a page, and a text file one for every five sentences, or as ``options`` say.

    ``page_content`` is a reference, after a text of yours if there is one (``text``): a readable line, for which
    ``model.embed_documents`` returns the vector that was made while loading. So the store must embed with *the same
    object*, or with one that has the same ``cache=``. The vectors are kept in the cache if there is one, else in the
    memory of the embeddings object, 4 kB a segment (see ``TwelveLabsEmbeddings.forget_references``). The loader keeps
    none.

    ``metadata`` is flat: ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec``,
    ``embedding_option``, ``embedding_scope``, ``content_digest``, ``space``; where they apply, ``page``, ``quadrant``
    and ``chunk``; and a Blob's own metadata, which may name another ``source`` and ``file_name`` but use no other of
    these keys. The signature of a URL is left out of ``source``.

    ``id`` is made from the path or URL and the content (or as ``id_from`` says): a second run gives the same ids, a
    changed or moved file others. With a cache an unchanged file needs no request. Files with the same content are
    embedded once and have documents each. Only a file whose documents would have the ids of an earlier one, such as
    the same path again, is left out, with a line in the log: many stores refuse an id twice within one call.

    Args:
        paths: files, folders (searched with ``glob``), globs, URLs, LangChain ``Blob``s, blob loaders, ``Video(...)``,
            ``Audio(...)``, ``Image(...)``, ``Document(...)``, each of which also takes an ``Asset`` or ``asset://<id>``,
            an ``Asset`` of known type; one, or an iterable of any of them. Folders and globs are sorted by path; hidden
            files in folders are left out.
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
            account (key, rate limit), the cache, and a server that is down are always raised.
        id_from: what tells the ids of files with the same content apart: ``source``, the path or URL; ``content``,
            nothing, so that of copies only the first is loaded; or a function from what is known before embedding
            (``source``, ``file_name``, ``media_type``, and a Blob's own metadata) to a name:
            ``lambda metadata: metadata["video_id"]``. Two contents under one name keep their documents apart; to
            replace the old ones use LangChain's ``index(…, cleanup=…)``.
        text: a caption or transcript for each segment, which a language model reads: a function from a
            :class:`twelvelabs_core.Row` to a ``str`` (None or empty = none):
            ``lambda row: captions[row.metadata["start_sec"]]``. It stands before the reference; the vector stays the
            segment's. To search the words too, add them as documents of their own. It is called in a thread, when the
            file has been embedded.
        vectorstore: the store that the documents are for. If it holds vectors of another space, the load is refused
            before anything is sent; see :func:`~langchain_twelvelabs.check_store`.
        show_progress: show a tqdm bar of files.
        files_ahead: videos, audio files and documents in progress at a time; images, sixteen times as many. It bounds
            the memory used: documents that are finished are held until the caller takes them.
        callbacks: LangChain's handlers or a callback manager, beside those of the chain that the loader is called in. A
            load is a run, and each file one of type ``embedding`` below it.

    Raises:
        InvalidInputError: an argument is out of its range; while loading, a file is missing, unreadable, or not taken
            by the model, a Blob's metadata uses one of our keys, ``text`` gave something else than a text or one with a
            reference in it, or the store holds vectors of another space.
        UnexpectedError: while loading, ``text`` or ``id_from`` raised.
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
        id_from: IdFrom = "source",
        text: Callable[[Row], str | None] | None = None,
        vectorstore: VectorStore | None = None,
        show_progress: bool = False,
        callbacks: Callbacks = None,
    ) -> None:
        if isinstance(paths, TwelveLabsEmbeddings):
            raise InvalidInputError("The paths come first: TwelveLabsMediaLoader('videos/', embeddings).")
        own_embeddings(embeddings)
        if text is not None and not callable(text):
            raise InvalidInputError(f"text= takes a function from a Row to a str, got {describe(text)}.")
        if vectorstore is not None and not isinstance(vectorstore, VectorStore):
            raise InvalidInputError(f"vectorstore= takes a LangChain vector store, got {describe(vectorstore)}.")
        if not isinstance(on_error, str) or on_error not in ("raise", "skip"):
            raise InvalidInputError(f"on_error={describe(on_error)} is not one of raise, skip.")
        if not isinstance(files_ahead, int) or isinstance(files_ahead, bool) or files_ahead < 1:
            raise InvalidInputError(f"files_ahead= must be a whole number of 1 or more, got {describe(files_ahead)}.")
        if not isinstance(glob, str) or not glob:
            raise InvalidInputError(f"glob= takes a pattern such as '**/*', got {describe(glob)}.")
        check_options(options)
        self.paths = paths
        self.embeddings = embeddings
        self.glob = glob
        self.suffixes = kinds_by_suffix(suffixes)
        self.options = options
        self.on_error = on_error
        self.files_ahead = files_ahead
        self.id_from = checked_id_from(id_from)
        self.callbacks = callbacks
        self.text = text
        self.vectorstore = vectorstore
        self.show_progress = show_progress

    def lazy_load(self) -> Iterator[Document]:
        """Documents one by one, in the files' order; the next files are embedded meanwhile."""
        return self._load(self._runs())

    def _load(self, runs: LoaderRuns) -> Iterator[Document]:
        if self.vectorstore is not None:
            check_store(self.vectorstore, self.embeddings)
        seen: dict[str | None, str] = {}
        with (
            runs.load(),
            file_bar(self.show_progress, self._count()) as bar,
            contextlib.closing(self._start(runs)) as ahead,
        ):
            while ahead.fill():
                found, future = ahead.first
                try:
                    documents = future.result()
                except TwelveLabsError as error:
                    documents = self._skip(found, error)
                ahead.drop_first()
                new = self._new(found, documents, seen)
                bar.update(found.number + 1, len(new))
                for document in new:
                    runs.count += 1
                    yield document
            bar.finish()

    def alazy_load(self) -> AsyncIterator[Document]:
        """Async :meth:`lazy_load`."""
        return self._aload(self._runs())

    async def _aload(self, runs: LoaderRuns) -> AsyncIterator[Document]:
        callers_loop()
        if self.vectorstore is not None:
            await acheck_store(self.vectorstore, self.embeddings)
        seen: dict[str | None, str] = {}
        total = await asyncio.to_thread(self._count)
        async with runs.aload():
            with file_bar(self.show_progress, total) as bar, contextlib.closing(self._start(runs)) as ahead:
                while await asyncio.to_thread(ahead.fill):
                    found, future = ahead.first
                    try:
                        with awake():
                            documents = await asyncio.wrap_future(future)
                    except TwelveLabsError as error:
                        documents = self._skip(found, error)
                    ahead.drop_first()
                    new = self._new(found, documents, seen)
                    bar.update(found.number + 1, len(new))
                    for document in new:
                        runs.count += 1
                        yield document
                bar.finish()

    def _start(self, runs: LoaderRuns) -> Lookahead:
        copies = Copies(self.embeddings)

        def embed(found: Found) -> Coroutine[Any, Any, list[Document]]:
            return runs.file(found, lambda: self._documents(found, copies))

        return Lookahead(self._files(), embed, self.files_ahead)

    def _runs(self) -> LoaderRuns:
        model = self.embeddings.client.model.name
        about = {"ls_embedding_provider": type(self.embeddings).__name__, "ls_embedding_model": model}
        return LoaderRuns(type(self).__name__, self.callbacks, {"paths": shown_paths(self.paths)}, about)

    def _search(self) -> dict[str, Any]:
        """What to look for in folders and globs."""
        model = self.embeddings.client.model
        kinds = {kind for kinds in model.inputs.values() for kind in kinds}
        return {"glob": self.glob, "suffixes": self.suffixes, "kinds": kinds, "model": model.name}

    def _count(self) -> int | None:
        """The number of files, for a progress bar; None if it is not shown, or they can be listed only once."""
        return count_media(self.paths, **self._search()) if self.show_progress else None

    def _files(self) -> Iterator[Found]:
        duplicates = Duplicates()
        for number, found in enumerate(find_media(self.paths, **self._search())):
            named = self._named(replace(found, number=number))
            digest, equal = duplicates.earlier(named)
            first = next((earlier for earlier in equal if earlier.id_name == named.id_name), None)
            if first is not None:
                logger.info(
                    "%s has the content of %s and would have the same ids; it is left out (see id_from)",
                    found.label,
                    first.label,
                )
            else:
                yield replace(named, copy_of=equal[0].number, digest=digest) if equal else named

    def _named(self, found: Found) -> Found:
        """The file with what its ids are made of, or with the error of finding that out."""
        if found.media is None:
            return found
        try:
            name = name_for_ids(found.media, found.metadata, self.id_from, repr(found.label))
        except TwelveLabsError as error:
            return replace(found, media=None, error=error)
        return replace(found, id_name=name)

    def _new(self, found: Found, documents: list[Document], seen: dict[str | None, str]) -> list[Document]:
        """The documents, or none if their ids were yielded before: of streams, which cannot be compared beforehand.

        Args:
            seen: name of each file by the id of its first document; this file's is added.
        """
        first = documents[0].id if documents else None
        if first in seen:
            logger.info(
                "%s has the content of %s and has the same ids; it is left out (see id_from)", found.label, seen[first]
            )
            return []
        if documents:
            seen[first] = found.label
        return documents

    def _skip(self, found: Found, error: TwelveLabsError) -> list[Document]:
        """Log the file and return no documents if it may be skipped; else raise the error."""
        if self.on_error == "raise" or stops_all(error):
            if found.listed and isinstance(error, InvalidInputError):
                error.message += " To go on without such files: on_error='skip'."
            raise error
        logger.warning("%s was skipped: %s", found.label, error)
        return []

    # -- one file, on the background loop --------------------------------------------------------------------------

    async def _documents(self, found: Found, copies: Copies) -> list[Document]:
        if found.media is None:
            assert found.error is not None
            raise found.error
        try:
            rows = await copies.rows(found, lambda: self._rows(found))
        except BatchError as error:
            (only,) = error.errors.values()
            raise _renamed(only, found) from only.__cause__
        except TwelveLabsError as error:
            raise _renamed(error, found) from error.__cause__
        words = [""] * len(rows)
        if self.text is not None:
            words = await asyncio.to_thread(self._words, rows, self.text, repr(found.label))
            for text in words:
                await refuse_references(self.embeddings, text, repr(found.label), _IN_TEXT)
        return await asyncio.to_thread(self._documents_of, rows, words)  # of a long video, thousands

    def _documents_of(self, rows: list[Row], words: Sequence[str]) -> list[Document]:
        return [
            Document(reference_to(self.embeddings, row.id, row.text, text), id=row.id, metadata=row.metadata)
            for row, text in zip(rows, words, strict=True)
        ]

    def _words(self, rows: list[Row], text: Callable[[Row], str | None], label: str) -> list[str]:
        """What the caller's function gives for each row; empty for nothing."""
        found = []
        for row in rows:
            try:
                words: Any = text(row)
            except Exception as error:
                raise UnexpectedError(f"text= raised {type(error).__name__} for {row.text!r}.", item=label) from error
            if not isinstance(words, (str, type(None))):
                why = f"text= gave {describe(words)} for {row.text!r}; expected a str, or None."
                raise InvalidInputError(why, item=label)
            found.append((words or "").strip())
        return found

    async def _rows(self, found: Found) -> list[Row]:
        assert found.media is not None
        client = self.embeddings.client
        options = options_for(found.media, self.options, client.model)
        how: dict[str, Any] = {"metadata": [found.metadata], "id_from": always(found.id_name)}
        (rows,) = await client.arows_many([found.media], options, **how)
        return rows


def _renamed(error: TwelveLabsError, found: Found) -> TwelveLabsError:
    """The error, with the file's name as its item, and without results, which would be rows."""
    error.item = repr(found.label)
    error.results = []
    return error
