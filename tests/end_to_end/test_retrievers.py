"""LangChain's and LlamaIndex's retriever: the same settings, defaults and answers over the same collection."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import TextNode

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsRetriever
from langchain_twelvelabs.queries import SearchSettings
from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMomentRetriever
from llama_index_twelvelabs.retriever import SearchSettings as LlamaSettings
from tests.support import media
from tests.support.collection import entries, service
from twelvelabs_core import Audio

SERVICE = service()
CHAIN = TwelveLabsEmbeddings(api_key=SERVICE.key, transport=SERVICE.transport)
LLAMA = TwelveLabsEmbedding(api_key=SERVICE.key, transport=SERVICE.transport)
OTHER_NAMES = {"k": "similarity_top_k", "filter": "filters"}
LANGCHAIN_ALONE = {"search_kwargs"}
EARLIER_NAMES = {"gap", "similarity_cutoff"}


def langchain(**settings: Any) -> TwelveLabsRetriever:
    store = InMemoryVectorStore(CHAIN)
    for entry in entries():
        store.store[entry.id] = {"id": entry.id, "vector": entry.vector, "text": entry.text, "metadata": entry.metadata}
    return TwelveLabsRetriever(vectorstore=store, with_scores=True, **settings)


def llama(**settings: Any) -> TwelveLabsMomentRetriever:
    nodes = [TextNode(id_=e.id, text=e.text, metadata=e.metadata, embedding=e.vector) for e in entries()]
    settings = {OTHER_NAMES.get(name, name): value for name, value in settings.items()}
    return TwelveLabsMomentRetriever(VectorStoreIndex(nodes, embed_model=LLAMA), LLAMA, with_scores=True, **settings)


def test_settings_and_defaults_are_the_same() -> None:
    names = {OTHER_NAMES.get(name, name) for name in SearchSettings.__annotations__}
    assert names - LANGCHAIN_ALONE == set(LlamaSettings.__annotations__) - EARLIER_NAMES
    parameters = inspect.signature(TwelveLabsMomentRetriever).parameters
    for name in set(SearchSettings.__annotations__) - LANGCHAIN_ALONE:
        default = TwelveLabsRetriever.model_fields[name].default
        assert default == parameters[OTHER_NAMES.get(name, name)].default, name


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"k": 2},
        {"fuse": "rrf"},
        {"fuse": "rrf", "k": 9},
        {"fuse": {"visual": 1, "audio": 0.5}, "merge_gap": 3, "pad": 1},
        {"fuse": {"visual": 1, "audio": 3}, "fusion": "score"},
        {"fuse": {"other": 1}},
        {"fuse": "rrf", "fetch_k": 2},
        {"score_cutoff": 0.25, "fuse": "rrf", "merge_gap": 3},
        {"merge_gap": 0, "k": 3},
    ],
)
def test_the_answers_are_the_same(settings: dict[str, Any]) -> None:
    chain, index = langchain(**settings), llama(**settings)
    queries: dict[str, Any] = {"visual": "a red bike", "audio": Audio(media.wav(440, 1))}
    own_queries = isinstance(settings.get("fuse"), dict) and "audio" not in settings["fuse"]
    for documents, hits in (
        (chain.invoke("a red bike"), index.retrieve("a red bike")),
        (chain.by_image(media.png("red")), index.by_image(media.png("red"))),
        (chain.by_audio(media.wav(440, 1)), index.by_audio(media.wav(440, 1))),
        (
            chain.by_composed("red", images=[media.png("red")]),
            index.by_composed("red", images=[media.png("red")]),
        ),
        *([] if own_queries else [(chain.by_queries(queries), index.by_queries(queries))]),
    ):
        assert documents
        assert [told(d.metadata) for d in documents] == [told(hit.node.metadata, hit.score) for hit in hits]


def told(metadata: dict[str, Any], score: float | None = None) -> dict[str, Any]:
    """What a result says, with numbers that two ways to compute a cosine may give."""
    told = {**metadata, **({} if score is None else {"score": score})}
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in told.items()}
