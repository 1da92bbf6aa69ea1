"""The public API as typed code uses it. Checked by mypy (``make typecheck``), never run.

``assert_type`` states what a call returns; a ``type: ignore`` states that a wrong argument is an error, as mypy reports
those it does not need.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
from langchain_core.documents import Document
from langchain_core.documents.base import Blob
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage
from langchain_core.retrievers import BaseRetriever as LangChainRetriever
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage, TextBlock
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle
from llama_index.core.schema import Document as LlamaDocument
from PIL import Image as Pillow
from starlette.applications import Starlette
from typing_extensions import assert_type

import langchain_twelvelabs
import llama_index_twelvelabs
import twelvelabs_core
import twelvelabs_emulator
from langchain_twelvelabs import (
    TwelveLabsEmbeddings,
    TwelveLabsMediaLoader,
    TwelveLabsRetriever,
    TwelveLabsSpaceTransformer,
    amoment_blocks,
    check_store,
    merge_segments,
    moment_blocks,
)
from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    TwelveLabsMomentRetriever,
)
from llama_index_twelvelabs import moment_blocks as llama_blocks
from twelvelabs_core import (
    MODELS,
    Asset,
    Audio,
    BatchError,
    Budget,
    Clip,
    Composed,
    Dynamic,
    Embedding,
    EmbeddingClient,
    Fixed,
    Frame,
    Fused,
    IdFrom,
    Image,
    Item,
    Media,
    Model,
    Moment,
    Outcome,
    Parts,
    Plan,
    Quadrants,
    QuotaExceededError,
    RateLimits,
    RetryPolicy,
    Row,
    Segment,
    SegmentOptions,
    SegmentsResult,
    Sentences,
    Source,
    Stats,
    StreamResult,
    Task,
    TimedText,
    UploadProgress,
    Video,
    Window,
    advance_clock,
    audio_wav,
    check_space,
    clip,
    clock,
    estimate_tokens,
    frames,
    fuse_ranks,
    fuse_scores,
    local_only,
    merge_moments,
    no_waiting,
    normalize,
    plan_parts,
    pool,
    rows_of,
)
from twelvelabs_core import Document as DocumentFile
from twelvelabs_emulator import Emulator, RecordedRequest, Settings, create_app
from twelvelabs_emulator.protocol.faults import Fault

Vector = list[float]
Vectors = list[list[float]]


def names() -> list[object]:
    """A misspelt name is an error, also where a package imports its names on first use."""
    return [
        langchain_twelvelabs.NoSuchName,  # type: ignore[attr-defined]
        llama_index_twelvelabs.NoSuchName,  # type: ignore[attr-defined]
        twelvelabs_core.NoSuchName,  # type: ignore[attr-defined]
        twelvelabs_emulator.NoSuchName,  # type: ignore[attr-defined]
    ]


# -- core ------------------------------------------------------------------------------------------------------------


def make_client(transport: httpx.AsyncBaseTransport) -> EmbeddingClient:
    EmbeddingClient(MODELS["marengo3.5"], dimensions=256, truncate="average", count_tokens=len)
    EmbeddingClient(truncate="middle")  # type: ignore[arg-type]
    EmbeddingClient(dimension=256)  # type: ignore[call-arg]
    return EmbeddingClient(
        "marengo3.0",
        api_key="tlk_example",
        rate_limits=RateLimits.developer(tier=2),
        retry=RetryPolicy(max_retries=2, max_malformed_retries=1),
        cache=Path("vectors.sqlite"),
        cache_errors="ignore",
        budget=Budget(requests=100, minutes=5),
        total_timeout=900,
        transport=transport,
    )


def sources(pillow: Pillow.Image) -> list[Source]:
    with Path("a.wav").open("rb") as file:
        Audio(file, start_sec=1)
    Audio("a.wav", start="1")  # type: ignore[call-arg]
    Video("a.mp4", start_sec="1")  # type: ignore[arg-type]
    Image(7)  # type: ignore[arg-type]
    return ["a.png", Path("a.png"), b"...", bytearray(b"..."), memoryview(b"..."), io.BytesIO(b"..."), pillow]


def items() -> list[Item]:
    images: list[Media] = [Image("coat.jpg", name="coat")]
    return [
        "text",
        Image("a.png"),
        DocumentFile("a.pdf"),
        Composed("a <@coat>", images),
        Composed.of("a", images=["b"]),
    ]


def options() -> list[SegmentOptions]:
    SegmentOptions(embedding_scope="clips")  # type: ignore[arg-type]
    SegmentOptions(embedding_type=["fused"])  # type: ignore[list-item]
    SegmentOptions(Fixed(duration_sec="6"))  # type: ignore[arg-type]
    return [
        SegmentOptions(Fixed(6), embedding_option="visual", embedding_scope="asset"),
        SegmentOptions(Dynamic(2), embedding_option=["visual", "audio"], embedding_scope=["clip", "asset"]),
        SegmentOptions(
            embedding_option=("visual", "audio"),
            embedding_type="fused_embedding",
            time_based_metadata=[TimedText(0, 6, "a red scene")],
        ),
        SegmentOptions(Sentences(5, overlap_sentences=1), embedding_type=["separate_embedding", "fused_embedding"]),
        SegmentOptions(Quadrants(), embedding_uncertainty=True),
    ]


def embed(client: EmbeddingClient, texts: list[str], images: list[Image], generated: Iterator[str]) -> None:
    found = client.embed("a red bike")
    assert_type(found, Embedding)
    assert_type(found.vector, Vector)
    assert_type(client.embed_many(texts), list[Embedding])
    assert_type(client.embed_each(texts), Outcome[Embedding])
    assert_type(client.embed_each(images).results, list[Embedding | None])
    assert_type(client.rows_each([Video("a.mp4")], id_from="content"), Outcome[list[Row]])
    assert_type(client.embed_many(images), list[Embedding])
    assert_type(client.embed_many(generated, progress=True), list[Embedding])
    client.embed(Path("a.png"))  # type: ignore[arg-type]
    for result in client.stream(generated, errors="yield"):
        assert_type(result, StreamResult)
    for file in client.stream_segments([Video("a.mp4")], SegmentOptions(Fixed(6)), errors="yield"):
        assert_type(file, SegmentsResult)
        assert_type(file.segments, list[Segment] | None)
    Video("https://h.example/a.mp4?token=x", cache_key="video-7")
    assert_type(client.plan(texts), Plan)
    assert_type(client.stats, Stats)
    assert_type(client.model, Model)


def embed_files(client: EmbeddingClient, videos: list[Video]) -> None:
    segments = client.embed_segments(Video("a.mp4"), SegmentOptions(Fixed(6)))
    assert_type(segments, list[Segment])
    assert_type(client.embed_segments_many(videos), list[list[Segment]])
    assert_type(client.rows(videos[0]), list[Row])
    assert_type(client.rows_many(videos), list[list[Row]])
    client.rows(videos[0], metadata={"video_id": "7"}, id_from=lambda known: str(known["video_id"]))
    client.rows_many(videos, metadata=[{"video_id": "7"}], id_from="content")
    client.rows(videos[0], id_from="name")  # type: ignore[arg-type]
    assert_type(client.embed_parts(text="a red bike", image="bike.jpg"), Parts)
    assert_type(rows_of(videos[0], segments, space=client.space, content_digest=""), list[Row])
    chosen: IdFrom = "source"
    rows_of(videos[0], segments, space=client.space, content_digest="", metadata={"title": "x"}, id_from=chosen)
    plan_parts(18_000.0)


def assets_and_tasks(client: EmbeddingClient, told: list[UploadProgress]) -> None:
    asset = client.upload("a.mp4", progress=told.append)
    assert_type(asset, Asset)
    Video(asset)
    Video(Asset("6298d673f1090f1100476d4c"))
    client.upload(Image(b"..."), progress=True)
    client.upload(b"...")  # type: ignore[arg-type]
    for listed in client.assets(kind="video", filename="beach"):
        assert_type(listed, Asset)
        client.delete_asset(listed, force=True)
    client.assets(kind="film")  # type: ignore[arg-type]
    task = client.task("66f5", on_status=lambda task: print(task.status, task.error))
    assert_type(task, Task)
    assert_type(task.segments, tuple[Segment, ...])
    assert_type(task.embedding, Embedding | None)
    assert_type(next(client.tasks(status="ready")), Task)
    client.embed_segments(Video(asset), on_status=lambda task: print(task.status))
    assert_type(client.indexed_segments("i1", "v1", embedding_option="visual"), list[Segment])


async def embed_async(client: EmbeddingClient, texts: AsyncIterator[str]) -> None:
    assert_type(await client.aembed("a red bike"), Embedding)
    assert_type(await client.aembed_many(["a red bike"]), list[Embedding])
    assert_type(await client.aembed_each(["a red bike"]), Outcome[Embedding])
    assert_type(await client.arows_each([Image("a.png")]), Outcome[list[Row]])
    async for result in client.astream(texts, ordered=False):
        assert_type(result, StreamResult)
    assert_type(await client.aembed_segments(Audio("a.wav")), list[Segment])
    assert_type(await client.aupload(Image("a.png")), Asset)
    assert_type([asset async for asset in client.aassets()], list[Asset])
    assert_type(await client.atask("66f5", wait=False), Task)


def search_helpers(rows: list[Row], vector: Vector) -> None:
    hits = [(row, row.metadata, 0.5) for row in rows]
    for moment in merge_moments(hits):
        assert_type(moment, Moment)
        assert moment.best in moment.hits
    fused = fuse_ranks({"visual": [(row, 0.5) for row in rows]}, {"visual": 1.0}, order=lambda row: row.id)
    fused += fuse_scores({"visual": [(row, 0.5) for row in rows]}, {"visual": 1.0}, key=lambda row: row.id)
    assert_type(fused, list[Fused[Row]])
    check_space((row.metadata for row in rows), "marengo3.0/512")
    assert_type(clock(72.5), str)
    assert_type(normalize(vector), Vector)
    assert_type(pool([Segment(vector)], by="midpoint", ranges=[(0, 12.5)]), list[Segment])
    pool([Embedding(vector, "marengo3.0/512")], by="all", normalize=False)
    pool([Segment(vector)], by="scene")  # type: ignore[arg-type]
    pool([Segment(vector)], by=lambda segment: segment.page)
    assert_type(estimate_tokens("a red bike"), int)


def limits() -> RateLimits:
    RateLimits.developer(tier=4)  # type: ignore[arg-type]
    RateLimits.free()
    RateLimits.own(per_minute=30, per_day=1_000)
    return RateLimits(text=(Window(30, 60.0),))


def errors(client: EmbeddingClient) -> None:
    try:
        advance_clock(86_400)
        with local_only(), no_waiting():
            client.embed_many(["a", "b"])
    except BatchError as error:
        assert_type(error.errors, dict[int, twelvelabs_core.TwelveLabsError])
    except QuotaExceededError as error:
        print(error.reopens_at, error.results, error.code, error.status, error.item)


# -- LangChain ---------------------------------------------------------------------------------------------------------


def langchain_embeddings(paths: list[str], image_paths: list[Path], pillow: Pillow.Image) -> Embeddings:
    TwelveLabsEmbeddings(truncate="middle")  # type: ignore[arg-type]
    TwelveLabsEmbeddings(model_name="marengo3.0")  # type: ignore[call-arg]
    model = TwelveLabsEmbeddings(
        model="marengo3.0",
        api_key="tlk_example",
        cache="vectors.sqlite",
        budget=500,
        rate_limits=RateLimits.free(),
        total_timeout=900.0,
    )
    assert_type(model.embed_query("a red bike"), Vector)
    assert_type(model.embed_documents(["a red bike"]), Vectors)
    assert_type(model.embed_image(paths), Vectors)
    assert_type(model.embed_image(image_paths), Vectors)
    assert_type(model.embed_image([pillow, Image("a.png"), b"..."]), Vectors)
    assert_type(model.embed_audio(["a.wav", Audio("a.wav", start_sec=3)]), Vectors)
    assert_type(model.embed_video(paths), Vectors)
    model.embed_video(paths, embedding_option="audio")  # type: ignore[call-arg]
    assert_type(model.embed_composed("the same in blue", images=["bike.jpg"]), Vector)
    assert_type(model.embed_composed("a <@coat>", images={"coat": Path("coat.jpg")}), Vector)
    assert_type(model.embed_segments(Path("a.mp4"), SegmentOptions(Fixed(5))), list[Segment])
    assert_type(model.embed_segments("a.mp4", segmentation=Fixed(5), embedding_option="visual"), list[Segment])
    assert_type(model.client, EmbeddingClient)
    assert_type(model.space, str)
    assert_type(model.collection_name("videos"), str)
    with model.query_reference([0.0] * 512) as text:
        assert_type(text, str)
    return model


async def langchain_async(model: TwelveLabsEmbeddings, paths: list[str]) -> None:
    assert_type(await model.aembed_query("a red bike"), Vector)
    assert_type(await model.aembed_image(paths), Vectors)
    assert_type(await model.aembed_segments(Video("a.mp4")), list[Segment])


def langchain_loader(
    model: TwelveLabsEmbeddings, paths: list[Path], blobs: Iterable[Blob], captions: dict[str, str]
) -> Iterator[Document]:
    TwelveLabsMediaLoader("videos/", model, on_error="ignore")  # type: ignore[arg-type]
    TwelveLabsMediaLoader(paths, model, suffixes=[".mp4"], on_error="skip")
    TwelveLabsMediaLoader(blobs, model, suffixes={".dat": "video"})
    TwelveLabsMediaLoader(blobs, model, id_from=lambda known: str(known["video_id"]))
    TwelveLabsMediaLoader(["videos/", Path("a.png"), Video("a.mp4", end_sec=6)], model)
    by_kind = {"video": SegmentOptions(Dynamic(2)), "audio": SegmentOptions(Fixed(10))}
    TwelveLabsMediaLoader("videos/", model, options=by_kind)
    TwelveLabsMediaLoader("videos/", model, text=lambda row: captions.get(row.id), show_progress=True)
    store = InMemoryVectorStore(model)
    check_store(store, model)
    TwelveLabsMediaLoader("videos/", model, vectorstore=store)
    assert_type(TwelveLabsSpaceTransformer(model).transform_documents([Document("a")]), Sequence[Document])
    loader = TwelveLabsMediaLoader("videos/", model, options=SegmentOptions(Fixed(5), embedding_option="visual"))
    assert_type(loader.load(), list[Document])
    return loader.lazy_load()


def langchain_retriever(model: TwelveLabsEmbeddings, paths: list[str]) -> LangChainRetriever:
    store = InMemoryVectorStore(model)
    retriever = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=10, fuse="rrf", merge_gap=3, pad=1)
    TwelveLabsRetriever(vectorstore=store, fuse={"visual": 1, "audio": 0.5})
    assert_type(retriever.invoke("a red bike"), list[Document])
    assert_type(retriever.by_image(Path("bike.jpg")), list[Document])
    assert_type(retriever.by_composed("the same in blue", images=paths), list[Document])
    assert_type(retriever.invoke("a red bike", k=3, fuse={"visual": 1}), list[Document])
    retriever.by_image("bike.jpg", config={"tags": ["shop"]}, k=3, merge_gap=None, score_cutoff=0.3)
    retriever.by_image("bike.jpg", kk=3)  # type: ignore[call-arg]
    retriever.by_queries({"visual": Image("bike.jpg"), "audio": "a bell"}, fusion="score", with_scores=True)
    merge_segments(retriever.invoke("a red bike"), gap=3)
    merge_segments(store.similarity_search_with_score("a red bike"), higher_is_better=False)
    return retriever


# -- LlamaIndex --------------------------------------------------------------------------------------------------------


def llama_embedding(paths: list[str], image_paths: list[Path], pillow: Pillow.Image) -> TwelveLabsEmbedding:
    TwelveLabsEmbedding(truncate="middle")  # type: ignore[arg-type]
    TwelveLabsEmbedding(budgett=1)  # type: ignore[call-arg]
    TwelveLabsEmbedding(model="marengo3.5", dimensions=256)
    model = TwelveLabsEmbedding(model_name="marengo3.0", api_key="tlk_example", cache=Path("vectors.sqlite"))
    assert_type(model.get_query_embedding("a red bike"), Vector)
    assert_type(model.get_text_embedding_batch(["a red bike"], show_progress=True), Vectors)
    assert_type(model.get_image_embedding("bike.jpg"), Vector)
    assert_type(model.get_image_embedding(Path("bike.jpg")), Vector)
    assert_type(model.get_image_embedding(pillow), Vector)
    assert_type(model.get_image_embedding_batch(paths), Vectors)
    assert_type(model.get_image_embedding_batch(image_paths), Vectors)
    assert_type(model.get_image_embedding_batch([pillow, b"...", Image("bike.jpg")]), Vectors)
    assert_type(model.get_audio_embedding(Path("hum.wav")), Vector)
    assert_type(model.get_video_embedding_batch(paths), Vectors)
    assert_type(model.get_composed_embedding("in blue", images=paths), Vector)
    assert_type(model.get_segments("a.mp4", segmentation=Fixed(6)), list[Segment])
    assert_type(model.query_bundle("in blue", image=pillow), QueryBundle)
    assert_type(model.query_bundle(image=pillow, question="Where was this?"), QueryBundle)
    return model


async def llama_async(model: TwelveLabsEmbedding, paths: list[str]) -> None:
    assert_type(await model.aget_query_embedding("a red bike"), Vector)
    assert_type(await model.aget_image_embedding(Path("bike.jpg")), Vector)
    assert_type(await model.aget_image_embedding_batch(paths), Vectors)
    assert_type(await model.aget_composed_embedding("in blue", images=paths), Vector)
    assert_type(await model.aquery_bundle(audio=Path("hum.wav")), QueryBundle)


def llama_index(model: TwelveLabsEmbedding, paths: list[str], more: list[Path]) -> None:
    TwelveLabsMediaReader(kinds=("images",))  # type: ignore[arg-type]
    reader = TwelveLabsMediaReader(kinds=("image", "video"), media_type="video")
    assert_type(reader.load_data(paths), list[LlamaDocument])
    documents = reader.load_data(more, extra_info={"owner": "me"})
    SimpleDirectoryReader("mixed/", file_extractor=reader.file_extractor("image", "audio"))
    TwelveLabsMediaReader(segments=True, embed_model=model, options=SegmentOptions(Fixed(5)))
    TwelveLabsMediaReader(id_from=lambda known: str(known["video_id"]))
    TwelveLabsMediaEmbedder(embed_model=model, id_from="content", on_error="skip", image_nodes=True)
    TwelveLabsMediaEmbedder(embed_model=model, on_error="ignore")  # type: ignore[arg-type]
    embedder = TwelveLabsMediaEmbedder(
        embed_model=model, video_options=SegmentOptions(Dynamic(4), embedding_option=["visual"]), show_progress=True
    )
    nodes = embedder(documents)
    for node in nodes:
        assert_type(node, BaseNode)
    index = VectorStoreIndex(list(nodes), embed_model=model)
    llama_index_twelvelabs.check_store(index, model)
    IngestionPipeline(transformations=[embedder, model]).run(documents=documents)
    merged = TwelveLabsMomentPostprocessor(embed_model=model, gap=3, pad=1)
    index.as_query_engine(node_postprocessors=[merged])
    retriever = TwelveLabsMomentRetriever(index, model, similarity_top_k=5, fuse={"visual": 1, "audio": 0.5})
    TwelveLabsMomentRetriever(index.as_retriever(), model, fuse="rrf", gap=None)
    TwelveLabsMomentRetriever(index, model, fuse="sum")  # type: ignore[arg-type]
    TwelveLabsMomentRetriever(index, model, merge_gap=3, score_cutoff=0.3, with_scores=True)
    TwelveLabsMomentRetriever(index, model, similarity_cutoff=0.3)
    TwelveLabsMomentRetriever(index, model, cutoff=0.3)  # type: ignore[call-arg]
    retriever.by_queries({"visual": Image("bike.jpg"), "audio": "a bell"}, fusion="score", similarity_top_k=3)
    assert_type(retriever.by_composed("in <@sky>", images={"sky": "sky.jpg"}, merge_gap=3), list[NodeWithScore])
    assert_type(retriever.retrieve("a red bike"), list[NodeWithScore])
    assert_type(retriever.retrieve("a red bike", similarity_top_k=3, fuse="rrf"), list[NodeWithScore])
    retriever.retrieve("a red bike", kk=3)  # type: ignore[call-arg]
    assert_type(retriever.by_image(Path("bike.jpg")), list[NodeWithScore])


# -- what a language model takes of a moment ---------------------------------------------------------------------------


async def moments(moment: Moment, hit: Document, node: NodeWithScore) -> None:
    assert_type(frames("beach.mp4", 72, 78, n=8, longest=512, choose="sharpest"), list[Frame])
    assert_type(frames(moment)[0].at_sec, float | None)
    frames(Video(b"..."), choose="best")  # type: ignore[arg-type]
    frames(b"...")  # type: ignore[arg-type]
    assert_type(audio_wav(Path("beach.mp4"), end_sec=5, rate=None, mono=False), bytes)
    assert_type(clip(moment), Clip)
    blocks = moment_blocks(hit, frames=2, audio=False, media=lambda source: f"{source}?signature")
    HumanMessage([{"type": "text", "text": "What is this?"}, *blocks])
    HumanMessage([*await amoment_blocks(hit, choose="best-lit", max_sec=60)])
    moment_blocks(hit, frame=2)  # type: ignore[call-arg]
    both = [
        *llama_blocks(node, clip=True),
        *await llama_index_twelvelabs.amoment_blocks(node.node, media=Path("a.mp4")),
    ]
    ChatMessage(blocks=[TextBlock(text="What is this?"), *both])


# -- the emulator ------------------------------------------------------------------------------------------------------


def emulator(shape: Literal["nested", "flat"], files: dict[str, Path], failures: list[str]) -> Starlette:
    Settings(plan="gold")  # type: ignore[arg-type]
    Settings(colour="red")  # type: ignore[call-arg]
    Fault(kind="drop", evry=3)  # type: ignore[call-arg]
    rules: list[dict[str, Any]] = [{"kind": "status:503", "path": "embed-v2", "every": 10}]
    settings = Settings(
        api_keys=["tlk_example"],
        latency_sec=1,
        limits={"text": [(5, 1), (100, 60)]},
        limit_minutes={"video": (10, 3600)},
        retry_after=30,
        faults=rules,
        v2_error_shape=shape,
        image_formats=("JPEG",),
        url_files=files,
        asset_failures=failures,
    )
    settings.replace(faults=[Fault(kind="drop"), Fault(kind="slow:2.0", first=3), Fault(kind="lost", probability=0.5)])
    with Emulator(settings, port=8765) as running:
        running.configure(plan="free", faults=rules)
        assert_type(running.base_url, str)
        for request in running.requests:
            assert_type(request, RecordedRequest)
            assert_type(request.status, int | None)
        TwelveLabsEmbeddings(base_url=running.base_url, api_key=running.api_key)
    return create_app(settings)
