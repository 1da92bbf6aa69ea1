"""The reader and embedder for LlamaIndex: what becomes of each kind of node, in pipelines with caches, docstores and
workers."""

from __future__ import annotations

import base64
import logging
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import fsspec
import pytest
from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    MediaResource,
    Node,
    TextNode,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader
from tests.support import media
from twelvelabs_core import Audio, BatchError, Fixed, InvalidInputError, SegmentOptions
from twelvelabs_emulator import Emulator

KEY = "tlk_of_the_pipeline"


@pytest.fixture
def embedder(llama: TwelveLabsEmbedding) -> TwelveLabsMediaEmbedder:
    return TwelveLabsMediaEmbedder(embed_model=llama)


def read(*paths: Path) -> list[Document]:
    return TwelveLabsMediaReader().load_data(list(paths))


def vectors(nodes: Any) -> list[list[float]]:
    return [node.get_embedding() for node in nodes]


def texts(nodes: Any) -> list[str]:
    return [node.get_content() for node in nodes]


# -- each by what it is ----------------------------------------------------------------------------------------------


def test_each_kind(embedder: TwelveLabsMediaEmbedder, llama: TwelveLabsEmbedding, files: Path) -> None:
    documents: list[BaseNode] = [*read(files / "red.png", files / "low.wav"), Document(text="three recipes", id_="t")]
    image, audio, speech, text = embedder(documents)

    assert image.class_name() == "TextNode"
    assert image.embedding == llama.get_image_embedding(str(files / "red.png"))
    assert (image.get_content(), image.metadata["source"]) == ("red.png whole visual", str(files / "red.png"))
    assert image.metadata["content_digest"] == documents[0].metadata["content_digest"]

    assert (audio.class_name(), speech.class_name()) == ("TextNode", "TextNode")
    assert audio.get_content() == "low.wav 00:00:00-00:00:02 audio"
    (row, _) = llama.client.rows(Audio(str(files / "low.wav")))
    assert (audio.id_, audio.embedding, audio.metadata) == (row.id, row.vector, row.metadata)

    assert text.embedding == llama.get_text_embedding("three recipes")
    assert (text.id_, text.metadata) == ("t", {"embedding_option": "text", "space": "marengo3.0/512"})
    assert [node.ref_doc_id for node in (image, audio, speech, text)] == [
        documents[0].id_,
        documents[1].id_,
        documents[1].id_,
        "t",
    ]
    assert [document.embedding for document in documents] == [None] * 3, "what was given stays as it was"


async def test_async_gives_the_same(embedder: TwelveLabsMediaEmbedder, files: Path) -> None:
    documents: list[BaseNode] = [
        TextNode(text="beans", id_="t"),
        *read(files / "red.mp4", files / "blue.jpg", files / "low.mp3"),
    ]
    assert [node.to_dict() for node in await embedder.acall(documents)] == [n.to_dict() for n in embedder(documents)]


def test_nodes_of_llama_index(embedder: TwelveLabsMediaEmbedder, llama: TwelveLabsEmbedding, files: Path) -> None:
    red, low, video = (files / name for name in ("red.png", "low.wav", "red.mp4"))
    nodes: list[BaseNode] = [
        ImageNode(image_path=str(red), text="a caption", metadata={"owner": "me"}, id_="n1"),
        ImageNode(image=base64.b64encode(red.read_bytes()).decode()),
        ImageDocument(image_path=str(red)),
        Node(image_resource=MediaResource(data=red.read_bytes())),
        Node(audio_resource=MediaResource(path=low), text_resource=MediaResource(text="hum")),
        Node(video_resource=MediaResource(path=video), audio_resource=MediaResource(data=low.read_bytes())),
    ]
    made = embedder(nodes)
    by_origin = [[node for node in made if node.ref_doc_id == origin.node_id] for origin in nodes]
    assert [len(some) for some in by_origin] == [1, 1, 1, 1, 2, 5]
    red_vector = llama.get_image_embedding(str(red))
    assert [some[0].embedding for some in by_origin[:4]] == [red_vector] * 4
    assert {type(some[0]) for some in by_origin} == {TextNode}
    assert by_origin[0][0].get_content() == "a caption\nred.png whole visual"
    assert by_origin[0][0].metadata["owner"] == "me"
    assert by_origin[4][0].get_content() == "hum\nlow.wav 00:00:00-00:00:02 audio"
    kinds = sorted((node.metadata["media_type"], node.metadata["embedding_option"]) for node in by_origin[5])
    assert kinds == [
        ("audio", "audio"),
        ("audio", "transcription"),
        ("video", "audio"),
        ("video", "transcription"),
        ("video", "visual"),
    ]


def test_copies_of_a_file_have_ids_of_their_own(embedder: TwelveLabsMediaEmbedder, files: Path, tmp_path: Path) -> None:
    copy = shutil.copy(files / "low.wav", tmp_path / "copy.wav")
    made = embedder(read(files / "low.wav", Path(copy)))
    assert len({node.id_ for node in made}) == 4
    assert [node.id_ for node in embedder(read(files / "low.wav"))] == [node.id_ for node in made[:2]]
    assert vectors(made[:2]) == vectors(made[2:])


def test_an_image_is_not_read_for_its_digest_alone(
    embedder: TwelveLabsMediaEmbedder, files: Path, digested: list[str]
) -> None:
    documents = read(files / "red.png")
    digested.clear()
    (node,) = embedder(documents)
    assert digested == []  # what is sent is digested while it is sent
    assert node.metadata["content_digest"] == documents[0].metadata["content_digest"]


def test_options_by_kind(llama: TwelveLabsEmbedding, files: Path) -> None:
    visual = SegmentOptions(embedding_option="visual", embedding_scope=("clip", "asset"))
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, options=SegmentOptions(Fixed(2)), video_options=visual)
    made = texts(embedder(read(files / "red.mp4", files / "low.wav")))
    assert len(made) == 4
    assert [text for text in made if "red.mp4" in text] == [text for text in made if "visual" in text]
    with pytest.raises(InvalidInputError, match=r"no option 'visual' for audio"):
        TwelveLabsMediaEmbedder(embed_model=llama, options=visual)(read(files / "low.wav"))


def test_what_fails_is_named(
    embedder: TwelveLabsMediaEmbedder, files: Path, tmp_path: Path, emulator: Emulator
) -> None:
    """The emulator decodes videos; this one is none behind its first bytes."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((files / "red.mp4").read_bytes()[:64])
    with pytest.raises(BatchError, match=r"broken\.mp4") as caught:
        embedder(read(files / "red.mp4", broken))
    assert list(caught.value.errors) == [1]
    assert len(caught.value.results[0]) == 3
    (tmp_path / "report.pdf").write_bytes(media.pdf(1))
    with pytest.raises(InvalidInputError, match=r"marengo3\.0 divides video, audio, image into segments, not document"):
        embedder(read(tmp_path / "report.pdf"))


def test_files_elsewhere(embedder: TwelveLabsMediaEmbedder, llama: TwelveLabsEmbedding, files: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/shelf/low.wav", (files / "low.wav").read_bytes())
    here = embedder(read(files / "low.wav"))
    for nodes in (
        embedder(TwelveLabsMediaReader().load_data("/shelf/low.wav", fs=fs)),
        embedder(TwelveLabsMediaReader().load_data("memory://shelf/low.wav")),
        TwelveLabsMediaReader(segments=True, embed_model=llama).load_data("/shelf/low.wav", fs=fs),
    ):
        assert vectors(nodes) == vectors(here)
        assert texts(nodes) == texts(here)
        assert {node.metadata["source"].replace(":///", "://") for node in nodes} == {"memory://shelf/low.wav"}
    fs.rm("/shelf/low.wav")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        embedder(TwelveLabsMediaReader().load_data("memory://shelf/low.wav"))


def test_a_url(embedder: TwelveLabsMediaEmbedder, emulator: Emulator, files: Path) -> None:
    url = "https://example.com/low.wav"
    emulator.configure(url_files={url: files / "low.wav"})
    made = embedder(TwelveLabsMediaReader().load_data(url))
    assert texts(made) == texts(embedder(read(files / "low.wav")))
    assert {node.metadata["source"] for node in made} == {url}


def test_marengo_35(emulator: Emulator, files: Path) -> None:
    short = TwelveLabsEmbedding(
        model_name="marengo3.5", dimensions=128, api_key=emulator.api_key, base_url=emulator.base_url
    )
    image, text = TwelveLabsMediaEmbedder(embed_model=short)([*read(files / "red.png"), TextNode(text="beans")])
    assert {len(node.get_embedding()) for node in (image, text)} == {128}
    assert {node.metadata["space"] for node in (image, text)} == {"marengo3.5/128"}


# -- before and after other steps --------------------------------------------------------------------------------------


def test_after_a_splitter(embedder: TwelveLabsMediaEmbedder, files: Path) -> None:
    """LlamaIndex's default first step: it makes text nodes of documents."""
    documents = [*read(files / "low.wav"), Document(text="beans. " * 400, id_="long")]
    made = IngestionPipeline(transformations=[SentenceSplitter(chunk_size=256), embedder]).run(documents=documents)
    direct = embedder(documents[:1])
    assert vectors(made[:2]) == vectors(direct)
    assert [node.id_ for node in made[:2]] == [node.id_ for node in direct]
    assert [node.ref_doc_id for node in made[:2]] == [documents[0].id_] * 2
    assert len(made) > 4
    assert {node.ref_doc_id for node in made[2:]} == {"long"}


async def test_before_the_embed_model(
    embedder: TwelveLabsMediaEmbedder, llama: TwelveLabsEmbedding, files: Path, emulator: Emulator
) -> None:
    """LlamaIndex's own would give every segment the vector of its file's name."""
    direct = vectors(embedder(read(files / "low.wav")))
    pipeline = IngestionPipeline(transformations=[embedder, llama], disable_cache=True)
    sent = len(emulator.requests)
    assert vectors(pipeline.run(documents=read(files / "low.wav"))) == direct
    assert vectors(await pipeline.arun(documents=read(files / "low.wav"))) == direct
    assert len(emulator.requests) == sent + 2


def test_reader_with_segments(llama: TwelveLabsEmbedding, files: Path, emulator: Emulator) -> None:
    reader = TwelveLabsMediaReader(segments=True, embed_model=llama, audio_options=SegmentOptions(Fixed(2), ["audio"]))
    (node,) = nodes = reader.load_data(files / "low.wav", extra_info={"owner": "me"})
    assert node.metadata["owner"] == "me"
    assert node.get_content() == "low.wav 00:00:00-00:00:02 audio"
    index = VectorStoreIndex(nodes, embed_model=llama)
    assert len(emulator.requests) == 1
    (document,) = read(files / "low.wav")
    index.delete_ref_doc(document.id_)
    assert index.vector_store.to_dict()["embedding_dict"] == {}


def test_reader_hands_on_the_first_files_first(
    llama: TwelveLabsEmbedding, files: Path, emulator: Emulator, tmp_path: Path
) -> None:
    reader = TwelveLabsMediaReader(segments=True, embed_model=llama)
    copies = [shutil.copy(files / "red.png", tmp_path / f"{number}.png") for number in range(20)]
    lazy = iter(reader.lazy_load_data(copies))
    assert len(emulator.requests) == 0
    next(lazy)
    assert 0 < len(emulator.requests) <= 8
    assert len(list(lazy)) == 19


def test_simple_directory_reader(
    embedder: TwelveLabsMediaEmbedder, llama: TwelveLabsEmbedding, files: Path, tmp_path: Path
) -> None:
    """Without the reader a .mov or .mp4 would be read as text."""
    shutil.copytree(files, tmp_path / "mixed")
    (tmp_path / "mixed" / "video.MOV").write_bytes((files / "red.mp4").read_bytes())
    (tmp_path / "mixed" / "notes.txt").write_text("three recipes with beans")
    reader = SimpleDirectoryReader(
        str(tmp_path / "mixed"),
        file_extractor=TwelveLabsMediaReader().file_extractor(),
        raise_on_error=True,
    )
    documents = reader.load_data()
    names = sorted(path.name for path in (tmp_path / "mixed").iterdir())
    assert sorted(document.metadata["file_name"] for document in documents) == names
    assert sorted(document.text for document in documents) == sorted(
        name if name != "notes.txt" else "three recipes with beans" for name in names
    )
    made = IngestionPipeline(transformations=[SentenceSplitter(), embedder]).run(documents=documents)
    assert {len(vector) for vector in vectors(made)} == {512}
    about = next(node.metadata for node in made if node.metadata["file_name"] == "low.wav")
    assert about["media_type"] == "audio"
    assert {"file_path", "file_size", "last_modified_date"} <= set(about)
    index = VectorStoreIndex(made, embed_model=llama)
    (hit,) = index.as_retriever(similarity_top_k=1).retrieve("something with beans")
    assert hit.node.get_content() == "three recipes with beans"


# -- caches, docstores, workers ----------------------------------------------------------------------------------------


async def test_pipeline_cache(embedder: TwelveLabsMediaEmbedder, files: Path, emulator: Emulator) -> None:
    """Two lists through one pipeline, its cache on: each has its own vectors; a list embedded before sends nothing."""
    pipeline = IngestionPipeline(transformations=[embedder], cache=IngestionCache())
    lists = [
        [files / "red.png"],
        [files / "blue.png"],
        [files / "low.wav", files / "red.mp4"],
        [files / "high.wav", files / "red.mp4"],
    ]
    first = [pipeline.run(documents=read(*paths)) for paths in lists]
    sent = len(emulator.requests)
    assert sent == 6
    assert len({str(vectors(nodes)) for nodes in first}) == len(lists)
    for paths, nodes in zip(lists, first, strict=True):
        again = pipeline.run(documents=read(*paths))
        assert [node.to_dict() for node in again] == [node.to_dict() for node in nodes]
        assert [type(node) for node in again] == [type(node) for node in nodes]
        assert [node.id_ for node in await pipeline.arun(documents=read(*paths))] == [node.id_ for node in nodes]
    assert len(emulator.requests) == sent


def test_pipeline_cache_sees_a_changed_file(embedder: TwelveLabsMediaEmbedder, tmp_path: Path) -> None:
    pipeline = IngestionPipeline(transformations=[embedder])
    found = []
    for color in ("red", "blue"):
        (tmp_path / "image.png").write_bytes(media.png(color))
        found += vectors(pipeline.run(documents=read(tmp_path / "image.png")))
    assert found[0] != found[1]


def test_what_the_pipeline_cache_cannot_tell_apart_is_warned_of(
    embedder: TwelveLabsMediaEmbedder, files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(files / "red.png")
    embedder([ImageNode(image_path=path, metadata={"file_path": path}), *read(files / "red.png"), TextNode(text="x")])
    assert not caplog.messages
    caplog.set_level(logging.WARNING)
    embedder([ImageNode(image_path=path, id_="nameless")])
    (line,) = caplog.messages
    assert "Node nameless" in line
    assert "disable_cache=True" in line


def test_worker_processes(files: Path, emulator: Emulator) -> None:
    """The key was given as an argument only, and must reach the workers."""
    emulator.configure(api_keys=(KEY,))
    model = TwelveLabsEmbedding(api_key=KEY, base_url=emulator.base_url)
    embedder = TwelveLabsMediaEmbedder(embed_model=model, audio_options=SegmentOptions(Fixed(2)))
    documents: list[Document] = [*read(files / "red.png", files / "low.wav"), Document(text="beans", id_="t")]
    made = IngestionPipeline(transformations=[embedder]).run(documents=documents, num_workers=2)
    assert [node.to_dict() for node in made] == [node.to_dict() for node in embedder(documents)]


async def test_docstore_upserts(
    embedder: TwelveLabsMediaEmbedder, files: Path, tmp_path: Path, emulator: Emulator
) -> None:
    """A second run sends and adds nothing; a changed file replaces itself."""
    folder = tmp_path / "media"
    folder.mkdir()
    for name in ("low.wav", "red.png"):
        shutil.copy(files / name, folder / name)
    (folder / "notes.txt").write_text("beans")
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(transformations=[embedder], vector_store=store, docstore=SimpleDocumentStore())

    def documents() -> list[Document]:
        extractor: Any = TwelveLabsMediaReader().file_extractor()
        return SimpleDirectoryReader(str(folder), file_extractor=extractor, filename_as_id=True).load_data()

    pipeline.run(documents=documents())
    before = dict(store.data.embedding_dict)
    assert len(before) == 4
    sent = len(emulator.requests)
    assert list(pipeline.run(documents=documents())) == []
    assert list(await pipeline.arun(documents=documents())) == []
    assert (len(emulator.requests), store.data.embedding_dict) == (sent, before)

    (folder / "low.wav").write_bytes(media.wav(4000, 2))
    changed = pipeline.run(documents=documents())
    assert {node.metadata["file_name"] for node in changed} == {"low.wav"}
    after = store.data.embedding_dict
    assert len(after) == 4
    assert len(set(after) & set(before)) == 2, "the image and the text"


def test_docstore_after_a_move_a_copy_and_a_change(emulator: Emulator, files: Path, tmp_path: Path) -> None:
    """What LangChain's ``index`` does there, the docstore does here."""
    model = TwelveLabsEmbedding(
        api_key=emulator.api_key, base_url=emulator.base_url, cache=str(tmp_path / "vectors.sqlite")
    )
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(
        transformations=[TwelveLabsMediaEmbedder(embed_model=model)],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    folder = tmp_path / "media"
    (folder / "ben").mkdir(parents=True)
    shutil.copy(files / "low.wav", folder / "low.wav")

    def run() -> list[tuple[str, int]]:
        pipeline.run(documents=TwelveLabsMediaReader().load_data(folder))
        sources = Counter(metadata["source"] for metadata in store.data.metadata_dict.values())
        return sorted((Path(source).relative_to(folder).as_posix(), count) for source, count in sources.items())

    assert run() == [("low.wav", 2)]
    emulator.reset()
    ids = set(store.data.embedding_dict)
    assert run() == [("low.wav", 2)]
    assert set(store.data.embedding_dict) == ids
    (folder / "low.wav").rename(folder / "moved.wav")
    assert run() == [("moved.wav", 2)]
    assert not set(store.data.embedding_dict) & ids
    shutil.copy(folder / "moved.wav", folder / "ben" / "moved.wav")  # a second uploader's
    assert run() == [("ben/moved.wav", 2), ("moved.wav", 2)]
    assert len(store.data.embedding_dict) == 4
    assert not emulator.requests
    (folder / "moved.wav").write_bytes(media.wav(4000, 2))
    assert run() == [("ben/moved.wav", 2), ("moved.wav", 2)]
    assert len(emulator.requests) == 1
    (folder / "moved.wav").unlink()
    assert run() == [("ben/moved.wav", 2)]


def test_ids_and_metadata_are_those_of_the_other_framework(
    embedder: TwelveLabsMediaEmbedder, files: Path, emulator: Emulator
) -> None:
    paths = [files / "red.png", files / "low.wav"]
    for id_from in ("source", "content", _by_name):
        made = embedder.model_copy(update={"id_from": id_from})(read(*paths))
        langchain = TwelveLabsEmbeddings(api_key=emulator.api_key, base_url=emulator.base_url)
        loaded = TwelveLabsMediaLoader(paths, langchain, id_from=id_from).load()
        assert [node.node_id for node in made] == [document.id for document in loaded]
        assert [node.metadata for node in made] == [document.metadata for document in loaded]


def _by_name(known: Any) -> str:
    return f"{known['media_type']} {known['file_name']}"


def test_an_image_that_is_embedded_again_keeps_its_id(embedder: TwelveLabsMediaEmbedder, files: Path) -> None:
    (made,) = embedder(read(files / "red.png"))
    (again,) = embedder([made.model_copy(update={"embedding": None})])
    assert (again.node_id, again.metadata, again.embedding) == (made.node_id, made.metadata, made.embedding)


def test_a_signature_is_sent_and_is_in_no_node(
    embedder: TwelveLabsMediaEmbedder, emulator: Emulator, files: Path
) -> None:
    where = "https://example.com/low.wav"
    signed = [f"{where}?X-Amz-Date={date}&X-Amz-Signature=s3cret" for date in (1, 2)]
    image = "https://example.com/red.png?sv=1&sig=s3cret"
    emulator.configure(url_files={**dict.fromkeys(signed, files / "low.wav"), image: files / "red.png"})
    for url in signed:
        nodes = [*TwelveLabsMediaReader().load_data(url), ImageNode(image_url=image, id_="i")]
        made = embedder(nodes)
        assert {node.metadata["source"] for node in made} == {where, "https://example.com/red.png"}
        assert "s3cret" not in str([node.to_dict() for node in made])
        assert [node.node_id for node in made] == [node.node_id for node in embedder(nodes)]


def test_the_models_cache_makes_a_second_run_free(files: Path, emulator: Emulator, tmp_path: Path) -> None:
    def run() -> list[dict[str, Any]]:
        model = TwelveLabsEmbedding(
            api_key=emulator.api_key, base_url=emulator.base_url, cache=str(tmp_path / "vectors.sqlite")
        )
        return [
            n.to_dict() for n in TwelveLabsMediaEmbedder(embed_model=model)(read(files / "red.mp4", files / "red.png"))
        ]

    first = run()
    sent = len(emulator.requests)
    assert run() == first
    assert len(emulator.requests) == sent


# -- segments and queries ------------------------------------------------------------------------------------------


async def test_segments(llama: TwelveLabsEmbedding, files: Path) -> None:
    found = llama.get_segments(files / "red.mp4")
    assert [segment.option for segment in found] == ["visual", "audio", "transcription"]
    assert await llama.aget_segments(str(files / "red.mp4")) == found
    (audio,) = llama.get_segments(Audio(files / "low.wav"), SegmentOptions(Fixed(5)), embedding_option="audio")
    assert (audio.start_sec, audio.end_sec, audio.option) == (0, 2, "audio")
    (again,) = await llama.aget_segments(files / "low.wav", segmentation=Fixed(5), embedding_option="audio")
    assert again == audio


async def test_queries(llama: TwelveLabsEmbedding, files: Path) -> None:
    red, low, video = (str(files / name) for name in ("red.png", "low.wav", "red.mp4"))
    expected = {
        "text": llama.get_query_embedding("red"),
        "image": llama.get_image_embedding(red),
        "audio": llama.get_audio_embedding(low),
        "video": llama.get_video_embedding(video),
    }
    for name, given in {"text": "red", "image": red, "audio": low, "video": video}.items():
        made = llama.query_bundle(**{name: given})
        assert made.embedding == expected[name]
        assert made.query_str == ("red" if name == "text" else "")
        again = await llama.aquery_bundle(**{name: given})
        assert again == made
        assert again is not made
    both = llama.query_bundle("in blue", image=red)
    assert both.embedding == llama.get_composed_embedding("in blue", images=[red])
    assert both.query_str == "in blue"
    with pytest.raises(InvalidInputError, match=r"marengo3\.5"):
        llama.query_bundle("in blue", audio=low)
