"""Texts, images and audio in real LlamaIndex indexes; each finds each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import ImageNode, MediaResource, Node, QueryBundle, TextNode
from llama_index.core.vector_stores import SimpleVectorStore

from llama_index_twelvelabs import TwelveLabsEmbedding
from twelvelabs_emulator import Emulator

TEXTS = ["a plain purple image", "a shrill steady whistle", "three recipes with beans"]
PICTURES = ["red.png", "blue.png", "green-stripes.jpg"]
SOUNDS = ["low.wav", "high.wav"]

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")


def simple(request: pytest.FixtureRequest) -> Any:
    return SimpleVectorStore()


def chroma(request: pytest.FixtureRequest) -> Any:
    from llama_index.vector_stores.chroma import ChromaVectorStore

    client = request.getfixturevalue("chroma_client")
    collection = client.create_collection(request.getfixturevalue("fresh_name"), metadata={"hnsw:space": "cosine"})
    return ChromaVectorStore(chroma_collection=collection)


def qdrant(request: pytest.FixtureRequest, name: str = "") -> Any:
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    return QdrantVectorStore(
        name or request.getfixturevalue("fresh_name"),
        client=request.getfixturevalue("qdrant_client"),
        aclient=request.getfixturevalue("qdrant_aclient"),
    )


@pytest.fixture(params=[simple, chroma, qdrant], ids=lambda make: make.__name__)
def storage(request: pytest.FixtureRequest) -> StorageContext:
    return StorageContext.from_defaults(vector_store=request.param(request))


def media_nodes(model: TwelveLabsEmbedding, files: Path) -> list[Node]:
    """Media as nodes that arrive with their vector: an index would embed their text."""
    vectors = [
        *model.get_image_embedding_batch([str(files / name) for name in PICTURES]),
        *model.get_audio_embedding_batch([str(files / name) for name in SOUNDS]),
    ]
    return [
        Node(text_resource=MediaResource(text=name), extra_info={"file": name}, embedding=vector)
        for name, vector in zip(PICTURES + SOUNDS, vectors, strict=True)
    ]


def contents(found: Any) -> list[str]:
    return [hit.node.get_content() for hit in found]


def test_any_finds_any(storage: StorageContext, llama: TwelveLabsEmbedding, files: Path) -> None:
    nodes = [*(TextNode(text=text) for text in TEXTS), *media_nodes(llama, files)]
    retriever = VectorStoreIndex(nodes, storage_context=storage, embed_model=llama).as_retriever(similarity_top_k=1)

    def by(vector: list[float]) -> list[str]:
        return contents(retriever.retrieve(QueryBundle("", embedding=vector)))

    assert contents(retriever.retrieve("a blue photo")) == ["blue.png"]
    assert contents(retriever.retrieve("something with beans")) == ["three recipes with beans"]
    assert contents(retriever.retrieve("a deep tone")) == ["low.wav"]
    assert by(llama.get_image_embedding(str(files / "purple.png"))) == ["a plain purple image"]
    assert by(llama.get_image_embedding(str(files / "blue.jpg"))) == ["blue.png"]
    assert by(llama.get_audio_embedding(files / "low.mp3")) == ["low.wav"]
    assert by(llama.get_video_embedding(files / "red.mp4")) == ["red.png"]


async def test_any_finds_any_async(llama: TwelveLabsEmbedding, files: Path, request: pytest.FixtureRequest) -> None:
    nodes = [*(TextNode(text=text) for text in TEXTS), *media_nodes(llama, files)]
    storage = StorageContext.from_defaults(vector_store=chroma(request))
    index = VectorStoreIndex([], storage_context=storage, embed_model=llama)
    await index.ainsert_nodes(nodes)
    retriever = index.as_retriever(similarity_top_k=1)
    assert contents(await retriever.aretrieve("a blue photo")) == ["blue.png"]
    audio = await llama.aget_audio_embedding(files / "low.mp3")
    assert contents(await retriever.aretrieve(QueryBundle("", embedding=audio))) == ["low.wav"]


def test_use_async_while_a_loop_runs(llama: TwelveLabsEmbedding) -> None:
    """LlamaIndex starts a loop of its own for this, a new one every time."""
    for _ in range(2):
        index = VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=llama, use_async=True)
        assert contents(index.as_retriever(similarity_top_k=1).retrieve("purple")) == [TEXTS[0]]


async def test_use_async_inside_a_running_loop(llama: TwelveLabsEmbedding) -> None:
    test_use_async_while_a_loop_runs(llama)


def test_persisted_and_reopened(llama: TwelveLabsEmbedding, files: Path, tmp_path: Path, emulator: Emulator) -> None:
    nodes = [*(TextNode(text=text) for text in TEXTS), *media_nodes(llama, files)]
    VectorStoreIndex(nodes, embed_model=llama).storage_context.persist(str(tmp_path))
    assert not [file for file in tmp_path.iterdir() if emulator.api_key in file.read_text()]
    sent = len(emulator.requests)
    index = load_index_from_storage(StorageContext.from_defaults(persist_dir=str(tmp_path)), embed_model=llama)
    assert contents(index.as_retriever(similarity_top_k=1).retrieve("a blue photo")) == ["blue.png"]
    assert len(emulator.requests) == sent + 1, "reopening must embed the query only"


# -- the multi-modal index ------------------------------------------------------------------------------------------


Gallery = Callable[..., Any]


@pytest.fixture
def gallery(llama: TwelveLabsEmbedding, files: Path, request: pytest.FixtureRequest) -> Gallery:
    """A retriever over three texts and three images in two Qdrant collections."""

    def make(**options: Any) -> Any:
        nodes = [
            *(TextNode(text=text) for text in TEXTS),
            *(ImageNode(image_path=str(files / name), metadata={"file": name}) for name in PICTURES),
        ]
        storage = StorageContext.from_defaults(
            vector_store=qdrant(request, "texts"), image_store=qdrant(request, "images")
        )
        index = MultiModalVectorStoreIndex(
            nodes, storage_context=storage, embed_model=llama, image_embed_model=llama, **options
        )
        return index.as_retriever(similarity_top_k=1, image_similarity_top_k=1)

    return make


def images(found: Any) -> list[str]:
    return [hit.node.metadata["file"] for hit in found]


def test_multi_modal_index(gallery: Gallery, files: Path, emulator: Emulator) -> None:
    retriever = gallery()
    assert sorted(r.body["input_type"] for r in emulator.requests) == ["image"] * 3 + ["text"] * 3
    assert contents(retriever.text_retrieve("purple")) == [TEXTS[0]]
    assert images(retriever.text_to_image_retrieve("a blue photo")) == ["blue.png"]
    assert images(retriever.image_to_image_retrieve(str(files / "blue.jpg"))) == ["blue.png"]
    text, image = retriever.retrieve("a red image")
    assert text.node.get_content() in TEXTS
    assert image.node.metadata["file"] == "red.png"


async def test_multi_modal_index_async(gallery: Gallery, files: Path, emulator: Emulator) -> None:
    retriever = gallery(use_async=True)
    assert sorted(r.body["input_type"] for r in emulator.requests) == ["image"] * 3 + ["text"] * 3
    assert contents(await retriever.atext_retrieve("purple")) == [TEXTS[0]]
    assert images(await retriever.atext_to_image_retrieve("a blue photo")) == ["blue.png"]
    assert images(await retriever.aimage_to_image_retrieve(str(files / "blue.jpg"))) == ["blue.png"]
    text, image = await retriever.aretrieve("a red image")
    assert text.node.get_content() in TEXTS
    assert image.node.metadata["file"] == "red.png"


def test_multi_modal_index_asked_by_vector(gallery: Gallery, llama: TwelveLabsEmbedding, files: Path) -> None:
    """An image finds texts, for which the multi-modal retriever has no method of its own."""
    query = QueryBundle("", embedding=llama.get_image_embedding(str(files / "purple.png")))
    assert contents(gallery().text_retrieve(query)) == [TEXTS[0]]
