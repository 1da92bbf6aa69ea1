"""Texts, images and audio in real LangChain stores; each finds each."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_twelvelabs import TwelveLabsEmbeddings
from twelvelabs_emulator import Emulator

Vector = list[float]


class Shelf:
    """A store, with the two things that LangChain's interface leaves to each store: vectors in, vectors asked for."""

    def __init__(self, store: Any, put: Callable[[str, Vector], Any], ask: Callable[[Vector, int], Any] | None = None):
        self.store = store
        self.put = put
        self.ask = ask

    def nearest(self, vector: Vector, k: int = 1) -> list[str]:
        found = self.ask(vector, k) if self.ask else self.store.similarity_search_by_vector(vector, k=k)
        return [document.page_content for document in found]

    async def anearest(self, vector: Vector, k: int = 1) -> list[str]:
        found = self.ask(vector, k) if self.ask else await self.store.asimilarity_search_by_vector(vector, k=k)
        return [document.page_content for document in found]


def chroma(model: Any, request: pytest.FixtureRequest) -> Shelf:
    from langchain_chroma import Chroma

    store = Chroma(
        request.getfixturevalue("fresh_name"),
        model,
        client=request.getfixturevalue("chroma_client"),
        collection_metadata={"hnsw:space": "cosine"},
    )

    def put(text: str, vector: Vector) -> None:
        store._collection.upsert(ids=str(uuid.uuid4()), documents=text, embeddings=vector)

    return Shelf(store, put)


def qdrant(model: Any, request: pytest.FixtureRequest) -> Shelf:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import models

    client, name = request.getfixturevalue("qdrant_client"), request.getfixturevalue("fresh_name")
    client.create_collection(name, models.VectorParams(size=model.client.dimensions, distance=models.Distance.COSINE))
    store = QdrantVectorStore(client, name, model)

    def put(text: str, vector: Vector) -> None:
        payload = {store.content_payload_key: text, store.metadata_payload_key: {}}
        client.upsert(name, [models.PointStruct(id=str(uuid.uuid4()), vector=vector, payload=payload)])

    return Shelf(store, put)


def faiss(model: Any, request: pytest.FixtureRequest) -> Shelf:
    import faiss
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores.faiss import FAISS

    store = FAISS(model, faiss.IndexFlatL2(model.client.dimensions), InMemoryDocstore(), {}, normalize_L2=True)
    return Shelf(store, lambda text, vector: store.add_embeddings([(text, vector)]))


def lancedb(model: Any, request: pytest.FixtureRequest) -> Shelf:
    from langchain_lancedb import LanceDB

    store = LanceDB(model, uri=str(request.getfixturevalue("tmp_path") / "lance"))

    # The store's own table: another handle on it would write what this one does not see.
    def put(text: str, vector: Vector) -> None:
        row = {"vector": vector, "text": text, "metadata": json.dumps({}), "id": str(uuid.uuid4())}
        store._table.add([row])

    def ask(vector: Vector, k: int) -> list[Document]:
        return [Document(row["text"]) for row in store._table.search(vector).limit(k).to_list()]

    return Shelf(store, put, ask)


def in_memory(model: Any, request: pytest.FixtureRequest) -> Shelf:
    store = InMemoryVectorStore(model)

    def put(text: str, vector: Vector) -> None:
        name = str(uuid.uuid4())
        store.store[name] = {"id": name, "vector": vector, "text": text, "metadata": {}}

    return Shelf(store, put)


STORES = {f.__name__: f for f in (chroma, qdrant, faiss, lancedb, in_memory)}
TEXTS = ["a plain purple image", "a shrill steady whistle", "three recipes with beans"]
PICTURES = ["red.png", "blue.png", "green-stripes.jpg"]
SOUNDS = ["low.wav", "high.wav"]


@pytest.fixture(params=list(STORES))
def shelf(langchain: TwelveLabsEmbeddings, request: pytest.FixtureRequest) -> Shelf:
    return STORES[request.param](langchain, request)


def fill(shelf: Shelf, model: TwelveLabsEmbeddings, files: Path) -> None:
    vectors = [
        *model.embed_image([str(files / name) for name in PICTURES]),
        *model.embed_audio([str(files / name) for name in SOUNDS]),
    ]
    for name, vector in zip(PICTURES + SOUNDS, vectors, strict=True):
        shelf.put(name, vector)


def test_any_finds_any(shelf: Shelf, langchain: TwelveLabsEmbeddings, files: Path) -> None:
    shelf.store.add_texts(TEXTS)
    fill(shelf, langchain, files)

    def by_text(query: str) -> str:
        (found,) = shelf.store.similarity_search(query, k=1)
        return str(found.page_content)

    assert by_text("a blue photo") == "blue.png"
    assert by_text("green horizontal stripes") == "green-stripes.jpg"
    assert by_text("something with beans") == "three recipes with beans"
    assert by_text("a deep tone") == "low.wav"
    image = langchain.embed_image([files / "purple.png"])[0]
    assert shelf.nearest(image) == ["a plain purple image"]
    assert shelf.nearest(langchain.embed_image([files / "blue.jpg"])[0]) == ["blue.png"]
    assert shelf.nearest(langchain.embed_audio([files / "low.mp3"])[0]) == ["low.wav"]
    whistle = langchain.embed_audio([files / "high.wav"])[0]
    assert shelf.nearest(whistle, 2) == ["high.wav", "a shrill steady whistle"]
    assert shelf.nearest(langchain.embed_video([files / "red.mp4"])[0]) == ["red.png"]


async def test_any_finds_any_async(shelf: Shelf, langchain: TwelveLabsEmbeddings, files: Path) -> None:
    await shelf.store.aadd_texts(TEXTS)
    fill(shelf, langchain, files)
    found = await shelf.store.asimilarity_search("a blue photo", k=2)
    assert found[0].page_content == "blue.png"
    assert await shelf.anearest((await langchain.aembed_image([files / "blue.jpg"]))[0]) == ["blue.png"]
    assert await shelf.anearest((await langchain.aembed_audio([files / "low.mp3"]))[0]) == ["low.wav"]


def test_documents_and_metadata(shelf: Shelf) -> None:
    shelf.store.add_documents([Document(text, metadata={"page": i}) for i, text in enumerate(TEXTS)])
    (found,) = shelf.store.similarity_search("purple", k=1)
    assert (found.page_content, found.metadata["page"]) == (TEXTS[0], 0)


def test_as_retriever(shelf: Shelf) -> None:
    shelf.store.add_texts(TEXTS)
    found = shelf.store.as_retriever(search_kwargs={"k": 1}).invoke("purple")
    assert [document.page_content for document in found] == [TEXTS[0]]


def test_chroma_own_image_methods(
    langchain: TwelveLabsEmbeddings, request: pytest.FixtureRequest, files: Path, emulator: Emulator
) -> None:
    store = chroma(langchain, request).store
    uris = [str(files / name) for name in PICTURES]
    store.add_texts(TEXTS)
    store.add_images(uris=uris, metadatas=[{"file": name} for name in PICTURES])
    assert [r.body["input_type"] for r in emulator.requests] == ["text"] * 3 + ["image"] * 3
    (by_text,) = store.similarity_search("a blue photo", k=1)
    assert by_text.metadata["file"] == "blue.png"
    assert base64.b64decode(by_text.page_content) == (files / "blue.png").read_bytes()
    (by_picture,) = store.similarity_search_by_image(uri=str(files / "blue.jpg"), k=1)
    assert by_picture.metadata["file"] == "blue.png"
    (text,) = store.similarity_search_by_image(str(files / "purple.png"), k=1)
    assert text.page_content == "a plain purple image"


@pytest.mark.parametrize("dimensions", [128, 256])
def test_shorter_vectors(emulator: Emulator, dimensions: int, request: pytest.FixtureRequest, files: Path) -> None:
    model = TwelveLabsEmbeddings(
        model="marengo3.5", dimensions=dimensions, api_key=emulator.api_key, base_url=emulator.base_url
    )
    shelf = qdrant(model, request)  # refuses vectors of another length
    shelf.store.add_texts(TEXTS)
    fill(shelf, model, files)
    (found,) = shelf.store.similarity_search("green horizontal stripes", k=1)
    assert found.page_content == "green-stripes.jpg"


def test_loose_arguments_of_stores(langchain: TwelveLabsEmbeddings, files: Path) -> None:
    """VDMS passes what its caller passed to it on to ``embed_video``."""
    (vector,) = langchain.embed_video(paths=[str(files / "red.mp4")], batch_size=1)
    assert len(vector) == 512
