"""The check that a vector store holds no vectors of another space, and what lets it tell."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import Any, TypeAlias

from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_core.vectorstores import VectorStore

from twelvelabs_core import InvalidInputError, check_space
from twelvelabs_core.adapter import as_objects, describe

from .embeddings import TwelveLabsEmbeddings, own_embeddings
from .stores import Hits, Searcher, searcher

_Search: TypeAlias = "tuple[list[float], int, None, Any]"
"""Arguments of :meth:`~.stores.Searcher.search`: vector, number of hits, option, filter."""

logger = logging.getLogger("twelvelabs_embeddings")

# More than one: documents whose "space" is somebody else's key match the filter too, and in some stores those without
# one (texts). If these fill the first answer, more are asked for once.
_DOCUMENTS_CHECKED = (20, 1000)
_SAMPLE = 20


def check_store(store: VectorStore, embeddings: TwelveLabsEmbeddings | None = None) -> None:
    """Refuse a vector store that holds vectors of another space than the embeddings'.

    Vectors of two models that are equally long go into one collection without an error, and a search then answers
    wrongly. A document shows its space by ``metadata["space"]``, which the loader writes, and for texts
    :class:`TwelveLabsSpaceTransformer`. Texts and images that were added without it cannot be checked: name the
    collection after the space, ``embeddings.collection_name("videos")``, and the question does not arise.

    Chroma, Qdrant, FAISS, LanceDB, Milvus and ``InMemoryVectorStore``, and stores whose filters are written as Chroma's
    (PostgreSQL's are), are searched for documents of other spaces; of any other store, the 20 documents nearest to an
    arbitrary vector are looked at. Nothing is embedded. A store that cannot be searched passes, with a line in the log:
    it is still empty, or its vectors have another length and it will refuse these itself.

    Args:
        store: any LangChain vector store.
        embeddings: by default the store's own.

    Raises:
        InvalidInputError: it holds vectors of another space (the message names both), or its embeddings are unknown.
    """
    check_searched(_searcher(store, embeddings))


async def acheck_store(store: VectorStore, embeddings: TwelveLabsEmbeddings | None = None) -> None:
    """Async :func:`check_store`."""
    await acheck_searched(_searcher(store, embeddings))


def _searcher(store: VectorStore, embeddings: TwelveLabsEmbeddings | None) -> Searcher:
    if not isinstance(store, VectorStore):
        raise InvalidInputError(f"store= takes a LangChain vector store, got {describe(store)}.")
    return searcher(store, own_embeddings(embeddings_of(store) if embeddings is None else embeddings), {})


def check_searched(store: Searcher) -> bool:
    """:func:`check_store` of a store as it is searched; whether it could be searched."""
    check = _Check(store)
    while check.search is not None:
        try:
            hits = store.search(*check.search)
        except Exception as error:  # each store raises its own
            check.failed(error)
        else:
            check.take(hits)
    return check.passed


async def acheck_searched(store: Searcher) -> bool:
    """Async :func:`check_searched`."""
    check = _Check(store)
    while check.search is not None:
        try:
            hits = await store.asearch(*check.search)
        except Exception as error:
            check.failed(error)
        else:
            check.take(hits)
    return check.passed


class _Check:
    """The searches of one check, one after another.

    Attributes:
        search: arguments for the next search; None if there is none left.
        passed: whether the last one has found only vectors of the embeddings' space.
    """

    def __init__(self, store: Searcher) -> None:
        self._name = type(store.store).__name__
        self._searches = _searches(store)
        self.search = next(self._searches, None)
        self.passed = False

    def take(self, hits: Hits | None) -> None:
        """Check what a search found.

        Raises:
            InvalidInputError: a vector of another space.
        """
        try:
            self.search = self._searches.send(hits)
        except StopIteration:
            self.search, self.passed = None, hits is not None

    def failed(self, error: Exception) -> None:
        """Go on to the next search, if there is one."""
        self.take(None)
        if self.search is None:
            logger.info("The space of the vectors in %s could not be checked: %s", self._name, error)


def _searches(store: Searcher) -> Generator[_Search, Hits | None, None]:
    """The searches to make; each is sent what was found, or None if it failed.

    Raises:
        InvalidInputError: a document found is of another space.
    """
    space, dimensions = store.embeddings.space, store.embeddings.client.dimensions
    vector = [dimensions**-0.5] * dimensions
    for counts, filter in ((_DOCUMENTS_CHECKED, store.other_spaces(space)), ((_SAMPLE,), None)):
        for count in counts:
            hits = yield vector, count, None, filter
            if hits is None:
                break
            check_space((document.metadata for document, _ in hits), space)
            if len(hits) < count:
                return
        else:
            return


def embeddings_of(store: Any) -> Any:
    """What a store embeds with; None if it does not show it."""
    return getattr(store, "embeddings", None) or getattr(store, "_embedding_function", None)


class TwelveLabsSpaceTransformer(BaseDocumentTransformer):
    """Writes the embeddings' vector space into the metadata of texts, so that :func:`check_store` and the retriever can
    tell them from texts of another model.

    .. code-block:: python

        texts = splitter.split_documents(PyPDFLoader("report.pdf").load())
        store.add_documents(TwelveLabsSpaceTransformer(model).transform_documents(texts))

    Args:
        embeddings: what the store embeds with.
    """

    def __init__(self, embeddings: TwelveLabsEmbeddings) -> None:
        self.embeddings = own_embeddings(embeddings)

    def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
        """Copies of the documents, with ``space`` in their metadata. Nothing is sent.

        Raises:
            InvalidInputError: a document has another ``space``: it is of another model, or the key is used for
                something else.
        """
        space = self.embeddings.space
        found = as_objects(documents, Document, "documents")
        for index, document in enumerate(found):
            other = document.metadata.get("space", space)
            if other != space:
                raise InvalidInputError(
                    f"its metadata has 'space': {other!r:.60}, the embeddings are {space}. Load media again with these "
                    "embeddings; rename a key of your own.",
                    item=f"documents[{index}]",
                )
        return [d.model_copy(update={"metadata": {**d.metadata, "space": space}}) for d in found]

    async def atransform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
        """Async :meth:`transform_documents`."""
        return self.transform_documents(documents)
