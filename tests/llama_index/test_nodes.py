"""LlamaIndex documents of files, ranges of hits, and settings: what needs no server."""

from __future__ import annotations

import copy
import json
import logging
import math
import pickle
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, ImageNode, MetadataMode, Node, NodeWithScore, QueryBundle, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult

from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    TwelveLabsMomentRetriever,
    check_store,
)
from llama_index_twelvelabs.documents import file_document, media_text
from llama_index_twelvelabs.nodes import media_in
from tests.support import media
from twelvelabs_core import Dynamic, Fixed, InvalidInputError, SegmentOptions, UnexpectedError
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


def test_a_range_keeps_the_vector_of_its_best_segment_and_has_an_id_of_its_own() -> None:
    hits = [hit("a", 0, 5, 0.2), hit("a", 5, 9, 0.9), hit("a", 90, 95, 0.1)]
    for number, found in enumerate(hits):
        found.node.embedding = [float(number)]
    one, two = TwelveLabsMomentPostprocessor().postprocess_nodes(hits)
    assert (one.node.embedding, two.node.embedding) == ([1.0], [2.0])
    best = {"best_start_sec": 5.0, "best_end_sec": 9.0, "best_id": hits[1].node.node_id}
    assert one.node.metadata.items() >= best.items()
    assert len({one.node.node_id, two.node.node_id, *(h.node.node_id for h in hits)}) == 5
    padded = TwelveLabsMomentPostprocessor(pad=1).postprocess_nodes(hits)
    assert len({h.node.node_id for h in (one, two, *padded)}) == 4
    (again,) = TwelveLabsMomentPostprocessor(gap=99).postprocess_nodes([one, two])
    assert again.node.metadata["best_id"] == hits[1].node.node_id
    shown = one.node.get_content(MetadataMode.LLM) + one.node.get_content(MetadataMode.EMBED)
    assert "best_" not in shown


def test_copies_are_ranges_of_their_own() -> None:
    hits = [hit(f"{name}/film.mp4", at, at + 5, content_digest="d") for name, at in (("ben", 0), ("anna", 5))]
    found = TwelveLabsMomentPostprocessor().postprocess_nodes(hits)
    assert spans(found) == [("anna/film.mp4", 5, 10, 1), ("ben/film.mp4", 0, 5, 1)]


@given(st.randoms(use_true_random=False), st.sampled_from([None, 0.0, 3.0]), st.sampled_from(["rrf", None]))
@settings(deadline=None)
def test_the_order_in_which_a_store_returns_equal_hits_makes_no_difference(random: Any, gap: Any, fuse: Any) -> None:
    model = TwelveLabsEmbedding(api_key="tlk_5ecret")
    hits = [
        hit(source, at, at + 5, embedding_option=option)
        for source in "ba"
        for at in (5, 0, 60)
        for option in ("visual", "audio")
    ]
    for number, one in enumerate(hits):
        one.node.id_ = str(number)

    def found(hits: list[NodeWithScore]) -> list[Any]:
        retriever = TwelveLabsMomentRetriever(Given(hits), model, similarity_top_k=7, merge_gap=gap, fuse=fuse)
        return [(h.node.node_id, h.score) for h in retriever.retrieve(QueryBundle("", embedding=[1.0]))]

    assert found(random.sample(hits, len(hits))) == found(hits)
    assert found([*hits, hit("a", 99, 100, math.nan, embedding_option="visual")]) == found(hits)


def test_another_space_is_refused(model: TwelveLabsEmbedding) -> None:
    mixed = [hit("a", 0, 5), hit("b", 0, 5, space="marengo3.5/512")]
    for postprocessor in (TwelveLabsMomentPostprocessor(embed_model=model), TwelveLabsMomentPostprocessor()):
        with pytest.raises(InvalidInputError, match=r"marengo3\.5/512.*marengo3\.0/512"):
            postprocessor.postprocess_nodes(mixed)
        assert postprocessor.postprocess_nodes([hit("a", 0, 5)])
        foreign = NodeWithScore(node=TextNode(text="pots", metadata={"space": "kitchen"}), score=0.1)
        assert len(postprocessor.postprocess_nodes([hit("a", 0, 5), foreign])) == 2


# -- a retriever of hits ---------------------------------------------------------------------------------------------


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


def test_a_document_has_one_id_however_its_path_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    reader = TwelveLabsMediaReader()
    spelt = ["a.wav", "./a.wav", str(folder / "a.wav"), (folder / "a.wav").as_uri()]
    assert len({reader.load_data(path)[0].id_ for path in spelt}) == 1
    # What is in users' docstores must be found again by later versions.
    assert file_document("/a.wav", "audio", "0" * 40, {}).id_ == "595ccf44-8766-5856-8af9-8c3ca685b06b"
    assert file_document("a\udcff.wav", "audio", "0" * 40, {}).id_, "a name that is not UTF-8"


def test_a_document_named_otherwise(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def ids(*paths: Path, **more: Any) -> list[str]:
        return [document.id_ for document in TwelveLabsMediaReader(**more).load_data(list(paths))]

    twin = folder / "twin.wav"
    twin.write_bytes((folder / "a.wav").read_bytes())
    assert len(set(ids(folder / "a.wav", twin))) == 2
    assert caplog.messages == []
    assert len(ids(folder / "a.wav", folder / "a.wav")) == 1
    assert len(ids(folder / "a.wav", twin, id_from="content")) == 1
    assert caplog.messages[-1] == (
        f"{twin} has the content of {folder / 'a.wav'} and would have the same id; it is left out (see id_from)"
    )
    assert ids(twin, id_from="content") == ids(folder / "a.wav", id_from="content")

    def named(path: Path, number: int) -> list[Document]:
        reader = TwelveLabsMediaReader(id_from=lambda known: f"video {known['number']}")
        return reader.load_data(path, extra_info={"number": number})

    (one,), (moved,), (other,) = named(folder / "a.wav", 1), named(twin, 1), named(twin, 2)
    assert one.id_ == moved.id_ != other.id_
    with pytest.raises(UnexpectedError, match="id_from raised KeyError"):
        TwelveLabsMediaReader(id_from=lambda known: known["number"]).load_data(twin)
    wrong: Any = "name"
    for component in (TwelveLabsMediaReader, TwelveLabsMediaEmbedder):
        with pytest.raises(InvalidInputError, match="id_from='name' must be"):
            component(id_from=wrong, embed_model=TwelveLabsEmbedding(api_key="k"))


def test_metadata_that_would_override_ours_is_refused(folder: Path) -> None:
    reader = TwelveLabsMediaReader()
    for name in ("space", "start_sec", "content_digest", "media_type", "source"):
        with pytest.raises(InvalidInputError, match=f"a.wav'.*the key '{name}'.*'my_{name}'"):
            reader.load_data(folder / "a.wav", extra_info={name: "kitchen"})
    (named,) = reader.load_data(folder / "a.wav", extra_info={"file_name": "Bells"})
    assert (named.text, named.metadata["file_name"]) == ("Bells", "Bells")


def test_a_signature_is_not_in_a_document_and_is_sent(folder: Path) -> None:
    url = "https://me:s3cret@example.com/a.wav?page=1&X-Amz-Date=now&X-Amz-Signature=s3cret"
    reader = TwelveLabsMediaReader()
    (made,), (later,) = reader.load_data(url), reader.load_data(url.replace("now", "later"))
    assert made.metadata["source"] == "https://example.com/a.wav?page=1"
    assert (made.id_, made.hash) == (later.id_, later.hash)
    docstore = SimpleDocumentStore()
    docstore.add_documents([made])
    written = [
        made.to_json(),
        str(made),
        repr(made),
        json.dumps(docstore.to_dict()),
        made.get_content(MetadataMode.ALL),
    ]
    assert not [text for text in written if "s3cret" in text]
    (split,) = SentenceSplitter()([made])
    for document in (made, split, copy.deepcopy(made), made.model_copy(), pickle.loads(pickle.dumps(made))):
        (one,) = media_in(document)
        assert one.source == url
        assert "s3cret" not in repr(one)
    (stored,) = media_in(Document.from_json(made.to_json()))
    assert stored.source == "https://example.com/a.wav?page=1"


def test_a_folder(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = TwelveLabsMediaReader().load_data(folder)
    kinds = [(document.text, document.metadata["media_type"]) for document in found]
    assert kinds == [("a.wav", "audio"), ("b.PNG", "image"), ("c.mov", "video")]
    (line,) = caplog.messages
    assert line.endswith(".pdf, .txt, nameless")
    (folder / "._a.wav").write_bytes(b"\0\5\x16\7")  # macOS writes such beside each file on a foreign disk
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "b.png").write_bytes(media.png("red"))
    (folder / "gone.png").symlink_to("/nowhere/gone.png")
    assert len(TwelveLabsMediaReader().load_data(folder)) == 3
    assert "broken links" in caplog.messages[-1]
    with_papers = TwelveLabsMediaReader(kinds=("document",)).load_data([folder])
    assert [document.text for document in with_papers] == ["d.pdf"]


def test_a_folder_without_media_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.txt").write_text("a red bike")
    assert TwelveLabsMediaReader().load_data(tmp_path) == []
    assert caplog.messages == [
        f"There is nothing to load in {tmp_path} (left out, as neither of image, audio, video: .txt)"
    ]


def test_a_bad_file_of_a_folder_tells_how_to_go_on(folder: Path) -> None:
    (folder / "empty.png").touch()
    with pytest.raises(InvalidInputError, match="on_error='skip'"):
        TwelveLabsMediaReader().load_data(folder)
    with pytest.raises(InvalidInputError) as named:
        TwelveLabsMediaReader().load_data(folder / "empty.png")
    assert "skip" not in str(named.value)


def test_bytes_read_as_text_are_not_embedded(model: TwelveLabsEmbedding, folder: Path) -> None:
    """SimpleDirectoryReader without the extractor, and without llama-index-readers-file for the PDF."""
    (folder / "paper.pdf").write_bytes(b"%PDF-1.4\n%\xe2\xe3\n1 0 obj\n\n<<>>")
    suffixes = (".wav", ".mov", ".png", ".pdf")
    for path in (path for path in folder.rglob("*") if path.suffix.lower() in suffixes):
        text = path.read_bytes().decode("utf-8", "ignore")  # as LlamaIndex does
        document = Document(text=text, metadata={"file_path": str(path)})
        with pytest.raises(InvalidInputError, match=rf"texts\[0\] .*{path.name}.* read as text"):
            TwelveLabsMediaEmbedder(embed_model=model)([document])
        with pytest.raises(InvalidInputError, match=r"texts\[0\].* read as text"):
            model([document])


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
        assert all(media_text(text) for text in texts)
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
    assert media_text(text) is None


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
        key(model, id_from="content"),
        key(model, id_from=media_from),
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


def test_metadata_of_nodes_that_would_be_overridden_is_refused(model: TwelveLabsEmbedding, folder: Path) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=model)
    (document,) = TwelveLabsMediaReader().load_data(folder / "deep" / "c.mov")
    document.metadata["start_sec"] = 30
    image = {"image_path": str(folder / "b.PNG"), "text": ""}
    wrong = [
        ("start_sec", document),
        ("space", ImageNode(**image, metadata={"space": "kitchen"})),
        ("page", ImageNode(**image, metadata={"page": 3, "source": "a paper"})),
        ("space", TextNode(text="pots", metadata={"space": "kitchen"})),
        ("embedding_option", TextNode(text="pots", metadata={"embedding_option": "all"})),
    ]
    for name, node in wrong:
        with pytest.raises(InvalidInputError, match=f"node {node.node_id}: .*the key '{name}'.*'my_{name}'"):
            embedder([node])


@pytest.mark.parametrize("foreign", [0, 5, 50, 5000])
def test_a_store_is_searched_for_another_space_behind_nodes_of_something_else(
    foreign: int, model: TwelveLabsEmbedding
) -> None:
    class Store:
        def __init__(self) -> None:
            self.asked = 0
            self.ours: list[TextNode] = []

        def query(self, query: VectorStoreQuery) -> VectorStoreQueryResult:
            self.asked += 1
            pots = [TextNode(text="pots", metadata={"space": "kitchen"})] * foreign
            return VectorStoreQueryResult(nodes=[*pots, *self.ours][: query.similarity_top_k])

    store = Store()
    check_store(store, model)
    assert store.asked == (1 if foreign < 20 else 2)
    store.ours = [TextNode(text="a", metadata={"space": "marengo3.5/512"})]
    if foreign < 1000:
        with pytest.raises(InvalidInputError, match="do not compare"):
            check_store(store, model)


def test_a_sample_of_a_store_without_filters_is_looked_at(model: TwelveLabsEmbedding) -> None:
    class Store:
        def __init__(self, space: str) -> None:
            self.node = TextNode(text="a", metadata={"space": space})

        def query(self, query: VectorStoreQuery) -> VectorStoreQueryResult:
            if query.filters:
                raise NotImplementedError("no filters here")
            return VectorStoreQueryResult(nodes=[self.node])

    check_store(Store(SPACE), model)
    with pytest.raises(InvalidInputError, match="do not compare"):
        check_store(Store("marengo3.5/512"), model)


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
