"""LangChain's own parts that embed what they are given, over the documents of a loader: nothing is paid for again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.retrievers import ContextualCompressionRetriever, ParentDocumentRetriever
from langchain_classic.retrievers.document_compressors import EmbeddingsFilter
from langchain_classic.storage import InMemoryStore, LocalFileStore
from langchain_community.document_transformers import EmbeddingsRedundantFilter
from langchain_core.documents import Document
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever
from tests.support import media
from twelvelabs_core import InvalidInputError, no_waiting
from twelvelabs_emulator import Emulator


@pytest.fixture(autouse=True)
def _no_patience() -> Iterator[None]:
    with no_waiting():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for color in ("red", "green", "blue"):
        (tmp_path / f"{color}.png").write_bytes(media.png(color))
    (tmp_path / "low.wav").write_bytes(media.wav(60, 8))
    return tmp_path


@pytest.fixture
def documents(langchain: TwelveLabsEmbeddings, folder: Path) -> list[Document]:
    return TwelveLabsMediaLoader(folder, langchain).load()


def texts_paid(emulator: Emulator) -> list[str]:
    """The texts that were embedded."""
    return [r.body["text"]["input_text"] for r in emulator.requests if r.body.get("input_type") == "text"]


def names(found: list[Any]) -> list[str]:
    return [document.metadata["file_name"] for document in found]


def test_a_parent_retriever_whose_children_are_whole(
    langchain: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator
) -> None:
    retriever = ParentDocumentRetriever(
        vectorstore=InMemoryVectorStore(langchain),
        docstore=InMemoryStore(),
        child_splitter=RecursiveCharacterTextSplitter(chunk_size=200),
        search_kwargs={"k": 1},
    )
    retriever.add_documents(documents)
    assert not texts_paid(emulator)
    assert names(retriever.invoke("a red image")) == ["red.png"]
    assert texts_paid(emulator) == ["a red image"]


@pytest.mark.parametrize("size", [20, 40, 80])
def test_a_parent_retriever_whose_children_are_pieces(
    langchain: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator, size: int
) -> None:
    retriever = ParentDocumentRetriever(
        vectorstore=InMemoryVectorStore(langchain),
        docstore=InMemoryStore(),
        child_splitter=RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=5),
    )
    with pytest.raises(InvalidInputError, match="A text splitter has cut a media reference"):
        retriever.add_documents(documents)
    assert not texts_paid(emulator)


def test_filters_by_similarity(langchain: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator) -> None:
    store = InMemoryVectorStore(langchain)
    store.add_documents(documents)
    for base in (store.as_retriever(search_kwargs={"k": 5}), TwelveLabsRetriever(vectorstore=store, k=5)):
        retriever = ContextualCompressionRetriever(
            base_compressor=EmbeddingsFilter(embeddings=langchain, k=2), base_retriever=base
        )
        assert names(retriever.invoke("a green image"))[0] == "green.png"
    assert texts_paid(emulator) == ["a green image"] * 4  # each retriever's search, and its filter's
    different = EmbeddingsRedundantFilter(embeddings=langchain).transform_documents([*documents, *documents])
    assert set(names(list(different))) == set(names(documents))
    assert len(different) <= len(documents)
    assert len(texts_paid(emulator)) == 4


@pytest.mark.parametrize("files", [True, False])
async def test_embeddings_behind_a_cache_of_langchain(
    langchain: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator, tmp_path: Path, files: bool
) -> None:
    kept = LocalFileStore(tmp_path / "cache") if files else InMemoryByteStore()
    cached = CacheBackedEmbeddings.from_bytes_store(
        langchain, kept, namespace=langchain.space, query_embedding_cache=True, key_encoder="sha256"
    )
    store = InMemoryVectorStore(cached)
    store.add_documents(documents)
    langchain.forget_references()  # from now on LangChain's cache answers
    await InMemoryVectorStore(cached).aadd_documents(documents)
    assert not texts_paid(emulator)
    assert names(store.similarity_search("a blue image", k=1)) == ["blue.png"]
    assert texts_paid(emulator) == ["a blue image"]
