"""marengo3.5: video, audio, images, PDFs and texts in one collection; and stores without a searcher of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever
from tests.support import media
from twelvelabs_core import Fixed, InvalidInputError, Quadrants, SegmentOptions, Sentences, no_waiting
from twelvelabs_emulator import Emulator

TEXT = "Beans are boiled. The train leaves at noon. Whales sing at night. Bread is baked."


@pytest.fixture(autouse=True)
def _no_patience() -> Iterator[None]:
    with no_waiting():
        yield


@pytest.fixture
def model(emulator: Emulator) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(model="marengo3.5", api_key=emulator.api_key, base_url=emulator.base_url)


@pytest.fixture
def documents_folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.md").write_text(TEXT)
    (tmp_path / "report.pdf").write_bytes(media.pdf(["apples and pears", "copper and tin"]))
    return tmp_path


def places(documents: list[Document]) -> list[tuple[Any, ...]]:
    keys = ("file_name", "embedding_option", "embedding_scope", "page", "quadrant", "chunk")
    return [tuple(d.metadata[k] for k in keys if k in d.metadata) for d in documents]


def test_documents_by_page_and_sentences(model: TwelveLabsEmbeddings, documents_folder: Path) -> None:
    whole = TwelveLabsMediaLoader(documents_folder, model, options=SegmentOptions(embedding_scope="asset")).load()
    assert places(whole) == [("notes.md", "text", "asset"), ("report.pdf", "visual", "asset")]
    default = TwelveLabsMediaLoader(documents_folder, model).load()
    assert places(default) == [
        ("notes.md", "text", "chunk", 0),
        ("report.pdf", "visual", "page", 1),
        ("report.pdf", "visual", "page", 2),
    ]
    # Options for text apply to text only, those for PDF to PDF only, those for video to neither.
    by_sentence = TwelveLabsMediaLoader(documents_folder, model, options=SegmentOptions(Sentences(1))).load()
    assert [p[0] for p in places(by_sentence)] == ["notes.md"] * 4 + ["report.pdf"] * 2
    assert (
        len(TwelveLabsMediaLoader(documents_folder, model, options={"document": SegmentOptions(Quadrants())}).load())
        == 1 + 10
    )
    timed = SegmentOptions(Fixed(3), embedding_option="visual")
    assert places(TwelveLabsMediaLoader(documents_folder, model, options=timed).load()) == places(default)


def test_everything_in_one_collection(model: TwelveLabsEmbeddings, documents_folder: Path) -> None:
    (documents_folder / "video.mp4").write_bytes(media.mp4((("red", 3, 440), ("blue", 3, 440)), size=(360, 360), fps=4))
    (documents_folder / "low.wav").write_bytes(media.wav(60, 5))
    (documents_folder / "green.png").write_bytes(media.png("green"))
    store = InMemoryVectorStore(model)
    loader = TwelveLabsMediaLoader(documents_folder, model, options=SegmentOptions(Sentences(1)))
    store.add_documents(loader.load())
    ask = TwelveLabsRetriever(vectorstore=store, k=1)
    assert {d.metadata["space"] for d in ask.model_copy(update={"k": 50}).invoke("red")} == {"marengo3.5/512"}

    def file(documents: list[Document]) -> str:
        return str(documents[0].metadata["file_name"])

    assert file(ask.invoke("a green image")) == "green.png"
    assert file(ask.invoke("a deep low tone")) == "low.wav"
    whales = ask.invoke("whales that sing")[0]
    assert (whales.metadata["file_name"], whales.metadata["chunk"]) == ("notes.md", 2)
    assert file(ask.by_image(media.png("green"))) == "green.png"
    assert file(ask.by_composed("red", images=[media.png("red")])) == "video.mp4"


# -- stores without a searcher of their own ---------------------------------------------------------------------------


class Bare(VectorStore):
    """A store with only what LangChain requires, over the one in memory."""

    def __init__(self, model: TwelveLabsEmbeddings) -> None:
        self.inner = InMemoryVectorStore(model)
        self.asked: list[int] = []

    @property
    def embeddings(self) -> Any:
        return self.inner.embeddings

    def add_texts(self, texts: Any, metadatas: Any = None, *, ids: Any = None, **_: Any) -> list[str]:
        return self.inner.add_texts(texts, metadatas, ids=ids)

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        return self.inner.similarity_search(query, k=k)

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


class ByText(Bare):
    """Searched by text only, with distances as scores."""

    def similarity_search_with_score(self, query: str, k: int = 4, **_: Any) -> list[tuple[Document, float]]:
        self.asked.append(k)
        return [(d, 1 - s) for d, s in self.inner.similarity_search_with_score(query, k=k)]


class ByVector(Bare):
    """Searched by vector, without scores."""

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **_: Any) -> list[Document]:
        self.asked.append(k)
        return self.inner.similarity_search_by_vector(embedding, k=k)


class Pinecone(Bare):
    """Searched by vector, with scores, by a method of another name."""

    def similarity_search_by_vector_with_score(
        self, embedding: list[float], *, k: int = 4, **_: Any
    ) -> list[tuple[Document, float]]:
        self.asked.append(k)
        return self.inner.similarity_search_with_score_by_vector(embedding, k=k)


class Asynchronous(Bare):
    """Searched asynchronously only."""

    async def asimilarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, **_: Any
    ) -> list[tuple[Document, float]]:
        self.asked.append(k)
        return self.inner.similarity_search_with_score_by_vector(embedding, k=k)


@pytest.mark.parametrize("kind", [ByText, ByVector, Pinecone, Asynchronous])
async def test_any_store(kind: type[Bare], emulator: Emulator, tmp_path: Path) -> None:
    model = TwelveLabsEmbeddings(api_key=emulator.api_key, base_url=emulator.base_url)
    for color in ("red", "green", "blue"):
        (tmp_path / f"{color}.png").write_bytes(media.png(color))
    (tmp_path / "low.wav").write_bytes(media.wav(60, 5))
    store = kind(model)
    store.add_documents(TwelveLabsMediaLoader(tmp_path, model).load())
    store.add_texts(["three recipes with beans"])
    for fuse in (None, "rrf", {"visual": 2.0, "audio": 1.0}):
        ask = TwelveLabsRetriever(vectorstore=store, fuse=fuse, k=2, with_scores=True)
        # Ranks put an audio file that is first in two rankings before an image that is first in one.
        texts = ["a green image"] if fuse != "rrf" else []
        found = [await ask.aby_image(media.png("green")), *[await ask.ainvoke(text) for text in texts]]
        if kind is not Asynchronous:
            found += [ask.by_image(media.png("green")), *map(ask.invoke, texts)]
        assert [hits[0].metadata["file_name"] for hits in found] == ["green.png"] * len(found)
        assert all(hits[0].metadata["score"] >= hits[1].metadata["score"] > 0 for hits in found)
    # One search; where it is divided here, with enough to divide. 20 = the check of the store, before the first.
    assert set(store.asked) == {2, 20, 100}
    assert len(model._in_memory) == 5  # what stood for the queries is gone


def test_settings_of_a_retriever(emulator: Emulator) -> None:
    model = TwelveLabsEmbeddings(api_key=emulator.api_key, base_url=emulator.base_url)
    store = InMemoryVectorStore(model)
    assert TwelveLabsRetriever(vectorstore=store).embeddings is model
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"k": 0}, "1 or more"),
        ({"merge_gap": -1.0}, "0 or more"),
        ({"fuse": {}}, "weights"),
        ({"fuse": {"visual": -1.0}}, "weights"),
        ({"fuse": {"visual": 0.0}}, "weights"),
    ]
    for settings, why in wrong:
        with pytest.raises(InvalidInputError, match=why):
            TwelveLabsRetriever(vectorstore=store, **settings)
    from langchain_core.embeddings import DeterministicFakeEmbedding

    with pytest.raises(InvalidInputError, match="pass embeddings="):
        TwelveLabsRetriever(vectorstore=InMemoryVectorStore(DeterministicFakeEmbedding(size=8)))
    assert TwelveLabsRetriever(vectorstore=store).invoke("anything") == []
    assert emulator.api_key not in repr(TwelveLabsRetriever(vectorstore=store))
