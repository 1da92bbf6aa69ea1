"""Two videos and an audio file in real stores, found by text, image and audio; reopened by another process."""

from __future__ import annotations

import itertools
import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever, check_store
from tests.langchain.stores import KINDS
from tests.support import media
from tests.support.stores import Place, StoreKind
from twelvelabs_core import Fixed, InvalidInputError, SegmentOptions
from twelvelabs_emulator import Emulator

OPTIONS = SegmentOptions(Fixed(3))
NEW = itertools.count()
# Four segments a video in two options and the emulator's stand-in for speech; two segments of audio in two.
ROWS = 4 * 3 * 2 + 2 * 2


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "one.mp4").write_bytes(media.mp4((("red", 6, 440), ("blue", 6, 440)), size=(360, 360), fps=4))
    (folder / "two.mp4").write_bytes(media.mp4((("yellow", 6, 3000), ("green", 6, 3000)), size=(360, 360), fps=4))
    (folder / "low.wav").write_bytes(media.wav(60, 6))
    return folder


@pytest.fixture(scope="module")
def kept() -> InMemoryByteStore:
    """Measuring a video takes the emulator a while: these are measured once."""
    return InMemoryByteStore()


@pytest.fixture
def model(emulator: Emulator, kept: InMemoryByteStore) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(api_key=emulator.api_key, base_url=emulator.base_url, cache=kept)


@pytest.fixture
def documents(model: TwelveLabsEmbeddings, videos: Path) -> list[Document]:
    return TwelveLabsMediaLoader(videos, model, options=OPTIONS).load()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> StoreKind:
    found: StoreKind = request.param
    return found


@pytest.fixture
def place(kind: StoreKind, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """A folder, with a database of its own for a store that needs one."""
    kind.skip_if_missing()
    folder = tmp_path / "store"
    folder.mkdir()
    return Place(folder, request.getfixturevalue("postgres").database() if kind.postgres else "")


@pytest.fixture
def store(kind: StoreKind, model: TwelveLabsEmbeddings, place: Place) -> Iterator[Any]:
    made = kind.open(model, place)
    yield made
    kind.close(made)


def at(document: Document) -> tuple[str, float, float]:
    m = document.metadata
    return m["file_name"], m["start_sec"], m["end_sec"]


# -- found ------------------------------------------------------------------------------------------------------------


def test_found_by_text_image_and_audio(
    store: Any,
    kind: StoreKind,
    model: TwelveLabsEmbeddings,
    documents: list[Document],
    videos: Path,
    emulator: Emulator,
) -> None:
    assert len(documents) == ROWS
    emulator.reset()
    kind.add(store, documents)
    assert not emulator.requests  # every reference was answered with the vector it had

    found = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=2, merge_gap=1)
    (red,) = found.invoke("a red image")
    assert (at(red), red.metadata["hits"], red.metadata["fragment"]) == (("one.mp4", 0, 6), 2, "#t=0,6")
    assert red.metadata["source"] == str(videos / "one.mp4")
    assert at(found.invoke("a green image")[0]) == ("two.mp4", 6, 12)
    assert at(found.by_image(media.png("blue"))[0]) == ("one.mp4", 6, 12)
    assert at(found.by_audio(media.wav(60, 2))[0]) == ("low.wav", 0, 6)
    assert at(found.by_video(videos / "two.mp4")[0])[0] == "two.mp4"
    composed = found.by_composed("a red image", images=[media.png("red")])
    assert at(composed[0]) == ("one.mp4", 0, 6)


def test_options_searched_apart(
    store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, documents: list[Document]
) -> None:
    kind.add(store, documents)
    kind.add(store, [Document("three recipes with beans", id=str(uuid.uuid4()))])

    def ask(fuse: Any, **more: Any) -> TwelveLabsRetriever:
        return TwelveLabsRetriever(vectorstore=store, embeddings=model, fuse=fuse, **more)

    visual = ask({"visual": 1}, k=20).invoke("a red image")
    assert {d.metadata["embedding_option"] for d in visual} == {"visual"}
    assert len(visual) == 8  # all there are, though other options' are nearer than most
    assert at(visual[0])[0] == "one.mp4"
    audio = ask({"audio": 1, "visual": 0}, k=1).invoke("a red image, or a low tone")
    assert at(audio[0])[0] == "low.wav"
    texts = ask({"other": 1}, k=3).invoke("recipes with beans")
    assert [d.page_content for d in texts] == ["three recipes with beans"]
    (blue, *_) = ask("rrf", k=2).by_image(media.png("blue"))
    assert (at(blue)[0], blue.metadata["embedding_option"]) == ("one.mp4", "visual")
    (low, *_) = ask("rrf", k=2).by_audio(media.wav(60, 2))
    assert (at(low)[0], low.metadata["embedding_option"]) == ("low.wav", "audio")
    fused = ask("rrf", k=3, with_scores=True).invoke("a high tone in a yellow video")
    assert at(fused[0])[0] == "two.mp4"
    assert "," in fused[0].metadata["embedding_option"]  # one document a segment, not one an option
    scores = [d.metadata["score"] for d in fused]
    assert scores == sorted(scores, reverse=True)
    assert len({at(d) for d in fused}) == 3


async def test_found_async(
    store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, videos: Path, place: Place
) -> None:
    async with kind.for_async(store, model, place) as opened:
        await found_async(opened, kind, model, videos)


async def found_async(store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, videos: Path) -> None:
    loaded = [d async for d in TwelveLabsMediaLoader(videos, model, options=OPTIONS).alazy_load()]
    await kind.aadd(store, loaded)
    ask = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=2, merge_gap=1)
    assert at((await ask.ainvoke("a red image"))[0]) == ("one.mp4", 0, 6)
    assert at((await ask.aby_image(media.png("blue")))[0]) == ("one.mp4", 6, 12)
    assert at((await ask.aby_audio(media.wav(60, 2)))[0]) == ("low.wav", 0, 6)
    assert at((await ask.aby_video(videos / "two.mp4"))[0])[0] == "two.mp4"
    composed = await ask.aby_composed("a red image", images=[media.png("red")])
    assert at(composed[0]) == ("one.mp4", 0, 6)
    visual = await ask.model_copy(update={"fuse": {"visual": 1}}).ainvoke("a green image")
    assert at(visual[0]) == ("two.mp4", 6, 12)


def test_more_like_this(
    store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator
) -> None:
    """A document's text is its vector, in a query too."""
    kind.add(store, documents)
    emulator.reset()
    blue = next(d for d in documents if at(d) == ("one.mp4", 6, 9) and d.metadata["embedding_option"] == "visual")
    found = store.similarity_search(blue.page_content, k=2)
    assert {d.metadata["start_sec"] for d in found} == {6, 9}
    assert not emulator.requests


def test_own_filter_besides(
    store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, documents: list[Document]
) -> None:
    from qdrant_client import models

    kind.add(store, documents)
    if not kind.filters:
        ask = TwelveLabsRetriever(vectorstore=store, embeddings=model, filter={"file_name": "two.mp4"})
        with pytest.raises(InvalidInputError, match=f"{kind.shown} has no filter"):
            ask.invoke("a red image")
        return
    match = models.FieldCondition(key="metadata.file_name", match=models.MatchValue(value="two.mp4"))
    own: Any = {
        "QdrantVectorStore": models.Filter(must=[match]),
        "LanceDB": 'metadata LIKE \'%"file_name": "two.mp4"%\'',
        "InMemoryVectorStore": lambda document: document.metadata["file_name"] == "two.mp4",
        "Milvus": 'file_name == "two.mp4" or file_name == "none.mp4"',
    }
    for fuse in (None, "rrf", {"visual": 1.0}):
        for filter in (own.get(kind.shown, {"file_name": "two.mp4"}), *OTHER_FILTERS.get(kind.shown, ())):
            ask = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=30, fuse=fuse, filter=filter)
            assert {at(d)[0] for d in ask.invoke("a red image")} == {"two.mp4"}


# Other forms of the same that a store takes.
OTHER_FILTERS: dict[str, tuple[Any, ...]] = {
    "FAISS": (
        lambda metadata: metadata["file_name"] == "two.mp4",
        {"$or": [{"file_name": "two.mp4"}, {"file_name": "none.mp4"}]},
        {"$and": [{"file_name": {"$neq": "one.mp4"}}, {"file_name": {"$neq": "low.wav"}}]},
    ),
    "PGVectorStore": ({"file_name": {"$in": ["two.mp4", "none.mp4"]}}, {"file_name": "two.mp4", "media_type": "video"}),
}


# -- kept -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.save], ids=lambda kind: kind.name)
def test_reopened_by_another_process(
    kind: StoreKind,
    model: TwelveLabsEmbeddings,
    documents: list[Document],
    place: Place,
    emulator: Emulator,
    script: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    store = kind.open(model, place)
    kind.add(store, documents)
    assert kind.save is not None
    kind.save(store, place)
    kind.close(store)  # a local folder may belong to one process at a time
    blue = place.folder.parent / "blue.png"
    blue.write_bytes(media.png("blue"))
    done = script(
        f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.langchain.stores import BY_NAME
from tests.support.stores import Place
from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsRetriever
kind = BY_NAME[{kind.name!r}]
model = TwelveLabsEmbeddings(api_key={emulator.api_key!r}, base_url={emulator.base_url!r})
store = kind.open(model, Place(Path({str(place.folder)!r}), {place.database!r}, new=False))
ask = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=2, merge_gap=1)
found = [ask.invoke("a red image")[0], ask.by_image({str(blue)!r})[0]]
print(json.dumps([[d.metadata[n] for n in ("file_name", "start_sec", "end_sec")] for d in found]))
kind.close(store)
"""
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [["one.mp4", 0, 6], ["one.mp4", 6, 12]]


# -- not mixed --------------------------------------------------------------------------------------------------------


def test_vectors_of_another_space_are_refused(
    store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator
) -> None:
    """marengo3.5 has vectors of the same length: a store would take them, and find nonsense."""
    newer = TwelveLabsEmbeddings(model="marengo3.5", api_key=emulator.api_key, base_url=emulator.base_url)
    images = TwelveLabsMediaLoader([_blob(media.png("red"))], newer).load()
    with pytest.raises(InvalidInputError, match=r"marengo3\.5/512.*marengo3\.0/512"):
        kind.add(store, images)
    kind.add(store, documents[:3])
    check_store(store, model)
    with pytest.raises(InvalidInputError, match=r"marengo3\.0/512.*marengo3\.5/512"):
        check_store(store, newer)
    ask = TwelveLabsRetriever(vectorstore=store, embeddings=newer)
    with pytest.raises(InvalidInputError, match=r"vectors of marengo3\.0/512, the embeddings are marengo3\.5/512"):
        ask.invoke("a red image")


def _blob(content: bytes) -> Any:
    from langchain_core.documents.base import Blob

    return Blob.from_data(content, mime_type="image/png", path="red.png")


# -- ranges after the search ------------------------------------------------------------------------------------------


def test_ranges_are_filtered_and_stored_by_the_vector_of_their_best_segment(
    model: TwelveLabsEmbeddings, documents: list[Document], emulator: Emulator
) -> None:
    """No filter, and no other store, pays for the words of a range's label, or compares by them."""
    from langchain_classic.retrievers import ContextualCompressionRetriever
    from langchain_classic.retrievers.document_compressors import EmbeddingsFilter
    from langchain_community.document_transformers import EmbeddingsRedundantFilter

    store = InMemoryVectorStore(model)
    store.add_documents(documents)
    ask = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=20, merge_gap=0, fuse={"visual": 1}, fetch_k=20)
    plain = ask.model_copy(update={"merge_gap": None})
    query = "a red image"
    best, *others = plain.invoke(query)
    others = [d for d in others if at(d) not in (("one.mp4", 0, 3), ("one.mp4", 3, 6))]
    emulator.reset()
    ranges = ask.invoke(query)
    assert {(d.metadata["file_name"], d.metadata["hits"]) for d in ranges} == {("one.mp4", 4), ("two.mp4", 4)}
    assert at(ranges[0])[:2] == at(best)[:2]

    def similarity(document: Document) -> float:
        one, two = model.embed_query(query), model.embed_query(document.page_content)
        return sum(x * y for x, y in zip(one, two, strict=True))

    least = (similarity(best) + max(map(similarity, others))) / 2
    filtering = EmbeddingsFilter(embeddings=model, similarity_threshold=least, k=None)
    for retriever, expected in ((plain, {(0, 3), (3, 6)}), (ask, {(0, 12)})):
        both = ContextualCompressionRetriever(base_retriever=retriever, base_compressor=filtering)
        found = both.invoke(query)
        assert {d.metadata["file_name"] for d in found} == {"one.mp4"}
        assert {(d.metadata["start_sec"], d.metadata["end_sec"]) for d in found} == expected
    different = EmbeddingsRedundantFilter(embeddings=model, similarity_threshold=0.999).transform_documents(ranges)
    assert len(different) == 2

    other = InMemoryVectorStore(model)
    other.add_documents([*documents, *ranges])
    assert len(other.store) == ROWS + 2, "a range replaces no segment"
    assert other.store[str(ranges[0].id)]["vector"] == model.embed_query(best.page_content)
    assert not emulator.requests, "the query was embedded before"


# -- run again --------------------------------------------------------------------------------------------------------


def test_a_second_run_adds_nothing(
    store: Any,
    kind: StoreKind,
    model: TwelveLabsEmbeddings,
    videos: Path,
    emulator: Emulator,
    documents: list[Document],
) -> None:
    """Ids are the same; with a cache nothing is sent."""
    emulator.reset()
    again = TwelveLabsMediaLoader(videos, model, options=OPTIONS).load()
    assert not emulator.requests
    assert [d.id for d in again] == [d.id for d in documents]
    assert len({d.id for d in again}) == ROWS
    if kind.replaces:  # for the others there is index()
        kind.add(store, documents)
        kind.add(store, again)
        assert count(store, model) == ROWS


def test_index(
    store: Any, kind: StoreKind, model: TwelveLabsEmbeddings, videos: Path, tmp_path: Path, emulator: Emulator
) -> None:
    """LangChain's ``index``: what is unchanged is skipped, what is changed replaced."""
    if not kind.deletes:
        pytest.skip(f"{kind.shown} cannot delete, which index() needs")
    records = InMemoryRecordManager("media")
    records.create_schema()
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("one.mp4", "low.wav"):
        (folder / name).write_bytes((videos / name).read_bytes())

    def run() -> Any:
        loader = TwelveLabsMediaLoader(folder, model, options=OPTIONS)
        # Some take only UUIDs, which the documents have as ids.
        encoder: Any = (lambda document: document.id) if kind.uuids else "sha256"
        return index(loader, records, store, cleanup="full", source_id_key="source", key_encoder=encoder)

    assert run() == {"num_added": 16, "num_updated": 0, "num_skipped": 0, "num_deleted": 0}
    emulator.reset()
    assert run() == {"num_added": 0, "num_updated": 0, "num_skipped": 16, "num_deleted": 0}
    (folder / "low.wav").rename(folder / "renamed.wav")
    assert run() == {"num_added": 4, "num_updated": 0, "num_skipped": 12, "num_deleted": 4}
    (folder / "ben").mkdir()
    (folder / "ben" / "one.mp4").write_bytes((folder / "one.mp4").read_bytes())  # a second uploader's copy
    assert run() == {"num_added": 12, "num_updated": 0, "num_skipped": 16, "num_deleted": 0}
    assert count(store, model) == 28
    assert not emulator.requests
    (folder / "renamed.wav").write_bytes(media.wav(4000 + next(NEW), 3))  # another content at one place
    assert run() == {"num_added": 2, "num_updated": 0, "num_skipped": 24, "num_deleted": 4}
    assert len(emulator.requests) == 1
    (folder / "one.mp4").unlink()
    assert run()["num_deleted"] == 12
    (folder / "ben" / "one.mp4").unlink()
    assert run()["num_deleted"] == 12
    assert count(store, model) == 2


def count(store: Any, model: TwelveLabsEmbeddings) -> int:
    everything = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=1000)
    return len(everything.by_vector([512**-0.5] * 512))
