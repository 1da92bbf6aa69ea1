"""Video, audio and images in real LlamaIndex stores: found by text, image and audio, also after reopening."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import BaseNode, Document, MetadataMode, NodeWithScore, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, SimpleVectorStore, VectorStoreQuery

from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    TwelveLabsMomentRetriever,
    check_store,
)
from tests.llama_index.stores import KINDS
from tests.support import media
from tests.support.stores import Place, StoreKind
from twelvelabs_core import InvalidInputError
from twelvelabs_emulator import Emulator

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
    pytest.mark.filterwarnings(r"ignore:table_names\(\) is deprecated"),  # the LanceDB integration's
]

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of two scenes each, an audio file, an image."""
    folder = tmp_path_factory.mktemp("library")
    for name, content in {
        "one.mp4": media.mp4((("red", 6, 0), ("blue", 6, 4000))),
        "two.mp4": media.mp4((("green", 6, 0), ("yellow", 6, 440))),
        "low.wav": media.wav(110, 8),
        "striped.png": media.png("purple", pattern="vertical"),
    }.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> StoreKind:
    found: StoreKind = request.param
    found.skip_if_missing()
    return found


@pytest.fixture
def new_place(kind: StoreKind, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Place]:
    """A place of a name, with a database of its own, if the store needs one."""

    def new(name: str) -> Place:
        return Place(tmp_path / name, request.getfixturevalue("postgres").database() if kind.postgres else "")

    return new


@pytest.fixture
def place(new_place: Callable[[str], Place]) -> Place:
    return new_place("store")


@pytest.fixture
def index(kind: StoreKind, place: Place, library: Path, llama: TwelveLabsEmbedding) -> Iterator[VectorStoreIndex]:
    """The library in a store of each kind."""
    store = kind.open(llama, place)
    documents = TwelveLabsMediaReader().load_data(library)
    yield VectorStoreIndex.from_documents(
        documents,
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=llama,
        transformations=[TwelveLabsMediaEmbedder(embed_model=llama)],
    )
    kind.close(store)


def found(hits: list[NodeWithScore]) -> list[tuple[str, Any, Any]]:
    abouts = [hit.node.metadata for hit in hits]
    return [(about["file_name"], about.get("start_sec"), about.get("end_sec")) for about in abouts]


def overlaps(hits: list[NodeWithScore], name: str, start: float, end: float) -> bool:
    """Whether the first hit is of that file and meets that time."""
    (first, at, until), *_ = found(hits)
    return first == name and at < end and until > start


def size(index: VectorStoreIndex) -> int:
    """Vectors in its store."""
    query = VectorStoreQuery(query_embedding=[512**-0.5] * 512, similarity_top_k=1000)
    return len(index.vector_store.query(query).ids or ())


def test_found_by_text_image_and_audio(index: VectorStoreIndex, llama: TwelveLabsEmbedding, files: Path) -> None:
    retriever = TwelveLabsMomentRetriever(index, llama, similarity_top_k=3, merge_gap=3)
    assert overlaps(retriever.retrieve("a red video"), "one.mp4", 0, 6)
    assert overlaps(retriever.retrieve("a yellow scene"), "two.mp4", 6, 12)
    assert overlaps(retriever.retrieve("a shrill whistle"), "one.mp4", 6, 12)
    assert overlaps(retriever.retrieve("a deep tone"), "low.wav", 0, 8)
    assert found(retriever.retrieve("purple vertical stripes"))[0] == ("striped.png", None, None)

    assert overlaps(retriever.by_image(files / "blue.jpg"), "one.mp4", 6, 12)
    assert overlaps(retriever.by_video(files / "red.mp4"), "one.mp4", 0, 6)
    assert overlaps(retriever.by_audio(files / "low.mp3"), "low.wav", 0, 8)
    assert overlaps(retriever.by_audio(files / "high.wav"), "one.mp4", 6, 12)

    plain = index.as_retriever(similarity_top_k=1)
    assert overlaps(plain.retrieve(llama.query_bundle(image=files / "red.png")), "one.mp4", 0, 6)
    assert overlaps(plain.retrieve(llama.query_bundle(audio=files / "high.wav")), "one.mp4", 6, 12)

    filters = MetadataFilters(filters=[MetadataFilter(key="file_name", value="two.mp4")])
    only = TwelveLabsMomentRetriever(index, llama, similarity_top_k=5, filters=filters)
    assert {name for name, *_ in found(only.retrieve("a red video"))} == {"two.mp4"}


async def test_found_without_holding_up_the_loop(
    library: Path, llama: TwelveLabsEmbedding, files: Path, emulator: Emulator
) -> None:
    emulator.configure(latency_sec=0.2)
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    ticking = asyncio.ensure_future(tick())
    reader = TwelveLabsMediaReader(segments=True, embed_model=llama)
    index = VectorStoreIndex([], embed_model=llama)
    await index.ainsert_nodes(await reader.aload_data(library))
    retriever = TwelveLabsMomentRetriever(index, llama, similarity_top_k=3, merge_gap=3)
    assert overlaps(await retriever.aretrieve("a red video"), "one.mp4", 0, 6)
    assert overlaps(await retriever.aby_image(files / "blue.jpg"), "one.mp4", 6, 12)
    assert overlaps(await retriever.aby_audio(files / "low.mp3"), "low.wav", 0, 8)
    assert overlaps(await retriever.aby_video(files / "red.mp4"), "one.mp4", 0, 6)
    ticking.cancel()
    # Seven requests of 0.2 s and more one after another; a blocked loop would tick only between them.
    assert len(ticks) > 40


def test_ranges_after_a_query(index: VectorStoreIndex, llama: TwelveLabsEmbedding) -> None:
    hits = index.as_retriever(similarity_top_k=20).retrieve("a red video")
    ranges = TwelveLabsMomentPostprocessor(embed_model=llama).postprocess_nodes(hits)
    assert sorted(found(ranges), key=str) == [
        ("low.wav", 0, 8),
        ("one.mp4", 0, 12),
        ("striped.png", None, None),
        ("two.mp4", 0, 12),
    ]


def test_a_file_is_taken_out_again(
    kind: StoreKind, index: VectorStoreIndex, library: Path, llama: TwelveLabsEmbedding
) -> None:
    if not kind.deletes:
        pytest.skip(f"{kind.shown} fails to delete")
    before = size(index)
    (gone,) = TwelveLabsMediaReader().load_data(library / "one.mp4")
    index.delete_ref_doc(gone.id_)
    assert size(index) == before - 6, "two scenes, each with three options"
    left = index.as_retriever(similarity_top_k=20).retrieve("a red video")
    assert {name for name, *_ in found(left)} == {"low.wav", "striped.png", "two.mp4"}


def test_a_second_run_adds_nothing(
    kind: StoreKind, index: VectorStoreIndex, library: Path, llama: TwelveLabsEmbedding
) -> None:
    before = size(index)
    nodes = TwelveLabsMediaReader(segments=True, embed_model=llama).load_data(library)
    if not kind.replaces:  # a pipeline with a docstore is for them, or this
        if not kind.deletes:
            pytest.skip(f"{kind.shown} neither replaces a node nor deletes it")
        for file in {node.ref_doc_id for node in nodes if node.ref_doc_id}:
            index.delete_ref_doc(file)
        assert size(index) == 0
    index.insert_nodes(nodes)
    assert size(index) == before


def test_another_space_is_refused(index: VectorStoreIndex, emulator: Emulator) -> None:
    """Both are 512 long: no store would refuse them."""
    newer = TwelveLabsEmbedding(model_name="marengo3.5", api_key=emulator.api_key, base_url=emulator.base_url)
    both = r"marengo3\.0/512.*marengo3\.5/512"
    with pytest.raises(InvalidInputError, match=both):
        TwelveLabsMomentRetriever(index, newer).retrieve("red")
    hits = index.as_retriever(embed_model=newer).retrieve("red")
    with pytest.raises(InvalidInputError, match=both):
        TwelveLabsMomentPostprocessor(embed_model=newer).postprocess_nodes(hits)
    nodes = [hit.node for hit in hits]
    with pytest.raises(InvalidInputError, match=both):
        TwelveLabsMediaEmbedder(embed_model=newer)(nodes)


def test_a_store_of_another_space_takes_nothing(
    index: VectorStoreIndex,
    library: Path,
    llama: TwelveLabsEmbedding,
    emulator: Emulator,
    kind: StoreKind,
    new_place: Callable[[str], Place],
) -> None:
    newer = TwelveLabsEmbedding(model_name="marengo3.5", api_key=emulator.api_key, base_url=emulator.base_url)
    image = TwelveLabsMediaReader().load_data(library / "striped.png")
    sent = len(emulator.requests)
    for target in (index, index.vector_store):
        with pytest.raises(InvalidInputError, match=r"marengo3\.0/512.*marengo3\.5/512"):
            TwelveLabsMediaEmbedder(embed_model=newer, vector_store=target)(image)
    assert len(emulator.requests) == sent
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, vector_store=index)
    assert len(embedder(image)) == 1
    assert pickle.loads(pickle.dumps(embedder)).vector_store is None
    empty = kind.open(llama, new_place("empty"))
    assert len(TwelveLabsMediaEmbedder(embed_model=newer, vector_store=empty)(image)) == 1
    kind.close(empty)


def test_the_check_of_a_store_is_public_and_made_at_first_use(
    index: VectorStoreIndex,
    library: Path,
    llama: TwelveLabsEmbedding,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = TwelveLabsEmbedding(model="marengo3.5", api_key=emulator.api_key, base_url=emulator.base_url)
    both = r"marengo3\.0/512.*marengo3\.5/512"
    sent = len(emulator.requests)
    with pytest.raises(InvalidInputError, match=both):
        TwelveLabsMomentRetriever(index, newer).retrieve("red")
    for target in (index, index.vector_store):
        check_store(target, llama)
        with pytest.raises(InvalidInputError, match=both):
            check_store(target, newer)
    reader = TwelveLabsMediaReader(segments=True, embed_model=newer, vector_store=index)
    with pytest.raises(InvalidInputError, match=both):
        reader.load_data(library / "striped.png")
    assert len(emulator.requests) == sent

    asked: list[Any] = []

    def check_queried(*given: Any) -> bool:
        asked.append(given)
        return True

    monkeypatch.setattr("llama_index_twelvelabs.embedder.check_queried", check_queried)
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, vector_store=index)
    for _ in range(2):
        embedder(TwelveLabsMediaReader().load_data(library / "striped.png"))
    assert asked == [(index, llama)], "once for a store"
    embedder.model_copy(update={"vector_store": index.vector_store})([])
    assert asked[1:] == [(index.vector_store, llama)]


def test_texts_that_the_model_embeds_in_a_pipeline_name_their_space(
    kind: StoreKind, place: Place, llama: TwelveLabsEmbedding, emulator: Emulator
) -> None:
    store = kind.open(llama, place)
    given: list[BaseNode] = [
        Document(text="a red bike"),
        TextNode(text="a low hum"),
        TextNode(text="pots", metadata={"space": "kitchen"}),
    ]
    made = IngestionPipeline(transformations=[llama], vector_store=store).run(nodes=given)
    assert [node.metadata.get("space") for node in made] == ["marengo3.0/512", "marengo3.0/512", "kitchen"]
    assert [node.metadata.get("space") for node in given] == [None, None, "kitchen"], "LlamaIndex hashes them later"
    shown = {node.get_content(mode) for node in made[:2] for mode in (MetadataMode.EMBED, MetadataMode.LLM)}
    assert shown == {"a red bike", "a low hum"}
    newer = TwelveLabsEmbedding(model="marengo3.5", api_key=emulator.api_key, base_url=emulator.base_url)
    check_store(store, llama)
    with pytest.raises(InvalidInputError, match=r"marengo3\.0/512.*marengo3\.5/512"):
        check_store(store, newer)
    again = newer([node.model_copy() for node in made[:2]])
    assert [node.metadata["space"] for node in again] == ["marengo3.5/512"] * 2
    kind.close(store)


def test_what_is_no_store_is_refused(llama: TwelveLabsEmbedding) -> None:
    wrong: Any = "media"
    with pytest.raises(InvalidInputError, match="store= takes a LlamaIndex vector store"):
        check_store(wrong, llama)
    with pytest.raises(InvalidInputError, match="model= takes TwelveLabsEmbedding"):
        check_store(SimpleVectorStore(), wrong)


def test_reopened_in_a_process_of_its_own(
    kind: StoreKind, index: VectorStoreIndex, place: Place, files: Path, script: Script, emulator: Emulator
) -> None:
    if kind.name == "simple":
        index.storage_context.persist(str(place.folder))
    kind.close(index.vector_store)  # one process at a time may have it open
    kept = [file for file in place.folder.rglob("*") if file.is_file()]
    assert kept or kind.postgres
    assert not [file for file in kept if emulator.api_key.encode() in file.read_bytes()]
    sent = len(emulator.requests)
    root = Path(__file__).parents[2]
    done = script(
        f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(root)!r})
from tests.llama_index.stores import reopen
from tests.llama_index.test_media_stores import found
from tests.support.stores import Place
from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMomentRetriever
model = TwelveLabsEmbedding()
place = Place(Path({str(place.folder)!r}), {place.database!r}, new=False)
retriever = TwelveLabsMomentRetriever(reopen({kind.name!r}, place, model), model, similarity_top_k=1, merge_gap=3)
hits = [retriever.retrieve("a yellow scene"), retriever.by_image({str(files / "blue.jpg")!r}),
        retriever.by_audio({str(files / "low.mp3")!r}), retriever.retrieve("purple stripes")]
print(json.dumps([found(some) for some in hits]))
""",
        TWELVELABS_API_KEY=emulator.api_key,
        TWELVELABS_BASE_URL=emulator.base_url,
    )
    yellow, blue, low, striped = (tuple(some[0]) for some in json.loads(done.stdout.splitlines()[-1]))
    assert (yellow, blue) == (("two.mp4", 6, 12), ("one.mp4", 6, 12))
    assert low[0] == "low.wav"
    assert striped == ("striped.png", None, None)
    assert len(emulator.requests) == sent + 4, "reopening must embed the queries only"
