"""LlamaIndex documents of files, ranges of hits, and settings: what needs no server."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import fsspec
import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import ImageNode, MetadataMode, Node, NodeWithScore, QueryBundle, TextNode

from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    TwelveLabsMomentRetriever,
)
from llama_index_twelvelabs.documents import stands_for_media
from tests.support import media
from twelvelabs_core import Dynamic, Fixed, InvalidInputError, SegmentOptions
from twelvelabs_core.adapter import media_from

SPACE = "marengo3.0/512"


@pytest.fixture
def model() -> TwelveLabsEmbedding:
    return TwelveLabsEmbedding(api_key="tlk_5ecret")


def hit(source: str, start: float, end: float, score: float | None = 0.5, **metadata: Any) -> NodeWithScore:
    about = {"source": source, "file_name": source, "start_sec": start, "end_sec": end, "space": SPACE, **metadata}
    return NodeWithScore(node=TextNode(text=f"{source} {start}", metadata=about), score=score)


def spans(hits: list[NodeWithScore]) -> list[tuple[Any, ...]]:
    return [tuple(h.node.metadata.get(key) for key in ("source", "start_sec", "end_sec", "hits")) for h in hits]


# -- ranges ----------------------------------------------------------------------------------------------------------

STARTS = (50.4, 34.6, 59.0, 39.1, 54.4, 46.3)


def test_hits_of_one_scene_are_one_range() -> None:
    """The order in which a trailer's clips were found; each about five seconds."""
    hits = [hit("trailer.mp4", at, at + 5, 0.9 - i / 10, duration_sec=120) for i, at in enumerate(STARTS)]
    (found,) = TwelveLabsMomentPostprocessor().postprocess_nodes(hits)
    assert spans([found]) == [("trailer.mp4", 34.6, 64.0, 6)]
    assert found.score == 0.9
    assert found.node.get_content() == "trailer.mp4 00:00:34.6-00:01:04"
    assert found.node.metadata["fragment"] == "#t=34.6,64"
    assert hits[0].node.metadata["start_sec"] == 50.4, "the caller's own nodes stay as they are"


def test_sources_are_never_joined() -> None:
    hits = [hit(name, at, at + 5, 0.9 - i / 10) for i, (name, at) in enumerate(zip("ababab", STARTS, strict=True))]
    found = TwelveLabsMomentPostprocessor(gap=100).postprocess_nodes(hits)
    assert spans(found) == [("a", 50.4, 64.0, 3), ("b", 34.6, 51.3, 3)]


def test_gap_and_pad() -> None:
    hits = [hit("a", 10, 14, duration_sec=30.0), hit("a", 18, 29, duration_sec=30.0)]
    assert spans(TwelveLabsMomentPostprocessor(gap=4).postprocess_nodes(hits)) == [("a", 10, 29, 2)]
    padded = TwelveLabsMomentPostprocessor(gap=3, pad=3).postprocess_nodes(hits)
    assert spans(padded) == [("a", 7, 16, 1), ("a", 16, 30, 1)]


def test_kinds_of_one_scene_are_named_together() -> None:
    visual = hit("a", 0, 6, 0.2, embedding_option="visual", content_digest="d")
    audio = hit("a", 0, 6, 0.7, embedding_option="audio", content_digest="d")
    (found,) = TwelveLabsMomentPostprocessor().postprocess_nodes([visual, audio])
    assert found.node.metadata["embedding_option"] == "audio,visual"
    assert found.node.get_content().endswith("audio,visual")
    assert found.score == 0.7


def test_what_has_no_time_keeps_its_place() -> None:
    whole = hit("a", 0, 60, 0.8, embedding_scope="asset")
    text = NodeWithScore(node=TextNode(text="beans"), score=0.6)
    found = TwelveLabsMomentPostprocessor().postprocess_nodes([hit("a", 0, 5, 0.5), text, whole, hit("a", 5, 9, 0.7)])
    assert [h.score for h in found] == [0.8, 0.7, 0.6]
    assert found[0] is whole
    assert found[2] is text


async def test_hits_without_scores_keep_their_order() -> None:
    hits = [hit("a", 90, 95, None), hit("b", 0, 5, None), hit("a", 0, 5, None)]
    found = await TwelveLabsMomentPostprocessor().apostprocess_nodes(hits)
    assert spans(found) == [("a", 90, 95, 1), ("b", 0, 5, 1), ("a", 0, 5, 1)]
    assert {h.score for h in found} == {None}
    assert await TwelveLabsMomentPostprocessor().apostprocess_nodes([]) == []


def test_the_same_hits_give_the_same_id() -> None:
    hits = [hit("a", 0, 5), hit("a", 5, 9)]
    one, two = (TwelveLabsMomentPostprocessor().postprocess_nodes(some)[0] for some in (hits, hits[::-1]))
    assert one.node.node_id == two.node.node_id
    assert one.node.node_id not in {h.node.node_id for h in hits}


def test_another_space_is_refused(model: TwelveLabsEmbedding) -> None:
    mixed = [hit("a", 0, 5), hit("b", 0, 5, space="marengo3.5/512")]
    for postprocessor in (TwelveLabsMomentPostprocessor(embed_model=model), TwelveLabsMomentPostprocessor()):
        with pytest.raises(InvalidInputError, match=r"marengo3\.5/512.*marengo3\.0/512"):
            postprocessor.postprocess_nodes(mixed)
        assert postprocessor.postprocess_nodes([hit("a", 0, 5)])


# -- fusing ----------------------------------------------------------------------------------------------------------


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


def test_ranks_count_and_not_similarities(model: TwelveLabsEmbedding) -> None:
    hits = [
        hit("visual", 0, 5, 0.6, embedding_option="visual"),
        hit("visual 2", 0, 5, 0.5, embedding_option="visual"),
        hit("audio", 0, 5, 0.1, embedding_option="audio"),
        hit("speech", 0, 5, 0.2, embedding_option="transcription"),
        hit("loose", 0, 5, 0.9),
    ]
    given = Given(hits)
    query = QueryBundle("", embedding=[1.0])

    def found(**settings: Any) -> list[str]:
        return [s[0] for s in spans(TwelveLabsMomentRetriever(given, model, **settings).retrieve(query))]

    assert found() == ["visual", "speech", "audio", "visual 2"]
    assert found(similarity_top_k=2) == ["visual", "speech"]
    assert found(similarity_cutoff=0.2) == ["visual", "speech", "visual 2"]
    assert found(fuse={"audio": 2, "visual": 1}) == ["audio", "visual", "visual 2"]
    assert found(fuse=None, gap=None) == [h.node.metadata["source"] for h in hits]
    assert query.embedding == [1.0], "a retriever writes into the bundle it is given"
    assert given.asked[0] is not query
    first = TwelveLabsMomentRetriever(given, model).retrieve(query)[0]
    assert first.score == pytest.approx(1 / 61)


def test_wrong_settings_of_the_retriever(model: TwelveLabsEmbedding) -> None:
    wrong_settings: list[dict[str, Any]] = [
        {"similarity_top_k": 0},
        {"fuse": "sum"},
        {"fuse": {}},
        {"fuse": {"visual": 0}},
        {"fuse": {"visual": 1, "audio": -1}},
        {"gap": -1.0},
        {"pad": -1.0},
    ]
    for wrong in wrong_settings:
        with pytest.raises(InvalidInputError):
            TwelveLabsMomentRetriever(Given([]), model, **wrong)
    with pytest.raises(InvalidInputError, match="neither text nor a vector"):
        TwelveLabsMomentRetriever(Given([]), model).retrieve(QueryBundle(""))


# -- the reader ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {
        "b.PNG": media.png("red"),
        "a.wav": media.wav(440, 1),
        "deep/c.mov": media.mp4((("red", 1, 0),)),
        "d.pdf": media.pdf(1),
        "e.txt": b"beans",
        "nameless": media.wav(220, 1),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_documents_of_files(folder: Path) -> None:
    (made,) = TwelveLabsMediaReader().load_data(folder / "a.wav", extra_info={"owner": "me", "last_accessed_date": "x"})
    about = dict(made.metadata)
    assert len(about.pop("content_digest")) == 40
    assert about == {
        "source": str(folder / "a.wav"),
        "file_name": "a.wav",
        "media_type": "audio",
        "owner": "me",
    }
    assert made.text == "a.wav"
    assert made.class_name() == "Document"


def test_a_file_keeps_its_id_and_a_change_is_noticed(folder: Path) -> None:
    reader = TwelveLabsMediaReader()
    (before,), (again,) = reader.load_data(folder / "a.wav"), reader.load_data(str(folder / "a.wav"))
    assert (before.id_, before.hash) == (again.id_, again.hash)
    (folder / "a.wav").write_bytes(media.wav(220, 1))
    (changed,) = reader.load_data(folder / "a.wav")
    assert changed.id_ == before.id_
    assert changed.hash != before.hash
    (other,) = reader.load_data(folder / "nameless")
    assert other.metadata["content_digest"] == changed.metadata["content_digest"]
    assert other.id_ != changed.id_


def test_a_folder(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = TwelveLabsMediaReader().load_data(folder)
    kinds = [(document.text, document.metadata["media_type"]) for document in found]
    assert kinds == [("a.wav", "audio"), ("b.PNG", "image"), ("c.mov", "video")]
    (line,) = caplog.messages
    assert line.endswith(".pdf, .txt, nameless")
    with_papers = TwelveLabsMediaReader(kinds=("document",)).load_data([folder])
    assert [document.text for document in with_papers] == ["d.pdf"]


def test_what_a_file_is(folder: Path) -> None:
    reader = TwelveLabsMediaReader()
    (nameless,) = reader.load_data(folder / "nameless")
    assert nameless.metadata["media_type"] == "audio"
    (named,) = TwelveLabsMediaReader(media_type="document").load_data(folder / "nameless")
    assert named.metadata["media_type"] == "document"
    (remote,) = reader.load_data("https://example.com/videos/x.mp4?signature=abc")
    assert (remote.text, remote.metadata["media_type"]) == ("x.mp4", "video")
    (as_url,) = reader.load_data((folder / "a.wav").as_uri())
    assert as_url.metadata["content_digest"] == reader.load_data(folder / "a.wav")[0].metadata["content_digest"]
    (folder / "odd.bin").write_bytes(b"\0" * 64)
    for wrong in ("missing.mp4", folder / "odd.bin"):
        with pytest.raises(InvalidInputError, match=Path(wrong).name):
            reader.load_data(wrong)


def test_files_elsewhere(folder: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/shelf/a.wav", (folder / "a.wav").read_bytes())
    (made,) = TwelveLabsMediaReader().load_data("/shelf/a.wav", fs=fs)
    assert made.metadata["source"] == "memory:///shelf/a.wav"
    (here,) = TwelveLabsMediaReader().load_data(folder / "a.wav", fs=fsspec.filesystem("file"))
    assert here.metadata["source"] == str(folder / "a.wav")
    assert here.metadata["content_digest"] == made.metadata["content_digest"]


async def test_async_reader(folder: Path) -> None:
    reader = TwelveLabsMediaReader()
    paths: list[str | Path] = [folder / "a.wav", str(folder / "b.PNG")]
    expected = [document.hash for document in reader.lazy_load_data(paths)]
    assert [document.hash for document in await reader.aload_data(paths)] == expected
    assert [document.hash for document in await reader.alazy_load_data(paths)] == expected


def test_reader_settings(folder: Path) -> None:
    reader = TwelveLabsMediaReader()
    assert {".mp4", ".mov", ".mkv", ".mp3", ".wav", ".flac", ".jpg", ".jpeg", ".png"} <= set(reader.file_extractor())
    assert list(reader.file_extractor("document")) == [".pdf"]
    assert not reader.is_remote
    back = TwelveLabsMediaReader.from_dict(reader.to_dict())
    assert [d.hash for d in back.load_data(folder)] == [d.hash for d in reader.load_data(folder)]
    with pytest.raises(InvalidInputError, match="embed_model"):
        TwelveLabsMediaReader(segments=True)


def test_media_by_suffix_or_content(folder: Path) -> None:
    kinds = ["b.PNG", "a.wav", "deep/c.mov", "d.pdf", "e.txt", "nameless"]
    assert [media_from(folder / name).kind for name in kinds] == [
        *("image", "audio", "video", "document", "document", "audio")
    ]
    assert media_from("https://example.com/a.mp4?x=1.png").kind == "video"
    for wrong in (b"bytes", 7, "missing", "https://example.com/watch"):
        with pytest.raises(InvalidInputError):
            media_from(wrong)


# -- never embedded as text ------------------------------------------------------------------------------------------


async def test_a_file_name_is_never_embedded_as_text(model: TwelveLabsEmbedding, folder: Path) -> None:
    documents = TwelveLabsMediaReader().load_data(folder, extra_info={"title": "x", "file_size": 7})
    for nodes in (documents, SentenceSplitter()(documents)):
        texts = [node.get_content(MetadataMode.EMBED) for node in nodes]
        assert all(stands_for_media(text) for text in texts)
        with pytest.raises(InvalidInputError, match=r"texts\[0\]: 'a\.wav' stands for a media file"):
            model.get_text_embedding_batch(texts)
        with pytest.raises(InvalidInputError, match="TwelveLabsMediaEmbedder"):
            await model.aget_text_embedding_batch(texts)
        with pytest.raises(InvalidInputError):
            model.get_text_embedding(texts[0])
        with pytest.raises(InvalidInputError):
            await model.aget_text_embedding(texts[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "beans",
        "media_type: video",
        "media_type: video\ncontent_digest: none\n\nfilm.mp4",
        "a talk\n\nmedia_type: video\ncontent_digest: " + "0" * 40,
        "x" * 1_000_000,
        "line\n" * 100_000,
    ],
)
def test_plain_texts(text: str) -> None:
    assert not stands_for_media(text)


# -- the embedder's settings -----------------------------------------------------------------------------------------


def test_what_the_pipeline_cache_is_keyed_by(model: TwelveLabsEmbedding) -> None:
    def key(of: TwelveLabsEmbedding, **settings: Any) -> str:
        return str(TwelveLabsMediaEmbedder(embed_model=of, **settings).to_dict())

    same = [
        TwelveLabsEmbedding(api_key="tlk_other"),
        TwelveLabsEmbedding(api_key="tlk_5ecret", max_concurrency=3, timeout=1, embed_batch_size=7),
    ]
    assert {key(other) for other in same} == {key(model)}
    assert key(model, show_progress=True, fs=object()) == key(model)
    assert "5ecret" not in key(model)
    others = [
        key(model),
        key(TwelveLabsEmbedding(api_key="k", model_name="marengo3.5")),
        key(TwelveLabsEmbedding(api_key="k", model_name="marengo3.5", dimensions=128)),
        key(TwelveLabsEmbedding(api_key="k", base_url="http://localhost/v1.3")),
        key(TwelveLabsEmbedding(api_key="k", truncate="start")),
        key(model, options=SegmentOptions()),
        key(model, options=SegmentOptions(Fixed(4))),
        key(model, options=SegmentOptions(Dynamic(4))),
        key(model, video_options=SegmentOptions(Dynamic(4))),
        key(model, audio_options=SegmentOptions(Fixed(4))),
    ]
    assert len(set(others)) == len(others)
    assert "0x" not in "".join(others)


def test_dict_json_pickle_and_repr(model: TwelveLabsEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TwelveLabsMediaEmbedder(embed_model=model, options=SegmentOptions(Fixed(4), embedding_option="audio"))
    reader = TwelveLabsMediaReader(segments=True, embed_model=model, options=made.options)
    after = TwelveLabsMomentPostprocessor(embed_model=model, gap=1)
    for component in (made, reader, after):
        shown = [repr(component), str(component), component.to_json(), str(component.model_dump())]
        assert not [text for text in shown if "5ecret" in text]
        assert json.loads(component.to_json())["class_name"] == type(component).__name__
        again = pickle.loads(pickle.dumps(component))
        assert again.to_dict() == component.to_dict()
        assert again.embed_model.api_key.get_secret_value() == "tlk_5ecret"
    monkeypatch.setenv("TWELVELABS_API_KEY", "tlk_from_outside")
    assert TwelveLabsMediaEmbedder.from_dict(made.to_dict()).to_dict() == made.to_dict()


def test_nodes_are_checked_before_anything_is_sent(model: TwelveLabsEmbedding, folder: Path) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=model)
    (document,) = TwelveLabsMediaReader().load_data(folder / "deep" / "c.mov")
    lost = TextNode(text="c.mov 0-4", metadata={**document.metadata, "embedding_option": "visual"})
    wrong = {
        "lost its vector": lost,
        r"marengo3\.5/512.*marengo3\.0/512": TextNode(text="beans", metadata={"space": "marengo3.5/512"}),
        "2 numbers": TextNode(text="beans", embedding=[1.0, 2.0]),
        "no such file": ImageNode(image_path=str(folder / "gone.png"), text="gone.png"),
    }
    for message, node in wrong.items():
        with pytest.raises(InvalidInputError, match=message):
            embedder([node])
    assert embedder([]) == []


def test_a_vector_that_is_there_is_kept(model: TwelveLabsEmbedding) -> None:
    node = Node(embedding=[0.5] * 512)
    assert list(TwelveLabsMediaEmbedder(embed_model=model)([node])) == [node]
    ready = TextNode(text="video.mp4 0-6", embedding=[0.5] * 512, metadata={"space": SPACE})
    assert list(model([ready])) == [ready]
    assert ready.embedding == [0.5] * 512


def test_a_query_needs_something(model: TwelveLabsEmbedding) -> None:
    with pytest.raises(InvalidInputError, match="needs text, image"):
        model.query_bundle()
    with pytest.raises(InvalidInputError, match="SegmentOptions has no option 'length'; it has segmentation"):
        model.get_segments("video.mp4", length=6)
