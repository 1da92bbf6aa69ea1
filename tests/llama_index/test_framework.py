"""The LlamaIndex adapter among LlamaIndex's own things: pipelines, settings, caches, callbacks, events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import BoundArguments
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.base.embeddings.base import SimilarityMode
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.embeddings import resolve_embed_model
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.instrumentation.span import SimpleSpan
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.rate_limiter import TokenBucketRateLimiter
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index_instrumentation import get_dispatcher

from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import not_none
from twelvelabs_emulator import Emulator

TEXTS = ["a plain purple image", "a shrill steady whistle", "three recipes with beans"]


def nodes() -> list[TextNode]:
    return [TextNode(text=text, id_=str(i)) for i, text in enumerate(TEXTS)]


# -- pipelines -------------------------------------------------------------------------------------------------------


def test_pipeline(llama: TwelveLabsEmbedding) -> None:
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), llama], vector_store=store)
    made = pipeline.run(documents=[Document(text=text) for text in TEXTS])
    assert [node.embedding for node in made] == llama.get_text_embedding_batch(TEXTS)
    assert [store.get(node.node_id) for node in made] == [node.embedding for node in made]


async def test_pipeline_async(llama: TwelveLabsEmbedding) -> None:
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), llama])
    made = await pipeline.arun(documents=[Document(text=text) for text in TEXTS])
    assert [node.embedding for node in made] == await llama.aget_text_embedding_batch(TEXTS)


def test_pipeline_in_worker_processes(llama: TwelveLabsEmbedding) -> None:
    made = IngestionPipeline(transformations=[llama]).run(nodes=nodes(), num_workers=2)
    assert [node.embedding for node in made] == llama.get_text_embedding_batch(TEXTS)


def test_pipeline_cache_tells_models_apart(emulator: Emulator) -> None:
    cache = IngestionCache()

    def run(key: str, **settings: Any) -> list[float]:
        model = TwelveLabsEmbedding(api_key=key, base_url=emulator.base_url, **settings)
        (node,) = IngestionPipeline(transformations=[model], cache=cache).run(nodes=nodes()[:1])
        assert node.embedding is not None
        return list(node.embedding)

    emulator.configure(api_keys=(emulator.api_key, "tlk_second"))
    first = run("tlk_emulator")
    assert run("tlk_second") == first
    assert len(emulator.requests) == 1, "another key makes no other vector"
    other, short = (
        run("tlk_emulator", model_name="marengo3.5"),
        run("tlk_emulator", model_name="marengo3.5", dimensions=128),
    )
    assert other != first
    assert len(short) == 128
    assert len(emulator.requests) == 3


# -- settings --------------------------------------------------------------------------------------------------------


def test_resolve_embed_model(llama: TwelveLabsEmbedding) -> None:
    assert resolve_embed_model(llama) is llama


def test_settings(llama: TwelveLabsEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_embed_model", None)
    Settings.embed_model = llama
    retriever = VectorStoreIndex(nodes()).as_retriever(similarity_top_k=1)
    (hit,) = retriever.retrieve("purple")
    assert hit.node.get_content() == TEXTS[0]


def test_dict_and_json(llama: TwelveLabsEmbedding, emulator: Emulator) -> None:
    as_dict = llama.to_dict()
    assert as_dict["class_name"] == "TwelveLabsEmbedding"
    assert json.loads(llama.to_json())["model_name"] == "marengo3.0"
    back = TwelveLabsEmbedding.from_dict(as_dict, api_key=emulator.api_key)
    assert back.get_query_embedding("red") == llama.get_query_embedding("red")


async def test_inherited_helpers(llama: TwelveLabsEmbedding) -> None:
    one, two = llama.get_text_embedding_batch(["red", "blue"])
    agg = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    assert llama.get_agg_embedding_from_queries(["red", "blue"]) == pytest.approx(agg)
    assert await llama.aget_agg_embedding_from_queries(["red", "blue"]) == pytest.approx(agg)
    assert llama.similarity(one, one, SimilarityMode.DEFAULT) == pytest.approx(1)


def test_its_own_cache_and_rate_limiter(emulator: Emulator) -> None:
    limiter = TokenBucketRateLimiter(requests_per_minute=600)
    model = TwelveLabsEmbedding(
        api_key=emulator.api_key, base_url=emulator.base_url, embeddings_cache=SimpleKVStore(), rate_limiter=limiter
    )
    first = model.get_text_embedding_batch(TEXTS)
    assert model.get_text_embedding_batch(TEXTS) == first
    assert len(emulator.requests) == len(TEXTS)


# -- callbacks and events --------------------------------------------------------------------------------------------


class Watcher(BaseEventHandler):
    events: list[Any] = []  # noqa: RUF012  # pydantic copies it

    def handle(self, event: Any, **_: Any) -> None:
        self.events.append(event)


class Spans(SimpleSpanHandler):
    arguments: list[str] = []  # noqa: RUF012

    def new_span(self, id_: str, bound_args: BoundArguments, *args: Any, **kwargs: Any) -> SimpleSpan:
        self.arguments.append(f"{id_} {bound_args!r}")
        return super().new_span(id_, bound_args, *args, **kwargs)


@pytest.fixture
def watched() -> Iterator[tuple[Watcher, Spans]]:
    root, watcher, spans = get_dispatcher(), Watcher(), Spans()
    before = list(root.event_handlers), list(root.span_handlers)
    root.add_event_handler(watcher)
    root.add_span_handler(spans)
    yield watcher, spans
    root.event_handlers, root.span_handlers = before


async def test_events_arrive_without_the_key(
    emulator: Emulator, files: Path, watched: tuple[Watcher, Spans], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    emulator.configure(api_keys=("tlk_5ecret",))
    debug = LlamaDebugHandler(print_trace_on_end=False)
    model = TwelveLabsEmbedding(
        api_key="tlk_5ecret", base_url=emulator.base_url, callback_manager=CallbackManager([debug])
    )
    vectors = model.get_text_embedding_batch(TEXTS)
    await model.aget_text_embedding_batch(TEXTS)
    query = model.get_query_embedding("red")
    await model.aget_query_embedding("red")
    image = model.get_image_embedding(str(files / "red.png"))
    await model.aget_image_embedding_batch([str(files / "red.png")])

    watcher, spans = watched
    starts = [event for event in watcher.events if isinstance(event, EmbeddingStartEvent)]
    ends = [event for event in watcher.events if isinstance(event, EmbeddingEndEvent)]
    assert len(starts) == len(ends) == 6
    assert (ends[0].chunks, ends[0].embeddings) == (TEXTS, vectors)
    assert (ends[2].chunks, ends[2].embeddings) == (["red"], [query])
    assert starts[0].model_dict["model_name"] == "marengo3.0"
    assert starts[0].model_dict["space"] == "marengo3.0/512"

    pairs = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert len(pairs) == 6
    payloads = [not_none(pair[1].payload) for pair in pairs]
    assert [payload[EventPayload.EMBEDDINGS] for payload in payloads[::2]] == [vectors, [query], [image]]
    assert payloads[0][EventPayload.CHUNKS] == TEXTS

    shown = [
        *(repr(event) + event.model_dump_json() for event in watcher.events),
        *(repr(event.payload) for pair in pairs for event in pair),
        *spans.arguments,
        caplog.text,
    ]
    assert spans.arguments
    assert not [text for text in shown if "5ecret" in text]
