"""The retriever's settings, queries and results, over a collection of which every similarity is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingStartEvent
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent, RetrievalStartEvent
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, SimpleVectorStore
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult
from llama_index_instrumentation import get_dispatcher
from pydantic import ValidationError

from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMomentPostprocessor, TwelveLabsMomentRetriever
from tests.support import media
from tests.support.collection import entries, place, service
from twelvelabs_core import Audio, Image, InvalidInputError

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings(
        "ignore:table_names\\(\\) is deprecated:DeprecationWarning"
    ),  # LlamaIndex's LanceDB store
]

SERVICE = service()
MODEL = TwelveLabsEmbedding(api_key=SERVICE.key, transport=SERVICE.transport)


def nodes() -> list[TextNode]:
    return [TextNode(id_=e.id, text=e.text, metadata=e.metadata, embedding=e.vector) for e in entries()]


def indexed(store: Any) -> VectorStoreIndex:
    return VectorStoreIndex(
        nodes(), storage_context=StorageContext.from_defaults(vector_store=store), embed_model=MODEL
    )


@pytest.fixture
def index() -> VectorStoreIndex:
    return indexed(SimpleVectorStore())


@pytest.fixture(params=["simple", "chroma", "qdrant", "lancedb"])
def any_index(request: pytest.FixtureRequest, tmp_path: Any) -> VectorStoreIndex:
    name = request.getfixturevalue("fresh_name")
    if request.param == "chroma":
        ChromaVectorStore = pytest.importorskip("llama_index.vector_stores.chroma").ChromaVectorStore
        client = request.getfixturevalue("chroma_client")
        made = client.create_collection(name, metadata={"hnsw:space": "cosine"})
        return indexed(ChromaVectorStore(chroma_collection=made))
    if request.param == "qdrant":
        QdrantVectorStore = pytest.importorskip("llama_index.vector_stores.qdrant").QdrantVectorStore
        return indexed(QdrantVectorStore(name, client=request.getfixturevalue("qdrant_client")))
    if request.param == "lancedb":
        LanceDBVectorStore = pytest.importorskip("llama_index.vector_stores.lancedb").LanceDBVectorStore
        return indexed(LanceDBVectorStore(str(tmp_path), name))
    return indexed(SimpleVectorStore())


def places(hits: list[NodeWithScore]) -> list[str]:
    return [place(hit.node.metadata) for hit in hits]


class Away:
    """A vector store of another model's vectors, whose server cannot be reached for a while."""

    stores_text = True
    is_embedding_query = True
    away = True

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        if self.away:
            raise ConnectionError("away")
        text, other = TextNode(text="a red bike"), TextNode(text="a green car", metadata={"space": "marengo3.5/512"})
        found = other if query.filters else text
        return VectorStoreQueryResult(nodes=[found], similarities=[0.9], ids=[found.node_id])

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        return self.query(query)


async def test_a_check_that_could_not_be_made_is_made_by_the_next_search() -> None:
    store: Any = Away()
    ask = TwelveLabsMomentRetriever(VectorStoreIndex.from_vector_store(store, MODEL), MODEL, similarity_top_k=1)
    with pytest.raises(ConnectionError):
        ask.retrieve("a red bike")
    with pytest.raises(ConnectionError):
        await ask.aretrieve("a red bike")
    store.away = False
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="do not compare"):
            ask.retrieve("a red bike")
        with pytest.raises(InvalidInputError, match="do not compare"):
            await ask.aretrieve("a red bike")


# -- fusion ------------------------------------------------------------------------------------------------------------


def test_a_segment_is_one_result_whatever_it_was_found_in(any_index: VectorStoreIndex) -> None:
    ask = TwelveLabsMomentRetriever(any_index, MODEL, fuse="rrf")
    found = ask.retrieve("a red bike")
    assert places(found) == ["a5", "a0", "b0", "a60"]
    assert found[0].score == pytest.approx(1 / 61 + 1 / 62)
    assert {hit.node.metadata["embedding_option"] for hit in found} == {"audio,visual"}
    assert places(ask.by_image(media.png("red"))) == ["note", "a0", "a5", "a60"]
    assert places(ask.by_audio(media.wav(440, 1), similarity_top_k=2)) == ["a5", "note"]


def test_texts_that_the_index_embedded_are_found(any_index: VectorStoreIndex) -> None:
    """They have no ``embedding_option``."""
    for fuse in ({"text": 1}, {"other": 1}, "rrf"):
        found = TwelveLabsMomentRetriever(any_index, MODEL, 9, fuse=fuse).retrieve("a red bike")
        assert places(found)[-1] == "note"
        assert len(found) == (5 if fuse == "rrf" else 1)


def test_by_similarity_is_the_default(index: VectorStoreIndex) -> None:
    found = TwelveLabsMomentRetriever(index, MODEL).retrieve("a red bike")
    assert places(found) == ["note", "a0", "a5", "a60"]
    assert [hit.score for hit in found] == pytest.approx([0.95, 0.9, 0.8, 0.7])
    stored = {node.node_id: node.metadata for node in nodes()}
    assert all(hit.node.metadata == stored[hit.node.node_id] for hit in found)


def test_scores_and_ranks_on_request(index: VectorStoreIndex) -> None:
    ask = TwelveLabsMomentRetriever(index, MODEL, 1, fuse="rrf", with_scores=True)
    (found,) = ask.retrieve("a red bike")
    scores = {"score": found.score, "visual_score": 0.8, "visual_rank": 2, "audio_score": 0.3, "audio_rank": 1}
    assert {name: found.node.metadata[name] for name in scores} == pytest.approx(scores)
    assert "visual_rank" not in found.node.get_content("llm")  # type: ignore[arg-type]
    (scene,) = ask.by_image(media.png("red"), fuse={"visual": 1}, merge_gap=3)
    assert scene.node.metadata["visual_rank"] == 1


def test_hits_of_another_retriever_are_separated_here() -> None:
    given = Given([NodeWithScore(node=node, score=node.embedding[0]) for node in nodes() if node.embedding])
    ask = TwelveLabsMomentRetriever(given, MODEL, fuse="rrf")
    query = QueryBundle("", embedding=[1.0])
    assert places(ask.retrieve(query)) == ["a5", "a0", "b0", "a60"]
    assert query.embedding == [1.0], "a retriever writes into the bundle it is given"
    assert len(given.asked) == 1
    assert given.asked[0] is not query
    ask.by_queries({"visual": "a red bike", "audio": "a bell"})
    assert [bundle.query_str for bundle in given.asked[1:]] == ["a red bike", "a bell"]


class Given(BaseRetriever):
    """Answers every query with the same hits."""

    def __init__(self, hits: list[NodeWithScore]) -> None:
        self.hits = hits
        self.asked: list[QueryBundle] = []
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self.asked.append(query_bundle)
        query_bundle.embedding = [0.0]
        return self.hits


# -- queries -----------------------------------------------------------------------------------------------------------


def test_a_query_for_each_option(index: VectorStoreIndex) -> None:
    ask = TwelveLabsMomentRetriever(index, MODEL)
    queries: dict[str, Any] = {"visual": Image(media.png("red")), "audio": "a bell"}
    assert places(ask.by_queries(queries)) == ["a5", "a0", "b0", "a60"]
    weighted = ask.by_queries(queries, fuse={"visual": 1, "audio": 3}, fusion="score", with_scores=True)
    assert places(weighted) == ["a5", "b0", "a0", "a60"]
    assert weighted[0].score == pytest.approx((0.8 + 3 * 0.9) / 4)
    assert weighted[1].node.metadata["audio_score"] == pytest.approx(0.8)
    with pytest.raises(InvalidInputError, match="no weight for 'audio'"):
        ask.by_queries(queries, fuse={"visual": 1})


async def test_a_search_by_text_has_settings_of_its_own(index: VectorStoreIndex) -> None:
    """As LangChain's ``invoke`` and the searches by media."""
    retriever = TwelveLabsMomentRetriever(index, MODEL, similarity_top_k=5)
    fused = TwelveLabsMomentRetriever(index, MODEL, similarity_top_k=2, fuse="rrf").retrieve("a red bike")
    assert retriever.retrieve("a red bike", similarity_top_k=2, fuse="rrf") == fused
    assert await retriever.aretrieve(QueryBundle("a red bike"), similarity_top_k=2, fuse="rrf") == fused
    assert len(retriever.retrieve("a red bike")) == 5
    with pytest.raises(InvalidInputError, match="'top_k' is no setting of a search; there are similarity_top_k"):
        retriever.retrieve("a red bike", top_k=2)  # type: ignore[call-arg]


async def test_every_query_async(index: VectorStoreIndex) -> None:
    ask = TwelveLabsMomentRetriever(index, MODEL, fuse="rrf")
    assert places(await ask.aretrieve("a red bike")) == ["a5", "a0", "b0", "a60"]
    by_option = await ask.aby_queries({"visual": "a red bike", "audio": Audio(media.wav(440, 1))})
    assert places(by_option) == ["a5", "a0", "b0", "a60"]
    composed = await ask.aby_composed("red", images=[media.png("red")], fuse=None, similarity_top_k=1)
    assert places(composed) == ["note"]


def test_several_named_images(index: VectorStoreIndex) -> None:
    ask = TwelveLabsMomentRetriever(index, MODEL)
    found = ask.by_composed("<@bike> and <@sky>", images={"bike": media.png("red"), "sky": media.png("blue")})
    assert places(found) == ["note", "a0", "a5", "a60"]
    assert b"<@bike> and <@sky>" in SERVICE.requests[-1].content


class Events(BaseEventHandler):
    """Keeps what it is told."""

    seen: list[Any] = []  # noqa: RUF012  a pydantic field

    @classmethod
    def class_name(cls) -> str:
        return "Events"

    def handle(self, event: Any, **_: Any) -> None:
        self.seen.append(event)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    handler, dispatcher = Events(), get_dispatcher()
    dispatcher.add_event_handler(handler)
    yield handler.seen
    dispatcher.event_handlers.remove(handler)


def test_every_query_makes_the_events_of_a_retrieval(index: VectorStoreIndex, events: list[Any]) -> None:
    ask = TwelveLabsMomentRetriever(index, MODEL)
    searches: list[Callable[[], list[NodeWithScore]]] = [
        lambda: ask.by_image(media.png("red")),
        lambda: ask.by_audio(media.wav(440, 1)),
        lambda: ask.by_composed("red", images=[media.png("red")]),
        lambda: ask.by_queries({"visual": "a red bike", "audio": "a bell"}),
    ]
    for search in searches:
        events.clear()
        found = search()
        retrievals = [event for event in events if isinstance(event, (RetrievalStartEvent, RetrievalEndEvent))]
        assert isinstance(retrievals[0], RetrievalStartEvent)
        assert isinstance(retrievals[-1], RetrievalEndEvent)
        assert [hit.node.node_id for hit in retrievals[-1].nodes] == [hit.node.node_id for hit in found]
    assert len([event for event in events if isinstance(event, EmbeddingStartEvent)]) == 2, "inside the retrieval"
    assert isinstance(events[0], RetrievalStartEvent)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"similarity_top_k": 0}, "1 or more"),
        ({"fuse": "sum"}, "'rrf', weights by option"),
        ({"fuse": {"vision": 1}}, "'vision'; the options are visual, audio"),
        ({"fuse": {"visual": 0}}, "weights"),
        ({"merge_gap": -1.0}, "0 or more"),
        ({"gap": -1.0}, "0 or more"),
        ({"pad": -1.0}, "0 or more"),
        ({"filters": {"source": "b.mp4"}}, "MetadataFilters, got a dict"),
        ({"cutoff": 0.5}, "'cutoff' is no setting of a search; there are similarity_top_k, fuse"),
    ],
)
def test_wrong_settings_are_refused(index: VectorStoreIndex, settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        TwelveLabsMomentRetriever(index, MODEL, **settings)
    sent = len(SERVICE.requests)
    with pytest.raises(InvalidInputError, match=why):
        TwelveLabsMomentRetriever(index, MODEL).by_image(media.png("red"), **settings)
    assert len(SERVICE.requests) == sent


def test_queries_and_filters_that_do_not_fit(index: VectorStoreIndex) -> None:
    with pytest.raises(InvalidInputError, match="neither text nor a vector"):
        TwelveLabsMomentRetriever(index, MODEL).retrieve(QueryBundle(""))
    filters = MetadataFilters(filters=[MetadataFilter(key="source", value="b.mp4")])
    with pytest.raises(InvalidInputError, match="filters need an index"):
        TwelveLabsMomentRetriever(Given([]), MODEL, filters=filters)
    ask = TwelveLabsMomentRetriever(index, MODEL, filters=filters, fuse="rrf")
    assert places(ask.retrieve("a red bike")) == ["b0"]
    assert places(ask.by_image(media.png("red"), filters=None)) == ["note", "a0", "a5", "a60"]


def test_earlier_names_of_settings(index: VectorStoreIndex) -> None:
    old = TwelveLabsMomentRetriever(index, MODEL, gap=0, similarity_cutoff=0.75).retrieve("a red bike")
    new = TwelveLabsMomentRetriever(index, MODEL, merge_gap=0, score_cutoff=0.75).retrieve("a red bike")
    assert places(old) == places(new) == ["note", "a0"]
    assert old[1].node.node_id == new[1].node.node_id
    assert old[1].node.metadata["hits"] == 2


def test_a_cutoff_needs_scores() -> None:
    given = Given([NodeWithScore(node=node) for node in nodes()])
    assert places(TwelveLabsMomentRetriever(given, MODEL).retrieve("a red bike")) == ["a0", "a0", "a5", "a5"]
    with pytest.raises(InvalidInputError, match="Given returns no scores"):
        TwelveLabsMomentRetriever(given, MODEL, score_cutoff=0.1).retrieve("a red bike")


class Distances(SimpleVectorStore):
    """Returns distances where similarities belong, as some stores do."""

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        found = super().query(query, **kwargs)
        found.similarities = [1 - similarity for similarity in found.similarities or []]
        return found


def test_distances_of_a_store_are_similarities_here() -> None:
    ask = TwelveLabsMomentRetriever(indexed(Distances()), MODEL, score_cutoff=0.8)
    found = ask.retrieve("a red bike")
    assert places(found) == ["note", "a0", "a5"]
    assert [hit.score for hit in found] == pytest.approx([1 / 1.05, 1 / 1.1, 1 / 1.2])
    assert places(ask.by_image(media.png("red"), fuse={"visual": 1}, score_cutoff=None)) == ["a0", "a5", "a60", "b0"]


# -- the postprocessor -------------------------------------------------------------------------------------------------


def test_unknown_settings_of_the_postprocessor_are_refused() -> None:
    with pytest.raises((ValidationError, InvalidInputError), match="gapp"):
        TwelveLabsMomentPostprocessor(gapp=3)  # type: ignore[call-arg]
    merge = TwelveLabsMomentPostprocessor(merge_gap=7)  # type: ignore[call-arg]
    assert (merge.gap, TwelveLabsMomentPostprocessor(gap=7).gap) == (7, 7)


def test_merged_hits_are_best_first(any_index: VectorStoreIndex) -> None:
    hits = any_index.as_retriever(similarity_top_k=4).retrieve("a red bike")
    assert places(TwelveLabsMomentPostprocessor().postprocess_nodes(hits)) == ["note", "a0", "a60"]
    for hit in hits:
        hit.score = 1 - (hit.score or 0.0)
    far = TwelveLabsMomentPostprocessor(higher_is_better=False).postprocess_nodes(hits)
    assert places(far) == ["note", "a0", "a60"]
