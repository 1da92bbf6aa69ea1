"""No vectors of another model in a store: the check, what makes it, and what lets texts be told apart."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

import tests.support.adapters  # noqa: F401  imports langchain-community without its warning
from langchain_twelvelabs import (
    TwelveLabsEmbeddings,
    TwelveLabsMediaLoader,
    TwelveLabsRetriever,
    TwelveLabsSpaceTransformer,
    acheck_store,
    check_store,
)
from tests.support import media
from tests.support.service import Service
from twelvelabs_core import InvalidInputError

Make = Callable[[TwelveLabsEmbeddings], Any]


def make(service: Service, **settings: Any) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(
        **{"api_key": service.key, "transport": service.transport, "max_retries": 0, **settings}
    )


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def old(service: Service) -> TwelveLabsEmbeddings:
    return make(service, model="marengo3.0")


@pytest.fixture
def new(service: Service) -> TwelveLabsEmbeddings:
    return make(service, model="marengo3.5")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "red.png").write_bytes(media.png("red"))
    return tmp_path / "red.png"


class Bare(VectorStore):
    """A store that this package does not know, and that shows little: search by text, no filter."""

    def __init__(self, model: Any) -> None:
        self._inner = InMemoryVectorStore(model)

    @property
    def embeddings(self) -> Any:
        return self._inner.embeddings

    def add_texts(self, texts: Any, metadatas: Any = None, *, ids: Any = None, **kwargs: Any) -> list[str]:
        return self._inner.add_texts(texts, metadatas, ids=ids)

    def similarity_search(self, query: str, k: int = 4) -> list[Document]:  # type: ignore[override]
        return self._inner.similarity_search(query, k)

    def similarity_search_with_score(self, query: str, k: int = 4) -> list[tuple[Document, float]]:
        return self._inner.similarity_search_with_score(query, k)

    @classmethod
    def from_texts(cls, texts: Any, embedding: Any, metadatas: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(params=["chroma", "qdrant", "faiss", "lancedb", "in_memory", "bare"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """One collection, opened with any embeddings."""
    if request.param == "chroma":
        Chroma = pytest.importorskip("langchain_chroma").Chroma
        client, name = request.getfixturevalue("chroma_client"), request.getfixturevalue("fresh_name")
        return lambda model: Chroma(name, model, client=client)
    if request.param == "qdrant":
        QdrantVectorStore = pytest.importorskip("langchain_qdrant").QdrantVectorStore
        from qdrant_client import models

        client = request.getfixturevalue("qdrant_client")
        client.create_collection("media", models.VectorParams(size=512, distance=models.Distance.COSINE))
        return lambda model: QdrantVectorStore(client, "media", model, validate_collection_config=False)
    if request.param == "lancedb":
        LanceDB = pytest.importorskip("langchain_lancedb").LanceDB
        return lambda model: LanceDB(model, uri=str(tmp_path / "lance"))
    if request.param == "faiss":
        faiss = pytest.importorskip("faiss")
        from langchain_community.docstore.in_memory import InMemoryDocstore
        from langchain_community.vectorstores.faiss import FAISS

        first: list[FAISS] = []

        def open_faiss(model: TwelveLabsEmbeddings) -> FAISS:
            if not first:
                first.append(FAISS(model, faiss.IndexFlatL2(512), InMemoryDocstore(), {}))
            made = first[0]
            return FAISS(model, made.index, made.docstore, made.index_to_docstore_id)

        return open_faiss
    kept: list[Any] = []

    def open_kept(model: TwelveLabsEmbeddings) -> Any:
        made: Any = InMemoryVectorStore(model) if request.param == "in_memory" else Bare(model)
        inner = made if request.param == "in_memory" else made._inner
        if kept:
            inner.store = kept[0]
        kept[:] = [inner.store]
        return made

    return open_kept


REFUSED = r"The collection holds vectors of marengo3\.0/512, the embeddings are marengo3\.5/512"


async def test_documents_of_another_space(
    open_store: Make, old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings, image: Path, service: Service
) -> None:
    store = open_store(old)
    check_store(store)
    store.add_documents(TwelveLabsMediaLoader(image, old).load())
    store.add_texts([f"text {n}" for n in range(3)])
    sent = len(service.requests)
    check_store(store)
    check_store(store, old)
    await acheck_store(store, old)
    with pytest.raises(InvalidInputError, match=REFUSED):
        check_store(open_store(new))
    with pytest.raises(InvalidInputError, match=REFUSED):
        await acheck_store(open_store(new), new)
    assert len(service.requests) == sent, "nothing is embedded for it"


async def test_texts_with_their_space(open_store: Make, old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings) -> None:
    texts = [Document("a red bike", metadata={"author": "me"}), Document("a green car")]
    store = open_store(old)
    store.add_documents(TwelveLabsSpaceTransformer(old).transform_documents(texts))
    check_store(store)
    with pytest.raises(InvalidInputError, match=REFUSED):
        check_store(open_store(new))


def test_one_among_many(open_store: Make, old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings) -> None:
    """A store that filters finds it, whatever it is near to."""
    store = open_store(new)
    if isinstance(store, Bare):
        pytest.skip("of a store without a filter a sample is looked at")
    texts = [Document(f"text {n}") for n in range(60)]
    store.add_documents(TwelveLabsSpaceTransformer(new).transform_documents(texts))
    store.add_texts([f"without a space {n}" for n in range(60)])
    check_store(store)
    one = TwelveLabsSpaceTransformer(old).transform_documents([Document("of the other")])
    open_store(old).add_documents(list(one))
    with pytest.raises(InvalidInputError, match=REFUSED):
        check_store(open_store(new))


def test_the_loader_checks_its_store_before_anything_is_sent(
    old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings, image: Path, service: Service
) -> None:
    store = InMemoryVectorStore(old)
    store.add_documents(TwelveLabsMediaLoader(image, old, vectorstore=store).load())
    sent = len(service.requests)
    with pytest.raises(InvalidInputError, match=REFUSED):
        TwelveLabsMediaLoader(image, new, vectorstore=store).load()
    assert len(service.requests) == sent
    with pytest.raises(InvalidInputError, match="vectorstore= takes a LangChain vector store, got 'store'"):
        TwelveLabsMediaLoader(image, new, vectorstore="store")  # type: ignore[arg-type]


async def test_the_loader_checks_its_store_async(
    old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings, image: Path
) -> None:
    store = InMemoryVectorStore(old)
    await store.aadd_documents(await TwelveLabsMediaLoader(image, old, vectorstore=store).aload())
    with pytest.raises(InvalidInputError, match=REFUSED):
        await TwelveLabsMediaLoader(image, new, vectorstore=store).aload()


async def test_the_retriever_checks_its_store_before_the_first_query(
    old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings, service: Service
) -> None:
    """The nearest hits may all be texts that show no space."""
    store = InMemoryVectorStore(old)
    store.add_texts(["a red bike"] * 9)
    retriever = TwelveLabsRetriever(vectorstore=store, embeddings=new)
    assert len(retriever.invoke("a red bike")) == 4
    store.add_documents(list(TwelveLabsSpaceTransformer(old).transform_documents([Document("a green car")])))
    assert len(retriever.invoke("a red bike", k=3)) == 3, "once: the hits are checked by every search"
    sent = len(service.requests)
    refused = TwelveLabsRetriever(vectorstore=store, embeddings=new)
    for _ in range(2):  # a search that was refused is no check that has passed
        with pytest.raises(InvalidInputError, match=REFUSED):
            refused.invoke("a red bike")
        with pytest.raises(InvalidInputError, match=REFUSED):
            await refused.ainvoke("a red bike", k=2)
    assert len(service.requests) == sent
    own = TwelveLabsRetriever(vectorstore=store, embeddings=new, filter=lambda d: "space" not in d.metadata)
    assert len(own.invoke("a red bike")) == 4


def test_a_key_of_somebody_else_is_no_space(open_store: Make, new: TwelveLabsEmbeddings) -> None:
    store = open_store(new)
    store.add_texts([f"text {n}" for n in range(30)], [{"space": "kitchen"} for _ in range(30)])
    check_store(store)


class Broken(Bare):
    def similarity_search_with_score(self, query: str, k: int = 4) -> list[tuple[Document, float]]:
        raise RuntimeError("no such index")


async def test_a_store_that_cannot_be_searched_passes(
    new: TwelveLabsEmbeddings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "twelvelabs_embeddings")
    check_store(Broken(new))
    await acheck_store(Broken(new))
    line = "The space of the vectors in Broken could not be checked: no such index"
    assert caplog.messages == [line, line]


class Away(Bare):
    """A store whose server cannot be reached for a while."""

    away = True

    def similarity_search_with_score(self, query: str, k: int = 4) -> list[tuple[Document, float]]:
        if self.away:
            raise ConnectionError("away")
        return super().similarity_search_with_score(query, k)


async def test_a_check_that_could_not_be_made_is_made_by_the_next_search(
    old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings
) -> None:
    filled, store = Bare(old), Away(new)
    filled.add_documents(list(TwelveLabsSpaceTransformer(old).transform_documents([Document("a green car")])))
    filled.add_texts(["a red bike"])
    store._inner.store = filled._inner.store
    retriever = TwelveLabsRetriever(vectorstore=store, embeddings=new, k=1)
    with pytest.raises(ConnectionError):
        retriever.invoke("a red bike")
    with pytest.raises(ConnectionError):
        await retriever.ainvoke("a red bike")
    store.away = False
    with pytest.raises(InvalidInputError, match=REFUSED):
        retriever.invoke("a red bike")
    with pytest.raises(InvalidInputError, match=REFUSED):
        await retriever.ainvoke("a red bike")


@pytest.mark.parametrize("wrong", [None, "store", 7])
def test_what_is_no_store(wrong: Any, new: TwelveLabsEmbeddings) -> None:
    with pytest.raises(InvalidInputError, match="store= takes a LangChain vector store"):
        check_store(wrong, new)


def test_a_store_with_other_embeddings(new: TwelveLabsEmbeddings) -> None:
    from langchain_core.embeddings import DeterministicFakeEmbedding

    with pytest.raises(InvalidInputError, match="takes TwelveLabsEmbeddings, got a DeterministicFakeEmbedding"):
        check_store(InMemoryVectorStore(DeterministicFakeEmbedding(size=512)))


# -- texts ------------------------------------------------------------------------------------------------------------


async def test_the_transformer_leaves_everything_else_as_it_is(new: TwelveLabsEmbeddings) -> None:
    given = [Document("a", id="1", metadata={"author": "me"}), Document("b")]
    made = TwelveLabsSpaceTransformer(new).transform_documents(given)
    assert made == [
        Document("a", id="1", metadata={"author": "me", "space": "marengo3.5/512"}),
        Document("b", metadata={"space": "marengo3.5/512"}),
    ]
    assert given[0].metadata == {"author": "me"}
    assert await TwelveLabsSpaceTransformer(new).atransform_documents(made) == made


def test_the_transformer_refuses_other_spaces(old: TwelveLabsEmbeddings, new: TwelveLabsEmbeddings) -> None:
    of_old = TwelveLabsSpaceTransformer(old).transform_documents([Document("a")])
    with pytest.raises(InvalidInputError, match=r"^documents\[1\]: .*'marengo3\.0/512'.*marengo3\.5/512"):
        TwelveLabsSpaceTransformer(new).transform_documents([Document("b"), *of_old])
    with pytest.raises(InvalidInputError, match="expected a Document, got 'text'"):
        TwelveLabsSpaceTransformer(new).transform_documents(["text"])  # type: ignore[list-item]
