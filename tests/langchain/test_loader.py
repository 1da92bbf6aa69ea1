"""The loader: what it finds, in which order, what it does with what it cannot load; segments; laziness."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_community.document_loaders.merge import MergedDataLoader
from langchain_core.document_loaders import BaseLoader
from langchain_core.document_loaders.blob_loaders import BlobLoader
from langchain_core.documents import Document as LangChainDocument
from langchain_core.documents.base import Blob
from langchain_core.stores import InMemoryByteStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from tests.support import media
from tests.support.service import Service, right_answer, sent_json, vector
from twelvelabs_core import (
    Asset,
    Audio,
    AuthenticationError,
    Document,
    Dynamic,
    Fixed,
    InvalidInputError,
    Segment,
    SegmentOptions,
    UnexpectedError,
    Video,
)
from twelvelabs_core.adapter import run

VIDEO = media.mp4((("red", 1, 0),), fps=4)
OTHER = media.mp4((("blue", 1, 0),), fps=4)


def answer(request: httpx.Request) -> dict[str, Any]:
    """Two segments, of the options and of the asset or clips that were asked for."""
    body = sent_json(request)
    part = body[body["input_type"]]
    if body["input_type"] not in ("audio", "video"):
        return right_answer(request)
    spans = [("clip", 0, 6), ("clip", 6.5, 11)] if part["embedding_scope"] == ["clip"] else [("asset", 0, 11)]
    return {
        "data": [
            {
                "embedding": vector(f"{option} {start}"),
                "embedding_option": option,
                "embedding_scope": scope,
                "start_sec": start,
                "end_sec": end,
            }
            for scope, start, end in spans
            for option in part["embedding_option"]
        ]
    }


@pytest.fixture
def service() -> Service:
    return Service(answer)


@pytest.fixture
def model(service: Service) -> TwelveLabsEmbeddings:
    return make(service)


def make(service: Service, **settings: Any) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(
        **{"api_key": service.key, "transport": service.transport, "max_retries": 0, **settings}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bit of everything."""
    for name, content in {
        "b.mp4": VIDEO,
        "a.PNG": media.png("red"),
        "sub/c.wav": media.wav(440, 1),
        "sub/deep/d.mp4": OTHER,
        "notes.txt": b"text",
        "code.xyz": b"?",
        ".hidden.mp4": VIDEO,
        ".trash/e.mp4": OTHER,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def names(documents: Any) -> list[str]:
    """File names in order, each once."""
    return list(dict.fromkeys(d.metadata["file_name"] for d in documents))


# -- documents --------------------------------------------------------------------------------------------------------


def test_a_video_is_a_document_a_segment_and_option(model: TwelveLabsEmbeddings, folder: Path) -> None:
    documents = TwelveLabsMediaLoader(folder / "b.mp4", model).load()
    assert len(documents) == 6
    first, last = documents[0], documents[-1]
    expected = f"b.mp4 00:00:00-00:00:06 visual [twelvelabs:marengo3.0/512/{first.id}"
    assert first.page_content.rpartition("/")[0] == expected
    expected = f"b.mp4 00:00:06.5-00:00:11 transcription [twelvelabs:marengo3.0/512/{last.id}"
    assert last.page_content.rpartition("/")[0] == expected
    assert (
        last.metadata.items()
        >= {
            "source": str(folder / "b.mp4"),
            "file_name": "b.mp4",
            "media_type": "video",
            "start_sec": 6.5,
            "end_sec": 11,
            "embedding_option": "transcription",
            "embedding_scope": "clip",
            "space": "marengo3.0/512",
        }.items()
    )
    assert all(isinstance(value, (str, int, float)) for value in last.metadata.values())
    assert model.embed_documents([d.page_content for d in documents]) == [
        vector(f"{option} {start}") for start in (0, 6.5) for option in ("visual", "audio", "transcription")
    ]


def test_an_image_is_one_document(model: TwelveLabsEmbeddings, folder: Path) -> None:
    (document,) = TwelveLabsMediaLoader(folder / "a.PNG", model).load()
    assert document.metadata["embedding_scope"] == "asset"
    assert document.metadata["media_type"] == "image"
    assert model.embed_query(document.page_content) == vector("image")


def test_a_whole_document_of_the_newer_model(service: Service, folder: Path) -> None:
    loader = TwelveLabsMediaLoader(
        folder / "notes.txt", make(service, model="marengo3.5"), options=SegmentOptions(embedding_scope="asset")
    )
    (document,) = loader.load()
    assert document.metadata["embedding_option"] == "text"
    assert document.page_content.startswith("notes.txt whole text [twelvelabs:marengo3.5/512/")


def test_ids_and_texts_are_the_same_every_time(model: TwelveLabsEmbeddings, service: Service, folder: Path) -> None:
    first = TwelveLabsMediaLoader(folder, model).load()
    assert TwelveLabsMediaLoader(folder, make(service)).load() == first
    assert len({d.id for d in first}) == len(first)
    (folder / "b.mp4").write_bytes(media.mp4((("green", 1, 0),), fps=4))
    changed = TwelveLabsMediaLoader(folder / "b.mp4", model).load()
    assert not {d.id for d in changed} & {d.id for d in first}
    assert changed[0].metadata["content_digest"] != first[1].metadata["content_digest"]


def test_with_a_cache_a_second_run_sends_nothing(service: Service, folder: Path) -> None:
    cache = InMemoryByteStore()
    TwelveLabsMediaLoader(folder, make(service, cache=cache)).load()
    sent = len(service.requests)
    model = make(service, cache=cache)
    documents = TwelveLabsMediaLoader(folder, model).load()
    assert len(model.embed_documents([d.page_content for d in documents])) == len(documents)
    assert len(service.requests) == sent == 4


@pytest.mark.parametrize("name", ["b.mp4", "a.PNG"])
def test_a_file_is_digested_once(folder: Path, name: str, digested: list[str]) -> None:
    """For its ids, the cache and the check for files of equal content."""
    TwelveLabsMediaLoader(folder / name, make(Service(answer), cache=InMemoryByteStore())).load()
    assert digested == [name]


def test_an_embedded_image_is_loaded_from_the_cache(service: Service, folder: Path) -> None:
    model = make(service, cache=InMemoryByteStore())
    (embedded,) = model.embed_image([folder / "a.PNG"])
    (document,) = TwelveLabsMediaLoader(folder / "a.PNG", model).load()
    assert model.embed_query(document.page_content) == embedded
    assert len(service.requests) == 1


# -- what is found ----------------------------------------------------------------------------------------------------


def test_folders_are_searched_in_order(
    model: TwelveLabsEmbeddings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "twelvelabs_embeddings")
    assert names(TwelveLabsMediaLoader(folder, model).load()) == ["a.PNG", "b.mp4", "c.wav", "d.mp4"]
    (line,) = [m for m in caplog.messages if "left out" in m]
    assert line.endswith("marengo3.0 does not take: .txt (1), .xyz (1)")


def test_a_folder_with_nothing_to_load_is_a_warning(
    model: TwelveLabsEmbeddings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert TwelveLabsMediaLoader(folder, model, glob="*.MP5").load() == []
    assert caplog.messages == [f"There is nothing to load: no file in {str(folder)!r} matches glob='*.MP5'."]
    caplog.clear()
    assert TwelveLabsMediaLoader(folder, model, suffixes=".flac").load() == []
    (line,) = caplog.messages
    assert line.endswith("does not take: .mp4 (2), .png (1), .txt (1), .wav (1), .xyz (1)")


def test_a_broken_link_in_a_folder_is_left_out_in_the_log(
    model: TwelveLabsEmbeddings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "old.png").symlink_to(tmp_path / "gone.png")
    assert TwelveLabsMediaLoader(tmp_path, model).load() == []
    assert caplog.messages[0].endswith("does not take: broken link (1)")
    with pytest.raises(InvalidInputError, match=r"is a broken link, to '.*gone\.png'"):
        TwelveLabsMediaLoader(tmp_path / "old.png", model).load()


def test_a_bad_file_in_a_folder_says_how_to_go_on(model: TwelveLabsEmbeddings, folder: Path) -> None:
    (folder / "icon.png").write_bytes(media.png("red", size=(32, 32)))
    with pytest.raises(InvalidInputError, match=r"icon\.png': is 32x32 .* Enlarge it\. .*on_error='skip'\.$"):
        TwelveLabsMediaLoader(folder, model).load()
    with pytest.raises(InvalidInputError, match=r"Enlarge it\.$"):  # it was named: there is nothing to go on with
        TwelveLabsMediaLoader(folder / "icon.png", model).load()
    assert len(TwelveLabsMediaLoader(folder, model, on_error="skip").load()) > 1


def test_globs_suffixes_and_mixtures(model: TwelveLabsEmbeddings, folder: Path) -> None:
    def load(paths: Any, **more: Any) -> list[str]:
        return names(TwelveLabsMediaLoader(paths, model, **more).load())

    assert load(str(folder / "**/*.mp4")) == ["b.mp4", "d.mp4"]
    assert load(folder, glob="*") == ["a.PNG", "b.mp4"]
    assert load(folder, suffixes=["wav", ".PNG"]) == ["a.PNG", "c.wav"]
    assert load(folder, suffixes={".xyz": "image"}, on_error="skip") == []
    mixed = [
        folder / "sub",
        str(folder / "a.PNG"),
        Video(VIDEO, filename="bytes.mp4"),
        Blob.from_path(folder / "b.mp4"),
    ]
    assert load(mixed) == ["c.wav", "d.mp4", "a.PNG", "bytes.mp4", "b.mp4"]
    assert load(iter([folder / "a.PNG"])) == ["a.PNG"]


def test_a_url_is_named_whole_and_not_read(model: TwelveLabsEmbeddings, service: Service) -> None:
    url = "https://example.com/videos/one.mp4?sign=1"
    documents = TwelveLabsMediaLoader(url, model, options=SegmentOptions(embedding_option="visual")).load()
    assert documents[0].metadata["source"] == url
    assert documents[0].page_content.startswith("one.mp4 00:00:00-00:00:06 visual [")
    assert sent_json(service.requests[0])["video"]["media_source"] == {"url": url}


def test_assets_in_and_out(folder: Path) -> None:
    """One that was uploaded elsewhere, and one of this client; its documents name it as their source."""
    ready = {"_id": "6298d673f1090f1100476d4c", "status": "ready", "method": "direct", "filename": "one.mp4"}
    service = Service(lambda r: httpx.Response(200, json=ready) if "/assets/" in r.url.path else answer(r))
    model = make(service)
    asset = Asset("6298d673f1090f1100476d4c", filename="one.mp4", mime="video/mp4")
    documents = TwelveLabsMediaLoader([asset, Video(asset.uri)], model).load()
    assert {d.metadata["source"] for d in documents} == {"asset://6298d673f1090f1100476d4c"}
    assert len(documents) == 6, "the same asset twice"
    assert documents[0].page_content.startswith("one.mp4 00:00:00-00:00:06 visual [")
    assert model.embed_query(documents[0].page_content) == vector("visual 0")
    posted = [sent_json(request) for request in service.requests if request.method == "POST"]
    assert [body["video"]["media_source"] for body in posted] == [{"asset_id": asset.id}]


def test_blobs(model: TwelveLabsEmbeddings, folder: Path) -> None:
    blobs = [
        Blob.from_data(
            media.png("red"), mime_type="image/png", path="far/away.png", metadata={"author": "me", "no": None}
        ),
        Blob.from_path(folder / "sub" / "c.wav"),
        Blob(data=media.png("blue"), mimetype="image/png; charset=binary"),
    ]
    documents = TwelveLabsMediaLoader(blobs, model).load()
    first, last = documents[0], documents[-1]
    assert first.metadata.items() >= {"source": "far/away.png", "file_name": "away.png", "author": "me"}.items()
    assert "no" not in first.metadata
    assert documents[1].metadata["source"] == str(folder / "sub" / "c.wav")
    assert last.metadata["media_type"] == "image"
    with pytest.raises(InvalidInputError, match="mimetype"):
        TwelveLabsMediaLoader(Blob(data=b"x"), model).load()


def test_a_blob_loader(model: TwelveLabsEmbeddings, folder: Path) -> None:
    class Videos(BlobLoader):
        def yield_blobs(self) -> Any:
            yield Blob.from_path(folder / "b.mp4")

    assert names(TwelveLabsMediaLoader([Videos()], model).load()) == ["b.mp4"]
    assert names(TwelveLabsMediaLoader(Videos(), model).load()) == ["b.mp4"]


def test_the_signature_of_a_url_is_sent_and_kept_nowhere(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cache = InMemoryByteStore()
    model = make(service, cache=cache)
    where = "https://me:s3cret@example.com/videos/one.mp4?page=1&X-Amz-Signature={}&X-Amz-Date=d"

    def load(url: Any) -> list[Any]:
        return TwelveLabsMediaLoader([url, url], model).load()

    first = load(where.format("signed1"))
    assert load(where.format("signed2")) == load(Video(where.format("signed3"))) == first
    blob = Blob.from_data(VIDEO, mime_type="video/mp4", metadata={"source": where.format("signed4")})
    assert load(blob)[0].metadata["source"] == first[0].metadata["source"]
    assert {d.metadata["source"] for d in first} == {"https://example.com/videos/one.mp4?page=1"}
    by_url, by_content = service.requests
    assert b"signed" not in by_content.content
    assert sent_json(by_url)["video"]["media_source"] == {"url": where.format("signed1")}
    kept = [*cache.yield_keys(), *map(str, cache.store.values())]
    for text in (*kept, *map(repr, first), caplog.text, repr(model.client.stats)):
        assert "signed" not in text
        assert "s3cret" not in text


# -- equal content ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [True, False])
def test_copies_are_embedded_once_and_have_documents_each(service: Service, folder: Path, cached: bool) -> None:
    """A second uploader's copy does not replace the rows of the first."""
    model = make(service, cache=InMemoryByteStore() if cached else None)
    for name in ("anna/film.mp4", "ben/film.mp4", "copy.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(VIDEO)
    same_length = bytearray(VIDEO)
    same_length[-1] ^= 1
    (folder / "y.mp4").write_bytes(same_length)
    documents = TwelveLabsMediaLoader(folder, model, suffixes=[".mp4"]).load()
    by_source: dict[str, list[Any]] = {}
    for document in documents:
        by_source.setdefault(document.metadata["source"], []).append(document)
    assert [Path(source).relative_to(folder).as_posix() for source in by_source] == [
        *("anna/film.mp4", "b.mp4", "ben/film.mp4", "copy.mp4", "sub/deep/d.mp4", "y.mp4"),
    ]
    assert [len(found) for found in by_source.values()] == [6] * 6
    assert len({d.id for d in documents}) == 36
    assert len(service.requests) == 3
    vectors = [model.embed_documents([d.page_content for d in found]) for found in by_source.values()]
    assert vectors == [vectors[0]] * 6
    anna, _, ben, copy, *_ = by_source.values()
    assert [d.page_content.partition(" [")[0] for d in copy] == [
        d.page_content.partition(" [")[0].replace("film", "copy") for d in anna
    ]
    alone = TwelveLabsMediaLoader(folder / "ben" / "film.mp4", model).load()
    assert alone == ben, "with its copies or alone"


def test_after_forgetting_a_copy_is_embedded_again(service: Service, folder: Path) -> None:
    model = make(service)
    (folder / "copy.mp4").write_bytes(VIDEO)
    found = TwelveLabsMediaLoader([folder / "b.mp4", folder / "copy.mp4"], model, files_ahead=1).lazy_load()
    first = list(itertools.islice(found, 6))
    model.forget_references()
    second = list(found)
    assert len(service.requests) == 2
    assert model.embed_query(second[0].page_content) == vector("visual 0")
    assert len(first) == len(second) == 6


def test_a_copy_of_a_file_that_changed_meanwhile_is_embedded_itself(service: Service, folder: Path) -> None:
    """The first was embedded with another content than the one it is compared by."""
    model = make(service)
    changing, copy = folder / "changing.mp4", folder / "copy.mp4"
    same_length = bytearray(VIDEO)
    same_length[-1] ^= 1
    changing.write_bytes(same_length)
    copy.write_bytes(VIDEO)
    found = TwelveLabsMediaLoader([changing, copy], model, files_ahead=1).lazy_load()
    first = next(found)
    changing.write_bytes(VIDEO)
    rest = list(found)
    assert len(service.requests) == 2
    assert rest[-1].metadata["content_digest"] != first.metadata["content_digest"]


def test_a_copy_of_a_file_that_failed_is_embedded_itself(folder: Path) -> None:
    failures = iter([httpx.Response(500, json={"code": "internal", "message": "oh"})])
    service = Service(lambda request: next(failures, None) or answer(request))
    (folder / "copy.mp4").write_bytes(VIDEO)
    paths = [folder / "b.mp4", folder / "copy.mp4"]
    assert names(TwelveLabsMediaLoader(paths, make(service), on_error="skip").load()) == ["copy.mp4"]


def test_the_same_ids_twice_are_left_out_and_named(
    model: TwelveLabsEmbeddings,
    service: Service,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chroma and FAISS refuse them inside one call."""
    caplog.set_level(logging.INFO, "twelvelabs_embeddings")
    monkeypatch.chdir(folder)
    (folder / "copy.mp4").write_bytes(VIDEO)

    def load(paths: Any, **more: Any) -> list[str]:
        caplog.clear()
        return list(dict.fromkeys(d.metadata["source"] for d in TwelveLabsMediaLoader(paths, model, **more).load()))

    def line(left_out: str, kept: str) -> str:
        return f"{left_out} has the content of {kept} and would have the same ids; it is left out (see id_from)"

    spelt = ["b.mp4", "./b.mp4", str(folder / "b.mp4"), (folder / "b.mp4").as_uri(), Blob.from_path("b.mp4")]
    assert load(spelt) == ["b.mp4"]
    assert caplog.messages == [
        line(str(name), "b.mp4") for name in ("./b.mp4", folder / "b.mp4", (folder / "b.mp4").as_uri(), "b.mp4")
    ]
    assert load(["b.mp4", "copy.mp4"], id_from="content") == ["b.mp4"]
    assert caplog.messages == [line("copy.mp4", "b.mp4")]
    assert load(["b.mp4", "copy.mp4"]) == ["b.mp4", "copy.mp4"]
    assert caplog.messages == []
    assert len(service.requests) == 3  # no cache: one for each load
    parts = [Video(folder / "b.mp4", start_sec=0, end_sec=0.5), Video(folder / "b.mp4", start_sec=0.5)]
    found = TwelveLabsMediaLoader(parts, model).load()
    assert len(service.requests) == 5
    assert len({d.id for d in found}) == len(found)


async def test_no_id_comes_twice_of_streams_either(
    model: TwelveLabsEmbeddings, caplog: pytest.LogCaptureFixture
) -> None:
    """They are compared when they have been embedded."""
    caplog.set_level(logging.INFO, "twelvelabs_embeddings")

    def loader() -> TwelveLabsMediaLoader:
        streams = [Video(io.BytesIO(VIDEO)), Video(io.BytesIO(OTHER)), Video(io.BytesIO(VIDEO))]
        return TwelveLabsMediaLoader([*streams, Video(io.BytesIO(VIDEO), filename="a.mp4")], model)

    documents = loader().load()
    assert len({d.id for d in documents}) == len(documents) == 18
    line = "video has the content of video and has the same ids; it is left out (see id_from)"
    assert caplog.messages == [line]
    assert await loader().aload() == documents


def test_ids_from_a_name_of_the_caller(model: TwelveLabsEmbeddings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "twelvelabs_embeddings")

    def blob(content: bytes, number: int, name: str) -> Blob:
        return Blob.from_data(content, mime_type="video/mp4", path=name, metadata={"number": number})

    def load(*blobs: Blob) -> dict[str, list[Any]]:
        loader = TwelveLabsMediaLoader(blobs, model, id_from=lambda known: f"video {known['number']}")
        found: dict[str, list[Any]] = {}
        for document in loader.load():
            found.setdefault(document.metadata["source"], []).append(document.id)
        return found

    one = load(blob(VIDEO, 1, "a.mp4"), blob(VIDEO, 2, "b.mp4"), blob(OTHER, 1, "c.mp4"), blob(VIDEO, 1, "d.mp4"))
    assert list(one) == ["a.mp4", "b.mp4", "c.mp4"], "the same name and content twice is left out"
    assert "d.mp4 has the content of a.mp4" in caplog.text
    assert len({id for ids in one.values() for id in ids}) == 18
    assert load(blob(VIDEO, 1, "moved.mp4")) == {"moved.mp4": one["a.mp4"]}
    with pytest.raises(UnexpectedError, match=r"'e\.mp4': id_from raised KeyError"):
        TwelveLabsMediaLoader(Blob.from_data(VIDEO, mime_type="video/mp4", path="e.mp4"), model, id_from=_number).load()


def test_a_function_of_the_users_is_asked_once_for_a_file(model: TwelveLabsEmbeddings, folder: Path) -> None:
    """Also one that gives another name every time, and not on the loop that everybody shares."""
    threads = []

    def name(_: Any) -> str:
        threads.append(threading.current_thread().name)
        return f"file {len(threads)}"

    (folder / "copy.mp4").write_bytes(VIDEO)
    found = TwelveLabsMediaLoader(folder, model, suffixes=[".mp4"], id_from=name).load()
    assert len(threads) == 3
    assert len({d.id for d in found}) == 18
    model.client.rows_many([Video(VIDEO)], id_from=name)
    assert not [thread for thread in threads if thread == loop_thread()]


def loop_thread() -> str:
    async def name() -> str:
        return threading.current_thread().name

    return run(name())


def _number(known: Any) -> str:
    return str(known["number"])


# -- metadata of a Blob -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["space", "start_sec", "embedding_option", "content_digest", "page", "media_type"])
def test_a_key_of_ours_in_a_blob_is_refused_before_anything_is_sent(
    model: TwelveLabsEmbeddings, service: Service, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    blob = Blob.from_data(VIDEO, mime_type="video/mp4", path="a.mp4", metadata={name: "kitchen"})
    with pytest.raises(InvalidInputError, match=rf"'a\.mp4': its metadata has the key '{name}'.*'my_{name}'"):
        TwelveLabsMediaLoader(blob, model).load()
    assert TwelveLabsMediaLoader(blob, model, on_error="skip").load() == []
    assert not service.requests
    assert TwelveLabsMediaLoader(Blob(data=VIDEO, mimetype="video/mp4", metadata={name: None}), model).load()


def test_a_blob_says_where_it_is_from(model: TwelveLabsEmbeddings, folder: Path) -> None:
    given = {"source": "s3://bucket/one.mp4", "file_name": "One", "uploader": "anna", "seconds": [1, 2]}
    blob = Blob.from_path(folder / "b.mp4", metadata=given)
    document, *_ = TwelveLabsMediaLoader(blob, model).load()
    assert document.metadata.items() >= given.items()
    assert document.page_content.startswith("One 00:00:00-00:00:06 visual [")
    with pytest.raises(InvalidInputError, match="a int under 'source'"):
        TwelveLabsMediaLoader(Blob(data=VIDEO, mimetype="video/mp4", metadata={"source": 7}), model).load()


# -- options ----------------------------------------------------------------------------------------------------------


def test_options_for_all_take_what_fits(service: Service, model: TwelveLabsEmbeddings, folder: Path) -> None:
    options = SegmentOptions(Fixed(5), embedding_option=["visual", "audio"])
    TwelveLabsMediaLoader(folder, model, options=options).load()
    asked = {b["input_type"]: b[b["input_type"]] for b in map(sent_json, service.requests)}
    assert asked["video"]["embedding_option"] == ["visual", "audio"]
    assert asked["audio"]["embedding_option"] == ["audio"]
    assert asked["audio"]["segmentation"]["fixed"] == {"duration_sec": 5}
    assert asked["image"].keys() == {"media_source"}


def test_options_by_kind(service: Service, model: TwelveLabsEmbeddings, folder: Path) -> None:
    options = {"video": SegmentOptions(Dynamic(2), embedding_scope="asset")}
    TwelveLabsMediaLoader(folder, model, options=options, suffixes=[".mp4", ".wav"]).load()
    asked = {b["input_type"]: b[b["input_type"]] for b in map(sent_json, service.requests)}
    assert asked["video"]["embedding_scope"] == ["asset"]
    assert "segmentation" not in asked["audio"]


def test_options_that_do_not_fit_are_refused(model: TwelveLabsEmbeddings, folder: Path, service: Service) -> None:
    with pytest.raises(InvalidInputError, match=r"c\.wav.*no option 'visual' for audio"):
        TwelveLabsMediaLoader(folder / "sub/c.wav", model, options=SegmentOptions(embedding_option="visual")).load()
    assert not service.requests


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"on_error": "ignore"}, "raise, skip"),
        ({"files_ahead": 0}, "1 or more"),
        ({"options": {"movie": SegmentOptions()}}, "kinds are image"),
        ({"suffixes": [".mp4", ".xyz"]}, r"\.xyz"),
        ({"suffixes": {".ts": "movie"}}, "not a kind"),
    ],
)
def test_settings_that_cannot_be(model: TwelveLabsEmbeddings, settings: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        TwelveLabsMediaLoader("x", model, **settings)


# -- a progress bar ---------------------------------------------------------------------------------------------------


class Bars:
    """Stands for tqdm, and keeps what was drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> None:
        self.drawn: list[Any] = []
        made = self

        class Bar:
            def __init__(
                self, total: int | None = None, desc: str = "", unit: str = "", smoothing: float = 0.3
            ) -> None:
                if fails == "made":
                    raise OSError("closed")
                self.total, self.n = total, 0
                made.drawn.append((desc, unit, total))

            def set_postfix_str(self, text: str, refresh: bool = True) -> None:
                if fails == "drawn":
                    raise OSError("closed")
                made.drawn.append(text)

            def update(self, n: int) -> None:
                self.n += n
                made.drawn.append(self.n)

            def close(self) -> None:
                made.drawn.append("closed")

        monkeypatch.setattr("tqdm.auto.tqdm", Bar)


async def test_progress_is_shown_by_file(
    model: TwelveLabsEmbeddings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = Bars(monkeypatch)
    TwelveLabsMediaLoader(folder, model).load()
    assert bars.drawn == []
    (folder / "zz.mp4").write_bytes(VIDEO)
    paths: list[Any] = [str(folder / "*.mp4"), folder / "a.PNG", folder / "b.mp4"]
    expected: list[Any] = [("loading", "file", 4)]
    expected += ["6 documents", 1, "12 documents", 2, "13 documents", 3, "13 documents", 4, "closed"]
    documents = TwelveLabsMediaLoader(paths, model, show_progress=True).load()
    assert bars.drawn == expected
    bars.drawn.clear()
    assert await TwelveLabsMediaLoader(paths, model, show_progress=True).aload() == documents
    assert bars.drawn == expected
    bars.drawn.clear()
    TwelveLabsMediaLoader(iter([folder / "a.PNG"]), model, show_progress=True).load()
    assert bars.drawn == [("loading", "file", None), "1 documents", 1, "closed"]


@pytest.mark.parametrize("fails", ["made", "drawn"])
def test_a_bar_that_cannot_be_drawn_stops_nothing(
    model: TwelveLabsEmbeddings, folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str, caplog: Any
) -> None:
    Bars(monkeypatch, fails)
    assert len(TwelveLabsMediaLoader(folder / "b.mp4", model, show_progress=True).load()) == 6
    assert caplog.text.count("a progress bar cannot be drawn: it raised OSError") == 1


def test_a_bar_needs_tqdm(
    model: TwelveLabsEmbeddings, folder: Path, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(InvalidInputError, match="pip install tqdm"):
        TwelveLabsMediaLoader(folder, model, show_progress=True).load()
    assert not service.requests


# -- what fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.mp4", "no such file"),
        ("code.xyz", "suffix"),
        ("*.flac", "matches no file"),
        ("missing/", "no such file or folder"),
        ("missing", r"no such file or folder\.$"),
        ("notes.txt", "marengo3.0"),
        ("broken.mp4", "not a readable video"),
        ("broken.png", "readable image|not a readable"),
    ],
)
def test_what_was_named_itself_fails(
    model: TwelveLabsEmbeddings, folder: Path, name: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "broken.mp4").write_bytes(b"nothing" * 9)
    (folder / "broken.png").write_bytes(media.png("red")[:60])
    path = str(folder / name)
    with pytest.raises(InvalidInputError, match=why) as caught:
        TwelveLabsMediaLoader(path, model).load()
    assert path in str(caught.value)
    documents = TwelveLabsMediaLoader([path, folder / "a.PNG"], model, on_error="skip").load()
    assert names(documents) == ["a.PNG"]
    assert f"{path} was skipped" in caplog.text


async def test_a_page_about_a_video_is_none(model: TwelveLabsEmbeddings, service: Service) -> None:
    for url in ("https://www.youtube.com/watch?v=abc", "https://youtu.be/abc"):
        with pytest.raises(InvalidInputError, match=r"serves a page about the media, not the file.* Download the file"):
            TwelveLabsMediaLoader(url, model).load()
        with pytest.raises(InvalidInputError, match="serves a page about the media, not the file"):
            await TwelveLabsMediaLoader([Video(url)], model).aload()
    assert not service.requests


def test_trio_is_told_what_to_do(model: TwelveLabsEmbeddings, folder: Path, service: Service) -> None:
    """Whatever drives the coroutine, no asyncio loop is running."""
    documents: Any = TwelveLabsMediaLoader(folder, model).alazy_load()
    with pytest.raises(RuntimeError, match=r"Async methods run under asyncio.*await trio\.to_thread\.run_sync"):
        documents.__anext__().send(None)
    for coroutine in (
        model.aembed_query("red"),
        model.aembed_documents(["red"]),
        model.aembed_image([folder / "a.PNG"]),
    ):
        with pytest.raises(RuntimeError, match=r"Async methods run under asyncio.*await trio\.to_thread\.run_sync"):
            coroutine.send(None)
    assert not service.requests


# -- as any loader ----------------------------------------------------------------------------------------------------


async def test_it_is_a_loader_of_langchain(model: TwelveLabsEmbeddings, folder: Path) -> None:
    """What its base class promises; LangChain has no standard tests for loaders."""
    loader = TwelveLabsMediaLoader(folder, model)
    assert isinstance(loader, BaseLoader)
    lazy = loader.lazy_load()
    assert isinstance(lazy, Iterator)
    documents = list(lazy)
    assert all(isinstance(document, LangChainDocument) for document in documents)
    assert loader.load() == documents == await loader.aload()
    assert isinstance(loader.alazy_load(), AsyncIterator)
    assert list(MergedDataLoader([loader, loader]).lazy_load()) == documents * 2
    splitter = RecursiveCharacterTextSplitter(chunk_size=400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [d.page_content for d in loader.load_and_split(splitter)] == [d.page_content for d in documents]


def test_errors_about_the_account_are_never_skipped(folder: Path) -> None:
    service = Service(lambda request: httpx.Response(401, json={"code": "api_key_invalid", "message": "no"}))
    with pytest.raises(AuthenticationError):
        TwelveLabsMediaLoader(folder, make(service), on_error="skip").load()


def test_a_file_the_server_fails_on_is_skipped_and_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: httpx.Request) -> Any:
        if sent_json(request)["input_type"] == "audio":
            return httpx.Response(500, json={"code": "internal", "message": "oh"})
        return answer(request)

    loader = TwelveLabsMediaLoader(folder, make(Service(broken)), on_error="skip")
    assert names(loader.load()) == ["a.PNG", "b.mp4", "d.mp4"]
    assert f"{folder / 'sub/c.wav'} was skipped" in caplog.text


# -- lazily -----------------------------------------------------------------------------------------------------------


class Limiter:
    """A service that takes its time, and counts how many wait for it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.now = self.most = 0
        self.service = Service(self._answer)

    async def _answer(self, request: httpx.Request) -> Any:
        self.reached.set()
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return answer(request)


def videos(folder: Path, count: int) -> list[Path]:
    found = []
    for i in range(count):
        content = bytearray(VIDEO)
        content[-1] ^= i + 1
        found.append(folder / f"video{i:02d}.mp4")
        found[-1].write_bytes(content)
    return found


def test_some_files_ahead_and_no_more(tmp_path: Path) -> None:
    gate = Limiter()
    paths = videos(tmp_path, 12)
    loader = TwelveLabsMediaLoader(paths, make(gate.service), files_ahead=3)
    documents = loader.lazy_load()
    assert not gate.service.requests  # nothing before the first is asked for
    next(documents)
    assert len(gate.service.requests) <= 3
    rest = list(documents)
    assert gate.most == 3
    assert len(rest) == 12 * 6 - 1
    assert names(rest) == [p.name for p in paths]


def test_left_early_the_rest_is_cancelled(tmp_path: Path) -> None:
    gate = Limiter()
    loader = TwelveLabsMediaLoader(videos(tmp_path, 12), make(gate.service), files_ahead=2)
    documents = loader.lazy_load()
    assert len(list(itertools.islice(documents, 3))) == 3
    documents.close()  # type: ignore[attr-defined]
    assert len(gate.service.requests) <= 3


async def test_async_is_the_same(tmp_path: Path, folder: Path, model: TwelveLabsEmbeddings) -> None:
    loader = TwelveLabsMediaLoader(folder, model)
    assert [d async for d in loader.alazy_load()] == loader.load()
    assert await loader.aload() == loader.load()
    with pytest.raises(InvalidInputError, match="no such file"):
        await TwelveLabsMediaLoader([folder / "a.PNG", folder / "missing.png"], model).aload()


async def test_cancelled_it_stops(tmp_path: Path) -> None:
    gate = Limiter()
    loader = TwelveLabsMediaLoader(videos(tmp_path, 12), make(gate.service), files_ahead=2)
    task = asyncio.ensure_future(loader.aload())
    await asyncio.to_thread(gate.reached.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert len(gate.service.requests) <= 2  # those that were under way


# -- embed_segments ---------------------------------------------------------------------------------------------------


async def test_embed_segments(model: TwelveLabsEmbeddings, service: Service, folder: Path) -> None:
    found = model.embed_segments(folder / "b.mp4")
    assert [type(s) for s in found] == [Segment] * 6
    assert (found[0].start_sec, found[0].end_sec, found[0].option, found[0].scope) == (0, 6, "visual", "clip")
    assert await model.aembed_segments(str(folder / "b.mp4")) == found
    visual = model.embed_segments(Video(VIDEO), segmentation=Fixed(4), embedding_option="visual")
    assert [s.option for s in visual] == ["visual"] * 2
    assert sent_json(service.requests[-1])["video"]["segmentation"]["fixed"] == {"duration_sec": 4}
    audio = model.embed_segments(Audio(folder / "sub/c.wav"), SegmentOptions(embedding_scope="asset"))
    assert [s.scope for s in audio] == ["asset"] * 2


@pytest.mark.parametrize(
    ("given", "fields", "why"),
    [
        ("video.xyz", {}, r"suffix '\.xyz' does not say"),
        (b"bytes", {}, "wrap it"),
        (Video(VIDEO), {"seconds": 4}, "no option 'seconds'"),
        (Video(VIDEO), {"options": SegmentOptions(), "segmentation": Fixed(4)}, "not both"),
        (Document(b"# text", filename="a.md"), {}, "not document"),
    ],
)
def test_embed_segments_refuses(
    model: TwelveLabsEmbeddings, given: Any, fields: Any, why: str, service: Service
) -> None:
    with pytest.raises(InvalidInputError, match=why):
        model.embed_segments(given, **fields)
    assert not service.requests
