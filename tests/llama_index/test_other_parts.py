"""The embedder's nodes in LlamaIndex' other parts: evaluators, recursive retrievers, graphs, multi-modal indexes."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import PropertyGraphIndex, StorageContext, VectorStoreIndex
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.indices.property_graph import ImplicitPathExtractor
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever, RecursiveRetriever
from llama_index.core.schema import BaseNode, ImageNode, MediaResource, MetadataMode, Node, NodeWithScore, TextNode

from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader, in_use
from tests.llama_index.test_stores import qdrant
from twelvelabs_core import InvalidInputError
from twelvelabs_emulator import Emulator

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")


@pytest.fixture
def nodes(llama: TwelveLabsEmbedding, files: Path) -> list[BaseNode]:
    """Two images, the segments of a video, a text."""
    documents: list[BaseNode] = [
        *TwelveLabsMediaReader().load_data([files / "red.png", files / "blue.png", files / "red.mp4"]),
        TextNode(text="three recipes with beans", id_="t"),
    ]
    return list(TwelveLabsMediaEmbedder(embed_model=llama)(documents))


@pytest.fixture
def index(nodes: list[BaseNode], llama: TwelveLabsEmbedding) -> VectorStoreIndex:
    return VectorStoreIndex(nodes, embed_model=llama)


# -- images among the hits -------------------------------------------------------------------------------------------


def test_an_image_is_a_text_node_with_its_path(nodes: list[BaseNode], files: Path) -> None:
    image = nodes[0]
    assert type(image) is TextNode
    assert (image.text, image.metadata["source"], image.metadata["media_type"]) == (
        "red.png whole visual",
        str(files / "red.png"),
        "image",
    )


async def test_an_image_among_the_hits_of_every_part(index: VectorStoreIndex, llama: TwelveLabsEmbedding) -> None:
    retriever = index.as_retriever(similarity_top_k=6)
    hits = retriever.retrieve("a blue photo")
    assert hits[0].text == "blue.png whole visual"
    assert len(hits) == 6
    recursive = RecursiveRetriever("all", retriever_dict={"all": retriever})
    assert [hit.node.node_id for hit in recursive.retrieve("a blue photo")] == [hit.node.node_id for hit in hits]
    fused = QueryFusionRetriever([retriever], llm=MockLLM(), num_queries=1, use_async=False)
    assert fused.retrieve("a blue photo")[0].text == "blue.png whole visual"
    assert SimilarityPostprocessor(similarity_cutoff=0.0).postprocess_nodes(hits)[0].text == "blue.png whole visual"
    evaluator = RetrieverEvaluator.from_metric_names(["hit_rate", "mrr"], retriever=retriever)
    found = await evaluator.aevaluate("a blue photo", [hits[0].node.node_id])
    assert found.metric_vals_dict == {"hit_rate": 1.0, "mrr": 1.0}
    assert found.retrieved_texts == [hit.text for hit in hits]


# -- the question about an image -------------------------------------------------------------------------------------


class Asked(MockLLM):
    """Keeps the prompts it is given."""

    prompts: list[str] = []  # noqa: RUF012  # pydantic copies it

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        self.prompts.append(prompt)
        return super().complete(prompt, formatted, **kwargs)


async def test_a_question_about_what_an_image_finds(
    index: VectorStoreIndex, llama: TwelveLabsEmbedding, files: Path
) -> None:
    image, question = files / "blue.jpg", "Which colour is it?"
    bundle = llama.query_bundle(image=image, question=question)
    assert (bundle.query_str, bundle.embedding) == (question, llama.get_image_embedding(image))
    assert await llama.aquery_bundle(image=image, question=question) == bundle
    both = llama.query_bundle("at night", image=image, question=question)
    assert (both.query_str, both.embedding) == (question, llama.get_composed_embedding("at night", images=[image]))

    llm = Asked(max_tokens=None)
    engine = RetrieverQueryEngine.from_args(index.as_retriever(similarity_top_k=1), llm=llm)
    answer = engine.query(bundle)
    assert [hit.text for hit in answer.source_nodes] == ["blue.png whole visual"]
    (prompt,) = llm.prompts
    assert question in prompt
    assert "blue.png whole visual" in prompt

    with pytest.raises(InvalidInputError, match="not searched by"):
        llama.query_bundle(question=question)
    with pytest.raises(InvalidInputError, match="question: expected a str, got a int"):
        llama.query_bundle(image=image, question=3)  # type: ignore[arg-type]


# -- multi-modal indexes ---------------------------------------------------------------------------------------------


def names(hits: list[NodeWithScore]) -> list[str]:
    return [hit.node.metadata["file_name"] for hit in hits]


@pytest.mark.parametrize("way", ["constructor", "from_documents"])
def test_a_multi_modal_index_finds_images(
    llama: TwelveLabsEmbedding, files: Path, emulator: Emulator, request: pytest.FixtureRequest, way: str
) -> None:
    documents = TwelveLabsMediaReader().load_data([files / "red.png", files / "blue.png", files / "red.mp4"])
    settings: dict[str, Any] = {
        "storage_context": StorageContext.from_defaults(
            vector_store=qdrant(request, f"texts-{way}"), image_store=qdrant(request, f"images-{way}")
        ),
        "embed_model": llama,
        "image_embed_model": llama,
    }
    if way == "constructor":
        embedder = TwelveLabsMediaEmbedder(embed_model=llama, image_nodes=True)
        index = MultiModalVectorStoreIndex(embedder(documents), **settings)
    else:
        embedder = TwelveLabsMediaEmbedder(embed_model=llama)
        index = MultiModalVectorStoreIndex.from_documents(documents, transformations=[embedder], **settings)
    sent = len(emulator.requests)
    assert sent == 3, "no vector is made twice"
    retriever = index.as_retriever(similarity_top_k=9, image_similarity_top_k=9)
    images = retriever.text_to_image_retrieve("a blue photo")
    assert names(images) == ["blue.png", "red.png"]
    node = images[0].node
    assert isinstance(node, ImageNode)
    assert node.image_path == str(files / "blue.png")
    assert names(retriever.image_to_image_retrieve(str(files / "blue.jpg")))[0] == "blue.png"
    assert set(names(retriever.text_retrieve("a red scene"))) == {"red.mp4"}


def test_image_nodes_hold_what_a_language_model_is_shown(
    llama: TwelveLabsEmbedding, files: Path, emulator: Emulator
) -> None:
    url = "https://example.com/red.png"
    signed = f"{url}?sv=1&sig=s3cret"
    emulator.configure(url_files={signed: files / "red.png"})
    content = (files / "red.png").read_bytes()
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, image_nodes=True)
    captioned, inside, linked, low = embedder(
        [
            ImageNode(image_path=str(files / "red.png"), text="a caption"),
            ImageNode(image=base64.b64encode(content).decode()),
            ImageNode(image_url=signed, metadata={"place": url}),
            Node(audio_resource=MediaResource(path=files / "low.wav")),
        ]
    )[:4]
    assert isinstance(captioned, ImageNode)
    assert isinstance(inside, ImageNode)
    assert (captioned.text, captioned.image_path) == ("a caption", str(files / "red.png"))
    assert isinstance(linked, ImageNode)
    assert (linked.image_url, low.class_name()) == (url, "TextNode")
    assert (inside.text, base64.b64decode(inside.image or "")) == ("", content)


# -- graphs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_async", [False, True])
def test_a_property_graph_of_the_embedders_nodes(
    llama: TwelveLabsEmbedding, files: Path, emulator: Emulator, use_async: bool
) -> None:
    documents: list[Any] = [*TwelveLabsMediaReader().load_data([files / "red.png", files / "low.wav"])]
    nodes = list(TwelveLabsMediaEmbedder(embed_model=llama)([*documents, TextNode(text="beans", id_="t")]))
    before = [list(node.get_embedding()) for node in nodes]
    settings: dict[str, Any] = {
        "kg_extractors": [ImplicitPathExtractor()],
        "embed_model": llama,
        "llm": MockLLM(),
        "use_async": use_async,
        "show_progress": False,
    }
    index = PropertyGraphIndex(nodes, **settings)
    sent = [request.body for request in emulator.requests]
    assert [node.embedding for node in nodes] == before
    assert not [body for body in sent if "content_digest" in str(body)]
    kept = index.property_graph_store.get_llama_nodes([node.node_id for node in nodes])
    assert sorted(node.get_content() for node in kept) == sorted(node.get_content() for node in nodes)
    assert PropertyGraphIndex.from_documents(
        documents, transformations=[TwelveLabsMediaEmbedder(embed_model=llama)], **settings
    )


def test_the_text_of_media_is_known_as_long_as_its_node_is_in_use(
    llama: TwelveLabsEmbedding, files: Path, tmp_path: Path
) -> None:
    documents = TwelveLabsMediaReader().load_data(shutil.copy(files / "red.png", tmp_path / "known.png"))
    (node,) = TwelveLabsMediaEmbedder(embed_model=llama)(documents)
    text, vector = node.get_content(MetadataMode.EMBED), node.embedding
    assert llama.get_text_embedding(text) == vector
    mixed = llama.get_text_embedding_batch(["beans", text, "peas"])
    assert mixed == [llama.get_text_embedding("beans"), vector, llama.get_text_embedding("peas")]
    with pytest.raises(InvalidInputError, match=r"texts\[2\].*empty"):
        llama.get_text_embedding_batch(["beans", text, ""])
    other = TwelveLabsEmbedding(model="marengo3.5", api_key="tlk_other", base_url=llama.base_url)
    for wrong, words in ((other, text), (llama, documents[0].get_content(MetadataMode.EMBED))):
        with pytest.raises(InvalidInputError, match=r"'known\.png.*embed_kg_nodes=False"):
            wrong.get_text_embedding(words)
    twin = node.model_copy(update={"embedding": [0.5] * 512})  # as of one text that was divided in two ways
    in_use.remember([twin], llama.client)
    with pytest.raises(InvalidInputError, match="stands for a media file"):
        llama.get_text_embedding(text)
    del node, twin


def test_the_text_of_a_node_that_is_gone_is_refused(llama: TwelveLabsEmbedding, files: Path, tmp_path: Path) -> None:
    documents = TwelveLabsMediaReader().load_data(shutil.copy(files / "red.png", tmp_path / "gone.png"))
    (node,) = TwelveLabsMediaEmbedder(embed_model=llama)(documents)
    text = node.get_content(MetadataMode.EMBED)
    del node
    with pytest.raises(InvalidInputError, match="stands for a media file"):
        llama.get_text_embedding(text)
