"""The retriever's settings, queries and results, over a collection of which every similarity is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_classic.retrievers import MultiQueryRetriever
from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from pydantic import ValidationError

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsRetriever, merge_segments
from tests.support import media
from tests.support.collection import entries, place, service
from twelvelabs_core import Audio, Image, InvalidInputError

# The run collector of older releases of LangChain.
pytestmark = pytest.mark.filterwarnings("ignore:The `copy` method is deprecated:DeprecationWarning")

SERVICE = service()
MODEL = TwelveLabsEmbeddings(api_key=SERVICE.key, transport=SERVICE.transport)


def in_memory() -> InMemoryVectorStore:
    store = InMemoryVectorStore(MODEL)
    for entry in entries():
        store.store[entry.id] = {"id": entry.id, "vector": entry.vector, "text": entry.text, "metadata": entry.metadata}
    return store


@pytest.fixture
def ask() -> TwelveLabsRetriever:
    return TwelveLabsRetriever(vectorstore=in_memory())


def places(found: list[Document]) -> list[str]:
    return [place(document.metadata) for document in found]


# -- settings of a call ------------------------------------------------------------------------------------------------


def test_a_call_has_settings_of_its_own(ask: TwelveLabsRetriever) -> None:
    assert places(ask.invoke("a red bike")) == ["note", "a0", "a5", "a60"]
    assert places(ask.invoke("a red bike", k=1)) == ["note"]
    assert places(ask.invoke("a red bike", fuse="rrf")) == ["a5", "a0", "b0", "a60"]
    assert places(ask.invoke("a red bike", filter=lambda d: d.metadata.get("source") == "b.mp4")) == ["b0", "b0"]
    (scene, *_) = ask.invoke("a red bike", fuse={"visual": 1}, merge_gap=0, pad=1)
    assert (scene.metadata["start_sec"], scene.metadata["end_sec"]) == (0, 11)
    assert places(ask.invoke("a red bike", score_cutoff=0.75)) == ["note", "a0", "a5"]
    assert places(ask.invoke("a red bike", fuse={"audio": 1}, fetch_k=1)) == ["a5"]
    assert ask.invoke("a red bike", k=1, with_scores=True)[0].metadata["score"] == pytest.approx(0.95)
    assert places(ask.bind(k=2).invoke("a red bike")) == ["note", "a0"]
    assert places(ask.by_image(media.png("red"), k=1)) == ["note"]
    assert places(ask.by_composed("red", images=[media.png("red")], k=1)) == ["note"]
    assert places(ask.by_vector(entries()[0].vector, k=1)) == ["a0"]
    assert ask.k == 4, "the retriever stays as it is"


async def test_a_call_has_settings_of_its_own_async(ask: TwelveLabsRetriever) -> None:
    assert places(await ask.ainvoke("a red bike", k=1)) == ["note"]
    assert places(await ask.aby_audio(media.wav(440, 1), fuse={"audio": 1}, k=2)) == ["a5", "b0"]
    assert places(await ask.aby_composed("red", images=[media.png("red")], k=1)) == ["note"]
    assert places(await ask.aby_video(media.mp4((("red", 4, 0),)), k=1)) == ["note"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"kk": 1}, "'kk' is no setting of a search; there are k, fuse"),
        ({"vectorstore": None}, "'vectorstore' is no setting of a search"),
        ({"k": 0}, "1 or more"),
        ({"fuse": {"vision": 1}}, "'vision'; the options are visual, audio"),
    ],
)
async def test_what_is_no_setting_is_refused_before_anything_is_sent(
    ask: TwelveLabsRetriever, settings: dict[str, Any], why: str
) -> None:
    sent = len(SERVICE.requests)
    for call in (ask.invoke, ask.by_image):
        with pytest.raises(InvalidInputError, match=why):
            call("a.png", **settings)
    with pytest.raises(InvalidInputError, match=why):
        await ask.ainvoke("a", **settings)
    assert len(SERVICE.requests) == sent


def test_an_unknown_option_or_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="no setting 'fetchk'; did you mean 'fetch_k'"):
        TwelveLabsRetriever(vectorstore=in_memory(), fetchk=3)  # type: ignore[call-arg]
    with pytest.raises(InvalidInputError, match="'vision'; the options are visual, audio"):
        TwelveLabsRetriever(vectorstore=in_memory(), fuse={"vision": 1})


# -- queries -----------------------------------------------------------------------------------------------------------


def test_a_query_for_each_option(ask: TwelveLabsRetriever) -> None:
    queries: dict[str, Any] = {"visual": "a red bike", "audio": Audio(media.wav(440, 1))}
    assert places(ask.by_queries(queries)) == ["a5", "a0", "b0", "a60"]
    assert places(ask.by_queries({"visual": Image(media.png("red")), "audio": "a bell"}, k=2)) == ["a5", "a0"]
    by_score = ask.by_queries(queries, fuse={"visual": 1, "audio": 3}, fusion="score", with_scores=True)
    assert places(by_score) == ["a5", "b0", "a0", "a60"]
    assert by_score[0].metadata["score"] == pytest.approx((0.8 + 3 * 0.9) / 4)
    assert {name: by_score[1].metadata[name] for name in ("visual_rank", "audio_rank")} == {
        "visual_rank": 4,
        "audio_rank": 2,
    }
    assert by_score[1].metadata["audio_score"] == pytest.approx(0.8)
    assert {d.metadata["embedding_option"] for d in by_score} == {"audio,visual"}
    sent = len(SERVICE.requests)
    with pytest.raises(InvalidInputError, match="no weight for 'audio'"):
        ask.by_queries(queries, fuse={"visual": 1})
    assert len(SERVICE.requests) == sent
    assert places(ask.by_queries(queries, fuse={"visual": 1, "audio": 0})) == ["a0", "a5", "a60", "b0"]
    assert len(SERVICE.requests) == sent + 1, "a query without weight is not embedded"


async def test_a_query_for_each_option_async(ask: TwelveLabsRetriever) -> None:
    assert places(await ask.aby_queries({"visual": "a red bike", "audio": "a bell"})) == ["a5", "a0", "b0", "a60"]


def test_several_named_images(ask: TwelveLabsRetriever) -> None:
    ask.by_composed("<@bike> in the blue of <@sky>", images={"bike": media.png("red"), "sky": media.png("blue")})
    assert b"<@bike> in the blue of <@sky>" in SERVICE.requests[-1].content


# -- documents ---------------------------------------------------------------------------------------------------------


def test_a_document_is_the_same_for_every_query(ask: TwelveLabsRetriever) -> None:
    stored = {entry.id: (entry.text, entry.metadata) for entry in entries()}
    for document in ask.invoke("a red bike", k=9):
        assert stored[str(document.id)] == (document.page_content, document.metadata)
        document.metadata["mine"] = True
    assert not any("mine" in document.metadata for document in ask.invoke("a bell", k=9)), "and a copy"


def test_a_multi_query_retriever_finds_each_document_once(ask: TwelveLabsRetriever) -> None:
    queries: Any = RunnableLambda(lambda _: ["a red bike", "a bell", "a red car"])
    everything = ask.model_copy(update={"k": 9})
    assert len(MultiQueryRetriever(retriever=everything, llm_chain=queries).invoke("a bike")) == 9


@pytest.mark.parametrize("fuse", [None, "rrf", {"visual": 1.0, "audio": 0.5}])
def test_ranges_say_their_scores_on_request(ask: TwelveLabsRetriever, fuse: Any) -> None:
    plain = ask.invoke("a red bike", merge_gap=3, fuse=fuse)
    scored = ask.invoke("a red bike", merge_gap=3, fuse=fuse, with_scores=True)
    assert not any("score" in document.metadata for document in plain)
    assert [d.id for d in plain] == [d.id for d in scored]
    scores = [document.metadata["score"] for document in scored]
    assert scores == sorted(scores, reverse=True)


# -- traces ------------------------------------------------------------------------------------------------------------


async def test_a_search_by_media_is_a_retriever_run_of_the_callers_chain(ask: TwelveLabsRetriever) -> None:
    picture, settings = media.png("red"), {"k": 1}

    def sync(how: str, config: RunnableConfig) -> list[Document]:
        calls: Mapping[str, Any] = {
            "image": lambda: ask.by_image(picture, config=config, k=1),
            "composed": lambda: ask.by_composed("blue", images=[picture], config=config, k=1),
            "queries": lambda: ask.by_queries({"visual": "red", "audio": "a bell"}, config=config, k=1),
            "vector": lambda: ask.by_vector([1.0] * 512, config=config, k=1),
        }
        found: list[Document] = calls[how]()
        return found

    shown = {
        "image": f"image {len(picture)} bytes",
        "composed": f"blue + image {len(picture)} bytes",
        "queries": "visual: red, audio: a bell",
        "vector": "vector of 512 numbers",
    }
    for how, query in shown.items():
        runs = RunCollectorCallbackHandler()
        found = RunnableLambda(sync).invoke(how, {"callbacks": [runs], "tags": ["shop"], "metadata": {"user": "7"}})
        (chain,) = runs.traced_runs
        (child,) = chain.child_runs
        assert (child.run_type, child.inputs["query"]) == ("retriever", query)
        assert child.outputs is not None
        assert [d.id for d in child.outputs["documents"]] == [d.id for d in found]
        assert child.tags is not None
        assert "shop" in child.tags
        about = (child.extra or {})["metadata"]
        assert (about["user"], about["ls_vector_store_provider"]) == ("7", "InMemoryVectorStore")
        assert (about["ls_embedding_provider"], about["ls_embedding_model"]) == ("TwelveLabsEmbeddings", "marengo3.0")

    async def asynchronous(_: str, config: RunnableConfig) -> list[Document]:
        return await ask.aby_image(picture, config=config, **settings)  # type: ignore[arg-type]

    runs = RunCollectorCallbackHandler()
    await RunnableLambda(asynchronous).ainvoke("image", {"callbacks": [runs]})
    assert [run.run_type for run in runs.traced_runs[0].child_runs] == ["retriever"]


def test_an_error_of_a_search_ends_its_run(ask: TwelveLabsRetriever) -> None:
    runs = RunCollectorCallbackHandler()
    with pytest.raises(InvalidInputError):
        ask.by_image("/nonexistent/a.png", config={"callbacks": [runs]})
    assert "nonexistent" in str(runs.traced_runs[0].error)


# -- scores of stores --------------------------------------------------------------------------------------------------


class Unscored(VectorStore):
    """Searched by vector, without scores."""

    @property
    def embeddings(self) -> TwelveLabsEmbeddings:
        return MODEL

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        raise NotImplementedError

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **_: Any) -> list[Document]:
        return [Document(entry.text, id=entry.id, metadata=entry.metadata) for entry in entries()][:k]

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def test_settings_that_need_scores_are_refused_where_there_are_none() -> None:
    ask = TwelveLabsRetriever(vectorstore=Unscored())
    assert places(ask.invoke("a red bike", k=3)) == ["a0", "a0", "a5"]
    settings: list[dict[str, Any]] = [{"score_cutoff": 0.5}, {"fuse": {"visual": 1}, "fusion": "score"}]
    for wrong in settings:
        with pytest.raises(InvalidInputError, match="Unscored returns no scores"):
            ask.invoke("a red bike", **wrong)


def test_merged_hits_of_a_store_with_distances_are_best_first() -> None:
    """Chroma's ``similarity_search_with_score`` returns distances."""
    hits = [(Document(e.text, id=e.id, metadata=e.metadata), 1 - e.vector[0]) for e in entries()[::2]]
    hits.sort(key=lambda hit: hit[1])
    assert places(merge_segments(hits)) == ["note", "a0", "a60", "b0"]
    similar = [(document, 1 - distance) for document, distance in hits]
    assert places(merge_segments(similar)) == ["note", "a0", "a60", "b0"]
    assert places(merge_segments(similar, higher_is_better=False)) == ["b0", "a60", "a0", "note"]


# -- MongoDB Atlas -----------------------------------------------------------------------------------------------------


class MongoDBAtlasVectorSearch(VectorStore):
    """langchain-mongodb's class as far as it is searched: $vectorSearch with cosine scores from 0 to 1."""

    def __init__(self) -> None:
        self.filters: list[Any] = []

    @property
    def embeddings(self) -> TwelveLabsEmbeddings:
        return MODEL

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        raise NotImplementedError

    def _similarity_search_with_score(
        self, query_vector: list[float], k: int = 4, pre_filter: Any = None, oversampling_factor: int = 10
    ) -> list[tuple[Document, float]]:
        self.filters.append(pre_filter)
        found = [
            (
                Document(e.text, id=e.id, metadata={"_id": e.id, **e.metadata}),
                (1 + dot(e.vector, query_vector)) / 2,
            )
            for e in entries()
            if matches(e.metadata, pre_filter or {})
        ]
        return sorted(found, key=lambda hit: -hit[1])[:k]

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def dot(one: list[float], two: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(one, two, strict=True))


def matches(metadata: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """MQL as far as it is used here."""
    for key, wanted in query.items():
        value = metadata.get(key)
        if key == "$and":
            if not all(matches(metadata, part) for part in wanted):
                return False
        elif "$nin" in wanted:
            if value in wanted["$nin"]:
                return False
        elif value != wanted["$eq"]:
            return False
    return True


def test_a_store_under_another_name_is_a_misspelt_setting() -> None:
    with pytest.raises(ValidationError, match="has no setting 'store'; did you mean 'vectorstore'"):
        TwelveLabsRetriever(store=MongoDBAtlasVectorSearch())  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="vectorstore\n  Field required"):
        TwelveLabsRetriever()  # type: ignore[call-arg]


@pytest.mark.parametrize("given", [{"k": 2}, {"filter": {"media_type": "audio"}}])
def test_a_setting_of_its_own_is_refused_in_search_kwargs(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(InvalidInputError, match=f"search_kwargs= has '{name}'.*: give {name}=."):
        TwelveLabsRetriever(vectorstore=MongoDBAtlasVectorSearch(), search_kwargs=given)
    with pytest.raises(InvalidInputError, match=f"give {name}="):
        TwelveLabsRetriever(vectorstore=MongoDBAtlasVectorSearch()).invoke("a red bike", search_kwargs=given)


async def test_mongodb_atlas_filters_itself_and_has_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MongoDBAtlasVectorSearch, "__module__", "langchain_mongodb.vectorstores")
    store = MongoDBAtlasVectorSearch()
    ask = TwelveLabsRetriever(vectorstore=store, with_scores=True)
    found = ask.invoke("a red bike", k=2)
    assert [(place(d.metadata), d.metadata["score"]) for d in found] == [
        ("note", pytest.approx(0.975)),
        ("a0", pytest.approx(0.95)),
    ]
    only = {"source": {"$eq": "b.mp4"}}
    assert places(ask.invoke("a red bike", filter=only)) == ["b0", "b0"]
    store.filters.clear()
    assert places(await ask.ainvoke("a red bike", fuse={"visual": 1, "text": 1}, filter=only)) == ["b0"]
    nin = ["visual", "audio", "transcription", "fused"]
    assert store.filters == [
        {"$and": [only, {"embedding_option": {"$eq": "visual"}}]},
        {"$and": [only, {"embedding_option": {"$nin": nin}}]},
    ]
    mine = {"pre_filter": only, "oversampling_factor": 20}
    assert places(ask.invoke("a red bike", search_kwargs=mine, fuse={"audio": 1})) == ["b0"]
    assert places(ask.invoke("a red bike", fuse="rrf")) == ["a5", "a0", "b0", "a60"]
